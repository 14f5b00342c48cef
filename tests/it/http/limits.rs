//! Rate limits and headers, as clients meet them.

use crate::support::auth::Person;
use crate::support::{Database, Engine, TestApp, block_on};
use reqwest::Method;
use slotwright::clock::Clock;
use std::time::Duration;

async fn limited(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(Database::create(Engine::Sqlite).await, Clock::system(), settings).await
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    block_on(async {
        let app = limited(&[("SLOTWRIGHT_LIMITS__ADDRESS", "60")]).await;
        for _ in 0..10 {
            let _ = app.get("metadata").await.is(200);
        }
        let refused = app.get("metadata").await.is(429);
        assert_eq!(refused.text("/resourceType"), "OperationOutcome");
        assert_eq!(refused.text("/issue/0/code"), "throttled");
        assert!(!refused.header("x-request-id").is_empty());
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=2).contains(&wait), "{wait}");
        let root = app.root();
        let page = app.get(&format!("{root}/")).await.is(429);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let spanish = app.request(reqwest::Method::GET, &format!("{root}/"));
        let spanish = spanish.header("accept-language", "es-MX, en;q=0.5").send().await.is(429);
        let shown = String::from_utf8_lossy(&spanish.body).into_owned();
        assert!(shown.contains("lang=\"es\"") && shown.contains("Demasiadas peticiones"), "{shown}");
        let _ = app.get(&format!("{root}/livez")).await.is(200);
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let _ = app.get("metadata").await.is(200);
    });
}

#[test]
fn the_token_endpoint_has_a_stricter_limit() {
    block_on(async {
        let app = limited(&[("SLOTWRIGHT_LIMITS__TOKEN", "6")]).await;
        let token = format!("{}/oauth/token", app.root());
        let ask = async || {
            let form = b"grant_type=none".to_vec();
            let request = app.request(Method::POST, &token);
            request.bytes("application/x-www-form-urlencoded", form).send().await
        };
        assert_ne!(ask().await.status, 429);
        let refused = ask().await.is(429);
        assert_eq!(refused.text("/error"), "temporarily_unavailable");
        assert!(!refused.header("retry-after").is_empty());
        let _ = app.get("metadata").await.is(200);
    });
}

#[test]
fn clients_and_people_have_limits_of_their_own() {
    block_on(async {
        let app = limited(&[("SLOTWRIGHT_LIMITS__CLIENT", "12"), ("SLOTWRIGHT_LIMITS__USER", "6")]).await;
        for _ in 0..2 {
            let _ = app.get("Patient/none").await.is(404);
        }
        let refused = app.get("Patient/none").await.is(429);
        assert_eq!(refused.text("/issue/0/code"), "throttled");
        assert!(!refused.header("retry-after").is_empty());
        let other = app.system("reports", "system/*.cruds").await;
        let _ = other.get("Patient/none").await.is(404);
        let scope = "user/*.cruds";
        let person = Person { account: "ada", roles: &["scheduler"], scope, ..Person::default() };
        let (ada, bob) = (app.person(person).await, app.person(Person { account: "bob", ..person }).await);
        assert_ne!(ada.get("Slot").await.status, 429);
        let _ = ada.get("Slot").await.is(429);
        // Ada's two requests and this one came through one application.
        let _ = bob.get("Slot").await.is(429);
        for _ in 0..5 {
            // Without a valid token nobody's share is used up.
            let _ = app.with_token("nonsense").get("Slot").await.is(401);
        }
    });
}

#[test]
fn only_a_trusted_proxy_may_say_whom_it_speaks_for() {
    block_on(async {
        let limits = [("SLOTWRIGHT_LIMITS__ADDRESS", "6")];
        let from = async |app: &TestApp, address: &str| {
            let request = app.request(Method::GET, "metadata").header("x-forwarded-for", address);
            request.send().await.status
        };
        let app = limited(&limits).await;
        assert_eq!(from(&app, "192.0.2.1").await, 200);
        assert_eq!(from(&app, "192.0.2.2").await, 429, "a stranger can't have another address");
        let proxy = ("SLOTWRIGHT_SERVER__TRUSTED_PROXIES", "127.0.0.0/8,::1");
        let app = limited(&[limits[0], proxy]).await;
        assert_eq!(from(&app, "192.0.2.1").await, 200);
        assert_eq!(from(&app, "192.0.2.2").await, 200);
        assert_eq!(from(&app, "192.0.2.1").await, 429);
        assert_eq!(from(&app, "6.6.6.6, 192.0.2.2").await, 429, "what a client put in front does not count");
    });
}

#[test]
fn every_answer_tells_browsers_what_not_to_do() {
    block_on(async {
        let app = limited(&[]).await;
        let root = app.root().to_owned();
        for path in ["metadata", "Patient/none", "Nothing", &format!("{root}/"), &format!("{root}/nowhere")] {
            let reply = app.get(path).await;
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(reply.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
            let policy = reply.header("content-security-policy");
            for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(rule), "{path}: {policy}");
            }
            assert_eq!(reply.header("strict-transport-security"), "", "{path}: this is not https");
            assert!(!reply.header("cache-control").is_empty(), "{path}");
        }
        assert_eq!(app.get("Patient/none").await.header("cache-control"), "no-store");
        let app = limited(&[("SLOTWRIGHT_TLS__TERMINATED_UPSTREAM", "true")]).await;
        assert_eq!(app.get("metadata").await.header("strict-transport-security"), "max-age=31536000");
    });
}
