//! `$status`, `$events` and `$get-ws-binding-token`.

use super::{book, status_of, subscription, told};
use crate::support::{TestApp, both_engines, clinic};
use serde_json::{Value, json};

const LEVELS: [&str; 3] = ["empty", "id-only", "full-resource"];

async fn slots(app: &TestApp) {
    clinic::seed(app).await;
    for (index, time) in ["09:00", "09:30", "10:00"].iter().enumerate() {
        app.store(&clinic::slot(&format!("slot-{index}"), "sch-a", &clinic::at(time), 30)).await;
    }
    // Slots that become free are events too.
    super::hand_out(app).await;
}

fn events(status: &Value) -> Vec<&Value> {
    let all = status["parameter"].as_array().expect("parameters");
    all.iter().filter(|parameter| parameter["name"] == "notification-event").collect()
}

fn part<'a>(event: &'a Value, name: &str) -> Option<&'a Value> {
    event["part"].as_array().expect("parts").iter().find(|part| part["name"] == name)
}

both_engines! {
    async fn status_is_told_of_one_and_of_many(app: TestApp) {
        let first = app.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        let second = app.post("Subscription", &subscription("slot-taken", "websocket", "empty")).await.is(201);
        let off = clinic::with(second.json.clone(), "status", "off");
        app.put(&format!("Subscription/{}", second.id()), &off).await.is(200);
        let one = status_of(&app, first.id()).await;
        assert_eq!(told(&one, "type"), "query-status");
        assert!(told(&one, "subscription").ends_with(&format!("Subscription/{}", first.id())));
        assert_eq!(told(&one, "topic"), super::topic("slot-freed"));
        let two = status_of(&app, second.id()).await;
        assert_eq!(told(&two, "status"), "off");
        assert!(two["parameter"].as_array().unwrap().iter().all(|one| one["name"] != "topic"), "{two}");
        // At the level of an instance the other parameters mean nothing.
        let same = app.get(&format!("Subscription/{}/$status?status=off&id={}", first.id(), second.id())).await.is(200);
        assert_eq!(told(&same.json["entry"][0]["resource"], "status"), "requested");
        for (query, count) in [("", 2), ("?status=off", 1), ("?status=off,requested", 2), ("?status=off&status=requested", 2),
            ("?status=error", 0), (&format!("?id={}", first.id()), 1), (&format!("?id={}&id={}", first.id(), second.id()), 2),
            (&format!("?id={},{}&status=off", first.id(), second.id()), 1), ("?id=none", 0)] {
            let all = app.get(&format!("Subscription/$status{query}")).await.is(200);
            assert_eq!((all.text("/type"), all.json["total"].as_i64()), ("searchset", Some(count)), "{query}");
            let states = all.json["entry"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(states.iter().all(|entry| entry["search"]["mode"] == "match"));
        }
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "id", "valueId": first.id() }, { "name": "status", "valueCode": "requested" }] });
        let posted = app.post("Subscription/$status", &body).await.is(200);
        assert_eq!(posted.json["total"], 1);
        app.get("Subscription/$status?status=sleepy").await.is(400);
        app.get("Subscription/none/$status").await.is(404);
        app.get("Subscription/$events").await.is(404);
    }

    async fn events_are_counted_and_told_again_at_each_level(app: TestApp) {
        slots(&app).await;
        for content in LEVELS {
            let made = app.post("Subscription", &subscription("appointment-booked", "rest-hook", content)).await.is(201);
            let slot = format!("slot-{}", LEVELS.iter().position(|level| *level == content).unwrap());
            let booked = book(&app, &app, &slot).await;
            // It has not answered yet, and its events are counted all the same.
            assert_eq!(told(&status_of(&app, made.id()).await, "events-since-subscription-start"), "1");
            let bundle = app.get(&format!("Subscription/{}/$events", made.id())).await.is(200);
            assert_eq!(bundle.text("/type"), "history");
            let status = &bundle.json["entry"][0]["resource"];
            assert_eq!(told(status, "type"), "query-event");
            assert!(bundle.text("/entry/0/request/url").ends_with(&format!("Subscription/{}/$status", made.id())));
            let [event] = events(status)[..] else { panic!("{status}") };
            assert_eq!(part(event, "event-number").unwrap()["valueString"], "1");
            assert!(part(event, "timestamp").unwrap()["valueInstant"].is_string());
            let focus = part(event, "focus").map(|focus| focus["valueReference"]["reference"].clone());
            let place = format!("{}/Appointment/{booked}", app.base());
            assert_eq!(focus, (content != "empty").then(|| json!(place)));
            let entries = bundle.json["entry"].as_array().unwrap();
            assert!(entries.iter().all(|entry| entry["request"].is_object() && entry["response"].is_object()));
            match content {
                "empty" => assert_eq!(entries.len(), 1),
                "id-only" => assert_eq!((&entries[1]["fullUrl"], entries[1].get("resource")), (&json!(place), None)),
                _ => assert_eq!(entries[1]["resource"]["id"], json!(booked)),
            }
            // Another level may be asked for.
            let ids = app.get(&format!("Subscription/{}/$events?content=id-only", made.id())).await.is(200);
            assert_eq!(ids.json["entry"].as_array().unwrap().len(), 2);
        }
    }

    async fn events_are_told_from_a_number_to_a_number(app: TestApp) {
        slots(&app).await;
        let made = app.post("Subscription", &subscription("appointment-booked", "rest-hook", "id-only")).await.is(201);
        for slot in ["slot-0", "slot-1", "slot-2"] {
            book(&app, &app, slot).await;
        }
        for (query, numbers) in [("", &["1", "2", "3"][..]), ("?eventsSinceNumber=2", &["2", "3"]),
            ("?eventsUntilNumber=2", &["1", "2"]), ("?eventsSinceNumber=2&eventsUntilNumber=2", &["2"]),
            ("?eventsSinceNumber=4", &[])] {
            let bundle = app.get(&format!("Subscription/{}/$events{query}", made.id())).await.is(200);
            let status = &bundle.json["entry"][0]["resource"];
            let told: Vec<&str> = events(status).into_iter()
                .map(|event| part(event, "event-number").unwrap()["valueString"].as_str().unwrap()).collect();
            assert_eq!(told, numbers, "{query}");
            assert_eq!(super::told(status, "events-since-subscription-start"), "3");
        }
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "eventsSinceNumber", "valueString": "3" }] });
        let posted = app.post(&format!("Subscription/{}/$events", made.id()), &body).await.is(200);
        assert_eq!(events(&posted.json["entry"][0]["resource"]).len(), 1);
        app.get(&format!("Subscription/{}/$events?eventsSinceNumber=x", made.id())).await.is(400);
    }

    async fn filters_are_all_kept_to(app: TestApp) {
        slots(&app).await;
        let both = |patient: &str, date: &str| super::filtered(
            subscription("appointment-booked", "rest-hook", "id-only"),
            &[&format!("Appointment?patient=Patient/{patient}&status=booked"), &format!("Appointment?date={date}")],
        );
        let mut ids = Vec::new();
        for (patient, date, count) in [("pat-1", "ge2031-03-03", "1"), ("pat-2", "ge2031-03-03", "0"),
            ("pat-1", "lt2031-03-03", "0")] {
            let made = app.post("Subscription", &both(patient, date)).await.is(201);
            ids.push((made.id().to_owned(), count));
        }
        let classic = super::classic("Appointment?patient=Patient/pat-1", Some("application/fhir+json"));
        ids.push((app.post("Subscription", &classic).await.is(201).id().to_owned(), "1"));
        book(&app, &app, "slot-0").await;
        for (id, count) in ids {
            assert_eq!(told(&status_of(&app, &id).await, "events-since-subscription-start"), count);
        }
    }

    async fn operations_are_on_the_record(app: TestApp) {
        slots(&app).await;
        let made = app.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(201);
        book(&app, &app, "slot-0").await;
        for operation in ["$status", "$events", "$get-ws-binding-token"] {
            app.get(&format!("Subscription/{}/{operation}", made.id())).await.is(200);
            let events = app.audit_events().await;
            let last = events.last().expect("an event").to_string();
            assert!(last.contains("operation") && last.contains(made.id()), "{operation}: {last}");
            // Of whom something was told.
            assert_eq!(last.contains("Patient/pat-1"), operation == "$events", "{operation}: {last}");
        }
    }
}
