//! What patients consented to, at every way into their record.

use super::world::{self, Side};
use crate::support::auth::Person;
use crate::support::{
    Client, Database, Engine, FixedApp, Reply, ServerProcess, TestApp, both_engines, clinic, run,
};
use serde_json::{Value, json};
use slotwright::app::App;
use slotwright::clock::Clock;
use slotwright::config::Config;
use std::sync::Arc;
use std::time::Duration;

/// Types of which patient `pat-1` has one resource that consents bear on.
const RECORD: &[&str] = &[
    "Patient",
    "Appointment",
    "AppointmentResponse",
    "Communication",
    "Coverage",
    "Encounter",
    "Provenance",
    "RelatedPerson",
    "ServiceRequest",
];

fn coded(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// A consent of `pat-1` with these rules.
fn consent(id: &str, provision: Value) -> Value {
    json!({ "resourceType": "Consent", "id": id, "status": "active", "patient": { "reference": "Patient/pat-1" },
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "policy": [{ "uri": "https://clinic.example/privacy" }],
        "provision": provision })
}

fn deny_all() -> Value {
    consent("privacy", json!({ "type": "deny" }))
}

/// Denies everything but to this actor.
fn only(actor: Value) -> Value {
    consent(
        "privacy",
        json!({ "type": "deny", "provision": [{ "type": "permit", "actor": [
        { "role": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"), "reference": actor }] }] }),
    )
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

async fn reads(client: &Client, path: &str) -> bool {
    let reply = client.get(path).await;
    assert!(matches!(reply.status, 200 | 404), "{path}: {reply}");
    reply.status == 200
}

async fn reads_patient(client: &Client) -> bool {
    reads(client, "Patient/pat-1").await
}

async fn ids(client: &Client, search: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        client.get(search).await.is(200).ids().into_iter().map(str::to_owned).collect();
    ids.sort();
    ids
}

both_engines! {
    async fn a_record_that_is_denied_is_not_there(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, "patient/*.cruds").await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let launched = app.person(Person { account: "clinician", roles: &[], fhir_user: Some("Practitioner/dr-a"),
            patient: Some("pat-1"), scope: "patient/*.cruds" }).await;
        let reports = app.system("reports", "system/*.cruds").await;
        for staff in [&clinician, &launched, &reports] {
            for rtype in RECORD {
                assert!(reads(staff, &format!("{rtype}/{}", Side::In.id(rtype))).await, "{rtype}");
            }
        }
        let id = ann.post("Consent", &deny_all()).await.is(201).id().to_owned();
        for staff in [&clinician, &launched, &reports] {
            for rtype in RECORD {
                let id = Side::In.id(rtype);
                for path in [format!("{rtype}/{id}"), format!("{rtype}/{id}/_history/1"), format!("{rtype}/{id}/_history")] {
                    let absent = staff.get(&path.replace(&id, "nobody")).await.is(404);
                    let hidden = staff.get(&path).await.is(404);
                    assert_eq!(text(&hidden), text(&absent).replace("nobody", &id), "{path}");
                }
                let found = staff.get(&format!("{rtype}?_id={id}&_total=accurate")).await.is(200);
                assert_eq!(found.json["total"], 0, "{rtype}");
                assert!(!text(&staff.get(&format!("{rtype}/_history")).await).contains("pat-1"), "{rtype}");
                let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
                    { "request": { "method": "GET", "url": format!("{rtype}/{id}") } }] });
                let batch = staff.post("", &batch).await.is(200);
                assert_eq!(batch.text("/entry/0/response/status"), "404 Not Found", "{rtype}");
            }
        }
        // The decision itself can be seen, and what is of nobody.
        reports.get(&format!("Consent/{id}")).await.is(200);
        clinician.get("Slot/in-slot").await.is(200);
        // And the patient sees everything.
        for rtype in RECORD {
            ann.get(&format!("{rtype}/{}", Side::In.id(rtype))).await.is(200);
        }
        assert_eq!(ids(&ann, "Appointment").await, ["in-appointment"]);
    }

    async fn searches_tell_nothing_of_a_denied_record(app: TestApp) {
        world::build(&app).await;
        let reports = app.system("reports", "system/*.cruds").await;
        let totals = async |rtype: &str| reports.get(&format!("{rtype}?_total=accurate")).await.is(200).json["total"].clone();
        assert_eq!(totals("Appointment").await, 2);
        app.store(&deny_all()).await;
        for rtype in RECORD {
            assert_eq!(totals(rtype).await, 1, "{rtype}");
            assert_eq!(ids(&reports, rtype).await, [Side::Out.id(rtype)], "{rtype}");
        }
        for (search, wanted) in [
            ("Practitioner?_has:Appointment:practitioner:patient=pat-1", &[][..]),
            ("Practitioner?_has:Encounter:practitioner:status=finished", &["dr-b"]),
            ("Patient?_has:Encounter:patient:status=finished", &["pat-2"]),
            ("Appointment?patient.family=Test", &["out-appointment"]),
            ("Appointment?patient.general-practitioner=dr-a", &[]),
            ("Provenance?patient:Patient.family=Test", &["out-provenance"]),
            ("Appointment?patient:missing=false", &["out-appointment"]),
            ("Patient?_sort=family&_count=1", &["pat-2"]),
            ("Patient?general-practitioner:missing=false", &["pat-2"]),
            ("Patient/pat-1/Appointment", &[]),
        ] {
            assert_eq!(ids(&reports, search).await, wanted, "{search}");
        }
        // Of one who is not denied, all is found that was: the other takes part in nothing of hers.
        for search in [
            "Practitioner?_revinclude=Appointment:practitioner&_include:iterate=Appointment:patient",
            "Practitioner?_revinclude=Encounter:practitioner&_revinclude=Patient:general-practitioner",
            "Appointment?_include=*",
            "Encounter?_include=Encounter:patient",
            "Provenance?_include=Provenance:target",
            "Schedule?_revinclude=Slot:schedule&_include=Schedule:actor",
        ] {
            let reply = reports.get(search).await.is(200);
            for theirs in ["pat-1", "in-appointment", "in-encounter"] {
                assert!(!text(&reply).contains(theirs), "{search}: {reply}");
            }
        }
        // A resource of two patients is in both compartments.
        let shared = clinic::unslotted("proposed", &clinic::at("15:00"), &clinic::at("15:30"), "pat-2", &["Patient/pat-1"]);
        reports.put("Appointment/shared", &clinic::with_id(shared, "shared")).await.is(403);
    }

    async fn a_rule_names_who_may(app: TestApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        let reports = app.system("reports", "system/*.cruds").await;
        let who = async || [reads_patient(&clinician).await, reads_patient(&scheduler).await, reads_patient(&reports).await];
        assert_eq!(who().await, [true; 3]);
        app.store(&deny_all()).await;
        assert_eq!(who().await, [false; 3]);
        app.store(&only(json!({ "reference": "Practitioner/dr-a" }))).await;
        assert_eq!(who().await, [true, false, false]);
        // The scheduler's role is limited to this organisation, the clinician's to none.
        app.store(&only(json!({ "reference": "Organization/org-1" }))).await;
        assert_eq!(who().await, [false, true, false]);
        let client = json!({ "identifier": { "system": "https://slotwright.org/fhir/sid/client-id", "value": "reports" } });
        app.store(&only(client)).await;
        assert_eq!(who().await, [false, false, true]);
        // Who permits somebody does not lift what another consent denies.
        app.store(&only(json!({ "reference": "Practitioner/dr-a" }))).await;
        app.store(&consent("other", json!({ "type": "deny" }))).await;
        assert_eq!(who().await, [false; 3]);
        // A permit gives nothing that the role does not.
        app.delete("Consent/other").await.is(204);
        app.store(&clinic::with(only(json!({ "reference": "Practitioner/dr-a" })), "patient", json!({ "reference": "Patient/pat-2" }))).await;
        assert!(!reads(&clinician, "Patient/pat-2").await);
        assert_eq!(who().await, [true; 3]);
    }

    async fn a_rule_names_what_and_what_for(app: TestApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let class = json!([{ "system": "http://hl7.org/fhir/resource-types", "code": "Appointment" }]);
        app.store(&consent("privacy", json!({ "type": "deny", "class": class }))).await;
        assert!(!reads(&clinician, "Appointment/in-appointment").await);
        assert!(reads(&clinician, "Encounter/in-encounter").await && reads_patient(&clinician).await);
        assert_eq!(ids(&clinician, "Patient?_has:Appointment:patient:status=booked").await, [""; 0]);

        let action = |code: &str| json!([coded("http://terminology.hl7.org/CodeSystem/consentaction", code)]);
        let change = json!([{ "op": "replace", "path": "/description", "value": "Changed" }]);
        let book = |at: &str| clinic::unslotted("proposed", &clinic::at(at), &clinic::later(&clinic::at(at), 30), "pat-1", &["Practitioner/dr-a"]);
        let path = "Appointment/in-appointment";
        let describe = json!([{ "op": "add", "path": "/description", "value": "New" }]);
        clinician.patch(path, &describe).await.is(404);
        app.store(&consent("privacy", json!({ "type": "deny", "action": action("correct") }))).await;
        assert!(reads(&clinician, path).await);
        clinician.patch(path, &describe).await.is(404);
        let whole = clinic::with(Side::In.stored("Appointment"), "description", "New");
        clinician.put(path, &whole).await.is(404);
        clinician.post("Appointment", &book("15:00")).await.is(201);
        app.store(&consent("privacy", json!({ "type": "deny", "action": action("collect") }))).await;
        clinician.patch(path, &describe).await.is(200);
        clinician.patch(path, &change).await.is(200);
        clinician.post("Appointment", &book("16:00")).await.is(403);
        app.store(&consent("privacy", json!({ "type": "deny", "action": action("access") }))).await;
        assert!(!reads(&clinician, path).await);
        // What it would be after a patch is not told, either.
        let blind = clinician.patch(path, &change).await.is(200);
        assert!(!text(&blind).contains("pat-1"), "{blind}");
        let purpose = |code: &str| json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code }]);
        app.store(&consent("privacy", json!({ "type": "deny", "purpose": purpose("HRESCH") }))).await;
        assert!(reads_patient(&clinician).await);
        app.store(&consent("privacy", json!({ "type": "deny", "purpose": purpose("TREAT") }))).await;
        assert!(!reads_patient(&clinician).await);
    }

    async fn nothing_is_booked_against_a_consent(app: TestApp) {
        world::build(&app).await;
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        let book = |patient: &str| {
            let (start, end) = (clinic::at("15:00"), clinic::at("15:30"));
            clinic::unslotted("booked", &start, &end, patient, &["Practitioner/dr-a"])
        };
        app.store(&deny_all()).await;
        for client in [&scheduler, &app.client()] {
            client.post("Appointment", &book("pat-1")).await.is(403);
            let bundle = clinic::transaction(&[("POST", "Appointment", Some(book("pat-1")))]);
            client.post("", &bundle).await.is(403);
        }
        assert_eq!(app.database().number("SELECT COUNT(*) FROM appointment").await, 2);
        scheduler.post("Appointment", &book("pat-2")).await.is(201);
        // A reference leads to nobody, as for a patient who never was.
        let device = |patient: &str| json!({ "resourceType": "Device", "patient": { "reference": format!("Patient/{patient}") } });
        let hidden = app.post("Device", &device("pat-1")).await.is(422);
        let absent = app.post("Device", &device("nobody")).await.is(422);
        assert_eq!(text(&hidden), text(&absent).replace("nobody", "pat-1"));
        // Ids of their choice stay with those who had them, for the other patients' resources.
        let mut fresh = Side::Out.resource("Encounter");
        fresh["id"] = json!("chosen");
        app.put("Encounter/chosen", &fresh).await.is(201);
        fresh["id"] = json!("in-encounter");
        app.put("Encounter/in-encounter", &fresh).await.is(404);
        let mut theirs = Side::In.resource("Encounter");
        theirs["id"] = json!("theirs");
        app.put("Encounter/theirs", &theirs).await.is(403);
        app.delete("Encounter/in-encounter").await.is(404);
        assert_eq!(app.database().number("SELECT COUNT(*) FROM resource WHERE type = 'Encounter' AND vid = 1").await, 3);
    }

    async fn what_can_not_be_understood_denies(app: TestApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        for provision in [
            json!({ "type": "permit", "provision": [{ "type": "permit" }] }),
            json!({ "period": { "start": "2020-01-01" } }),
            json!({ "type": "deny", "provision": [{ "type": "permit", "code": [{ "text": "harmless things" }] }] }),
            json!({ "type": "deny", "dataPeriod": { "end": "1999" } }),
        ] {
            app.store(&consent("privacy", provision.clone())).await;
            assert!(!reads_patient(&clinician).await, "{provision}");
            app.store(&consent("privacy", json!({ "type": "permit" }))).await;
            assert!(reads_patient(&clinician).await, "{provision}");
        }
        // Nobody's consent could not be kept.
        let mut nobodys = deny_all();
        nobodys["patient"] = json!({ "display": "Ann" });
        let refused = app.put("Consent/privacy", &nobodys).await.is(422);
        assert_eq!(refused.text("/issue/0/expression/0"), "Consent.patient");
        nobodys["status"] = json!("draft");
        app.put("Consent/privacy", &nobodys).await.is(200);
    }

    async fn consents_hold_for_their_period(app: FixedApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let period = json!({ "start": "2031-03-01T09:00:00Z", "end": "2031-03-01T10:00:00Z" });
        app.store(&consent("privacy", json!({ "type": "deny", "period": period }))).await;
        // Nothing is written meanwhile: the clock alone changes what the same token reaches.
        for (minutes, there) in [(59, true), (1, false), (59, false), (2, true)] {
            assert_eq!(reads_patient(&clinician).await, ids(&clinician, "Patient").await == ["pat-1"]);
            app.advance(Duration::from_mins(minutes));
            assert_eq!(reads_patient(&clinician).await, there, "after {minutes} minutes");
            assert_eq!(ids(&clinician, "Appointment").await == ["in-appointment"], there, "after {minutes} minutes");
        }
    }

    async fn a_withdrawal_acts_on_the_next_request(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, "patient/*.cruds").await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        let id = ann.post("Consent", &clinic::with(deny_all(), "status", "draft")).await.is(201).id().to_owned();
        let put = async |body: Value| {
            let body = clinic::with_id(body, &id);
            ann.put(&format!("Consent/{id}"), &body).await.is(200);
        };
        for _ in 0..3 {
            assert!(reads_patient(&clinician).await);
            put(deny_all()).await;
            assert!(!reads_patient(&clinician).await);
            assert_eq!(ids(&clinician, "Patient").await, [""; 0]);
            put(clinic::with(deny_all(), "status", "inactive")).await;
            assert_eq!(ids(&clinician, "Patient").await, ["pat-1"]);
        }
        put(only(json!({ "reference": "Practitioner/dr-a" }))).await;
        assert!(reads_patient(&clinician).await);
        put(deny_all()).await;
        let change = json!([{ "op": "add", "path": "/description", "value": "x" }]);
        clinician.patch("Appointment/in-appointment", &change).await.is(404);
        app.delete(&format!("Consent/{id}")).await.is(204);
        assert!(reads_patient(&clinician).await);
        // What a transaction takes back never was.
        let bundle = clinic::transaction(&[("PUT", "Consent/privacy", Some(deny_all())),
            ("POST", "Device", Some(json!({ "resourceType": "Device", "patient": { "reference": "Patient/nobody" } })))]);
        app.post("", &bundle).await.is(422);
        assert!(reads_patient(&clinician).await);
    }

    async fn what_was_consented_to_must_be_readable(app: TestApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        app.store(&deny_all()).await;
        assert!(!reads_patient(&clinician).await);
        let database = app.database();
        database.execute("ALTER TABLE consent_rule RENAME TO mislaid").await;
        // Something changed; that it was no consent can't be known.
        database.execute("UPDATE access_state SET seq = seq + 1").await;
        for client in [&clinician, &app.client()] {
            for path in ["Patient/pat-1", "Patient/pat-2", "Patient", "Appointment?_include=*", "Patient/pat-1/_history", "Slot"] {
                let reply = client.get(path).await;
                assert!(reply.status == 503 && !text(&reply).contains("Test"), "{path}: {reply}");
            }
            let entry = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
                { "request": { "method": "GET", "url": "Patient/pat-1" } }] });
            client.post("", &entry).await.is(503);
        }
        // Nor does a server start that knows of no consent.
        let env = [("SLOTWRIGHT_DATABASE__URL".to_owned(), database.url.clone())];
        let config = Arc::new(Config::load(None, env).unwrap());
        assert!(App::start(Arc::clone(&config), Clock::system()).await.is_err());
        database.execute("ALTER TABLE mislaid RENAME TO consent_rule").await;
        assert!(!reads_patient(&clinician).await);
        assert!(reads(&app.client(), "Patient/pat-2").await);
        App::start(config, Clock::system()).await.unwrap().store.close().await;
    }

    async fn an_emergency_suspends_the_consents_of_its_patient(app: FixedApp) {
        world::build(&app).await;
        let clinician = world::clinician(&app, "user/*.cruds").await;
        app.store(&deny_all()).await;
        app.store(&clinic::with_id(clinic::with(deny_all(), "patient", json!({ "reference": "Patient/pat-2" })), "hers")).await;
        assert!(!reads_patient(&clinician).await);
        let now = app.library().clock.now();
        let until = now + 3_600_000_000;
        app.database().execute(&format!("INSERT INTO emergency (id, account, patient, purpose, reason, began_us, until_us) \
            VALUES ('e1', 'clinician', 'pat-1', 'ETREAT', 'Found unconscious at home', {now}, {until})")).await;
        assert!(reads_patient(&clinician).await && reads(&clinician, "Encounter/in-encounter").await);
        assert_eq!(ids(&clinician, "Appointment").await, ["in-appointment"]);
        // To look, not to write; and of this patient alone.
        let change = json!([{ "op": "add", "path": "/description", "value": "x" }]);
        clinician.patch("Appointment/in-appointment", &change).await.is(404);
        assert!(!reads(&clinician, "Patient/pat-2").await);
        assert!(!reads_patient(&app.client()).await);
        app.advance(Duration::from_mins(61));
        assert!(!reads_patient(&clinician).await);
    }

    async fn many_who_deny_still_have_an_answer(app: TestApp) {
        world::build(&app).await;
        let reports = app.system("reports", "system/*.cruds").await;
        let (rows, body) = match app.database().engine {
            Engine::Sqlite => ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)", "CAST(REPLACE(b.t, '#', CAST(i AS TEXT)) AS BLOB)"),
            Engine::Postgres => ("WITH n(i) AS (SELECT generate_series(1, 10000))", "convert_to(REPLACE(b.t, '#', CAST(i AS TEXT)), 'UTF8')"),
        };
        let template = |body: Value| body.to_string().replace('\'', "''");
        let insert = |rtype: &str, id: &str, body_text: String| format!(
            "INSERT INTO resource (type, id, vid, deleted, updated_us, body) {rows} \
             SELECT '{rtype}', '{id}' || i, 1, 0, 0, {body} FROM n, (SELECT '{body_text}' AS t) b");
        app.store(&deny_all()).await;
        let mut many = deny_all();
        many["id"] = json!("many-#");
        many["patient"]["reference"] = json!("Patient/many-#");
        let database = app.database();
        // One change of access for all of them.
        let drop = match database.engine {
            Engine::Sqlite => "DROP TRIGGER consent_made",
            Engine::Postgres => "DROP TRIGGER consent_made ON resource",
        };
        database.execute(drop).await;
        let patient = json!({ "resourceType": "Patient", "id": "many-#", "name": [{ "family": "Test" }] });
        database.execute(&insert("Patient", "many-", template(patient))).await;
        assert!(reads(&reports, "Patient/many-77").await);
        database.execute(&insert("Consent", "many-", template(many))).await;
        database.execute("INSERT INTO consent_rule (rid, seq) SELECT rid, 1000000 FROM resource WHERE type = 'Consent' AND id LIKE 'many-%'").await;
        database.execute("UPDATE access_state SET seq = 1000000").await;
        assert!(!reads(&reports, "Patient/many-77").await && !reads_patient(&reports).await);
        assert_eq!(ids(&reports, "Patient?_total=accurate").await, ["pat-2"]);
        assert_eq!(ids(&reports, "Appointment?_include=*&_revinclude=*").await.iter().filter(|id| id.contains("in-")).count(), 0);
        assert_eq!(ids(&reports, "Encounter?patient.family=Test").await, ["out-encounter"]);
        assert_eq!(reports.get("Patient?_total=accurate").await.is(200).json["total"], 1);
    }
}

/// Two servers over one database.
#[test]
fn another_server_hears_of_a_consent_with_its_next_request() {
    run(Engine::Postgres, async |engine: Engine| {
        let database = Database::create(engine).await;
        let (one, two) = (ServerProcess::start(&database).await, ServerProcess::start(&database).await);
        let (one, two) = (one.client(), two.client());
        for rtype in ["Organization", "Practitioner", "Patient", "Appointment"] {
            one.store(&Side::In.stored(rtype)).await;
        }
        for _ in 0..3 {
            assert!(reads_patient(&one).await && reads_patient(&two).await);
            one.store(&deny_all()).await;
            assert!(!reads_patient(&two).await && !reads(&two, "Appointment/in-appointment").await);
            two.store(&clinic::with(deny_all(), "status", "inactive")).await;
            assert_eq!(ids(&one, "Appointment").await, ["in-appointment"]);
        }
    });
}
