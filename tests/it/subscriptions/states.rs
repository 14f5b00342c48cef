//! States: who gives which, and what follows.

use super::{book, classic, hand_out, status_of, subscription, told};
use crate::support::auth::Person;
use crate::support::{FixedApp, TestApp, both_engines, clinic};
use serde_json::json;
use slotwright::app::subscriptions::{Looked, change_status, tidy};
use slotwright::store::Intent;
use std::time::Duration;

/// Gives a status as the server does after a delivery.
async fn becomes(app: &TestApp, id: &str, from: &'static str, to: &'static str, error: &'static str) {
    let (library, id) = (app.library().clone(), id.to_owned());
    let changed = app.library().store.write(Intent::Upsert, move |tx| {
        let (library, id) = (library.clone(), id.clone());
        Box::pin(async move { change_status(tx, &library, &id, from, to, error).await })
    });
    assert!(changed.await.expect("a change"));
}

both_engines! {
    async fn the_servers_states_are_versions_that_everything_shows(app: TestApp) {
        let made = app.post("Subscription", &subscription("slot-freed", "rest-hook", "empty")).await.is(201);
        let id = made.id();
        becomes(&app, id, "requested", "active", "").await;
        becomes(&app, id, "active", "error", "the endpoint did not answer in time").await;
        let read = app.get(&format!("Subscription/{id}")).await.is(200);
        assert_eq!((read.text("/status"), read.version()), ("error", 3));
        assert_eq!(read.text("/error"), "the endpoint did not answer in time");
        assert_eq!(app.get("Subscription?status=error").await.is(200).ids(), [id]);
        let status = status_of(&app, id).await;
        assert_eq!(told(&status, "status"), "error");
        let error = status["parameter"].as_array().unwrap().iter().find(|one| one["name"] == "error").unwrap();
        assert_eq!(error["valueCodeableConcept"]["text"], "the endpoint did not answer in time");
        let events = app.audit_events().await;
        let own = events.iter().filter(|event| event.to_string().contains("state of subscriptions"));
        assert_eq!(own.count(), 2);
    }

    async fn only_its_owner_brings_one_back_from_an_error(app: TestApp) {
        let made = app.post("Subscription", &subscription("slot-freed", "rest-hook", "empty")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        becomes(&app, made.id(), "requested", "error", "nobody there").await;
        let read = app.get(&place).await.is(200).json;
        // Sent back as it was read, it stays what it is.
        let same = app.put(&place, &clinic::with(read.clone(), "reason", "another")).await.is(200);
        assert_eq!((same.text("/status"), same.text("/error")), ("error", "nobody there"));
        for status in ["requested", "active"] {
            let back = app.put(&place, &clinic::with(read.clone(), "status", status)).await.is(200);
            assert_eq!((back.text("/status"), back.json.get("error")), ("requested", None));
            becomes(&app, made.id(), "requested", "error", "nobody there").await;
        }
        let due = format!("SELECT COUNT(*) FROM subscription WHERE id = '{}' AND due_us IS NOT NULL", made.id());
        app.put(&place, &clinic::with(read, "status", "requested")).await.is(200);
        assert_eq!(app.database().number(&due).await, 1);
    }

    async fn another_endpoint_has_to_answer_first(app: TestApp) {
        let made = app.post("Subscription", &subscription("slot-freed", "rest-hook", "empty")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        becomes(&app, made.id(), "requested", "active", "").await;
        let read = app.get(&place).await.is(200).json;
        let other = app.put(&place, &clinic::with(read.clone(), "reason", "another")).await.is(200);
        assert_eq!(other.text("/status"), "active");
        let mut moved = read;
        moved["channel"]["endpoint"] = json!("https://elsewhere.example/hook");
        assert_eq!(app.put(&place, &moved).await.is(200).text("/status"), "requested");
    }

    async fn one_that_is_off_counts_nothing(app: TestApp) {
        clinic::seed(&app).await;
        for (slot, time) in [("slot-0", "09:00"), ("slot-1", "10:00"), ("slot-2", "11:00")] {
            app.store(&clinic::slot(slot, "sch-a", &clinic::at(time), 30)).await;
        }
        let made = app.post("Subscription", &subscription("appointment-booked", "rest-hook", "empty")).await.is(201);
        let place = format!("Subscription/{}", made.id());
        book(&app, &app, "slot-0").await;
        becomes(&app, made.id(), "requested", "error", "nobody there").await;
        book(&app, &app, "slot-1").await;
        let count = async || told(&status_of(&app, made.id()).await, "events-since-subscription-start").to_owned();
        assert_eq!(count().await, "2");
        let off = clinic::with(app.get(&place).await.is(200).json, "status", "off");
        assert_eq!(app.put(&place, &off).await.is(200).text("/status"), "off");
        book(&app, &app, "slot-2").await;
        assert_eq!(count().await, "2");
    }

    async fn what_is_classic_becomes_off_and_requested_too(app: TestApp) {
        let sent = clinic::with(classic("Slot?status=free", None), "status", "off");
        let made = app.post("Subscription", &sent).await.is(201);
        assert_eq!(made.text("/status"), "off");
        let on = clinic::with(made.json.clone(), "status", "requested");
        assert_eq!(app.put(&format!("Subscription/{}", made.id()), &on).await.is(200).text("/status"), "requested");
    }

    async fn an_end_that_has_come_switches_off(app: FixedApp) {
        let sent = clinic::with(subscription("slot-freed", "rest-hook", "empty"), "end", "2031-03-01T09:00:00Z");
        let made = app.post("Subscription", &sent).await.is(201);
        let looked = Looked::default();
        tidy(app.library(), &looked).await.expect("tidied");
        assert_eq!(app.get(&format!("Subscription/{}", made.id())).await.text("/status"), "requested");
        // The token of the tests' client is still good then.
        app.advance(Duration::from_hours(1));
        tidy(app.library(), &looked).await.expect("tidied");
        let status = app.database().texts("SELECT status FROM subscription").await;
        assert_eq!(status, ["off"]);
        hand_out(&app).await;
    }

    async fn a_grant_that_is_revoked_switches_off(app: TestApp) {
        clinic::seed(&app).await;
        let ana = app.person(Person {
            account: "ana", roles: &["patient"], fhir_user: Some("Patient/pat-1"), patient: Some("pat-1"),
            scope: "patient/Appointment.rs patient/Subscription.cruds",
        }).await;
        let made = ana.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(201);
        let other = app.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        let looked = Looked::default();
        tidy(app.library(), &looked).await.expect("tidied");
        app.database().execute("UPDATE oauth_grant SET revoked_us = 1").await;
        tidy(app.library(), &looked).await.expect("tidied");
        let off = app.database().texts("SELECT id FROM subscription WHERE status = 'off'").await;
        assert_eq!(off, [made.id()]);
        assert_eq!(told(&status_of(&app, other.id()).await, "status"), "requested");
    }

    async fn a_client_that_is_disabled_switches_off(app: TestApp) {
        let robot = app.system("robot", "system/Slot.rs system/Subscription.cruds").await;
        let made = robot.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'robot'").await;
        tidy(app.library(), &Looked::default()).await.expect("tidied");
        let off = app.database().texts("SELECT id FROM subscription WHERE status = 'off'").await;
        assert_eq!(off, [made.id()]);
    }
}
