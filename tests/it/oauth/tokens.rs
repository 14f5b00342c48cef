//! Fetching tokens with codes (SMART 31, 58, 73–78, 84–88, 1.2.05–07, 1.3.*, 9.18.*; A3, A6, A7, C6, S2).

use super::flow::{
    REDIRECT, SCOPE, VERIFIER, basic, claims, code, exchanged, header, post, public, refreshed, refused,
    registered,
};
use crate::support::{FixedApp, TestApp, both_engines};
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::Proof;
use std::time::Duration;

async fn ann(app: &TestApp) {
    registered(app, public("app")).await;
    app.account("ann", &["patient"], Some("Patient/p1")).await;
}

both_engines! {
    async fn a_code_becomes_tokens(app: TestApp) {
        ann(&app).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let reply = exchanged(&app, "app", &code).await.is(200);
        assert!(reply.header("content-type").starts_with("application/json"));
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(reply.text("/token_type"), "Bearer");
        assert_eq!(reply.json["expires_in"], 3600);
        assert_eq!(reply.text("/scope"), SCOPE);
        assert_eq!(reply.text("/patient"), "p1");
        assert_eq!(reply.json["need_patient_banner"], true);
        assert_eq!(reply.text("/smart_style_url"), format!("{}/smart-style.json", app.root()));
        assert!(!reply.text("/refresh_token").is_empty());
        let access = claims(reply.text("/access_token"));
        assert_eq!((&access["iss"], &access["aud"]), (&app.root().into(), &app.base().into()));
        assert_eq!((&access["sub"], &access["patient"]), (&"ann".into(), &"p1".into()));
        assert!(access["roles"].is_null() && reply.text("/access_token").len() < 2000);
        assert_ne!(app.with_token(reply.text("/access_token")).get("Appointment").await.status, 401);
    }

    async fn c6_the_id_token_says_who_signed_in(app: TestApp) {
        ann(&app).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let reply = exchanged(&app, "app", &code).await.is(200);
        let token = reply.text("/id_token");
        let head = header(token);
        assert_eq!(head["alg"], "RS256");
        let jwks = app.anonymous().get(&format!("{}/oauth/jwks", app.root())).await.is(200);
        assert!(jwks.json["keys"].as_array().unwrap().iter().any(|key| key["kid"] == head["kid"]));
        let said = claims(token);
        assert_eq!((&said["iss"], &said["aud"], &said["sub"]), (&app.root().into(), &"app".into(), &"ann".into()));
        assert_eq!(said["nonce"], "a nonce");
        assert_eq!(said["fhirUser"], format!("{}/Patient/p1", app.base()));
        assert!(said["auth_time"].is_i64() && said["iat"].is_i64());
        assert!(said["exp"].as_i64() > said["iat"].as_i64());
    }

    async fn without_openid_there_is_no_id_token_and_without_a_resource_no_fhir_user(app: TestApp) {
        ann(&app).await;
        app.account("bob", &["scheduler"], None).await;
        let first = code(&app, "app", "user/Slot.rs fhirUser", "ann", "p1").await;
        let reply = exchanged(&app, "app", &first).await.is(200);
        assert!(reply.json["id_token"].is_null() && reply.json["refresh_token"].is_null());
        let second = code(&app, "app", "user/Slot.rs openid fhirUser", "bob", "p1").await;
        let reply = exchanged(&app, "app", &second).await.is(200);
        assert_eq!(reply.text("/scope"), "user/Slot.rs openid");
        assert!(claims(reply.text("/id_token"))["fhirUser"].is_null());
    }

    async fn a3_the_verifier_must_fit_the_challenge(app: TestApp) {
        ann(&app).await;
        for (verifier, error) in [
            (None, "invalid_request"),
            (Some(""), "invalid_request"),
            (Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX"), "invalid_grant"),
            (Some(super::flow::CHALLENGE), "invalid_grant"),
        ] {
            let code = code(&app, "app", SCOPE, "ann", "p1").await;
            let mut form = vec![
                ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT), ("client_id", "app"),
            ];
            form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
            refused(&post(&app, "token", &form, None).await, error);
        }
    }

    async fn a6_a_code_used_twice_ends_all_that_came_from_it(app: TestApp) {
        ann(&app).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let reply = exchanged(&app, "app", &code).await.is(200);
        let client = app.with_token(reply.text("/access_token"));
        assert_ne!(client.get("Appointment").await.status, 401);
        refused(&exchanged(&app, "app", &code).await, "invalid_grant");
        let _ = client.get("Appointment").await.is(401);
        refused(&refreshed(&app, "app", reply.text("/refresh_token")).await, "invalid_grant");
    }

    async fn a6_of_many_who_come_with_a_code_none_keeps_access(app: TestApp) {
        ann(&app).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let replies = futures_util::future::join_all((0..8).map(|_| exchanged(&app, "app", &code))).await;
        let given: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert!(given.len() <= 1, "{}", given.len());
        for reply in given {
            let _ = app.with_token(reply.text("/access_token")).get("Appointment").await.is(401);
        }
    }

    async fn a7_a_code_is_good_for_a_minute(app: FixedApp) {
        ann(&app).await;
        for (seconds, status) in [(59, 200), (61, 400)] {
            let code = code(&app, "app", "user/Slot.rs", "ann", "p1").await;
            app.advance(Duration::from_secs(seconds));
            let _ = exchanged(&app, "app", &code).await.is(status);
        }
    }

    async fn a7_a_code_is_for_its_client_and_redirect_uri(app: TestApp) {
        ann(&app).await;
        registered(&app, public("other")).await;
        let first = code(&app, "app", SCOPE, "ann", "p1").await;
        refused(&exchanged(&app, "other", &first).await, "invalid_grant");
        refused(&exchanged(&app, "app", &first).await, "invalid_grant");
        let second = code(&app, "app", SCOPE, "ann", "p1").await;
        let elsewhere = [
            ("grant_type", "authorization_code"),
            ("code", second.as_str()),
            ("redirect_uri", "https://app.example/other"),
            ("code_verifier", VERIFIER),
            ("client_id", "app"),
        ];
        refused(&post(&app, "token", &elsewhere, None).await, "invalid_grant");
        refused(&exchanged(&app, "app", "made-up").await, "invalid_grant");
    }

    async fn confidential_clients_prove_themselves_by_their_secret(app: TestApp) {
        ann(&app).await;
        let new = NewClient { proof: Proof::Secret, ..public("web") };
        let secret = registered(&app, new).await.unwrap();
        let form = |code: &str| -> Vec<(String, String)> {
            [
                ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
        };
        let send = async |form: Vec<(String, String)>, more: &[(&str, &str)], header: Option<&str>| {
            let mut all: Vec<(&str, &str)> = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            all.extend(more);
            post(&app, "token", &all, header).await
        };
        let first = code(&app, "web", SCOPE, "ann", "p1").await;
        refused(&send(form(&first), &[("client_id", "web")], None).await, "invalid_client");
        refused(&send(form(&first), &[], Some(&basic("web", "wrong"))).await, "invalid_client");
        refused(&send(form(&first), &[("client_id", "web"), ("client_secret", "wrong")], None).await, "invalid_client");
        let both = [("client_id", "web"), ("client_secret", secret.as_str())];
        refused(&send(form(&first), &both, Some(&basic("web", &secret))).await, "invalid_request");
        let _ = send(form(&first), &[], Some(&basic("web", &secret))).await.is(200);
        let second = code(&app, "web", SCOPE, "ann", "p1").await;
        let _ = send(form(&second), &both, None).await.is(200);
        // A public client has no secret to send.
        let third = code(&app, "app", SCOPE, "ann", "p1").await;
        refused(&send(form(&third), &[], Some(&basic("app", &secret))).await, "invalid_client");
    }

    async fn other_ways_of_asking_are_refused(app: TestApp) {
        ann(&app).await;
        refused(&post(&app, "token", &[("grant_type", "not_a_grant_type")], None).await, "unsupported_grant_type");
        refused(&post(&app, "token", &[("client_id", "app")], None).await, "invalid_request");
        let password = [("grant_type", "password"), ("username", "ann"), ("password", "x"), ("client_id", "app")];
        refused(&post(&app, "token", &password, None).await, "unsupported_grant_type");
        let twice = [("grant_type", "refresh_token"), ("grant_type", "refresh_token"), ("client_id", "app")];
        refused(&post(&app, "token", &twice, None).await, "invalid_request");
        let itself = [("grant_type", "client_credentials"), ("scope", "system/*.rs"), ("client_id", "app")];
        refused(&post(&app, "token", &itself, None).await, "unauthorized_client");
        let url = format!("{}/oauth/token", app.root());
        let json = app.anonymous().request(reqwest::Method::POST, &url).bytes("application/json", b"{}".to_vec());
        refused(&json.send().await, "invalid_request");
    }

    async fn s2_scopes_come_back_in_the_version_that_they_were_asked_in(app: TestApp) {
        ann(&app).await;
        for scope in ["launch/patient patient/Appointment.read patient/Slot.*", "patient/Appointment.rs patient/Slot.r"] {
            let code = code(&app, "app", scope, "ann", "p1").await;
            let reply = exchanged(&app, "app", &code).await.is(200);
            assert_eq!(reply.text("/scope"), scope);
            assert_eq!(claims(reply.text("/access_token"))["scope"], scope);
        }
    }
}
