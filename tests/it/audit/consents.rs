//! What consents decide is on the record (IHE BALP, AuthZconsent): for a request, and for each entry of a Bundle.

use crate::access::world;
use crate::support::auth::Person;
use crate::support::{Client, TestApp, both_engines, text};
use serde_json::{Value, json};

/// Denies everybody everything of `pat-1`.
async fn deny(app: &TestApp) {
    let coded = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
    app.store(&json!({ "resourceType": "Consent", "id": "privacy", "status": "active",
        "patient": { "reference": "Patient/pat-1" },
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "policy": [{ "uri": "https://clinic.example/privacy" }], "provision": { "type": "deny" } }))
        .await;
}

/// Decisions of the request with this id: outcome, patient and consent of each.
async fn decisions(app: &TestApp, id: &str) -> Vec<(String, String, String)> {
    let events = app.audit_events().await;
    let is_decision = |event: &&Value| text(event, "/subtype/0/code") == "AuthZ-Consent";
    let found = super::coverage::of_request(&events, id);
    let mut told = Vec::new();
    for event in found.into_iter().filter(|event| is_decision(event)) {
        check(event);
        let entities = event["entity"].as_array().expect("entities");
        let of = |start: &str| {
            let refers = |entity: &Value| text(entity, "/what/reference").to_owned();
            entities.iter().map(refers).find(|to| to.starts_with(start)).unwrap_or_default()
        };
        told.push((text(event, "/outcome").to_owned(), of("Patient/"), of("Consent/")));
    }
    told.sort();
    told
}

/// Agents as the profile has them: client, authorizer, person, and the person's organisation.
fn check(event: &Value) {
    let agents = event["agent"].as_array().expect("agents");
    let of = |system: &str, code: &str| {
        let wanted = json!([{ "system": system, "code": code }]);
        let found: Vec<&Value> = agents.iter().filter(|agent| agent["type"]["coding"] == wanted).collect();
        assert_eq!(found.len(), 1, "{code}: {event}");
        found[0].clone()
    };
    let _ = of("http://dicom.nema.org/resources/ontology/DCM", "110150");
    let authorizer = of("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver");
    let organization = of("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV");
    for agent in [&authorizer, &organization] {
        assert!(agent["who"].is_object() && agent["requestor"] == false, "{event}");
    }
    assert_eq!(text(event, "/type/code"), "110113");
}

async fn send(client: &Client, id: &str, mode: &str, urls: &[&str]) -> Value {
    let entries: Vec<Value> =
        urls.iter().map(|url| json!({ "request": { "method": "GET", "url": url } })).collect();
    let bundle = json!({ "resourceType": "Bundle", "type": mode, "entry": entries });
    let request = client.request(reqwest::Method::POST, "").header("x-request-id", id);
    request.json(&bundle).send().await.json
}

both_engines! {
    async fn a_denial_by_consent_is_told_wherever_it_is_asked(app: TestApp) {
        world::build(&app).await;
        deny(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let denied = ("8".to_owned(), "Patient/pat-1".to_owned(), "Consent/privacy".to_owned());
        clinician.request(reqwest::Method::GET, "Observation?patient=pat-1").header("x-request-id", "alone")
            .send().await.is(200);
        assert_eq!(decisions(&app, "alone").await, std::slice::from_ref(&denied));
        let urls = ["Observation?patient=pat-1", "Patient?_id=pat-2", "Encounter?patient=pat-1"];
        for mode in ["batch", "transaction"] {
            let reply = send(&clinician, mode, mode, &urls).await;
            assert_eq!(reply["type"], format!("{mode}-response"), "{reply}");
            assert_eq!(decisions(&app, mode).await, [denied.clone(), denied.clone()], "{mode}");
        }
        // One that fails as a whole tells it as well.
        let failed = send(&clinician, "failed", "transaction", &["Patient/pat-1"]).await;
        assert_eq!(failed["resourceType"], "OperationOutcome", "{failed}");
        assert_eq!(decisions(&app, "failed").await, std::slice::from_ref(&denied));
        // Where no consent has a say, none is told.
        let _ = send(&clinician, "free", "transaction", &["Slot?status=free"]).await;
        assert_eq!(decisions(&app, "free").await, []);
    }

    async fn in_an_emergency_what_is_passed_over_is_told(app: TestApp) {
        world::build(&app).await;
        deny(&app).await;
        let hurried = app.person(Person { account: "hurried", roles: &["clinician"],
            fhir_user: Some("Practitioner/dr-b"), patient: None, scope: "user/*.cruds" }).await;
        app.database().execute(&format!(
            "INSERT INTO emergency (id, account, patient, purpose, reason, began_us, until_us) VALUES \
             ('e', 'hurried', 'pat-1', 'BTG', 'of a test', {now}, {now} + 3600000000)",
            now = app.library().clock.now())).await;
        for mode in ["batch", "transaction"] {
            let id = format!("{mode}-in-emergency");
            // The patient is not named; that the record was read tells.
            let reply = send(&hurried, &id, mode, &["Observation/in-observation"]).await;
            assert_eq!(reply["entry"][0]["resource"]["id"], "in-observation", "{reply}");
            let passed = ("0".to_owned(), "Patient/pat-1".to_owned(), "Consent/privacy".to_owned());
            assert_eq!(decisions(&app, &id).await, [passed], "{mode}");
        }
    }

    async fn the_organisation_of_a_role_is_named(app: TestApp) {
        world::build(&app).await;
        deny(&app).await;
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        scheduler.request(reqwest::Method::GET, "Appointment?patient=pat-1").header("x-request-id", "desk")
            .send().await.is(200);
        assert_eq!(decisions(&app, "desk").await.len(), 1);
        let events = app.audit_events().await;
        let told = super::coverage::of_request(&events, "desk");
        assert!(told.iter().any(|event| event.to_string().contains("Organization/org-1")), "{told:?}");
    }
}
