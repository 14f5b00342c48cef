//! Plain JSON webhooks, which an administrator sets up for receivers that don't speak FHIR.

use super::Notifying;
use super::receiver::Receiver;
use crate::pages::browser::{Browser, account};
use crate::support::auth::{signed, system_claims, system_client};
use crate::support::{Engine, both_engines, clinic};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use slotwright::app::oauth::clients;
use slotwright::auth::principal::Role;
use std::time::Duration;

const SCOPES: &str = "system/Subscription.cruds system/Appointment.rs system/Patient.rs";

/// A server with an application in whose name webhooks are, and an administrator.
async fn started(engine: Engine) -> (Notifying, Browser) {
    let server = Notifying::start(engine, &[]).await;
    let client = system_client("billing", SCOPES);
    clients::add(server.app.library(), client, "a test").await.expect("a client");
    account(&server.app, "ada", &[Role::Administrator], None).await;
    let mut ada = Browser::new(&server.app);
    ada.sign_in("ada").await;
    (server, ada)
}

fn asked(receiver: &Receiver) -> Value {
    json!({ "url": receiver.url(), "event": "appointment-booked", "client_id": "billing", "description": "Billing" })
}

/// Sets one up; its id and its secret.
async fn added(ada: &mut Browser, body: &Value) -> (String, Vec<u8>) {
    let (status, made) = ada.json(Method::POST, "/admin/webhooks", body).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().expect("a secret").strip_prefix("whsec_").expect("whsec_");
    (made["id"].as_str().expect("an id").to_owned(), STANDARD.decode(secret).expect("base64"))
}

async fn seen(ada: &mut Browser, path: &str) -> Value {
    serde_json::from_str(&ada.get(path).await.is(200).html).expect("JSON")
}

