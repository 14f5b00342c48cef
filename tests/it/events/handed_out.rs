//! Events reach the subscriptions that they are for: by topic, filter and criteria, and by what the owner may see.

use crate::support::{Client, Engine, FixedApp, TestApp, block_on, both_engines, clinic};
use serde_json::{Value, json};
use slotwright::clock::Clock;
use slotwright::store::events::{NewEvent, of_subscription, record};
use slotwright::store::{Intent, StoreError};
use std::sync::Arc;
use tokio::sync::Notify;

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/// A subscription by WebSocket, which needs nobody who listens.
fn subscription(criteria: &str, filters: &[&str]) -> Value {
    let extension = |url: &str, value: Value| {
        let mut extension = json!({ "url": format!("{BACKPORT}{url}") });
        extension.as_object_mut().expect("an object").extend(value.as_object().expect("a value").clone());
        extension
    };
    let mut made = json!({ "resourceType": "Subscription", "status": "requested", "reason": "a test",
        "criteria": format!("https://slotwright.org/fhir/SubscriptionTopic/{criteria}"),
        "channel": { "type": "websocket", "payload": "application/fhir+json",
            "_payload": { "extension": [extension("backport-payload-content", json!({ "valueCode": "id-only" }))] } } });
    let filters =
        filters.iter().map(|text| extension("backport-filter-criteria", json!({ "valueString": text })));
    let filters: Vec<Value> = filters.collect();
    if !filters.is_empty() {
        made["_criteria"] = json!({ "extension": filters });
    }
    made
}

async fn subscribe(client: &Client, criteria: &str, filters: &[&str]) -> String {
    client.post("Subscription", &subscription(criteria, filters)).await.is(201).id().to_owned()
}

/// `number Type/id` of each event that a subscription got.
async fn got(app: &TestApp, id: &str) -> Vec<String> {
    app.number_events().await;
    let mut tx = app.library().store.reader().await.expect("a connection");
    let events = of_subscription(&mut tx, id, 1, i64::MAX, 1000).await.expect("events");
    let count = app
        .database()
        .texts(&format!("SELECT CAST(count AS TEXT) FROM subscription WHERE id = '{id}'"))
        .await;
    assert_eq!(count, [events.len().to_string()], "the counter is the number of the last event");
    events.iter().map(|(number, event)| format!("{number} {}", event.reference())).collect()
}

/// Books a visit under an id, at an hour of its own.
async fn book(app: &TestApp, id: &str, patient: &str, practitioner: &str) {
    let hour = id.as_bytes()[0] - b'Z';
    let (start, end) = (clinic::at(&format!("{hour:02}:00")), clinic::at(&format!("{hour:02}:30")));
    let visit = clinic::unslotted("booked", &start, &end, patient, &[practitioner]);
    app.store(&clinic::with_id(visit, id)).await;
}

async fn cancel(app: &TestApp, id: &str) {
    let cancel = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
    let _ = app.patch(&format!("Appointment/{id}"), &cancel).await.is(200);
}

