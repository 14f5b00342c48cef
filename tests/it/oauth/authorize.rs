//! The authorization endpoint (SMART 14, 15, 31, 48, 49, 54, 59, 1.2.01–03, 9.4.03; A1–A5, A8–A10, A13).

use super::flow::{
    CHALLENGE, REDIRECT, SCOPE, approval, approved, asking, authorize, authorize_by_post, browser, public,
    registered, with,
};
use crate::support::auth::system_client;
use crate::support::{TestApp, both_engines};
use slotwright::app::oauth::{clients, pending};
use slotwright::auth::scope::Scopes;

both_engines! {
    async fn a_sound_request_waits_for_a_person_by_get_and_by_post(app: TestApp) {
        registered(&app, public("app")).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        for by_post in [false, true] {
            let asked = asking(&app, "app", SCOPE);
            let led = if by_post { authorize_by_post(&app, &asked).await } else { authorize(&app, &asked).await };
            assert_eq!(led.status, 303);
            let waiting = pending::load(app.library(), &led.waits()).await.unwrap().unwrap();
            assert_eq!(waiting.client.id, "app");
            assert_eq!(waiting.grantable, Scopes::parse(SCOPE));
            assert!(waiting.needs_patient && !waiting.needs_encounter);
            assert_eq!(waiting.redirect_origin, "https://app.example");
            let led = approved(&app, &waiting.id, "ann", Some("p1")).await;
            assert!(led.location.starts_with(REDIRECT), "{}", led.location);
            let params = led.params();
            assert_eq!(params["state"], "a state");
            assert!(!params["code"].is_empty() && !params.contains_key("error") && !params.contains_key("iss"));
            // Once.
            assert!(pending::load(app.library(), &waiting.id).await.unwrap().is_none());
            assert!(pending::deny(app.library(), &waiting.id).await.unwrap().is_none());
        }
    }

    async fn a_bare_request_is_answered_by_a_page(app: TestApp) {
        let response = browser().get(format!("{}/oauth/authorize", app.root())).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert!(response.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    }

    async fn a4_a_redirect_uri_that_differs_leads_nowhere(app: TestApp) {
        registered(&app, public("app")).await;
        let asked = asking(&app, "app", SCOPE);
        for uri in [
            "https://app.example/callback/more",
            "https://app.example/callbac",
            "https://app.example/callback?x=1",
            "https://app.example/callback/",
            "https://app.example:444/callback",
            "https://user@app.example/callback",
            "https://app.example@evil.example/callback",
            "https://APP.example/callback",
            "https://app.example/Callback",
            "https://app.example/x/../callback",
            "https://app.example/%63allback",
            "https://app.example/callback#",
            "http://app.example/callback",
            "http://127.0.0.1:4711/callback",
            "https://evil.example/callback",
            "//app.example/callback",
            "javascript:alert(1)",
            "",
        ] {
            authorize(&app, &with(asked.clone(), "redirect_uri", Some(uri))).await.stays();
        }
        authorize(&app, &with(asked.clone(), "redirect_uri", None)).await.stays();
        let mut twice = asked;
        twice.push(("redirect_uri".to_owned(), "https://evil.example/".to_owned()));
        authorize(&app, &twice).await.stays();
    }

    async fn a5_a_client_that_is_not_known_leads_nowhere(app: TestApp) {
        registered(&app, public("app")).await;
        clients::add(app.library(), system_client("backend", "system/Slot.rs"), "a test").await.unwrap();
        let asked = asking(&app, "app", SCOPE);
        for id in [Some("other"), Some("APP"), Some("backend"), Some(""), None] {
            authorize(&app, &with(asked.clone(), "client_id", id)).await.stays();
        }
        assert!(clients::switch(app.library(), "app", false, "a test").await.unwrap());
        authorize(&app, &asked).await.stays();
        let url = format!("{}/oauth/authorize?client_id=other", app.root());
        for (language, said) in [("en", "This request can’t be answered"), ("es", "No se puede atender esta petición")] {
            let request = app.anonymous().request(reqwest::Method::GET, &url).header("accept-language", language);
            let page = String::from_utf8_lossy(&request.send().await.is(400).body).into_owned();
            assert!(page.contains(said) && page.contains(&format!("lang=\"{language}\"")), "{page}");
        }
    }

    async fn a1_a2_every_request_needs_pkce_with_s256(app: TestApp) {
        registered(&app, public("app")).await;
        let secret = slotwright::app::oauth::clients::NewClient {
            proof: slotwright::auth::client::Proof::Secret,
            ..public("confidential")
        };
        registered(&app, secret).await;
        for client in ["app", "confidential"] {
            let asked = asking(&app, client, SCOPE);
            let _ = authorize(&app, &asked).await.waits();
            for (name, value) in [
                ("code_challenge", None),
                ("code_challenge", Some("")),
                ("code_challenge", Some(&CHALLENGE[1..])),
                ("code_challenge", Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")),
                ("code_challenge", Some(&format!("{CHALLENGE}="))),
                ("code_challenge_method", Some("plain")),
                ("code_challenge_method", Some("s256")),
                ("code_challenge_method", None),
            ] {
                let led = authorize(&app, &with(asked.clone(), name, value)).await;
                assert_eq!(led.error(), "invalid_request", "{client} {name} {value:?}: {}", led.location);
                assert!(!led.params().contains_key("code"));
            }
        }
    }

    async fn a8_state_comes_back_to_the_byte(app: TestApp) {
        registered(&app, public("app")).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let long = "x".repeat(2048);
        for state in ["a b+c&d=e%20?#/", "Grüße 你好 🦉", long.as_str(), "\"<>'\\"] {
            let asked = with(asking(&app, "app", SCOPE), "state", Some(state));
            let id = authorize(&app, &asked).await.waits();
            assert_eq!(approved(&app, &id, "ann", Some("p1")).await.params()["state"], state);
            let id = authorize_by_post(&app, &asked).await.waits();
            let denied = pending::deny(app.library(), &id).await.unwrap().unwrap();
            let denied = super::flow::Led { status: 303, location: denied, body: String::new() };
            assert_eq!((denied.error().as_str(), denied.params()["state"].as_str()), ("access_denied", state));
            let led = authorize(&app, &with(asked, "aud", None)).await;
            assert_eq!((led.error().as_str(), led.params()["state"].as_str()), ("invalid_request", state));
        }
        let led = authorize(&app, &with(asking(&app, "app", SCOPE), "state", None)).await;
        assert_eq!(led.error(), "invalid_request");
        assert!(!led.params().contains_key("state"));
    }

    async fn a9_aud_is_this_server(app: TestApp) {
        registered(&app, public("app")).await;
        let asked = asking(&app, "app", SCOPE);
        let slash = format!("{}/", app.base());
        let upper = app.base().to_uppercase();
        for aud in [None, Some(""), Some(&*slash), Some(&*upper), Some(app.root()), Some("https://inferno.healthit.gov/invalid_aud")] {
            let led = authorize(&app, &with(asked.clone(), "aud", aud)).await;
            assert_eq!(led.error(), "invalid_request", "{aud:?}");
        }
    }

    async fn other_parameters_are_judged(app: TestApp) {
        registered(&app, public("app")).await;
        let asked = asking(&app, "app", SCOPE);
        for (name, value, error) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("response_type", None, "invalid_request"),
            ("response_mode", Some("fragment"), "invalid_request"),
            ("scope", None, "invalid_scope"),
            ("scope", Some("nothing of ours"), "invalid_scope"),
            ("scope", Some("system/*.cruds"), "invalid_scope"),
            ("scope", Some("patient/Dog.rs"), "invalid_scope"),
            ("prompt", Some("none"), "interaction_required"),
            ("max_age", Some("-1"), "invalid_request"),
            ("launch", Some("made-up"), "invalid_request"),
        ] {
            let led = authorize(&app, &with(asked.clone(), name, value)).await;
            assert_eq!(led.error(), error, "{name} {value:?}: {}", led.location);
        }
        let mut twice = asked;
        twice.push(("scope".to_owned(), "openid".to_owned()));
        assert_eq!(authorize(&app, &twice).await.error(), "invalid_request");
    }

    async fn a13_a_long_scope_list_is_posted(app: TestApp) {
        registered(&app, public("app")).await;
        let types = ["Appointment", "Slot", "Schedule", "Patient"];
        let scopes: Vec<String> =
            (0..600).map(|n| format!("patient/{}.rs?identifier=number-{n}", types[n % 4])).collect();
        let scope = scopes.join(" ");
        assert!(scope.len() > 20_000);
        let id = authorize_by_post(&app, &asking(&app, "app", &scope)).await.waits();
        let waiting = pending::load(app.library(), &id).await.unwrap().unwrap();
        assert_eq!(waiting.grantable.all().count(), 600);
    }

    async fn what_is_granted_is_no_more_than_registered_served_and_approved(app: TestApp) {
        let narrow = slotwright::app::oauth::clients::NewClient {
            scope: "launch/patient patient/Appointment.rs patient/Slot.rs".to_owned(),
            ..public("narrow")
        };
        registered(&app, narrow).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let asked = "launch/patient patient/*.cruds user/Slot.rs openid offline_access patient/Dog.rs";
        let id = authorize(&app, &asking(&app, "narrow", asked)).await.waits();
        let waiting = pending::load(app.library(), &id).await.unwrap().unwrap();
        let expected = "launch/patient patient/Appointment.rs patient/Slot.rs";
        assert_eq!(waiting.grantable, Scopes::parse(expected));
        let mut more = approval("ann", &waiting, Some("p1"));
        more.scopes = Scopes::parse("patient/Appointment.r user/*.cruds system/*.cruds openid");
        let url = pending::approve(app.library(), &id, more).await.unwrap().unwrap();
        assert!(url.contains("code="), "{url}");
        let granted = app.database().texts("SELECT scope FROM oauth_grant").await;
        assert_eq!(granted, ["patient/Appointment.r"]);
    }

    async fn approvals_that_can_not_be_granted_are_errors(app: TestApp) {
        registered(&app, public("app")).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let id = authorize(&app, &asking(&app, "app", SCOPE)).await.waits();
        assert_eq!(approved(&app, &id, "ann", None).await.error(), "access_denied", "patient scopes need a patient");
        // Signed in before the request asked to sign in anew.
        for (name, value) in [("prompt", "login"), ("max_age", "0")] {
            let asked = with(asking(&app, "app", SCOPE), name, Some(value));
            let id = authorize(&app, &asked).await.waits();
            let waiting = pending::load(app.library(), &id).await.unwrap().unwrap();
            let before = pending::Approval { auth_time_us: 1, ..approval("ann", &waiting, Some("p1")) };
            let url = pending::approve(app.library(), &id, before).await.unwrap().unwrap();
            assert!(url.contains("error=login_required"), "{url}");
        }
    }

    async fn a_request_is_over_after_ten_minutes(app: crate::support::FixedApp) {
        registered(&app, public("app")).await;
        let id = authorize(&app, &asking(&app, "app", SCOPE)).await.waits();
        app.advance(std::time::Duration::from_secs(599));
        assert!(pending::load(app.library(), &id).await.unwrap().is_some());
        app.advance(std::time::Duration::from_secs(2));
        assert!(pending::load(app.library(), &id).await.unwrap().is_none());
    }
}
