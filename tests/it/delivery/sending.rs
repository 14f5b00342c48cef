//! What is sent when all goes well.

use super::receiver::Receiver;
use super::{Notifying, subscription, with_extension};
use crate::support::{Engine, both_engines};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use slotwright::app::delivery::keys;
use std::collections::BTreeSet;
use std::time::Duration;

both_engines! {
    async fn every_event_arrives_once_in_order_and_signed(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "id-only")).await;
        let booked = server.book(0, 6).await;
        receiver.until_all(6).await;

        let heard = receiver.heard();
        assert_eq!((heard[0].kind(), heard[0].said("status")), ("handshake".to_owned(), "requested".to_owned()));
        assert_eq!(heard[0].said("events-since-subscription-start"), "0");
        let public = keys::list(server.app.library(), &id).await.expect("keys")[0].public.clone().expect("public");
        let public = STANDARD.decode(public.strip_prefix("whpk_").expect("a public key")).expect("base64");
        let mut ids = BTreeSet::new();
        let mut focuses = Vec::new();
        for one in &heard {
            assert_eq!((one.method.clone(), one.path.as_str()), (Method::POST, "/hook"));
            assert_eq!(one.header("content-type"), "application/fhir+json");
            assert_eq!(one.header("authorization"), "Bearer of-the-receiver");
            assert!(ids.insert(one.header("webhook-id").to_owned()), "{ids:?}");
            let signed = [
                one.header("webhook-id").as_bytes(), b".", one.header("webhook-timestamp").as_bytes(), b".", &one.body,
            ];
            let signature = one.header("webhook-signature").strip_prefix("v1a,").expect("Ed25519");
            let key = UnparsedPublicKey::new(&ED25519, &public);
            key.verify(&signed.concat(), &STANDARD.decode(signature).expect("base64")).expect("a signature");
            let bundle = one.json();
            assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("history")));
            for entry in bundle["entry"].as_array().expect("entries") {
                assert!(entry["request"].is_object() && entry["response"].is_object(), "{entry}");
                focuses.extend(entry["fullUrl"].as_str().and_then(|url| url.split("/Appointment/").nth(1)).map(str::to_owned));
            }
        }
        assert_eq!(focuses, booked);
        assert!(heard[1..].iter().all(|one| one.kind() == "event-notification" && one.said("status") == "active"));
        // Nothing comes twice, and nothing else.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(receiver.heard().len(), heard.len());
    }

    async fn what_was_told_is_on_the_record(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "full-resource")).await;
        let booked = server.book(0, 1).await;
        receiver.until_all(1).await;
        let delivered = |events: &[Value]| {
            let of = |event: &&Value| event["subtype"][0]["code"] == "notification";
            events.iter().filter(of).cloned().collect::<Vec<Value>>()
        };
        let mut found = Vec::new();
        for _ in 0..200 {
            found = delivered(&server.app.audit_events().await);
            if found.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let [handshake, notification] = found.as_slice() else { panic!("{found:?}") };
        assert!(!handshake.to_string().contains("Patient/"), "{handshake}");
        let told = notification.to_string();
        for expected in [format!("Appointment/{}/_history/1", booked[0]), format!("Subscription/{id}"), "Patient/pat-1".to_owned()] {
            assert!(told.contains(&expected), "{expected} in {told}");
        }
    }

    async fn nothing_is_told_that_can_not_be_put_on_the_record(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        server.subscribed(&subscription(&receiver, "application/fhir+json", "full-resource")).await;
        receiver.answers(|_, _| (500, Duration::ZERO));
        server.book(0, 1).await;
        receiver.until(|heard| heard.len() >= 2).await;
        server.app.database().execute("ALTER TABLE audit_event RENAME TO lost").await;
        receiver.answers(|_, _| (200, Duration::ZERO));
        // What was on its way is there.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let heard = receiver.heard().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(receiver.heard().len(), heard);
        server.app.database().execute("ALTER TABLE lost RENAME TO audit_event").await;
        receiver.until_all(1).await;
    }

    async fn a_notification_has_no_more_events_than_asked_for(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let wanted = subscription(&receiver, "application/fhir+json", "empty");
        let id = server.subscribed(&with_extension(wanted, "backport-max-count", 2)).await;
        // They pile up while one is on its way.
        receiver.answers(|_, _| (200, Duration::from_millis(500)));
        server.book(0, 7).await;
        receiver.until_all(7).await;
        let sizes: Vec<usize> = receiver.heard().iter().map(|heard| heard.numbers().len()).collect();
        assert!(sizes.contains(&2) && sizes.iter().all(|size| *size <= 2), "{sizes:?}");
        for heard in receiver.heard() {
            assert!(!String::from_utf8_lossy(&heard.body).contains("Appointment"), "empty says nothing more");
        }
        let status = server.app.get(&format!("Subscription/{id}/$status")).await.is(200).json;
        assert!(status.to_string().contains("\"valueString\":\"7\""), "{status}");
    }

    async fn heartbeats_come_when_asked_for_and_carry_no_event(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let (silent, beating) = (Receiver::start().await, Receiver::start().await);
        server.subscribed(&subscription(&silent, "application/fhir+json", "id-only")).await;
        let wanted = subscription(&beating, "application/fhir+json", "id-only");
        server.subscribed(&with_extension(wanted, "backport-heartbeat-period", 1)).await;
        let heard = beating.until(|heard| heard.iter().filter(|one| one.kind() == "heartbeat").count() >= 2).await;
        let beat = heard.iter().find(|one| one.kind() == "heartbeat").expect("a heartbeat");
        assert_eq!((beat.numbers().len(), beat.said("events-since-subscription-start").as_str()), (0, "0"));
        assert_eq!(silent.heard().len(), 1, "a handshake and no more");
    }

    async fn xml_thin_json_and_classic_criteria_are_side_by_side(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let [xml, thin, bare, whole] =
            [Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await];
        server.subscribed(&subscription(&xml, "application/fhir+xml", "id-only")).await;
        server.subscribed(&subscription(&thin, "application/json", "id-only")).await;
        let classic = |receiver: &Receiver, payload: Option<&str>| {
            let mut wanted = json!({
                "resourceType": "Subscription", "status": "requested", "reason": "test",
                "criteria": "Appointment?status=booked",
                "channel": { "type": "rest-hook", "endpoint": receiver.url(), "header": ["X-Key: 1"] }
            });
            if let Some(payload) = payload {
                wanted["channel"]["payload"] = payload.into();
            }
            wanted
        };
        server.subscribed(&classic(&bare, None)).await;
        server.subscribed(&classic(&whole, Some("application/fhir+json"))).await;
        let booked = server.book(0, 2).await;
        let heard = xml.until(|heard| heard.len() >= 2).await;
        let text = String::from_utf8(heard[1].body.clone()).expect("text");
        assert!(text.contains("<Bundle xmlns=\"http://hl7.org/fhir\">") && text.contains(&booked[0]), "{text}");
        assert_eq!(heard[1].header("content-type"), "application/fhir+xml");

        let heard = thin.until(|heard| heard.len() >= 3).await;
        assert_eq!(heard[0].json()["type"], "handshake");
        for (number, one) in heard[1..].iter().enumerate() {
            let said = one.json();
            assert_eq!(said["type"], "appointment-booked");
            assert_eq!(said["data"]["number"], number + 1);
            let resource = format!("{}/Appointment/{}", server.app.base(), booked[number]);
            assert_eq!(said["data"]["resource"], resource);
            assert!(one.body.len() < 1000);
        }

        let heard = bare.until(|heard| heard.len() >= 2).await;
        assert!(heard.iter().all(|one| one.method == Method::POST && one.body.is_empty() && one.path == "/hook"));
        assert!(heard.iter().all(|one| one.header("x-key") == "1" && one.header("webhook-signature").starts_with("v1a,")));
        let heard = whole.until(|heard| heard.len() >= 2).await;
        for (one, id) in heard.iter().zip(&booked) {
            assert_eq!((one.method.clone(), one.path.clone()), (Method::PUT, format!("/hook/Appointment/{id}")));
            assert_eq!((&one.json()["id"], &one.json()["status"]), (&json!(id), &json!("booked")));
        }
    }
}