both_engines! {
    async fn events_are_those_that_a_topic_and_all_filters_let_through(app: FixedApp) {
        clinic::seed(&app).await;
        book(&app, "early", "pat-1", "Practitioner/dr-a").await;
        // The event of `early` has no number yet, and yet it was before them.
        let all = subscribe(&app, "appointment-booked", &[]).await;
        let of_patient = subscribe(&app, "appointment-changed", &["Appointment?patient=Patient/pat-1"]).await;
        let both = ["Appointment?patient=Patient/pat-1,Patient/pat-2", "Appointment?practitioner=dr-b"];
        let of_both = subscribe(&app, "appointment-changed", &both).await;
        let not_booked = subscribe(&app, "appointment-changed", &["Appointment?status:not=booked"]).await;
        let cancelled = subscribe(&app, "appointment-cancelled", &[]).await;
        let slots = subscribe(&app, "slot-taken", &[]).await;

        book(&app, "a", "pat-1", "Practitioner/dr-a").await;
        cancel(&app, "a").await;
        book(&app, "b", "pat-2", "Practitioner/dr-b").await;
        cancel(&app, "early").await;
        assert_eq!(got(&app, &all).await, ["1 Appointment/a", "2 Appointment/b"]);
        assert_eq!(got(&app, &of_patient).await, ["1 Appointment/a", "2 Appointment/a", "3 Appointment/early"]);
        assert_eq!(got(&app, &of_both).await, ["1 Appointment/b"]);
        assert_eq!(got(&app, &not_booked).await, ["1 Appointment/a", "2 Appointment/early"]);
        assert_eq!(got(&app, &cancelled).await, ["1 Appointment/a", "2 Appointment/early"]);
        assert!(got(&app, &slots).await.is_empty());

        // What was deleted is told of by what it was.
        let _ = app.delete("Appointment/b").await.is(204);
        assert_eq!(got(&app, &of_both).await, ["1 Appointment/b", "2 Appointment/b"]);
    }

    async fn an_offer_to_who_waits_reaches_those_who_asked_for_it(app: FixedApp) {
        clinic::seed(&app).await;
        let all = subscribe(&app, "waitlist-offer", &[]).await;
        let of_patient = subscribe(&app, "waitlist-offer", &["Appointment?patient=Patient/pat-2"]).await;
        let held = subscribe(&app, "waitlist-offer", &["Appointment?status=pending"]).await;
        for (id, patient) in [("a", "pat-1"), ("b", "pat-2"), ("c", "pat-3")] {
            let mut waiting = clinic::with_id(clinic::unslotted("waitlist", "", "", patient, &["Practitioner/dr-a"]), id);
            waiting.as_object_mut().expect("an object").retain(|name, _| !matches!(name.as_str(), "start" | "end"));
            app.store(&waiting).await;
        }
        let offer = async |id: &str, status: &str, hour: u32| {
            let offer = json!([
                { "op": "replace", "path": "/status", "value": status },
                { "op": "add", "path": "/start", "value": clinic::at(&format!("{hour:02}:00")) },
                { "op": "add", "path": "/end", "value": clinic::at(&format!("{hour:02}:30")) }
            ]);
            let _ = app.patch(&format!("Appointment/{id}"), &offer).await.is(200);
        };
        offer("a", "proposed", 9).await;
        offer("b", "pending", 10).await;
        offer("c", "booked", 11).await;
        assert_eq!(got(&app, &all).await, ["1 Appointment/a", "2 Appointment/b"]);
        assert_eq!(got(&app, &of_patient).await, ["1 Appointment/b"]);
        assert_eq!(got(&app, &held).await, ["1 Appointment/b"]);
        // What is held takes the time of the offer: nobody else is offered it.
        let taken = clinic::unslotted("booked", &clinic::at("10:00"), &clinic::at("10:30"), "pat-1", &["Practitioner/dr-a"]);
        let _ = app.post("Appointment", &taken).await.is(409);
    }

    async fn a_subscription_that_is_off_or_gone_gets_nothing_and_goes_on_without_a_gap(app: FixedApp) {
        clinic::seed(&app).await;
        let id = subscribe(&app, "appointment-booked", &[]).await;
        let gone = subscribe(&app, "appointment-booked", &[]).await;
        book(&app, "a", "pat-1", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/a"]);
        assert_eq!(got(&app, &gone).await, ["1 Appointment/a"]);

        let off = clinic::with(app.get(&format!("Subscription/{id}")).await.is(200).json, "status", "off");
        app.store(&off).await;
        let _ = app.delete(&format!("Subscription/{gone}")).await.is(204);
        book(&app, "b", "pat-1", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/a"]);

        app.store(&clinic::with(off, "status", "requested")).await;
        book(&app, "c", "pat-1", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/a", "2 Appointment/c"]);
    }

    async fn what_the_owner_may_not_see_is_no_event_of_theirs(app: FixedApp) {
        clinic::seed(&app).await;
        let scope = "system/Subscription.cruds system/Appointment.rs?actor=Practitioner/dr-a";
        let other = app.system("of-dr-a", scope).await;
        let id = subscribe(&other, "appointment-booked", &[]).await;
        book(&app, "a", "pat-1", "Practitioner/dr-a").await;
        book(&app, "b", "pat-2", "Practitioner/dr-b").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/a"]);

        // Withdrawn access ends it at once.
        let disable = "UPDATE oauth_client SET disabled_us = 1 WHERE id = 'of-dr-a'";
        assert_eq!(app.database().execute(disable).await, 1);
        book(&app, "c", "pat-3", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/a"]);
    }
}

#[test]
fn of_two_transactions_that_overlap_the_one_that_began_first_may_commit_last() {
    block_on(async {
        let app = TestApp::start(Engine::Postgres).await;
        clinic::seed(&app).await;
        book(&app, "b", "pat-1", "Practitioner/dr-a").await;
        let id = subscribe(&app, "appointment-booked", &[]).await;
        app.number_events().await;
        let rid = app.database().number("SELECT rid FROM event WHERE id = 'b'").await;
        // The first records something and has its key, and does not commit yet.
        let (recorded, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (Arc::clone(&recorded), Arc::clone(&go_on));
        let at_us = Clock::system().now();
        let store = app.library().store.clone();
        let first = tokio::spawn(async move {
            let written = store.write(Intent::Upsert, move |tx| {
                let (told, waits) = (Arc::clone(&told), Arc::clone(&waits));
                Box::pin(async move {
                    let (rtype, id, topics) = ("Appointment", "b".to_owned(), vec!["appointment-booked"]);
                    let event = NewEvent { rtype, rid, id, vid: 1, before_vid: None, topics, at_us };
                    record(tx, &[event]).await?;
                    told.notify_one();
                    waits.notified().await;
                    Ok::<_, StoreError>(())
                })
            });
            written.await
        });
        recorded.notified().await;
        // The second begins later, and is numbered and handed out meanwhile.
        book(&app, "c", "pat-1", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/c"]);
        go_on.notify_one();
        first.await.expect("a task").expect("a commit");
        assert_eq!(got(&app, &id).await, ["1 Appointment/c", "2 Appointment/b"], "nothing is passed over");
        book(&app, "d", "pat-1", "Practitioner/dr-a").await;
        assert_eq!(got(&app, &id).await, ["1 Appointment/c", "2 Appointment/b", "3 Appointment/d"]);
        let keys = "SELECT CAST(n.eid AS TEXT) FROM event_number n JOIN event e ON e.eid = n.eid \
            WHERE e.topics LIKE '%-booked %' ORDER BY n.seq";
        let keys: Vec<i64> =
            app.database().texts(keys).await.iter().map(|key| key.parse().expect("a key")).collect();
        let [_, second, first, third] = keys[..] else { panic!("{keys:?}") };
        assert!(first < second && second < third, "they did not overlap: {keys:?}");
    });
}
