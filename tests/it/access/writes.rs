//! Writes: judged by what was there and by what would be.

use super::world::{self, Side};
use crate::support::{Database, Engine, Reply, TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::clock::Clock;

const APP: &str = "patient/*.cruds";

fn own(status: &str, time: &str) -> Value {
    let (start, end) = (clinic::at(time), clinic::later(&clinic::at(time), 30));
    clinic::unslotted(status, &start, &end, "pat-1", &["Practitioner/dr-a"])
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

both_engines! {
    // An update moved a resource into another compartment; a patch went another way than an update.
    async fn nothing_moves_between_patients(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let id = ann.post("Appointment", &own("proposed", "15:00")).await.is(201).id().to_owned();
        let path = format!("Appointment/{id}");
        let moved = |to: &str| {
            let mut body = own("proposed", "15:00");
            body["id"] = json!(id);
            body["participant"][0]["actor"]["reference"] = json!(format!("Patient/{to}"));
            body
        };
        ann.put(&path, &moved("pat-1")).await.is(200);
        ann.put(&path, &moved("pat-2")).await.is(403);
        let replace = json!([{ "op": "replace", "path": "/participant/0/actor/reference", "value": "Patient/pat-2" }]);
        ann.patch(&path, &replace).await.is(403);
        let add = json!([{ "op": "add", "path": "/participant/-", "value":
            { "actor": { "reference": "Patient/pat-2" }, "status": "accepted" } }]);
        ann.patch(&path, &add).await.is(403);
        let absolute = json!([{ "op": "replace", "path": "/participant/0/actor/reference",
            "value": format!("{}/Patient/pat-2", app.base()) }]);
        ann.patch(&path, &absolute).await.is(403);
        // Nothing of the other's is pulled over.
        let mut stolen = moved("pat-1");
        stolen["id"] = json!("out-appointment");
        let refused = ann.put("Appointment/out-appointment", &stolen).await.is(404);
        stolen["id"] = json!("nobody");
        let absent = ann.put("Appointment/nobody", &stolen).await.is(404);
        assert_eq!(text(&refused), text(&absent).replace("nobody", "out-appointment"));
        let patch = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        ann.patch("Appointment/out-appointment", &patch).await.is(404);
        // Nor is a guess of its version told from a wrong one.
        let guess = async |id: &str, version: &str| {
            let request = ann.request(Method::PATCH, &format!("Appointment/{id}")).header("If-Match", version);
            let patch = patch.to_string().into_bytes();
            request.bytes("application/json-patch+json", patch).send().await
        };
        let (right, wrong, absent) = (guess("out-appointment", "W/\"1\"").await, guess("out-appointment", "W/\"9\"").await,
            guess("nobody", "W/\"1\"").await);
        assert_eq!((right.status, text(&right)), (wrong.status, text(&wrong)));
        assert_eq!((right.status, text(&right)), (absent.status, text(&absent)));
        assert_eq!(app.get("Appointment/out-appointment").await.version(), 1);
        assert_eq!(app.get(&path).await.version(), 2);
        // Cancelling is theirs.
        assert_eq!(ann.patch(&path, &patch).await.is(200).text("/status"), "cancelled");
        // Who may change and not read is not shown what the change leaves.
        let blind = world::patient(&app, "patient/Appointment.u").await;
        let noted = blind.patch(&path, &json!([{ "op": "add", "path": "/comment", "value": "x" }])).await.is(200);
        assert!(!text(&noted).contains("participant"), "{noted}");
    }

    async fn patients_book_for_themselves_alone(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let slot = Side::In.stored("Slot");
        let booked = |who: &str, others: &[&str]| clinic::appointment(&slot, who, others);
        ann.post("Appointment", &booked("pat-2", &["Practitioner/dr-a"])).await.is(403);
        ann.post("Appointment", &booked("pat-1", &["Patient/pat-2"])).await.is(403);
        ann.post("Appointment", &booked("pat-1", &["RelatedPerson/out-relatedperson"])).await.is(422);
        // A slot that is not public is not there, taken or not.
        let hidden = clinic::appointment(&Side::Out.stored("Slot"), "pat-1", &["Practitioner/dr-a"]);
        let refused = ann.post("Appointment", &hidden).await.is(422);
        let absent = clinic::appointment(&clinic::with_id(Side::Out.stored("Slot"), "nowhere"), "pat-1", &["Practitioner/dr-a"]);
        let absent = ann.post("Appointment", &absent).await.is(422);
        assert_eq!(text(&refused), text(&absent).replace("nowhere", "out-slot"));
        // The slot's status follows, which is the server's work, not the patient's right.
        let made = ann.post("Appointment", &booked("pat-1", &["Practitioner/dr-a"])).await.is(201);
        assert_eq!(ann.get("Slot/in-slot").await.is(200).text("/status"), "busy");
        ann.put("Slot/in-slot", &slot).await.is(403);
        ann.delete(&format!("Appointment/{}", made.id())).await.is(403);
    }

    // A conflict names the time, never who has it.
    async fn conflicts_name_no_others(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let theirs = clinic::appointment(&Side::In.stored("Slot"), "pat-2", &["Practitioner/dr-a"]);
        let theirs = app.post("Appointment", &theirs).await.is(201).id().to_owned();
        let mine = clinic::appointment(&Side::In.stored("Slot"), "pat-1", &["Practitioner/dr-a"]);
        let refused = ann.post("Appointment", &mine).await.is(409);
        assert!(refused.diagnostics().contains("Slot/in-slot") && refused.diagnostics().contains("Practitioner/dr-a"));
        assert!(!text(&refused).contains(&theirs) && !text(&refused).contains("pat-2"), "{refused}");
        let over = ann.request(Method::POST, "Appointment").header("X-Override-Reason", "please").json(&mine);
        over.send().await.is(403);
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        let over = scheduler.request(Method::POST, "Appointment").header("X-Override-Reason", "urgent").json(&mine);
        over.send().await.is(201);
    }

    // Conditions told what was there, and wrote to other patients' resources.
    async fn conditions_find_what_may_be_found(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let create = async |client: &crate::support::Client, query: &str| {
            let request = client.request(Method::POST, "Appointment").header("If-None-Exist", query);
            request.json(&own("proposed", "16:00")).send().await
        };
        create(&ann, "_id=out-appointment").await.is(201);
        assert_eq!(create(&ann, "_id=in-appointment").await.is(200).id(), "in-appointment");
        create(&ann, "patient.general-practitioner.identifier=x").await.is(201);
        let patch = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        ann.patch("Appointment?_id=out-appointment", &patch).await.is(404);
        // As any update that would choose an id.
        ann.put("Appointment?_id=out-appointment", &clinic::with_id(own("proposed", "16:00"), "chosen")).await.is(404);
        let writer = world::patient(&app, "patient/Appointment.cud").await;
        create(&writer, "_id=in-appointment").await.is(403);
        writer.patch("Appointment?_id=in-appointment", &patch).await.is(403);
        writer.put("Appointment?_id=in-appointment", &own("proposed", "16:00")).await.is(403);
        // What may be searched and not read is found and not shown.
        let finder = world::patient(&app, "patient/Appointment.cs").await;
        let found = create(&finder, "_id=in-appointment").await.is(200);
        assert!(!text(&found).contains("participant"), "{found}");
        assert_eq!(app.get("Appointment/out-appointment").await.version(), 1);
    }

    // References answered whether something was there.
    async fn references_to_what_is_out_of_reach_lead_nowhere(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let refer = |to: &str| {
            let mut body = own("proposed", "17:00");
            body["basedOn"] = json!([{ "reference": format!("ServiceRequest/{to}") }]);
            body
        };
        ann.post("Appointment", &refer("in-servicerequest")).await.is(201);
        let there = ann.post("Appointment", &refer("out-servicerequest")).await.is(422);
        let absent = ann.post("Appointment", &refer("nobody")).await.is(422);
        assert_eq!(text(&there), text(&absent).replace("nobody", "out-servicerequest"));
        // What others wrote there may stay.
        let id = app.post("Appointment", &refer("out-servicerequest")).await.is(201).id().to_owned();
        let confirm = json!([{ "op": "add", "path": "/comment", "value": "I come" }]);
        ann.patch(&format!("Appointment/{id}"), &confirm).await.is(200);
    }

    // Each entry of a Bundle is a request of its own.
    async fn bundles_are_no_way_around(app: TestApp) {
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
        let post = |body: Value| json!({ "request": { "method": "POST", "url": "Appointment" }, "resource": body });
        let bundle = |kind: &str, entries: Vec<Value>| json!({ "resourceType": "Bundle", "type": kind, "entry": entries });
        let mut others = own("proposed", "18:00");
        others["participant"][0]["actor"]["reference"] = json!("Patient/pat-2");
        let entries = vec![get("Appointment/in-appointment"), get("Appointment/out-appointment"), get("Device"),
            post(own("proposed", "18:00")), post(others.clone()), get("Patient?_id=pat-2")];
        let batch = ann.post("", &bundle("batch", entries)).await.is(200);
        let statuses: Vec<&str> = (0..6).map(|i| batch.text(&format!("/entry/{i}/response/status")).get(..3).unwrap()).collect();
        assert_eq!(statuses, ["200", "404", "403", "201", "403", "200"]);
        assert_eq!(batch.json["entry"][5]["resource"].get("entry"), None);
        let count = app.get("Appointment?_summary=count").await.json["total"].clone();
        for forbidden in [get("Device"), post(others), get("Device/_history")] {
            let entries = vec![get("Appointment/in-appointment"), post(own("proposed", "19:00")), forbidden];
            let refused = ann.post("", &bundle("transaction", entries)).await.is(403);
            assert_eq!(refused.text("/issue/0/code"), "forbidden");
            assert!(!text(&refused).contains("participant"), "{refused}");
        }
        assert_eq!(app.get("Appointment?_summary=count").await.json["total"], count);
        // References by condition look only where one may look.
        let mut guess = own("proposed", "19:00");
        guess["participant"][0]["actor"]["reference"] = json!("Patient?family=Test&given=pat-2");
        ann.post("", &bundle("transaction", vec![post(guess)])).await.is(412);
    }

    async fn who_sees_a_part_changes_nothing(app: TestApp) {
        world::build(&app).await;
        let scheduler = world::scheduler(&app, "user/*.cruds").await;
        let seen = scheduler.get("Patient/pat-2").await.is(200);
        scheduler.put("Patient/pat-2", &seen.json).await.is(403);
        // A deletion that is refused does not say by whom.
        let id = app.post("Schedule", &clinic::with(Side::In.resource("Schedule"), "active", true)).await.is(201).id().to_owned();
        let mut note = Side::Out.resource("Communication");
        note["about"] = json!([{ "reference": format!("Schedule/{id}") }]);
        app.post("Communication", &note).await.is(201);
        let mut target = Side::Out.resource("Provenance");
        target["target"] = json!([{ "reference": format!("Schedule/{id}") }]);
        let by = app.post("Provenance", &target).await.is(201).id().to_owned();
        let refused = scheduler.delete(&format!("Schedule/{id}")).await.is(409);
        assert!(!text(&refused).contains(&by), "{refused}");
    }
}

both_engines! {
    async fn patients_change_appointments_in_good_time(engine: Engine) {
        let database = Database::create(engine).await;
        let clock = Clock::fixed("2031-03-03T08:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let settings = [("SLOTWRIGHT_BOOKING__PATIENT_CUTOFF", "2h")];
        let app = TestApp::start_with(database, clock, &settings).await;
        world::build(&app).await;
        let ann = world::patient(&app, APP).await;
        let cancel = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        let late = ann.patch("Appointment/in-appointment", &cancel).await.is(422);
        assert_eq!(late.text("/issue/0/code"), "business-rule");
        let id = ann.post("Appointment", &own("booked", "10:01")).await.is(201).id().to_owned();
        ann.patch(&format!("Appointment/{id}"), &cancel).await.is(200);
        app.patch("Appointment/in-appointment", &cancel).await.is(200);
    }
}
