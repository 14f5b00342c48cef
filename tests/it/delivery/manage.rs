//! What administrators see of deliveries, and do about them.

use super::receiver::Receiver;
use super::{Notifying, subscription};
use crate::pages::browser::{Browser, account};
use crate::support::{Engine, both_engines};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use slotwright::auth::principal::Role;
use std::time::Duration;

async fn administrator(server: &Notifying) -> Browser {
    account(&server.app, "ada", &[Role::Administrator], None).await;
    let mut ada = Browser::new(&server.app);
    ada.sign_in("ada").await;
    ada
}

async fn seen(ada: &mut Browser, id: &str) -> Value {
    let page = ada.get(&format!("/admin/deliveries/{id}")).await.is(200);
    serde_json::from_str(&page.html).expect("JSON")
}

both_engines! {
    async fn attempts_and_lag_are_seen_and_nothing_of_what_was_sent(engine: Engine) {
        let server = Notifying::start(engine, &[("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "1h")]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "full-resource")).await;
        receiver.always(500);
        server.book(0, 2).await;
        receiver.until(|heard| heard.len() >= 2).await;
        let mut ada = administrator(&server).await;
        let mut told = Value::Null;
        for _ in 0..100 {
            told = seen(&mut ada, &id).await;
            if told["failed_tries"] == 1 && told["lag"] == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!((&told["lag"], &told["failed_tries"], &told["status"]), (&json!(2), &json!(1), &json!("active")), "{told}");
        assert_eq!(told["error"], "the endpoint answered 500");
        let attempts = told["attempts"].as_array().expect("attempts");
        assert_eq!(attempts.len(), 2, "{told}");
        assert_eq!((&attempts[0]["status"], &attempts[0]["kind"]), (&json!(500), &json!("event-notification")));
        assert_eq!((&attempts[1]["status"], &attempts[1]["kind"]), (&json!(200), &json!("handshake")));
        assert!(!told.to_string().contains("Patient") && !told.to_string().contains("of-the-receiver"), "{told}");
        let all = ada.get("/admin/deliveries").await.is(200);
        assert!(all.says(&id));
        assert_eq!(ada.get("/admin/deliveries/nobody").await.status, 404);
    }

    async fn pause_resume_and_replay(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "id-only")).await;
        server.book(0, 3).await;
        receiver.until_all(3).await;
        let mut ada = administrator(&server).await;
        let path = |what: &str| format!("/admin/deliveries/{id}/{what}");
        let (status, told) = ada.json(Method::POST, &path("pause"), &json!({})).await;
        assert_eq!((status, &told["paused"]), (200, &json!(true)), "{told}");
        assert_eq!(ada.json(Method::POST, &path("pause"), &json!({})).await.0, 422);
        server.book(3, 1).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!receiver.taken().contains(&4));
        assert_eq!(ada.json(Method::POST, &path("resume"), &json!({})).await.0, 200);
        receiver.until_all(4).await;
        let before = receiver.taken().len();
        assert_eq!(ada.json(Method::POST, &path("replay"), &json!({ "from": 2 })).await.0, 200);
        receiver.until(|_| receiver.taken().len() >= before + 3).await;
        assert_eq!(receiver.taken()[before..], [2, 3, 4]);
        for wrong in [json!({ "from": 0 }), json!({ "from": 6 }), json!({ "from": "x" }), json!({})] {
            assert_eq!(ada.json(Method::POST, &path("replay"), &wrong).await.0, 422, "{wrong}");
        }
    }

    async fn a_replaced_secret_signs_along_for_a_while(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "id-only")).await;
        let mut ada = administrator(&server).await;
        let path = format!("/admin/deliveries/{id}/rotate-secret");
        let mut secrets = Vec::new();
        for _ in 0..2 {
            let (status, made) = ada.json(Method::POST, &path, &json!({ "kind": "hmac" })).await;
            assert_eq!(status, 201, "{made}");
            let secret = made["for_receiver"].as_str().expect("a secret").strip_prefix("whsec_").expect("whsec_").to_owned();
            secrets.push(STANDARD.decode(secret).expect("base64"));
        }
        assert_ne!(secrets[0], secrets[1]);
        server.book(0, 1).await;
        receiver.until_all(1).await;
        let heard = receiver.heard().pop().expect("a notification");
        let signatures: Vec<&str> = heard.header("webhook-signature").split(' ').collect();
        assert_eq!(signatures.len(), 3, "{signatures:?}");
        for secret in &secrets {
            let signed = format!("{}.{}.", heard.header("webhook-id"), heard.header("webhook-timestamp"));
            let mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key").chain_update(signed).chain_update(&heard.body);
            let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
            assert!(signatures.contains(&expected.as_str()), "{signatures:?}");
        }
        // Told once.
        let told = seen(&mut ada, &id).await.to_string();
        assert!(!told.contains("whsec_") && told.contains("whpk_"), "{told}");
        assert_eq!(ada.json(Method::POST, &path, &json!({ "kind": "rot13" })).await.0, 422);
    }

    async fn a_test_says_how_the_endpoint_answers_and_changes_nothing(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "id-only")).await;
        let mut ada = administrator(&server).await;
        let path = format!("/admin/deliveries/{id}/test");
        let (status, told) = ada.json(Method::POST, &path, &json!({})).await;
        assert_eq!((status, &told["status"], &told["error"]), (200, &json!(200), &Value::Null), "{told}");
        receiver.always(401);
        let (_, told) = ada.json(Method::POST, &path, &json!({})).await;
        assert_eq!((&told["status"], &told["kind"]), (&json!(401), &json!("test")), "{told}");
        assert_eq!(seen(&mut ada, &id).await["status"], "active");
    }

    async fn nobody_else_sees_or_steers_deliveries(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "id-only")).await;
        for (username, role) in [
            ("pia", Role::Patient), ("sam", Role::Scheduler), ("carl", Role::Clinician), ("cora", Role::Compliance),
        ] {
            account(&server.app, username, &[role], None).await;
            let mut browser = Browser::new(&server.app);
            browser.sign_in(username).await;
            assert_eq!(browser.get("/admin/deliveries").await.status, 403, "{username}");
            let pause = format!("/admin/deliveries/{id}/pause");
            assert_eq!(browser.json(Method::POST, &pause, &json!({})).await.0, 403, "{username}");
        }
        assert_eq!(server.app.get(&format!("Subscription/{id}")).await.is(200).json["status"], "active");
    }
}