/// Waits until its endpoint answered the handshake.
async fn active(ada: &mut Browser, id: &str) {
    for _ in 0..600 {
        if seen(ada, &format!("/admin/webhooks/{id}")).await["status"] == "active" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{id} is not active");
}

both_engines! {
    async fn a_webhook_tells_bookings_in_plain_json_from_its_first_request_on(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        let (id, secret) = added(&mut ada, &asked(&receiver)).await;
        active(&mut ada, &id).await;
        let booked = server.book(0, 3).await;
        let heard = receiver.until(|heard| heard.len() >= 4).await;
        assert_eq!(heard[0].json()["type"], "handshake");
        for (one, number) in heard[1..].iter().zip(1..) {
            let told = one.json();
            assert_eq!((&told["type"], &told["data"]["number"]), (&json!("appointment-booked"), &json!(number)));
            let resource = told["data"]["resource"].as_str().expect("a resource");
            assert!(resource.ends_with(&format!("/Appointment/{}", booked[number - 1])), "{told}");
            assert!(!told.to_string().contains("pat-1"), "{told}");
        }
        for one in &heard {
            assert_eq!(one.header("content-type"), "application/json");
            let signed = format!("{}.{}.", one.header("webhook-id"), one.header("webhook-timestamp"));
            let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key").chain_update(signed).chain_update(&one.body);
            assert_eq!(one.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
        }
        // It is a subscription like any other.
        let mut delivery = Value::Null;
        for _ in 0..200 {
            delivery = seen(&mut ada, &format!("/admin/deliveries/{id}")).await;
            if delivery["delivered"] == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!((&delivery["status"], &delivery["delivered"]), (&json!("active"), &json!(3)));
        assert!(ada.get("/console/deliveries").await.is(200).says(&id));
        // The application owns it, and nobody else reads it.
        let own = server.app.with_token(&signed(&system_claims(server.app.base(), "billing", SCOPES)));
        let resource = own.get(&format!("Subscription/{id}")).await.is(200).json;
        let _ = server.app.get(&format!("Subscription/{id}")).await.is(404);
        assert_eq!((&resource["reason"], &resource["channel"]["payload"]), (&json!("Billing"), &json!("application/json")));
    }

    async fn they_are_listed_shown_without_their_secret_and_ended(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        let (id, secret) = added(&mut ada, &asked(&receiver)).await;
        let mut other = asked(&receiver);
        other["event"] = json!("waitlist-offer");
        other.as_object_mut().expect("an object").remove("description");
        let (second, _) = added(&mut ada, &other).await;
        // One that a client set up over FHIR is not among them.
        let _ = server.app.post("Subscription", &super::subscription(&receiver, "application/json", "id-only")).await.is(201);
        let all = seen(&mut ada, "/admin/webhooks").await;
        let ids: Vec<&str> = all["webhooks"].as_array().expect("webhooks").iter().filter_map(|one| one["id"].as_str()).collect();
        assert_eq!((ids, &all["next"]), (vec![&*id, &*second], &Value::Null));
        assert_eq!(seen(&mut ada, &format!("/admin/webhooks?after={id}")).await["webhooks"].as_array().expect("webhooks").len(), 1);
        let shown = seen(&mut ada, &format!("/admin/webhooks/{id}")).await;
        let wanted = json!({ "event": "appointment-booked", "url": receiver.url(), "client_id": "billing", "description": "Billing" });
        for (name, value) in wanted.as_object().expect("members") {
            assert_eq!(&shown[name], value, "{shown}");
        }
        assert!(!format!("{all}{shown}").contains(&STANDARD.encode(secret)));
        active(&mut ada, &id).await;
        let path = format!("/admin/webhooks/{id}");
        assert_eq!(ada.json(Method::DELETE, &path, &json!({})).await.0, 204);
        assert_eq!((ada.get(&path).await.status, ada.json(Method::DELETE, &path, &json!({})).await.0), (404, 404));
        let own = server.app.with_token(&signed(&system_claims(server.app.base(), "billing", SCOPES)));
        assert_eq!(own.get(&format!("Subscription/{id}")).await.status, 410);
        // Who did it is on the record, and in whose name.
        let by = server.app.database().texts("SELECT id FROM account WHERE username = 'ada'").await.remove(0);
        let events = server.app.audit_events().await;
        for what in ["set up a webhook", "remove a webhook"] {
            let found = events.iter().find(|event| event.to_string().contains(what) && event.to_string().contains(&id));
            let found = found.unwrap_or_else(|| panic!("{what}")).to_string();
            assert!(found.contains(&by) && found.contains("billing"), "{found}");
        }
    }

    async fn what_is_not_offered_is_refused_and_leaves_nothing(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        clients::add(server.app.library(), system_client("reader", "system/Appointment.rs"), "a test").await.expect("a client");
        clients::add(server.app.library(), system_client("blind", "system/Subscription.cruds"), "a test").await.expect("a client");
        for (member, value) in [
            ("event", "appointment-eaten"), ("event", ""),
            ("url", "not a url"), ("url", ""), ("url", "ftp://127.0.0.1/x"), ("url", "http://10.0.0.1/hook"),
            ("url", "https://169.254.169.254/latest"), ("url", "https://user:word@receiver.example/"),
            ("url", "https://receiver.example/\u{0}"), ("url", "https://receiver.example/a\r\nb: c"),
            ("client_id", "nobody"), ("client_id", ""), ("client_id", "a\u{0}b"), ("client_id", "reader"), ("client_id", "blind"),
            ("description", "a\u{0}b"), ("description", &"x".repeat(1_001)),
        ] {
            let mut body = asked(&receiver);
            body[member] = json!(value);
            let (status, told) = ada.json(Method::POST, "/admin/webhooks", &body).await;
            assert_eq!((status, &told["field"]), (422, &json!(member)), "{member} {value:?}: {told}");
        }
        for body in [json!({}), json!([]), json!({ "url": 7 }), {
            let mut body = asked(&receiver);
            body["events"] = json!(["appointment-booked"]);
            body
        }] {
            assert_eq!(ada.json(Method::POST, "/admin/webhooks", &body).await.0, 422, "{body}");
        }
        let all = seen(&mut ada, "/admin/webhooks").await;
        assert_eq!(all["webhooks"], json!([]));
        assert_eq!(server.app.database().number("SELECT COUNT(*) FROM subscription").await, 0);
        assert!(receiver.heard().is_empty());
    }

    async fn it_tells_what_its_application_may_see_and_ends_with_it(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        let scope = "system/Subscription.cruds system/Appointment.rs?actor=Practitioner/dr-b";
        clients::add(server.app.library(), system_client("of-dr-b", scope), "a test").await.expect("a client");
        let mut body = asked(&receiver);
        body["client_id"] = json!("of-dr-b");
        let (id, _) = added(&mut ada, &body).await;
        active(&mut ada, &id).await;
        server.book(0, 2).await;
        let slot = clinic::slot("own", "sch-b", &clinic::at("08:00"), 10);
        server.app.store(&slot).await;
        let own = server.app.post("Appointment", &clinic::appointment(&slot, "pat-1", &["Practitioner/dr-b"])).await.is(201);
        let heard = receiver.until(|heard| heard.len() >= 2).await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[1].json()["data"]["resource"].as_str().expect("a resource").ends_with(own.id()));
        let disable = "/admin/clients/of-dr-b/disable";
        assert_eq!(ada.json(Method::POST, disable, &json!({})).await.0, 200);
        let slot = clinic::slot("later", "sch-b", &clinic::at("09:00"), 10);
        server.app.store(&slot).await;
        let _ = server.app.post("Appointment", &clinic::appointment(&slot, "pat-1", &["Practitioner/dr-b"])).await.is(201);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(receiver.heard().len(), 2);
    }

    async fn nobody_else_sets_webhooks_up(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        let (id, _) = added(&mut ada, &asked(&receiver)).await;
        let path = format!("/admin/webhooks/{id}");
        for (username, role) in [
            ("pia", Role::Patient), ("sam", Role::Scheduler), ("carl", Role::Clinician), ("cora", Role::Compliance),
        ] {
            account(&server.app, username, &[role], None).await;
            let mut browser = Browser::new(&server.app);
            browser.sign_in(username).await;
            for (method, path) in [(Method::GET, "/admin/webhooks"), (Method::GET, &*path), (Method::DELETE, &*path)] {
                assert_eq!(browser.json(method, path, &json!({})).await.0, 403, "{username}");
            }
            assert_eq!(browser.json(Method::POST, "/admin/webhooks", &asked(&receiver)).await.0, 403, "{username}");
        }
        let mut nobody = Browser::new(&server.app);
        assert_eq!(nobody.json(Method::POST, "/admin/webhooks", &asked(&receiver)).await.0, 401);
        let _ = ada.get(&path).await.is(200);
    }

    async fn odd_numbers_and_ids_are_refused(engine: Engine) {
        let (server, mut ada) = started(engine).await;
        let receiver = Receiver::start().await;
        let (id, _) = added(&mut ada, &asked(&receiver)).await;
        active(&mut ada, &id).await;
        server.book(0, 1).await;
        receiver.until(|heard| heard.len() >= 2).await;
        let long = "x".repeat(5_000);
        for odd in ["nobody", "..%2f..", "%27%3B--", "a%20b", "%F0%9F%98%80", "-1", "99999999999999999999", &long] {
            for place in ["deliveries", "webhooks"] {
                let page = ada.get(&format!("/admin/{place}/{odd}")).await;
                assert_eq!(page.status, 404, "{place} {odd:.40}");
            }
            for deed in ["pause", "resume", "test"] {
                let path = format!("/admin/deliveries/{odd}/{deed}");
                assert_eq!(ada.json(Method::POST, &path, &json!({})).await.0, 404, "{deed} {odd:.40}");
            }
            let path = format!("/admin/webhooks/{odd}");
            assert_eq!(ada.json(Method::DELETE, &path, &json!({})).await.0, 404, "{odd:.40}");
            for place in ["deliveries", "webhooks"] {
                let _ = ada.get(&format!("/admin/{place}?after={odd}")).await.is(200);
            }
        }
        for odd in ["%00", "%c3%28"] {
            for path in ["/admin/deliveries/", "/admin/webhooks/", "/admin/deliveries?after=", "/admin/webhooks?after="] {
                assert_eq!(ada.get(&format!("{path}{odd}")).await.status, 400, "{path}{odd}");
            }
        }
        let shown = format!("/admin/deliveries/{id}");
        for (before, status) in [
            ("-1", 200), ("-9223372036854775808", 200), ("9223372036854775807", 200), ("9223372036854775808", 422),
            ("1e3", 422), ("0x10", 422), ("", 422), ("NaN", 422), ("%F0%9F%98%80", 422),
        ] {
            assert_eq!(ada.get(&format!("{shown}?before={before}")).await.status, status, "{before}");
        }
        let replay = format!("{shown}/replay");
        for from in [
            "-1", "0", "-9223372036854775808", "3", "9223372036854775807", "9223372036854775808", "1e400", "1.5", "1e0",
            "\"1\"", "null", "[1]", "true",
        ] {
            let page = ada.send(Method::POST, &replay, Some(format!("{{\"from\":{from}}}"))).await;
            assert_eq!(page.status, 422, "{from}: {}", page.html);
        }
        let told = seen(&mut ada, &shown).await;
        assert_eq!((&told["status"], &told["delivered"]), (&json!("active"), &json!(1)));
    }
}
