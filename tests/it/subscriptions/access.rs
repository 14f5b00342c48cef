//! Whose subscriptions are, and what their owners are told of.

use super::{book, hand_out, subscription, told};
use crate::support::auth::Person;
use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::{Value, json};

async fn patient(app: &TestApp, account: &str, id: &str, scope: &str) -> Client {
    let user = format!("Patient/{id}");
    app.person(Person { account, roles: &["patient"], fhir_user: Some(&user), patient: Some(id), scope })
        .await
}

const OF_PATIENT: &str = "patient/Appointment.rs patient/Slot.rs patient/Subscription.cruds";

async fn count(client: &Client, id: &str) -> String {
    told(&super::status_of(client, id).await, "events-since-subscription-start").to_owned()
}

both_engines! {
    async fn others_do_not_find_them(app: TestApp) {
        clinic::seed(&app).await;
        let ana = patient(&app, "ana", "pat-1", OF_PATIENT).await;
        let ben = patient(&app, "ben", "pat-2", OF_PATIENT).await;
        let robot = app.system("robot", "system/*.cruds").await;
        let made = ana.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        ana.get(&place).await.is(200);
        for other in [&ben, &robot] {
            other.get(&place).await.is(404);
            other.get(&format!("{place}/_history")).await.is(404);
            other.put(&place, &made.json).await.is(404);
            other.patch(&place, &json!([{ "op": "replace", "path": "/reason", "value": "x" }])).await.is(404);
            other.delete(&place).await.is(404);
            for operation in ["$status", "$events", "$get-ws-binding-token"] {
                other.get(&format!("{place}/{operation}")).await.is(404);
            }
            assert!(other.get("Subscription").await.is(200).ids().is_empty());
            assert_eq!(other.get("Subscription/$status").await.is(200).json["total"], 0);
        }
    }

    async fn staff_see_what_is_set_up_and_not_where_it_goes(app: TestApp) {
        let made = app.post("Subscription", &subscription("appointment-booked", "rest-hook", "id-only")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        for role in ["scheduler", "compliance"] {
            let staff = app.person(Person { account: role, roles: &[role], scope: "user/*.cruds", ..Person::default() }).await;
            let read = staff.get(&place).await.is(200);
            assert_eq!(read.text("/criteria"), super::topic("appointment-booked"));
            assert!(!read.json.to_string().contains("s3cr3t") && !read.json.to_string().contains("receiver.example"), "{}", read.json);
            staff.get(&format!("{place}/$status")).await.is(200);
            staff.get(&format!("{place}/$events")).await.is(403);
            staff.get(&format!("{place}/$get-ws-binding-token")).await.is(403);
            let changed = staff.delete(&place).await;
            assert!([403, 404].contains(&changed.status), "{role}: {}", changed.json);
        }
    }

    async fn administrators_switch_them_off_and_nothing_else(app: TestApp) {
        let made = app.post("Subscription", &subscription("appointment-booked", "rest-hook", "id-only")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        let admin = app.person(Person { account: "adm", roles: &["administrator"], scope: "user/*.cruds", ..Person::default() }).await;
        admin.get(&place).await.is(403);
        admin.post("Subscription", &subscription("slot-freed", "websocket", "empty")).await.is(403);
        let elsewhere = json!([{ "op": "replace", "path": "/channel/endpoint", "value": "https://mine.example/" }]);
        admin.patch(&place, &elsewhere).await.is(403);
        let both = json!([{ "op": "replace", "path": "/status", "value": "off" },
            { "op": "replace", "path": "/channel/endpoint", "value": "https://mine.example/" }]);
        admin.patch(&place, &both).await.is(403);
        admin.patch(&place, &json!([{ "op": "replace", "path": "/status", "value": "off" }])).await.is(200);
        let read = app.get(&place).await.is(200);
        assert_eq!((read.text("/status"), read.text("/channel/endpoint")), ("off", "https://receiver.example/hook"));
    }

    async fn a_subscription_takes_the_right_to_read(app: TestApp) {
        clinic::seed(&app).await;
        let robot = app.system("robot", "system/Slot.rs system/Subscription.cruds").await;
        robot.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        robot.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(403);
        let blind = app.system("blind", "system/Slot.rs").await;
        blind.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(403);
        // What a view hides can't be looked for by a filter either.
        let ana = patient(&app, "ana", "pat-1", OF_PATIENT).await;
        let filter = super::filtered(subscription("slot-freed", "websocket", "id-only"), &["Slot?identifier=x"]);
        ana.post("Subscription", &filter).await.is(403);
    }

    async fn patients_are_told_of_their_own_alone(app: TestApp) {
        clinic::seed(&app).await;
        for (slot, time) in [("slot-0", "09:00"), ("slot-1", "10:00")] {
            app.store(&clinic::slot(slot, "sch-a", &clinic::at(time), 30)).await;
        }
        let ana = patient(&app, "ana", "pat-1", OF_PATIENT).await;
        let ben = patient(&app, "ben", "pat-2", OF_PATIENT).await;
        let sent = subscription("appointment-booked", "websocket", "full-resource");
        let of_ana = ana.post("Subscription", &sent).await.is(201);
        let of_ben = ben.post("Subscription", &sent).await.is(201);
        book(&app, &app, "slot-0").await;
        assert_eq!(count(&ana, of_ana.id()).await, "1");
        assert_eq!(count(&ben, of_ben.id()).await, "0");
    }

    async fn what_may_not_be_read_any_more_keeps_its_number_only(app: TestApp) {
        clinic::seed(&app).await;
        app.store(&clinic::slot("slot-0", "sch-a", &clinic::at("09:00"), 30)).await;
        let ana = patient(&app, "ana", "pat-1", OF_PATIENT).await;
        let made = ana.post("Subscription", &subscription("appointment-booked", "websocket", "full-resource")).await.is(201);
        let id = book(&app, &app, "slot-0").await;
        let place = format!("Subscription/{}/$events", made.id());
        assert!(ana.get(&place).await.is(200).json.to_string().contains(&*id));
        app.database().execute("DELETE FROM role_grant WHERE account = 'ana'").await;
        app.database().execute("INSERT INTO role_grant (account, role, since_us, granted_by) VALUES ('ana', 'compliance', 0, 't')").await;
        let told = ana.get(&place).await.is(200);
        assert!(!told.json.to_string().contains(&*id), "{}", told.json);
        assert!(told.json.to_string().contains("\"event-number\""));
        assert_eq!(told.json["entry"].as_array().unwrap().len(), 1);
    }

    async fn views_hold_for_what_is_told(app: TestApp) {
        clinic::seed(&app).await;
        let ana = patient(&app, "ana", "pat-1", OF_PATIENT).await;
        let made = ana.post("Subscription", &subscription("slot-freed", "websocket", "full-resource")).await.is(201);
        let slot = clinic::with(clinic::slot("slot-0", "sch-a", &clinic::at("09:00"), 30), "comment", "whisper");
        app.store(&slot).await;
        hand_out(&app).await;
        let told = ana.get(&format!("Subscription/{}/$events", made.id())).await.is(200);
        assert_eq!(told.text("/entry/1/resource/id"), "slot-0");
        assert!(!told.json.to_string().contains("whisper"), "{}", told.json);
        let resource: &Value = &told.json["entry"][1]["resource"];
        assert_eq!(resource["meta"]["tag"][0]["code"], "SUBSETTED");
    }
}
