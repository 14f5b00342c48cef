//! The published attacks on FHIR servers, carried out as patient `pat-1` against patient `pat-2`.

use super::world::{self, Side};
use crate::support::{Client, Reply, TestApp, both_engines, clinic};
use serde_json::{Value, json};

/// What a patient's application usually asks for.
const APP: &str = "patient/*.cruds";

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// Nothing of the other patient is in an answer.
#[track_caller]
fn tells_nothing(reply: &Reply) {
    let text = text(reply);
    for theirs in ["pat-2", "out-appointment", "out-encounter", "dr-b"] {
        assert!(!text.contains(theirs), "{theirs} in {text}");
    }
}

async fn ids(client: &Client, search: &str) -> Vec<String> {
    let reply = client.get(search).await.is(200);
    reply.ids().into_iter().map(str::to_owned).collect()
}

both_engines! {
    // A login of one patient was enough to read everybody (Knight 2021); reads by id ignored the compartment.
    async fn another_patients_resources_are_not_there(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        for rtype in ["Patient", "Appointment", "AppointmentResponse", "Encounter", "Coverage", "Consent",
            "Communication", "Provenance", "RelatedPerson", "ServiceRequest", "Schedule", "Slot"] {
            let id = Side::Out.id(rtype);
            ann.get(&format!("{rtype}/{}", Side::In.id(rtype))).await.is(200);
            for path in [format!("{rtype}/{id}"), format!("{rtype}/{id}/_history/1"), format!("{rtype}/{id}/_history")] {
                let absent = ann.get(&path.replace(&id, "nobody")).await.is(404);
                let reply = ann.get(&path).await.is(404);
                assert_eq!(text(&reply), text(&absent).replace("nobody", &id), "{path}");
            }
            let search = ann.get(&format!("{rtype}?_id={id}&_total=accurate")).await.is(200);
            assert_eq!(search.json["total"], 0, "{rtype}");
            let entry = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
                { "request": { "method": "GET", "url": format!("{rtype}/{id}") } }] });
            let batch = ann.post("", &entry).await.is(200);
            assert_eq!(batch.text("/entry/0/response/status"), "404 Not Found", "{rtype}: {batch}");
            let validate = ann.get(&format!("{rtype}/{id}/$validate")).await;
            assert!(matches!(validate.status, 403..=405), "{validate}");
        }
        // A deleted one, too, answers as one that never was.
        app.delete("Encounter/out-encounter").await.is(204);
        ann.get("Encounter/out-encounter").await.is(404);
        app.delete("Encounter/in-encounter").await.is(204);
        ann.get("Encounter/in-encounter").await.is(410);
    }

    // _include, _revinclude and :iterate leaked (2026); so did the links to further pages.
    async fn includes_stay_within_reach(app: TestApp) {
        world::build(&app).await;
        // One appointment of both: seeing it does not open the other's record.
        let shared = clinic::unslotted("proposed", &clinic::at("15:00"), &clinic::at("15:30"), "pat-1",
            &["Patient/pat-2", "Practitioner/dr-b"]);
        app.store(&clinic::with_id(shared, "shared")).await;
        let ann = world::patient(&app, APP).await;
        for search in [
            "Appointment?_include=Appointment:patient",
            "Appointment?_include=Appointment:actor",
            "Appointment?_include=*",
            "Appointment?_include=Appointment:actor&_revinclude:iterate=Encounter:patient",
            "Practitioner?_revinclude=Appointment:practitioner",
            "Practitioner?_revinclude=Encounter:practitioner&_include:iterate=Encounter:patient",
            "Patient?_revinclude=Appointment:patient&_include:iterate=Appointment:patient",
            "Schedule?_revinclude=Slot:schedule&_include=Schedule:actor",
        ] {
            let reply = ann.get(search).await.is(200);
            for id in reply.ids() {
                assert!(!["pat-2", "out-appointment", "out-encounter", "out-schedule", "out-slot"].contains(&id),
                    "{search}: {reply}");
            }
        }
        let found = ids(&ann, "Appointment?_include=Appointment:patient").await;
        assert!(found.contains(&"pat-1".to_owned()), "{found:?}");
        let mut page = ann.get("Practitioner?_count=1&_revinclude=Appointment:practitioner").await.is(200);
        loop {
            assert!(!page.ids().contains(&"out-appointment"), "{page}");
            let links = page.json["link"].as_array().cloned().unwrap_or_default();
            let Some(next) = links.iter().find(|link| link["relation"] == "next") else { break };
            page = ann.get(next["url"].as_str().unwrap()).await.is(200);
        }
    }

    // _has, chains and sorts answered questions about what could not be read.
    async fn chains_ask_only_of_what_may_be_searched(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        // The practitioner is in reach of everybody, the meeting is not.
        assert_eq!(ids(&ann, "Practitioner?_has:Appointment:practitioner:patient=pat-2").await, [""; 0]);
        assert_eq!(ids(&ann, "Practitioner?_has:Appointment:practitioner:patient=pat-1").await, ["dr-a"]);
        assert_eq!(ids(&ann, "Practitioner?_has:Encounter:practitioner:status=finished").await, ["dr-a"]);
        assert_eq!(ids(&ann, "Slot?schedule.actor:Patient.family=Test").await, [""; 0]);
        assert_eq!(ids(&ann, "Appointment?patient.family=Test").await, ["in-appointment"]);
        // Without the right to search the target there is no answer at all.
        let narrow = world::patient(&app, "patient/Appointment.rs patient/Practitioner.rs").await;
        for search in [
            "Appointment?patient.family=Test",
            "Appointment?patient:Patient.family=Test",
            "Appointment?actor:Device.status=active",
            "Practitioner?_has:Encounter:practitioner:status=finished",
            "Appointment?_include=Appointment:patient",
            "Practitioner?_revinclude=Encounter:practitioner",
        ] {
            narrow.get(search).await.is(403);
        }
        narrow.get("Appointment?practitioner.family=Doctor").await.is(200);
        // A schedule shows no comment and no party that is a patient, so nobody searches by it, either.
        ann.get("Slot?identifier=x").await.is(403);
        ann.get("Slot?_sort=identifier").await.is(403);
        ann.get("Slot?_has:Appointment:slot:identifier=x").await.is(200);
    }

    // Totals counted what a page left out.
    async fn totals_count_what_is_shown(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        for rtype in ["Patient", "Appointment", "Encounter", "Consent", "Slot", "Schedule", "ServiceRequest"] {
            for query in ["_total=accurate&_sort=-_lastUpdated", "_summary=count", "_count=0"] {
                assert_eq!(ann.get(&format!("{rtype}?{query}")).await.is(200).json["total"], 1, "{rtype}?{query}");
            }
        }
        let whole = ann.get("?_summary=count").await.is(200);
        let all = app.get("?_summary=count").await.is(200);
        assert!(whole.json["total"].as_i64() < all.json["total"].as_i64());
        tells_nothing(&ann.get("Encounter/_history").await.is(200));
        tells_nothing(&ann.get("?_type=Patient,Appointment,Encounter,Consent").await.is(200));
        let theirs = ann.get("Patient/pat-2/Appointment?_total=accurate").await.is(200);
        assert_eq!((&theirs.json["total"], theirs.json.get("entry")), (&json!(0), None));
    }

    // 403 for what is there and 200 for what is not told them apart.
    async fn what_scopes_forbid_is_refused_before_anything_is_looked_at(app: TestApp) {
        world::build(&app).await;
        let narrow = world::patient(&app, "patient/Appointment.rs").await;
        for (there, absent) in [
            ("Encounter/in-encounter", "Encounter/nobody"),
            ("Encounter?_id=in-encounter", "Encounter?_id=nobody"),
            ("Encounter/in-encounter/_history", "Encounter/nobody/_history"),
            ("Encounter/_history", "Encounter/_history?_since=2030-01-01"),
        ] {
            let (there, absent) = (narrow.get(there).await.is(403), narrow.get(absent).await.is(403));
            assert_eq!(text(&there), text(&absent));
            assert_eq!(there.text("/issue/0/code"), "forbidden");
        }
        let (there, absent) =
            (narrow.delete("Appointment/in-appointment").await.is(403), narrow.delete("Appointment/nobody").await.is(403));
        assert_eq!(text(&there), text(&absent));
    }

    // Tokens with scopes of a patient, and no patient, were not limited at all (MSRC-128308).
    async fn scopes_of_a_patient_without_a_patient_give_nothing(app: TestApp) {
        world::build(&app).await;
        let nobody = world::staff(&app, "clinician", Some("Practitioner/dr-a"), APP).await;
        let stranger = world::staff(&app, "patient", None, "user/*.cruds").await;
        for client in [nobody, stranger] {
            for path in ["Patient/pat-1", "Appointment/in-appointment", "Patient", "Appointment", "Encounter?_id=x"] {
                client.get(path).await.is(403);
            }
        }
        let of_nobody = app.system("of-nobody", "patient/*.cruds user/*.cruds").await;
        of_nobody.get("Patient").await.is(403);
        of_nobody.get("?_summary=count").await.is(403);
    }

    // The time of a schedule is to be seen, who has taken it is not.
    async fn free_time_says_no_more_than_when(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, "patient/Slot.rs patient/Schedule.rs").await;
        let taken = clinic::appointment(&Side::In.stored("Slot"), "pat-2", &["Practitioner/dr-a"]);
        app.post("Appointment", &taken).await.is(201);
        let slot = ann.get("Slot/in-slot").await.is(200);
        assert_eq!(slot.text("/status"), "busy");
        let keys: Vec<&String> = slot.json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["resourceType", "id", "meta", "schedule", "status", "start", "end"]);
        tells_nothing(&slot);
        tells_nothing(&ann.get("Slot?status=busy&_include=Slot:schedule").await.is(200));
        tells_nothing(&ann.get("Slot/in-slot/_history").await.is(200));
        tells_nothing(&ann.get("Slot/_history").await.is(200));
        assert!(ann.get("Schedule/in-schedule").await.is(200).json.get("comment").is_none());
        ann.get("Schedule/out-schedule").await.is(404);
        ann.get("Slot/out-slot").await.is(404);
        assert_eq!(ids(&ann, "Slot?schedule=Schedule/out-schedule").await, [""; 0]);
        // Out of use: gone with its slots.
        app.put("Schedule/in-schedule", &clinic::with(Side::In.stored("Schedule"), "active", false)).await.is(200);
        ann.get("Slot/in-slot").await.is(404);
        ann.get("Slot/in-slot/_history/1").await.is(404);
    }

    // Contained resources and references to elsewhere are nobody's compartment.
    async fn contained_and_absolute_references_open_nothing(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let make = |subject: Value, contained: Option<Value>| {
            let mut body = Side::Out.resource("Encounter");
            body["subject"] = subject;
            if let Some(contained) = contained {
                body["contained"] = json!([contained]);
            }
            body
        };
        let contained = json!({ "resourceType": "Patient", "id": "pat-1", "name": [{ "family": "X" }] });
        for body in [
            make(json!({ "reference": "https://elsewhere.example/fhir/Patient/pat-1" }), None),
            make(json!({ "reference": "#pat-1" }), Some(contained)),
            make(json!({ "identifier": { "value": "pat-1" }, "type": "Patient" }), None),
        ] {
            let id = app.post("Encounter", &body).await.is(201).id().to_owned();
            ann.get(&format!("Encounter/{id}")).await.is(404);
            assert!(!ids(&ann, "Encounter").await.contains(&id));
        }
        // Our own base written out is our own resource.
        let own = make(json!({ "reference": format!("{}/Patient/pat-1", app.base()) }), None);
        let id = app.post("Encounter", &own).await.is(201).id().to_owned();
        ann.get(&format!("Encounter/{id}")).await.is(200);
    }

    // One client's answers are not another's for knowing the key.
    async fn keys_of_others_repeat_nothing(app: TestApp) {
        world::build(&app).await;
        let (one, two) = (app.system("one", "system/*.cruds").await, app.system("two", "system/*.cruds").await);
        let post = async |client: &Client| {
            let request = client.request(reqwest::Method::POST, "Communication").header("Idempotency-Key", "k");
            request.json(&Side::Out.resource("Communication")).send().await.is(201).id().to_owned()
        };
        let first = post(&one).await;
        assert_eq!(post(&one).await, first);
        assert_ne!(post(&two).await, first);
    }
}
