//! What people, applications and administrators do besides FHIR is told in full: who, what, about whom.

use super::coverage::of_request;
use crate::oauth::backend::{ask, rs384, sound};
use crate::oauth::flow::{backend, claims, code, exchanged, public, refreshed, registered};
use crate::oauth::signer::Signer;
use crate::pages::browser::{Browser, PASSWORD, account};
use crate::support::clinic::seed;
use crate::support::{Database, Engine, TestApp, block_on, both_engines, text};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::client::ClientKeys;
use slotwright::auth::principal::Role;
use slotwright::clock::Clock;

/// Events with this subtype, in the order of the log.
fn of<'a>(events: &'a [Value], subtype: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event.pointer("/subtype/0/code") == Some(&json!(subtype))).collect()
}

/// The value of a detail, empty when there is none.
fn detail(event: &Value, name: &str) -> String {
    let entities = event["entity"].as_array().cloned().unwrap_or_default();
    let mut all = entities.iter().flat_map(|entity| entity["detail"].as_array().cloned().unwrap_or_default());
    let found = all.find(|detail| detail["type"] == json!(name));
    found.map(|detail| text(&detail, "/valueString").to_owned()).unwrap_or_default()
}

/// The person in an event, by the account's id.
fn person(event: &Value) -> String {
    let agents = event["agent"].as_array().expect("agents");
    let user = agents.iter().find(|agent| agent.pointer("/who/identifier/system").is_some());
    user.map(|user| text(user, "/who/identifier/value").to_owned()).unwrap_or_default()
}

both_engines! {
    async fn a_sign_in_a_failure_and_a_sign_out_name_the_person(app: TestApp) {
        let id = account(&app, "ada", &[Role::Scheduler], None).await;
        let mut browser = Browser::new(&app);
        let _ = browser.try_sign_in("ada", "not the password").await;
        let _ = browser.try_sign_in("nobody", PASSWORD).await;
        browser.sign_in("ada").await;
        let _ = browser.fill("/sign-out", "/sign-out", &[]).await;
        let events = app.audit_events().await;
        let told: Vec<(String, &str)> =
            of(&events, "110122").iter().map(|event| (person(event), text(event, "/outcome"))).collect();
        assert_eq!(told, [(id.clone(), "8"), (String::new(), "8"), (id.clone(), "0")]);
        let out = of(&events, "110123");
        assert_eq!(out.len(), 1);
        assert_eq!((person(out[0]), text(out[0], "/type/code")), (id, "110114"));
    }

    async fn a_token_is_told_by_its_jti(app: TestApp) {
        let signer = Signer::p384();
        let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
        registered(&app, backend("robot", "system/Slot.rs", keys)).await;
        let header = json!({"alg": "ES384", "typ": "JWT", "kid": "k1"});
        let assertion = signer.sign(&header, &sound(&app, "robot"));
        let reply = ask(&app, &assertion, "system/Slot.rs").await.is(200);
        let _ = ask(&app, &signer.sign(&rs384("k2"), &sound(&app, "robot")), "system/Slot.rs").await.is(401);
        let events = app.audit_events().await;
        let [issued, refused] = of(&events, "ITI-71")[..] else { panic!("{events:#?}") };
        assert_eq!((text(issued, "/outcome"), text(refused, "/outcome")), ("0", "8"));
        assert_eq!(text(issued, "/agent/0/who/identifier/value"), "robot");
        assert_eq!(text(issued, "/agent/1/type/coding/0/code"), "AuthzOauthService");
        let jti = claims(reply.text("/access_token"))["jti"].as_str().expect("jti").to_owned();
        assert_eq!(text(issued, "/agent/0/policy/0"), format!("urn:ietf:params:oauth:jti:{jti}"));
        let entities = issued["entity"].as_array().expect("entities");
        assert_eq!((entities.len(), text(&entities[0], "/role/code")), (1, "24"));
    }

    async fn what_a_person_allowed_is_told_and_what_came_of_it(app: TestApp) {
        seed(&app).await;
        registered(&app, public("app")).await;
        let pat = account(&app, "pat", &[Role::Patient], Some("Patient/pat-1")).await;
        let scope = "launch/patient offline_access patient/Appointment.rs";
        let code = code(&app, "app", scope, &pat, "pat-1").await;
        let first = exchanged(&app, "app", &code).await.is(200);
        let _ = refreshed(&app, "app", first.text("/refresh_token")).await.is(200);
        let _ = exchanged(&app, "app", &code).await.is(400);
        let events = app.audit_events().await;
        let allowed = of(&events, "authorized");
        assert_eq!(allowed.len(), 1, "{allowed:#?}");
        assert!(detail(allowed[0], "scope").contains("patient/Appointment.rs"), "{allowed:#?}");
        let tokens = of(&events, "ITI-71");
        let told: Vec<(String, &str)> = tokens.iter().map(|event| (person(event), text(event, "/outcome"))).collect();
        assert_eq!(told, [(pat.clone(), "0"), (pat, "0"), (String::new(), "8")]);
    }

    async fn what_an_administrator_does_is_told_with_their_name(app: TestApp) {
        let id = account(&app, "root", &[Role::Administrator], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("root").await;
        browser.headers = vec![("x-request-id", "made".to_owned())];
        let new = json!({"username": "new", "name": "New", "password": "a calm green river"});
        let (status, made) = browser.json(Method::POST, "/admin/accounts", &new).await;
        assert_eq!(status, 201, "{made}");
        let events = app.audit_events().await;
        let [event] = of_request(&events, "made")[..] else { panic!("{events:#?}") };
        assert_eq!(text(event, "/subtype/0/code"), "110129");
        assert_eq!((person(event), detail(event, "what")), (id, "make an account".to_owned()));
        assert_eq!(detail(event, "target"), made["id"].as_str().expect("an id"));
    }
}

#[test]
fn refused_requests_are_summed_up() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let limits = [("SLOTWRIGHT_LIMITS__ADDRESS", "60")];
        let app = TestApp::start_with(database, Clock::fixed(1_900_000_000_000_000), &limits).await;
        for _ in 0..40 {
            let _ = app.get("metadata").await;
        }
        let events = app.audit_events().await;
        let limited = of(&events, "limited");
        assert_eq!(limited.len(), 1, "{limited:#?}");
        assert_eq!((text(limited[0], "/outcome"), detail(limited[0], "count").as_str()), ("8", "1"));
    });
}
