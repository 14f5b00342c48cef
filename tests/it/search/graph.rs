//! Chains, `_has` and includes.

use super::{assert_found, entries};
use crate::support::{Client, Database, Engine, TestApp, both_engines, clinic};
use serde_json::json;
use slotwright::clock::Clock;

async fn seed(app: &Client) {
    clinic::seed(app).await;
    app.store(
        &json!({ "resourceType": "Organization", "id": "top", "name": "Top Hospital", "active": true }),
    )
    .await;
    for (id, over) in [("mid", "top"), ("low", "mid")] {
        app.store(&json!({ "resourceType": "Organization", "id": id, "name": format!("{id} clinic"),
            "partOf": { "reference": format!("Organization/{over}") } }))
            .await;
    }
    app.store(&json!({ "resourceType": "PractitionerRole", "id": "role", "active": true,
        "practitioner": { "reference": "Practitioner/dr-a" }, "organization": { "reference": "Organization/low" },
        "specialty": [{ "coding": [{ "system": "urn:s", "code": "cardio" }] }] })).await;
    let slot = clinic::slot("s1", "sch-a", &clinic::at("09:00"), 30);
    app.store(&slot).await;
    app.store(&clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), "app-1")).await;
    app.store(&json!({ "resourceType": "AppointmentResponse", "id": "resp", "participantStatus": "accepted",
        "appointment": { "reference": "Appointment/app-1" }, "actor": { "reference": "Patient/pat-1" } }))
        .await;
}

both_engines! {
    async fn chains_and_has(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Organization?partof.name=top", "mid"),
            ("Organization?partof.partof.name=top", "low"),
            ("Organization?partof:Organization.active=true", "mid"),
            ("Organization?partof.name=nothing", ""),
            ("Organization?partof._id=top", "mid"),
            ("PractitionerRole?organization.partof.partof.name=top", "role"),
            ("PractitionerRole?practitioner.family=doctor&specialty=cardio", "role"),
            ("Organization?_has:Organization:partof:name=low", "mid"),
            ("Organization?_has:Organization:partof:_has:Organization:partof:name=low", "top"),
            ("Practitioner?_has:PractitionerRole:practitioner:specialty=cardio", "dr-a"),
            ("Practitioner?_has:PractitionerRole:practitioner:organization.name=low", "dr-a"),
            ("Patient?_has:Appointment:patient:_has:AppointmentResponse:appointment:part-status=accepted", "pat-1"),
            ("AppointmentResponse?appointment.slot.schedule=sch-a", "resp"),
            ("AppointmentResponse?appointment.patient=pat-1", "resp"),
            ("AppointmentResponse?patient.family:exact=Test", "resp"),
        ]).await;
    }

    async fn includes(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        let cases: &[(&str, &[&str])] = &[
            ("Slot?_include=Slot:schedule", &["Schedule/sch-a"]),
            ("Slot?_include=Slot:schedule&_include:iterate=Schedule:actor", &["Practitioner/dr-a", "Schedule/sch-a"]),
            ("Slot?_include=Slot:schedule&_include=Schedule:actor", &["Schedule/sch-a"]),
            ("Slot?_include=Slot:schedule:Schedule", &["Schedule/sch-a"]),
            ("Slot?_include=Slot:*", &["Schedule/sch-a"]),
            ("Slot?_revinclude=Appointment:slot", &["Appointment/app-1"]),
            ("Appointment?_include=Appointment:patient", &["Patient/pat-1"]),
            ("Appointment?_include=Appointment:actor", &["Patient/pat-1", "Practitioner/dr-a"]),
            ("Appointment?_include=Appointment:actor:Practitioner", &["Practitioner/dr-a"]),
            ("Appointment?_include=*", &["Patient/pat-1", "Practitioner/dr-a", "Slot/s1"]),
            ("Appointment?_include=Appointment:location", &[]),
            ("Patient?_id=pat-1&_revinclude=Appointment:patient", &["Appointment/app-1"]),
            ("Patient?_id=pat-1&_revinclude=Appointment:practitioner", &[]),
            ("Patient?_id=pat-1&_revinclude=*", &["Appointment/app-1", "AppointmentResponse/resp"]),
            ("Organization?_id=low&_include:iterate=Organization:partof", &["Organization/mid", "Organization/top"]),
            ("Organization?_include=Organization:partof", &[]),
        ];
        for (search, expected) in cases {
            let reply = app.get(search).await.is(200);
            let mut included = entries(&reply, "include");
            included.sort();
            assert_eq!(included, *expected, "{search}");
            assert!(!entries(&reply, "match").is_empty(), "{search}");
        }
    }

    async fn includes_stop_at_their_limits(engine: Engine) {
        let limits = [("SLOTWRIGHT_FHIR__MAX_INCLUDES", "2"), ("SLOTWRIGHT_FHIR__MAX_INCLUDE_DEPTH", "1")];
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &limits).await;
        let app = app.client();
        seed(&app).await;
        let shallow = app.get("Organization?_id=low&_include:iterate=Organization:partof").await.is(200);
        assert_eq!(entries(&shallow, "include"), ["Organization/mid"]);
        let cut = app.get("Appointment?_include=*").await.is(200);
        assert_eq!(entries(&cut, "include").len(), 2);
        assert!(cut.to_string().contains("not every included resource fits"), "{cut}");
    }
}
