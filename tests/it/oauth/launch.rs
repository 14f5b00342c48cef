//! Applications that an EHR starts (SMART 168–188, 2.2.*; g10 3.8.*; A10).

use super::backend::{ask, rs384, sound};
use super::flow::{Led, approved, asking, authorize, backend, exchanged, public, registered, with};
use super::signer::Signer;
use crate::support::{FixedApp, Reply, TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::ClientKeys;
use std::time::Duration;

const LAUNCHED: &str = "launch openid fhirUser user/Slot.rs patient/Patient.r";

/// Registers the EHR, the application and two people; the EHR's authorization.
async fn ehr(app: &TestApp, assertion_claims: Value) -> String {
    let signer = Signer::rsa(0);
    let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
    registered(app, NewClient { may_launch: true, ..backend("ehr", "system/Slot.rs", keys) }).await;
    registered(app, public("app")).await;
    registered(app, public("other")).await;
    for id in ["p1", "p2"] {
        app.store(&clinic::patient_resource(id)).await;
        app.store(&json!({ "resourceType": "Encounter", "id": id.replace('p', "e"), "status": "in-progress",
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
            "subject": { "reference": format!("Patient/{id}") } }))
            .await;
    }
    app.account("ann", &["clinician"], Some("Practitioner/a")).await;
    app.account("bob", &["clinician"], Some("Practitioner/b")).await;
    let reply = ask(app, &signer.sign(&rs384("k1"), &assertion_claims), "system/Slot.rs").await.is(200);
    format!("Bearer {}", reply.text("/access_token"))
}

async fn launch(app: &TestApp, authorization: &str, body: &Value) -> Reply {
    let url = format!("{}/oauth/launch", app.root());
    let request = app.anonymous().request(Method::POST, &url).header("authorization", authorization);
    request.bytes("application/json", body.to_string().into_bytes()).send().await
}

/// The answer of the authorization endpoint to an application that comes with this launch.
async fn come(app: &TestApp, client: &str, launch: &str) -> Led {
    authorize(app, &with(asking(app, client, LAUNCHED), "launch", Some(launch))).await
}

both_engines! {
    async fn the_context_of_a_launch_comes_with_the_token(app: TestApp) {
        let ehr = ehr(&app, sound(&app, "ehr")).await;
        let context = json!({
            "client_id": "app", "patient": "p1", "encounter": "e1", "intent": "reschedule",
            "need_patient_banner": false, "tenant": "north",
            "fhirContext": [{"reference": "Appointment/a1"}],
        });
        let made = launch(&app, &ehr, &context).await.is(201);
        let value = made.text("/launch").to_owned();
        let url = made.text("/launch_url");
        assert!(url.starts_with("https://app.example/launch?iss="), "{url}");
        let opened: Vec<(String, String)> =
            form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
        assert_eq!(opened, [("iss".to_owned(), app.base().to_owned()), ("launch".to_owned(), value.clone())]);
        let id = come(&app, "app", &value).await.waits();
        let led = approved(&app, &id, "ann", None).await;
        let reply = exchanged(&app, "app", &led.params()["code"]).await.is(200);
        assert_eq!(reply.text("/scope"), LAUNCHED);
        for name in ["patient", "encounter", "intent", "need_patient_banner", "tenant", "fhirContext"] {
            assert_eq!(reply.json[name], context[name], "{name}");
        }
        assert!(!reply.text("/smart_style_url").is_empty());
    }

    async fn a10_a_launch_is_good_once_and_for_its_application(app: TestApp) {
        let ehr = ehr(&app, sound(&app, "ehr")).await;
        let made = launch(&app, &ehr, &json!({"client_id": "app", "patient": "p1"})).await.is(201);
        let value = made.text("/launch").to_owned();
        assert_eq!(come(&app, "other", &value).await.error(), "invalid_request");
        assert_eq!(come(&app, "app", "made-up").await.error(), "invalid_request");
        let _ = come(&app, "app", &value).await.waits();
        assert_eq!(come(&app, "app", &value).await.error(), "invalid_request");
    }

    async fn a10_a_launch_is_for_its_person(app: TestApp) {
        let ehr = ehr(&app, sound(&app, "ehr")).await;
        let body = json!({"client_id": "app", "patient": "p1", "username": "ann"});
        for (account, error) in [("bob", "invalid_request"), ("ann", "")] {
            let made = launch(&app, &ehr, &body).await.is(201);
            let id = come(&app, "app", made.text("/launch")).await.waits();
            assert_eq!(approved(&app, &id, account, None).await.error(), error, "{account}");
        }
        // The patient of a launch is not exchanged for another.
        let made = launch(&app, &ehr, &body).await.is(201);
        let id = come(&app, "app", made.text("/launch")).await.waits();
        assert_eq!(approved(&app, &id, "ann", Some("p2")).await.error(), "access_denied");
    }

    async fn a10_a_launch_is_good_for_five_minutes(app: FixedApp) {
        let now = app.library().clock.now() / 1_000_000;
        let mut claims = sound(&app, "ehr");
        claims["exp"] = (now + 240).into();
        let ehr = ehr(&app, claims).await;
        let first = launch(&app, &ehr, &json!({"client_id": "app"})).await.is(201);
        let second = launch(&app, &ehr, &json!({"client_id": "app"})).await.is(201);
        app.advance(Duration::from_secs(299));
        let _ = come(&app, "app", first.text("/launch")).await.waits();
        app.advance(Duration::from_secs(2));
        assert_eq!(come(&app, "app", second.text("/launch")).await.error(), "invalid_request");
    }

    async fn launches_are_made_by_those_who_may_and_make_sense(app: TestApp) {
        let ehr = ehr(&app, sound(&app, "ehr")).await;
        let body = json!({"client_id": "app"});
        let _ = launch(&app, "Bearer made-up", &body).await.is(401);
        assert_eq!(launch(&app, &app.authorization(), &body).await.is(403).text("/error"), "insufficient_scope");
        for bad in [
            json!({}),
            json!({"client_id": "nobody"}),
            json!({"client_id": "ehr"}),
            json!({"client_id": "app", "username": "nobody"}),
            json!({"client_id": "app", "patient": "../x"}),
            json!({"client_id": "app", "patient": "nobody"}),
            json!({"client_id": "app", "encounter": "none"}),
            json!({"client_id": "app", "patient": "p1", "encounter": "none"}),
            json!({"client_id": "app", "patient": "p1", "encounter": "e2"}),
            json!({"client_id": "app", "patient": 7}),
            json!({"client_id": "app", "colour": "red"}),
            json!({"client_id": "app", "fhirContext": [{"reference": "Patient/p1"}]}),
            json!({"client_id": "app", "fhirContext": [{"reference": "https://evil.example/Slot/1"}]}),
            json!({"client_id": "app", "fhirContext": [{}]}),
            json!([]),
        ] {
            assert_eq!(launch(&app, &ehr, &bad).await.is(400).text("/error"), "invalid_request", "{bad}");
        }
        app.delete("Encounter/e1").await.is(204);
        let gone = json!({"client_id": "app", "patient": "p1", "encounter": "e1"});
        let gone = launch(&app, &ehr, &gone).await.is(400);
        let never = json!({"client_id": "app", "patient": "p1", "encounter": "e9"});
        assert_eq!(gone.body, launch(&app, &ehr, &never).await.body, "nothing is told of what was there");
    }
}
