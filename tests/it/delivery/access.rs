//! What may be told is judged at each try.

use super::receiver::Receiver;
use super::{Notifying, subscription};
use crate::support::auth::Person;
use crate::support::{Engine, both_engines};
use serde_json::json;
use std::time::Duration;

/// Waits until a subscription of somebody else has this status; what is wrong with it.
async fn until(server: &Notifying, id: &str, status: &str) -> String {
    let sql = format!("SELECT status || ':' || error FROM subscription WHERE id = '{id}'");
    let mut last = Vec::new();
    for _ in 0..600 {
        last = server.app.database().texts(&sql).await;
        if let Some(error) = last.first().and_then(|one| one.strip_prefix(&format!("{status}:"))) {
            return error.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not {status}: {last:?}");
}

both_engines! {
    async fn whose_access_was_withdrawn_is_told_nothing_more(engine: Engine) {
        let server = Notifying::start(engine, &[("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "200ms,200ms,200ms,200ms")]).await;
        let robot = server.app.system("robot", "system/*.cruds").await;
        let receiver = Receiver::start().await;
        let made = robot.post("Subscription", &subscription(&receiver, "application/fhir+json", "full-resource")).await;
        let id = made.is(201).id().to_owned();
        until(&server, &id, "active").await;
        // One is on its way and does not arrive; before the next try the client is out of use.
        receiver.always(500);
        server.book(0, 1).await;
        receiver.until(|heard| heard.len() >= 2).await;
        server.app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'robot'").await;
        let told = until(&server, &id, "off").await;
        assert!(told.contains("withdrawn"), "{told}");
        let before = receiver.heard().len();
        receiver.always(200);
        server.book(1, 1).await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(receiver.heard().len(), before);
    }

    async fn patients_are_told_of_their_own_appointments_alone(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let person = Person {
            account: "pat", roles: &["patient"], fhir_user: Some("Patient/pat-2"), patient: Some("pat-2"),
            scope: "patient/*.cruds",
        };
        let pat = server.app.person(person).await;
        let receiver = Receiver::start().await;
        let wanted = subscription(&receiver, "application/fhir+json", "full-resource");
        let id = pat.post("Subscription", &wanted).await.is(201).id().to_owned();
        until(&server, &id, "active").await;
        // Of somebody else.
        server.book(0, 3).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(receiver.heard().len(), 1, "a handshake and no more");
        let stands = pat.get(&format!("Subscription/{id}/$status")).await.is(200).json.to_string();
        assert!(stands.contains(&json!({ "name": "events-since-subscription-start", "valueString": "0" }).to_string()), "{stands}");
    }
}
