//! Exports that somebody should not get.

use super::{ask, backend, exported, files, group, kick_off, manifest, resources, seed};
use crate::access::world;
use crate::audit::coverage::of_request;
use crate::oauth::backend as assertions;
use crate::oauth::flow::backend as registration;
use crate::oauth::flow::{post, registered};
use crate::oauth::signer::Signer;
use crate::support::auth::{Person, signed, system_claims};
use crate::support::{Client, TestApp, both_engines, text};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::client::ClientKeys;

fn deny(patient: &str) -> Value {
    let coded = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
    json!({ "resourceType": "Consent", "id": format!("no-{patient}"), "status": "active",
        "patient": { "reference": format!("Patient/{patient}") },
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "policy": [{ "uri": "https://clinic.example/privacy" }], "provision": { "type": "deny" } })
}

/// Every way to an export that was asked for by somebody else.
async fn finds_nothing(client: &Client, place: &str, urls: &[String], status: u16) {
    for url in urls.iter().map(String::as_str).chain([place]) {
        assert_eq!(client.get(url).await.status, status, "{url}");
    }
    assert_eq!(client.delete(place).await.status, status);
}

both_engines! {
    async fn an_export_is_its_own_clients_alone(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Group/two/$export").await;
        let made = manifest(&client, &place).await;
        let urls: Vec<String> = files(&made, "output").into_iter().map(|(_, url)| url.to_owned()).collect();
        finds_nothing(&app.system("other", "system/*.cruds").await, &place, &urls, 404).await;
        finds_nothing(&app.anonymous(), &place, &urls, 401).await;
        let mut expired = system_claims(app.base(), "backend", "system/*.rs");
        expired.exp = 1_000_000_000;
        finds_nothing(&app.with_token(&signed(&expired)), &place, &urls, 401).await;
        let person = Person { account: "backend", roles: &["clinician", "compliance"], scope: "user/*.rs", ..Person::default() };
        finds_nothing(&app.person(person).await, &place, &urls, 404).await;
        // With another token of the same client, which may do less by now.
        let narrow = app.with_token(&signed(&system_claims(app.base(), "backend", "system/Group.rs system/Patient.rs")));
        for (rtype, url) in files(&made, "output") {
            let allowed = matches!(rtype, "Patient" | "Group");
            assert_eq!(narrow.get(url).await.status, if allowed { 200 } else { 403 }, "{rtype}");
        }
        // A client that is switched off.
        app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'backend'").await;
        finds_nothing(&client, &place, &urls, 401).await;
    }

    async fn people_and_patients_export_nothing(app: TestApp) {
        seed(&app).await;
        let everything = "user/*.cruds patient/*.cruds";
        let mut clients = vec![world::patient(&app, everything).await];
        for role in ["scheduler", "clinician", "compliance", "administrator"] {
            clients.push(world::staff(&app, role, Some("Practitioner/dr-a"), everything).await);
        }
        for client in &clients {
            for path in ["$export", "Patient/$export", "Group/two/$export", "Group/none/$export", "Patient/$export?_type=Nonsense"] {
                let _ = ask(client, path).await.is(403);
            }
        }
        assert_eq!(app.database().number("SELECT COUNT(*) FROM bulk_job").await, 0);
    }

    async fn a_consent_that_denies_counts_when_a_file_is_fetched(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let all = ["Appointment/apt-pat-1", "Appointment/apt-pat-2", "Patient/pat-1", "Patient/pat-2"];
        let asked = "Group/two/$export?_type=Patient,Appointment";
        let before = manifest(&client, &kick_off(&client, asked).await).await;
        assert_eq!(resources(&client, &before).await, all);
        // Of this one the version of that time is judged.
        let arrived = json!([{ "op": "replace", "path": "/status", "value": "arrived" }]);
        let _ = app.patch("Appointment/apt-pat-2", &arrived).await.is(200);
        app.store(&deny("pat-2")).await;
        // What was planned before, and what is asked for now; the Group itself names who denies it.
        assert_eq!(resources(&client, &before).await, ["Appointment/apt-pat-1", "Patient/pat-1"]);
        assert_eq!(exported(&client, asked).await, ["Appointment/apt-pat-1", "Patient/pat-1"]);
        assert_eq!(exported(&client, "Group/two/$export?_type=Group").await, [] as [&str; 0]);
        assert!(!exported(&client, "$export").await.iter().any(|name| name.contains("pat-2") && !name.contains("Consent")));
        // A withdrawal gives it back.
        let mut over = deny("pat-2");
        over["status"] = json!("inactive");
        app.store(&over).await;
        assert_eq!(resources(&client, &before).await, all);
    }

    async fn hostile_requests_are_refused(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let huge = vec!["Patient"; 3000].join(",");
        let made = manifest(&client, &kick_off(&client, &format!("Group/two/$export?_type={huge}")).await).await;
        assert_eq!(files(&made, "output").len(), 1);
        let nonsense = (0..2000).map(|number| format!("N{number}")).collect::<Vec<_>>().join(",");
        let refused = ask(&client, &format!("Group/two/$export?_type={nonsense}")).await.is(400);
        assert!(refused.body.len() < 4096, "{refused}");
        let long = ask(&client, &format!("Group/two/$export?_type={}", "x".repeat(40_000))).await;
        assert_eq!(long.status, 414);
        let filters: Vec<Value> = (0..60).map(|_| json!({ "name": "_typeFilter", "valueString": "Patient?active=true" })).collect();
        let many = json!({ "resourceType": "Parameters", "parameter": filters });
        let reply = client.request(Method::POST, "Group/two/$export").header("prefer", "respond-async").json(&many).send().await;
        let _ = reply.is(400);
        // There is nobody to poll for the answer to an entry of a Bundle.
        for kind in ["batch", "transaction"] {
            let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": [{ "request": { "method": "GET", "url": "Group/two/$export" } }] });
            let reply = client.request(Method::POST, "").header("prefer", "respond-async").json(&bundle).send().await;
            assert!(reply.status >= 400 || reply.text("/entry/0/response/status").starts_with("400"), "{reply}");
        }
        let place = kick_off(&client, "Group/two/$export").await;
        let _ = manifest(&client, &place).await;
        for name in ["0", "-1", "99", "1-proved", "checkpoint", "key", "outcome", "..", "%2e%2e", "x%00"] {
            let reply = client.get(&format!("{place}/{name}")).await;
            assert!(matches!(reply.status, 400 | 404 | 405), "{name}: {reply}");
        }
        for id in ["none", "%27%20OR%201=1", "*"] {
            let _ = client.get(&format!("bulk-export/{id}")).await.is(404);
        }
        let put = client.request(Method::PUT, &place).send().await;
        assert!(matches!(put.status, 404 | 405), "{put}");
    }

    async fn an_export_is_on_the_record(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let send = async |client: &Client, method: Method, url: &str, id: &str| {
            client.request(method, url).header("prefer", "respond-async").header("x-request-id", id).send().await
        };
        let begun = send(&client, Method::GET, "Group/two/$export?_type=Patient", "begin").await.is(202);
        let place = begun.header("content-location").to_owned();
        let made = manifest(&client, &place).await;
        let _ = send(&client, Method::GET, files(&made, "output")[0].1, "fetch").await.is(200);
        let other = app.system("other", "system/*.rs").await;
        let _ = send(&other, Method::GET, &place, "poll-denied").await.is(404);
        let _ = send(&other, Method::GET, files(&made, "output")[0].1, "file-denied").await.is(404);
        let _ = send(&app.anonymous(), Method::GET, &place, "nobody").await.is(401);
        let _ = send(&client, Method::GET, "Group/none/$export", "no-group").await.is(404);
        let clinician = world::staff(&app, "clinician", None, "user/*.rs").await;
        let _ = send(&clinician, Method::GET, "Group/two/$export", "no-right").await.is(403);
        let _ = send(&client, Method::DELETE, &place, "cancel").await.is(202);
        let events = app.audit_events().await;
        let job = place.rsplit('/').next().unwrap();
        for (id, outcome) in [
            ("begin", "0"), ("fetch", "0"), ("cancel", "0"), ("poll-denied", "4"), ("file-denied", "4"), ("nobody", "8"),
            ("no-group", "4"), ("no-right", "8"),
        ] {
            let [event] = of_request(&events, id)[..] else { panic!("{id}: {:?}", of_request(&events, id)) };
            assert_eq!((text(event, "/type/code"), text(event, "/outcome")), ("110106", outcome), "{id}: {event}");
            if outcome == "0" {
                let said = event["entity"].to_string();
                assert!(said.contains(job) && said.contains("Group/two/_history/1"), "{id}: {said}");
                // Of thousands of patients, not one event each.
                assert!(!said.contains("Patient/pat-1"), "{id}: {said}");
                assert_eq!(event["agent"][0]["who"]["identifier"]["value"], "backend");
            }
        }
    }

    async fn a_backend_service_exports_with_the_token_that_it_gets(app: TestApp) {
        seed(&app).await;
        app.store(&group("one", &["pat-3"])).await;
        let signer = Signer::p384();
        let keys = ClientKeys::Set(json!({ "keys": [signer.jwk("k1")] }));
        registered(&app, registration("service", "system/*.rs", keys)).await;
        let assertion = signer.sign(&json!({ "alg": "ES384", "typ": "JWT", "kid": "k1" }), &assertions::sound(&app, "service"));
        let token = assertions::ask(&app, &assertion, "system/Group.rs system/Patient.rs system/Appointment.rs").await.is(200);
        let client = app.with_token(token.text("/access_token"));
        assert_eq!(exported(&client, "Group/one/$export").await, ["Appointment/apt-pat-3", "Group/one", "Patient/pat-3"]);
        let place = kick_off(&client, "Group/one/$export").await;
        // A token that was withdrawn.
        let form = [("token", token.text("/access_token")), ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &signer.sign(&json!({ "alg": "ES384", "typ": "JWT", "kid": "k1" }), &assertions::sound(&app, "service")))];
        let _ = post(&app, "revoke", &form, None).await.is(200);
        let _ = client.get(&place).await.is(401);
    }
}
