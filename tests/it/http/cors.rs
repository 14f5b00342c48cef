//! What a browser lets pages of other origins read.

use crate::support::auth::system_client;
use crate::support::pg::wait_until;
use crate::support::{Reply, TestApp, both_engines};
use reqwest::Method;
use slotwright::app::oauth::clients;
use slotwright::auth::client::{Client as Registered, Proof};
use std::time::Duration;

const APP: &str = "https://app.example";
const STRANGER: &str = "https://evil.example";

async fn register(app: &TestApp) {
    let redirect_uris = vec![format!("{APP}/callback"), "http://localhost:3000/cb".to_owned()];
    let client = system_client("browser-app", "patient/*.rs");
    let client = Registered { proof: Proof::None, system: false, redirect_uris, ..client };
    assert!(clients::add(app.library(), client, "a test").await.unwrap());
}

async fn ask(app: &TestApp, method: Method, path: &str, origin: &str) -> Reply {
    app.request(method, path).header("origin", origin).send().await
}

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Reply {
    app.anonymous()
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization, if-match")
        .send()
        .await
}

both_engines! {
    async fn everybody_may_read_what_is_public(app: TestApp) {
        let root = app.root().to_owned();
        let ours = ["/oauth/jwks", "/.well-known/openid-configuration", "/smart-style.json", "/openapi.json"];
        let ours = ours.map(|path| format!("{root}{path}"));
        let fhir = ["metadata", ".well-known/smart-configuration"].map(str::to_owned);
        for path in fhir.iter().chain(&ours) {
            let reply = ask(&app, Method::GET, path, STRANGER).await.is(200);
            assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
            let reply = preflight(&app, path, STRANGER).await.is(204);
            assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        }
    }

    async fn pages_of_registered_apps_may_use_tokens_and_data(app: TestApp) {
        register(&app).await;
        let token = format!("{}/oauth/token", app.root());
        let places =
            [("Patient/none", Method::GET), ("Nothing", Method::GET), (token.as_str(), Method::POST)];
        for (path, method) in places {
            for origin in [APP, "http://localhost:3000"] {
                let reply = ask(&app, method.clone(), path, origin).await;
                assert_eq!(reply.header("access-control-allow-origin"), origin, "{path}");
                assert_eq!(reply.header("access-control-allow-credentials"), "");
                assert!(vary(&reply).contains("origin"), "{path}: {:?}", reply.headers);
                let exposed = reply.header("access-control-expose-headers");
                for header in
                    ["etag", "location", "last-modified", "x-request-id", "retry-after", "www-authenticate"]
                {
                    assert!(exposed.contains(header), "{header}");
                }
                let reply = preflight(&app, path, origin).await.is(204);
                assert_eq!(reply.header("access-control-allow-origin"), origin);
                assert!(reply.header("access-control-allow-methods").contains("PUT"));
                for header in ["authorization", "content-type", "if-match", "idempotency-key"] {
                    assert!(reply.header("access-control-allow-headers").contains(header), "{header}");
                }
            }
        }
        // A refusal can be read, too: an app must see why.
        let anonymous = app.anonymous().request(Method::GET, "Patient/none").header("origin", APP);
        let refused = anonymous.send().await.is(401);
        assert_eq!(refused.header("access-control-allow-origin"), APP);
    }

    async fn nobody_else_may(app: TestApp) {
        register(&app).await;
        for origin in [
            STRANGER,
            "null",
            "http://app.example",
            "https://app.example.evil.example",
            "https://app.example:8443",
            "https://evilapp.example",
            "https://app.example/",
            "http://localhost:3001",
            "*",
            "",
        ] {
            let reply = ask(&app, Method::GET, "Patient/none", origin).await;
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
            assert!(vary(&reply).contains("origin"), "{origin}");
            let reply = preflight(&app, "Patient/none", origin).await;
            assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
            assert_eq!(reply.header("access-control-allow-methods"), "", "{origin}");
        }
        // Our own pages are for nobody else, registered or not.
        for path in ["/", "/oauth/authorize", "/sign-in", "/admin/clients"] {
            let reply = ask(&app, Method::GET, &format!("{}{path}", app.root()), APP).await;
            assert_eq!(reply.header("access-control-allow-origin"), "", "{path}");
        }
    }

    async fn an_app_that_is_switched_off_is_out_soon(app: TestApp) {
        register(&app).await;
        let allowed = async || {
            let reply = ask(&app, Method::GET, "Patient/none", APP).await;
            !reply.header("access-control-allow-origin").is_empty()
        };
        assert!(allowed().await);
        app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'browser-app'").await;
        assert!(wait_until(Duration::from_secs(20), async || !allowed().await).await);
    }
}

/// Every `Vary` of an answer.
fn vary(reply: &Reply) -> String {
    let lines = reply.headers.get_all("vary").iter();
    lines.map(|line| line.to_str().unwrap()).collect::<Vec<_>>().join(", ")
}
