//! Registering applications: by RFC 7591 and from the command line (SMART 18, 24, 296, 297, 305, 316, 344).

use super::backend::{ask, rs384, sound};
use super::flow::{asking, authorize, basic, post};
use super::signer::Signer;
use crate::support::{Database, Engine, Reply, TestApp, block_on, both_engines, slotwright};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use slotwright::app::oauth::invitations;
use slotwright::store::oauth::invitation::Invitation;
use std::time::Duration;

async fn invitation(app: &TestApp, scope: &str, system: bool, uses: i64) -> String {
    let invitation = Invitation { scope: scope.to_owned(), system };
    let token = invitations::invite(app.library(), invitation, uses, Duration::from_hours(1), "a test")
        .await
        .unwrap()
        .1;
    format!("Bearer {}", token.expose_secret())
}

async fn register(app: &TestApp, authorization: &str, body: &Value) -> Reply {
    let url = format!("{}/oauth/register", app.root());
    let request = app.anonymous().request(Method::POST, &url).header("authorization", authorization);
    request.bytes("application/json", body.to_string().into_bytes()).send().await
}

fn application() -> Value {
    json!({
        "client_name": "An application", "redirect_uris": [super::flow::REDIRECT],
        "token_endpoint_auth_method": "none", "scope": "openid launch/patient patient/*.cruds user/*.rs",
    })
}

both_engines! {
    async fn an_application_registers_itself_by_an_invitation(app: TestApp) {
        let invited = invitation(&app, "openid launch/patient patient/Appointment.rs", false, 1).await;
        let made = register(&app, &invited, &application()).await.is(201);
        assert_eq!(made.text("/scope"), "openid launch/patient patient/Appointment.rs");
        assert_eq!(made.header("cache-control"), "no-store");
        assert!(made.json["client_secret"].is_null());
        let id = made.text("/client_id");
        let _ = authorize(&app, &asking(&app, id, "patient/Appointment.rs")).await.waits();
        // Once.
        let _ = register(&app, &invited, &application()).await.is(401);
        let _ = register(&app, "Bearer made-up", &application()).await.is(401);
        let _ = register(&app, &app.authorization(), &application()).await.is(401);
    }

    async fn a_confidential_application_is_told_its_secret_once(app: TestApp) {
        let invited = invitation(&app, "openid user/Slot.rs", false, 1).await;
        let mut body = application();
        body["token_endpoint_auth_method"] = "client_secret_basic".into();
        let made = register(&app, &invited, &body).await.is(201);
        let (id, secret) = (made.text("/client_id"), made.text("/client_secret"));
        assert_eq!(made.json["client_secret_expires_at"], 0);
        let stored = app.database().texts("SELECT hash FROM oauth_secret").await;
        assert!(stored.len() == 1 && stored[0] != secret);
        let form = [("token", "x")];
        let _ = post(&app, "revoke", &form, Some(&basic(id, secret))).await.is(200);
        let _ = post(&app, "revoke", &form, Some(&basic(id, "wrong"))).await.is(401);
    }

    async fn a_backend_registers_its_keys(app: TestApp) {
        let signer = Signer::rsa(0);
        let body = json!({
            "client_name": "Reports", "grant_types": ["client_credentials"], "scope": "system/*.rs",
            "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [signer.jwk("k1")]},
        });
        let people_only = invitation(&app, "system/Slot.rs", false, 1).await;
        let _ = register(&app, &people_only, &body).await.is(400);
        let invited = invitation(&app, "system/Slot.rs", true, 1).await;
        let made = register(&app, &invited, &body).await.is(201);
        assert_eq!(made.text("/scope"), "system/Slot.rs");
        let id = made.text("/client_id");
        assert!(made.text("/jwks_reminder").contains("whenever your keys change"), "{}", made.json);
        let _ = ask(&app, &signer.sign(&rs384("k1"), &sound(&app, id)), "system/Slot.rs").await.is(200);
    }

    async fn what_makes_no_sense_is_not_registered(app: TestApp) {
        let invited = invitation(&app, "openid patient/*.rs system/*.rs", true, 1).await;
        let mut cases = Vec::new();
        let mut bad = |name: &str, value: Value, error: &'static str| {
            let mut body = application();
            body[name] = value;
            cases.push((body, error));
        };
        let (metadata, redirect) = ("invalid_client_metadata", "invalid_redirect_uri");
        bad("redirect_uris", json!([]), redirect);
        bad("redirect_uris", json!(["http://evil.example/cb"]), redirect);
        bad("redirect_uris", json!(["https://app.example/*"]), redirect);
        bad("redirect_uris", json!(["https://app.example/cb#x"]), redirect);
        bad("redirect_uris", json!(["javascript:alert(1)"]), redirect);
        bad("redirect_uris", json!("https://app.example/cb"), metadata);
        bad("client_name", json!(""), metadata);
        bad("scope", json!(""), metadata);
        bad("scope", json!("system/*.rs"), metadata);
        bad("grant_types", json!(["implicit"]), metadata);
        bad("grant_types", json!(["authorization_code", "client_credentials"]), metadata);
        bad("response_types", json!(["token"]), metadata);
        bad("token_endpoint_auth_method", json!("client_secret_jwt"), metadata);
        bad("token_endpoint_auth_method", json!("private_key_jwt"), metadata);
        bad("jwks", json!({"keys": [Signer::rsa(0).jwk("k1")]}), metadata);
        for url in ["http://evil.example/jwks", "https://127.0.0.1/jwks", "https://user@evil.example/jwks"] {
            let mut body = application();
            body["token_endpoint_auth_method"] = "private_key_jwt".into();
            body["jwks_uri"] = url.into();
            cases.push((body, metadata));
        }
        // A secret is not for those who act for themselves.
        cases.push((
            json!({
                "client_name": "x", "grant_types": ["client_credentials"], "scope": "system/*.rs",
                "token_endpoint_auth_method": "client_secret_basic",
            }),
            metadata,
        ));
        for (body, error) in cases {
            let reply = register(&app, &invited, &body).await;
            assert_eq!((reply.status, reply.text("/error")), (400, error), "{body}");
        }
        // None of it used the invitation up.
        let _ = register(&app, &invited, &application()).await.is(201);
    }
}

