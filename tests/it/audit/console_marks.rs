//! Marks of officers, and the account of disclosures.

use super::console::officer;
use super::coverage::of_request;
use crate::pages::browser::{Browser, account};
use crate::support::auth::Person;
use crate::support::clinic::seed;
use crate::support::{TestApp, both_engines, text};
use serde_json::{Value, json};
use slotwright::audit::act::Act;
use slotwright::audit::event::{Actor, Event, Scene};
use slotwright::auth::principal::Role;

const REVIEWS: &str = "/console/audit/reviews";

async fn first_event(app: &TestApp, named: &str) -> String {
    let events = app.audit_events().await;
    let found = events.iter().find(|event| event.to_string().contains(named));
    text(found.expect("an event"), "/id").to_owned()
}

/// A disclosure that a partner tells of.
fn disclosure(purpose: &str, recipient: &str) -> Value {
    json!({
        "resourceType": "AuditEvent",
        "meta": { "profile": ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"] },
        "type": { "system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110106" },
        "subtype": [{ "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "disclose" }],
        "action": "R", "recorded": "2026-05-01T10:00:00Z", "outcome": "0",
        "purposeOfEvent": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": purpose }] }],
        "agent": [
            { "type": { "coding": [{ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110153" }] },
              "who": { "display": "The EHR" }, "requestor": false },
            { "type": { "coding": [{ "system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110152" }] },
              "who": { "display": recipient }, "requestor": false, "network": { "address": "fax:+1-555-0100", "type": "5" } }
        ],
        "source": { "observer": { "display": "The EHR" } },
        "entity": [{ "what": { "reference": "Patient/pat-1" }, "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1" } },
            { "what": { "reference": "DocumentReference/d-1" } }]
    })
}

both_engines! {
    async fn an_event_and_a_period_are_marked_once_and_for_all(app: TestApp) {
        seed(&app).await;
        let event = first_event(&app, "Patient/pat-1").await;
        let (mut cora, id) = officer(&app).await;
        let page = format!("/console/audit/events/{event}");
        cora.fill(&page, REVIEWS, &[("note", "  ")]).await.is(422);
        cora.headers = vec![("x-request-id", "marking".to_owned())];
        let done = cora.fill(&page, REVIEWS, &[("note", "Was \u{202e}agreed <b>with</b> the ward")]).await.is(303);
        assert_eq!(done.location(), format!("{page}?reviewed=1"));
        cora.headers = vec![];
        let shown = cora.get(done.location()).await.is(200);
        assert!(shown.says("Was agreed &#60;b&#62;with&#60;/b&#62; the ward") && shown.says("The mark was kept"), "{}", shown.html);
        let events = app.audit_events().await;
        let marked = of_request(&events, "marking");
        let marked: Vec<&&Value> = marked.iter().filter(|event| text(event, "/subtype/0/code") == "review").collect();
        assert_eq!(marked.len(), 1);
        for told in [format!("AuditEvent/{event}"), "Patient/pat-1".to_owned(), id.clone()] {
            assert!(marked[0].to_string().contains(&told), "{told}: {}", marked[0]);
        }
        for (from, until, status) in [("2026-03-31", "2026-03-01", 422), ("x", "2026-03-01", 422), ("2026-03-01", "2026-03-31", 303)] {
            let fields = [("from", from), ("until", until), ("note", "All of March")];
            let _ = cora.fill(REVIEWS, REVIEWS, &fields).await.is(status);
        }
        let list = cora.get(REVIEWS).await.is(200);
        for told in ["2026-03-01 00:00:00 UTC to 2026-04-01 00:00:00 UTC", "All of March", "cora", "Was agreed"] {
            assert!(list.says(told), "{told}: {}", list.html);
        }
        // What they did themselves they don't review.
        let own = first_event(&app, &format!("\"value\":\"{id}\"")).await;
        let page = cora.get(&format!("/console/audit/events/{own}")).await.is(200);
        assert!(page.says("Nobody reviews what they did themselves") && !page.says("name=\"note\""), "{}", page.html);
        let (_, token) = cora.get("/account").await.hidden("/sign-out").swap_remove(0);
        let fields = [("token", token.as_str()), ("kind", "event"), ("id", own.as_str()), ("note", "x")];
        cora.post(REVIEWS, &fields).await.is(422);
        for (id, status) in [("none", 404), ("../x", 404)] {
            cora.post(REVIEWS, &[("token", token.as_str()), ("kind", "event"), ("id", id), ("note", "x")]).await.is(status);
        }
        assert_eq!(app.database().number("SELECT COUNT(*) FROM audit_review").await, 2);
        for change in ["UPDATE audit_review SET note = 'x'", "DELETE FROM audit_review"] {
            assert!(app.database().try_execute(change).await.is_err(), "{change}");
        }
    }

    async fn an_account_of_disclosures_has_what_left_the_house_and_no_more(app: TestApp) {
        seed(&app).await;
        account(&app, "pat", &[Role::Patient], Some("Patient/pat-1")).await;
        // Another house's machine, counted; our own, said to be ours; the patient, and staff.
        let insurer = app.system("insurer", "system/Patient.rs system/Appointment.rs").await;
        let billing = app.system("billing", "system/Patient.rs").await;
        let ehr = app.system("ehr", "system/AuditEvent.c").await;
        for _ in 0..3 {
            let _ = insurer.get("Patient/pat-1").await.is(200);
        }
        let _ = insurer.get("Appointment?patient=pat-1").await.is(200);
        let _ = insurer.get("Patient/pat-2").await.is(200);
        let _ = billing.get("Patient/pat-1").await.is(200);
        let own = app.person(Person { account: "pat-app", roles: &["patient"], fhir_user: Some("Patient/pat-1"), patient: Some("pat-1"), scope: "patient/Patient.rs" }).await;
        let _ = own.get("Patient/pat-1").await.is(200);
        let staff = app.person(Person { account: "sam", roles: &["scheduler"], scope: "user/Patient.rs", ..Person::default() }).await;
        let _ = staff.get("Patient/pat-1").await.is(200);
        let _ = ehr.post("AuditEvent", &disclosure("HLEGAL", "=cmd|' /C calc'!A0")).await.is(201);
        let _ = ehr.post("AuditEvent", &disclosure("TREAT", "The other hospital")).await.is(201);
        app.sequence().await;
        let (mut cora, _) = officer(&app).await;
        let path = "/console/audit/disclosures?patient=pat-1";
        let page = cora.get(path).await.is(200);
        for told in ["insurer", "billing", "4 times, until", "Patient", "Appointment", "HLEGAL", "fax:+1-555-0100", "DocumentReference",
            "Reported by The EHR", "=cmd|"] {
            assert!(page.says(told), "{told}: {}", page.html);
        }
        for untold in ["pat-app", "sam", "The other hospital", "application"] {
            let rows = page.html.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap_or_default();
            assert!(!rows.contains(untold), "{untold}: {rows}");
        }
        // The officer knows more: who the insurer is, and that billing is part of the house.
        let fields = [("recipient", "client:insurer"), ("name", "Good <Insurer>"), ("address", "1 Main St"), ("purpose", "Audit of claims"), ("counts", "yes")];
        cora.fill("/console/audit/recipients", "/console/audit/recipients", &fields).await.is(303);
        let fields = [("recipient", "client:billing"), ("name", "Our billing"), ("counts", "no")];
        cora.fill("/console/audit/recipients", "/console/audit/recipients", &fields).await.is(303);
        cora.fill("/console/audit/recipients", "/console/audit/recipients", &[("recipient", "x"), ("counts", "no")]).await.is(422);
        let page = cora.get(path).await.is(200);
        assert!(page.says("Good &#60;Insurer&#62;") && page.says("1 Main St") && page.says("Audit of claims") && !page.says("billing"), "{}", page.html);
        let csv = cora.get("/console/audit/disclosures.csv?patient=pat-1").await.is(200);
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"disclosures-pat-1.csv\"");
        assert_eq!(csv.html.lines().count(), 3, "{}", csv.html);
        assert!(csv.says("\"'=cmd|' /C calc'!A0\"") && csv.says("\"Good <Insurer>\",\"1 Main St\""), "{}", csv.html);
        // Of the other patient one thing is known, and in another period nothing.
        assert!(cora.get("/console/audit/disclosures?patient=pat-2").await.says("Good &#60;Insurer&#62;"));
        assert!(cora.get(&format!("{path}&from=2020-01-01&until=2020-12-31")).await.says("No disclosures are on the record"));
        cora.get(&format!("{path}&from=x")).await.is(422);
        cora.get("/console/audit/disclosures.csv").await.is(400);
        // What an officer says of recipients is administration, and on the record.
        let events = app.audit_events().await;
        let told = events.iter().filter(|event| event.to_string().contains("say who receives data"));
        assert_eq!(told.count(), 2);
    }

    async fn a_bulk_export_counts_for_whoever_may_be_in_it(app: TestApp) {
        seed(&app).await;
        let server = app.library();
        let actor = Actor { client: Some("warehouse".to_owned()), ..Actor::default() };
        let scene = Scene { request_id: "r".to_owned(), server: app.base().to_owned(), ..Scene::default() };
        let event = Event::new(Act::Export, actor, scene).detail("job", "j");
        let fetched = event.clone().detail("what", "file").detail("file", "Appointment-1.ndjson");
        for event in [event.detail("what", "kick-off"), fetched] {
            let recorded = slotwright::app::audit::record(server, &event).unwrap();
            server.recorder.record(vec![recorded]).await.unwrap();
        }
        app.sequence().await;
        let (mut cora, _) = officer(&app).await;
        for patient in ["pat-1", "pat-2"] {
            let csv = cora.get(&format!("/console/audit/disclosures.csv?patient={patient}")).await.is(200);
            let rows: Vec<&str> = csv.html.lines().filter(|line| line.contains("warehouse")).collect();
            assert!(rows.len() == 1 && rows[0].contains("\"1\",\"warehouse\",\"\",\"Appointment\""), "{}", csv.html);
        }
    }

    async fn in_spanish_it_says_the_same(app: TestApp) {
        seed(&app).await;
        app.sequence().await;
        let (mut cora, _) = officer(&app).await;
        cora.headers = vec![("accept-language", "es".to_owned())];
        let mut other = Browser::new(&app);
        other.headers = cora.headers.clone();
        for (path, told) in [("/console/audit", "Registro de auditoría"), ("/console/audit/reports", "Informes permanentes"),
            ("/console/audit/disclosures", "Relación de comunicaciones"), (REVIEWS, "Revisiones"), ("/console/audit/recipients", "Destinatarios")] {
            assert!(cora.get(path).await.is(200).says(told), "{path}");
        }
    }
}
