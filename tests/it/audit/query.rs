//! AuditEvents as FHIR resources.

use crate::access::world::{self, patient, staff};
use crate::support::clinic::{appointment, seed, slot};
use crate::support::{Client, TestApp, both_engines, text};
use serde_json::{Value, json};

/// A clinic with a booking for each of two patients, read once by the tests' client.
async fn booked(app: &TestApp) -> Vec<String> {
    seed(app).await;
    let mut made = Vec::new();
    for (id, patient, at) in
        [("s1", "pat-1", "2031-03-03T09:00:00Z"), ("s2", "pat-2", "2031-03-03T10:00:00Z")]
    {
        let slot = app.store(&slot(id, "sch-a", at, 30)).await;
        let reply =
            app.post("Appointment", &appointment(&slot.json, patient, &["Practitioner/dr-a"])).await.is(201);
        let _ = app.get(&format!("Appointment/{}", reply.id())).await.is(200);
        made.push(reply.id().to_owned());
    }
    made
}

pub async fn officer(app: &TestApp) -> Client {
    staff(app, "compliance", None, "user/AuditEvent.rs").await
}

fn subtypes(reply: &[&Value]) -> Vec<String> {
    reply.iter().map(|event| text(event, "/subtype/0/code").to_owned()).collect()
}

pub fn report() -> Value {
    json!({
        "resourceType": "AuditEvent",
        "type": { "system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest" },
        "recorded": "2031-02-28T10:00:00+02:00",
        "agent": [{ "who": { "display": "a\u{202e}nn\r\n" }, "requestor": true }],
        "source": { "observer": { "display": "The EHR" } },
        "entity": [{ "what": { "reference": "Patient/pat-1" } }]
    })
}

both_engines! {
    async fn an_officer_follows_a_patient_an_appointment_and_a_request(app: TestApp) {
        let made = booked(&app).await;
        app.sequence().await;
        let officer = officer(&app).await;
        let about = officer.get("AuditEvent?patient=Patient/pat-1&subtype=read").await.is(200);
        assert_eq!(about.resources().len(), 1, "{about}");
        let event = about.resources()[0].clone();
        assert_eq!(event.pointer("/entity/0/what/reference"), Some(&json!(format!("Appointment/{}/_history/1", made[0]))));
        let one = officer.get(&format!("AuditEvent/{}", text(&event, "/id"))).await.is(200);
        assert_eq!(one.json, event);
        let all = officer.get(&format!("AuditEvent?entity=Appointment/{}&_sort=date", made[1])).await.is(200);
        assert_eq!(subtypes(&all.resources()), ["create", "read"]);
        let by = officer.get("AuditEvent?agent:identifier=tests&date=ge2000-01-01&outcome=0&_count=200").await.is(200);
        assert!(by.resources().len() > 10, "{by}");
        let none = officer.get("AuditEvent?agent:identifier=nobody").await.is(200);
        assert!(none.resources().is_empty());
        // Looking at the log is on the record as well.
        app.sequence().await;
        let used = officer.get("AuditEvent?type=110101").await.is(200);
        assert!(used.resources().len() >= 5, "{used}");
    }

    async fn pages_neither_skip_nor_repeat(app: TestApp) {
        let _ = booked(&app).await;
        app.sequence().await;
        let officer = officer(&app).await;
        let all = officer.get("AuditEvent?agent:identifier=tests&_count=500").await.is(200);
        let mut seen: Vec<String> = Vec::new();
        let mut next = Some("AuditEvent?agent:identifier=tests&_count=7".to_owned());
        while let Some(path) = next {
            let page = officer.get(&path).await.is(200);
            seen.extend(page.ids().into_iter().map(str::to_owned));
            let links = page.json["link"].as_array().unwrap();
            let link = links.iter().find(|link| link["relation"] == "next");
            next = link.map(|link| text(link, "/url").split("/fhir/").nth(1).unwrap().to_owned());
        }
        assert_eq!(seen, all.ids());
        let _ = officer.get("AuditEvent?agent:identifier=x&_page=AAAA").await.is(400);
    }

    async fn patients_see_their_own_events_without_addresses(app: TestApp) {
        world::build(&app).await;
        let ann = patient(&app, "patient/AuditEvent.rs patient/Patient.rs").await;
        let own = ann.get("Patient").await.is(200);
        let own = own.ids()[0].to_owned();
        app.sequence().await;
        let seen = ann.get("AuditEvent?_count=200").await.is(200);
        assert!(!seen.resources().is_empty());
        for event in seen.resources() {
            let whole = event.to_string();
            assert!(!whole.contains("network") && !whole.contains("\"query\""), "{whole}");
            let id = text(event, "/id");
            let kept = app.audit_events().await.into_iter().find(|event| text(event, "/id") == id).unwrap();
            assert!(kept.to_string().contains(&format!("\"Patient/{own}\"")), "{kept}");
        }
        let _ = ann.get("AuditEvent?address=127.0.0.1").await.is(403);
    }

    async fn nobody_changes_an_event(app: TestApp) {
        let _ = booked(&app).await;
        let events = app.audit_events().await;
        let path = format!("AuditEvent/{}", text(&events[0], "/id"));
        let _ = app.put(&path, &events[0]).await.is(405);
        let _ = app.delete(&path).await.is(405);
        let _ = app.patch(&path, &json!([])).await.is(405);
        let _ = app.get(&format!("{path}/_history/1")).await.is(405);
        let entry = json!({ "resource": report(), "request": { "method": "POST", "url": "AuditEvent" } });
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
        let _ = app.post("", &bundle).await.is(405);
    }

    async fn other_systems_report_what_happened_in_their_own_house(app: TestApp) {
        seed(&app).await;
        let ehr = app.system("ehr", "system/AuditEvent.c").await;
        let made = ehr.post("AuditEvent", &report()).await.is(201);
        let _ = ehr.get(&format!("AuditEvent/{}", made.id())).await.is(403);
        app.sequence().await;
        let officer = officer(&app).await;
        let kept = officer.get(&format!("AuditEvent/{}", made.id())).await.is(200);
        assert_eq!((kept.text("/recorded"), kept.text("/agent/0/who/display")), ("2031-02-28T08:00:00.000000Z", "ann  "));
        let mut ours = report();
        ours["source"]["observer"] = json!({ "display": "Slotwright" });
        let _ = ehr.post("AuditEvent", &ours).await.is(422);
        let mut two = report();
        two["entity"] = json!([{ "what": { "reference": "Patient/pat-1" } }, { "what": { "reference": "Patient/pat-2" } }]);
        let _ = ehr.post("AuditEvent", &two).await.is(422);
        let _ = ehr.post("AuditEvent", &json!({ "resourceType": "AuditEvent" })).await.is(422);
    }
}