#[test]
fn applications_are_registered_from_the_command_line() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let run = |arguments: &[&str]| {
            let output = slotwright(&database, arguments);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(error) }
        };
        let add = |more: &[&str]| {
            run(&[&["client", "add", "--name", "App", "--scope", "openid user/Slot.rs"], more].concat())
        };
        let said =
            add(&["--id", "app", "--auth", "secret", "--redirect-uri", "https://app.example/cb"]).unwrap();
        let secret = said.lines().find_map(|line| line.strip_prefix("client_secret: ")).unwrap().to_owned();
        assert_eq!(secret.len(), 43);
        assert!(
            add(&["--id", "app", "--redirect-uri", "https://app.example/cb"]).unwrap_err().contains("taken")
        );
        assert!(add(&["--redirect-uri", "http://evil.example/"]).unwrap_err().contains("redirect URI"));
        assert!(run(&["client", "list"]).unwrap().contains("app  on  people  secret  App"));
        let shown: Value = serde_json::from_str(&run(&["client", "show", "app"]).unwrap()).unwrap();
        assert_eq!(shown["redirect_uris"], json!(["https://app.example/cb"]));
        assert!(shown["client_secret"].is_null());
        assert_ne!(run(&["client", "secret", "app"]).unwrap().trim(), secret);
        run(&["client", "disable", "app"]).unwrap();
        assert!(run(&["client", "list"]).unwrap().contains("app  off"));
        assert!(run(&["client", "disable", "app"]).is_err());
        run(&["client", "enable", "app"]).unwrap();
        assert_eq!(run(&["client", "invite", "--scope", "openid user/*.rs"]).unwrap().trim().len(), 43);
    });
}
