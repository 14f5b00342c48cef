//! Which status may follow which, what an Appointment must look like in each, and that leaving a status
//! that holds time gives the time back.

use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

const STATUSES: [&str; 10] = [
    "proposed",
    "pending",
    "booked",
    "arrived",
    "checked-in",
    "fulfilled",
    "cancelled",
    "noshow",
    "waitlist",
    "entered-in-error",
];

/// Every transition that is allowed; staying is no transition.
const ALLOWED: &[(&str, &[&str])] = &[
    ("proposed", &["pending", "booked", "cancelled", "entered-in-error"]),
    ("pending", &["booked", "waitlist", "cancelled", "entered-in-error"]),
    ("booked", &["arrived", "checked-in", "cancelled", "noshow", "entered-in-error"]),
    ("arrived", &["checked-in", "cancelled", "fulfilled", "noshow"]),
    ("checked-in", &["fulfilled", "cancelled", "noshow"]),
    ("waitlist", &["proposed", "pending", "booked", "cancelled"]),
    ("fulfilled", &["entered-in-error"]),
    ("cancelled", &["entered-in-error"]),
    ("noshow", &["entered-in-error"]),
    ("entered-in-error", &[]),
];

/// A way from a status that an appointment can be created in.
fn way_to(status: &str) -> &'static [&'static str] {
    match status {
        "proposed" => &["proposed"],
        "pending" => &["pending"],
        "booked" => &["booked"],
        "arrived" => &["booked", "arrived"],
        "checked-in" => &["booked", "checked-in"],
        "fulfilled" => &["booked", "arrived", "fulfilled"],
        "cancelled" => &["booked", "cancelled"],
        "noshow" => &["booked", "noshow"],
        "waitlist" => &["pending", "waitlist"],
        "entered-in-error" => &["booked", "entered-in-error"],
        other => panic!("{other} is no status"),
    }
}

/// Half an hour of dr-a that no other appointment of this test run wants.
fn fresh_time() -> (String, String) {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    let start = clinic::later(&clinic::at("00:00"), NEXT.fetch_add(1, Ordering::Relaxed) * 30);
    let end = clinic::later(&start, 30);
    (start, end)
}

/// An appointment led to `status`; its resource as last stored.
async fn appointment_in(client: &Client, status: &str) -> Value {
    let (start, end) = fresh_time();
    let mut current = Value::Null;
    for (step, status) in way_to(status).iter().enumerate() {
        if step == 0 {
            let wanted = clinic::unslotted(status, &start, &end, "pat-1", &["Practitioner/dr-a"]);
            current = client.post("Appointment", &wanted).await.is(201).json;
        } else {
            current["status"] = json!(status);
            current = put(client, &current).await.is(200).json;
        }
    }
    current
}

async fn put(client: &Client, appointment: &Value) -> crate::support::Reply {
    let id = appointment["id"].as_str().expect("an id");
    client.put(&format!("Appointment/{id}"), appointment).await
}

both_engines! {
    async fn every_pair_of_statuses(app: TestApp) {
        clinic::seed(&app).await;
        for from in STATUSES {
            let allowed = ALLOWED.iter().find(|(status, _)| *status == from).expect("listed").1;
            for to in STATUSES {
                let current = appointment_in(&app, from).await;
                let wanted = clinic::with(current.clone(), "status", to);
                let reply = put(&app, &wanted).await;
                let expected = if from == to || allowed.contains(&to) { 200 } else { 422 };
                assert_eq!(reply.status, expected, "{from} -> {to}: {reply}");
                if expected == 422 {
                    assert_eq!(reply.text("/issue/0/expression/0"), "Appointment.status", "{reply}");
                    let id = current["id"].as_str().expect("an id");
                    let kept = app.get(&format!("Appointment/{id}")).await.is(200);
                    assert_eq!(kept.json, current, "{from} -> {to} was refused");
                }
            }
        }
    }

    async fn a_patch_is_held_to_the_same_transitions(app: TestApp) {
        clinic::seed(&app).await;
        let done = appointment_in(&app, "fulfilled").await;
        let path = format!("Appointment/{}", done["id"].as_str().expect("an id"));
        let patch = json!([{ "op": "replace", "path": "/status", "value": "booked" }]);
        let _ = app.patch(&path, &patch).await.is(422);
        let bundle = clinic::transaction(&[("PUT", &path, Some(clinic::with(done, "status", "booked")))]);
        let _ = app.post("", &bundle).await.is(422);
    }

    async fn invariants_of_an_appointment(app: TestApp) {
        clinic::seed(&app).await;
        let (start, end) = fresh_time();
        let good = clinic::unslotted("booked", &start, &end, "pat-1", &["Practitioner/dr-a"]);
        let without = |field: &str| {
            let mut broken = good.clone();
            broken.as_object_mut().expect("an object").remove(field);
            broken
        };
        let mut neither_type_nor_actor = good.clone();
        neither_type_nor_actor["participant"] = json!([{ "status": "accepted" }]);
        let mut no_times = without("start");
        no_times.as_object_mut().expect("an object").remove("end");
        let reason = json!({ "text": "ill" });
        let backwards = clinic::with(clinic::with(good.clone(), "start", end.clone()), "end", start.clone());
        for (rule, broken) in [
            ("app-1", neither_type_nor_actor),
            ("app-2, start alone", without("end")),
            ("app-2, end alone", without("start")),
            ("app-3", no_times.clone()),
            ("app-4", clinic::with(good.clone(), "cancelationReason", reason.clone())),
            ("end before start", backwards),
            ("no participant", clinic::with(good.clone(), "participant", json!([]))),
        ] {
            let reply = app.post("Appointment", &broken).await;
            assert!(matches!(reply.status, 400 | 422), "{rule}: {reply}");
            assert!(!reply.text("/issue/0/expression/0").is_empty(), "{rule} names no element: {reply}");
        }
        for status in ["proposed", "cancelled", "waitlist"] {
            let allowed = clinic::with(no_times.clone(), "status", status);
            let _ = app.post("Appointment", &allowed).await.is(201);
        }
        for status in ["cancelled", "noshow"] {
            let allowed = clinic::with(clinic::with(good.clone(), "status", status), "cancelationReason", reason.clone());
            let _ = app.post("Appointment", &allowed).await.is(201);
        }
        // None of them took the time.
        let _ = app.post("Appointment", &good).await.is(201);
    }

    async fn leaving_a_holding_status_frees_the_time(app: TestApp) {
        clinic::seed(&app).await;
        for (holding, freed) in [
            ("pending", "cancelled"), ("pending", "waitlist"), ("pending", "entered-in-error"),
            ("booked", "cancelled"), ("booked", "noshow"), ("booked", "entered-in-error"),
            ("arrived", "cancelled"), ("arrived", "noshow"), ("checked-in", "noshow"),
        ] {
            let mut current = appointment_in(&app, holding).await;
            let mut rival = current.clone();
            rival["status"] = json!("booked");
            rival.as_object_mut().expect("an object").remove("id");
            let refused = app.post("Appointment", &rival).await;
            assert_eq!(refused.status, 409, "{holding} holds its time: {refused}");
            current["status"] = json!(freed);
            let _ = put(&app, &current).await.is(200);
            let booked = app.post("Appointment", &rival).await;
            assert_eq!(booked.status, 201, "{holding} -> {freed} frees its time: {booked}");
        }
    }

    async fn statuses_without_time_hold_none(app: TestApp) {
        clinic::seed(&app).await;
        for status in ["proposed", "waitlist", "cancelled", "noshow", "entered-in-error"] {
            let (start, end) = fresh_time();
            let idle = clinic::unslotted(status, &start, &end, "pat-1", &["Practitioner/dr-a"]);
            let _ = app.post("Appointment", &idle).await.is(201);
            let _ = app.post("Appointment", &clinic::with(idle, "status", "booked")).await.is(201);
        }
    }

    async fn a_proposal_that_is_booked_takes_its_time(app: TestApp) {
        clinic::seed(&app).await;
        let mut proposal = appointment_in(&app, "proposed").await;
        let mut rival = proposal.clone();
        rival["status"] = json!("booked");
        rival.as_object_mut().expect("an object").remove("id");
        let _ = app.post("Appointment", &rival).await.is(201);
        proposal["status"] = json!("booked");
        let refused = put(&app, &proposal).await.is(409);
        assert!(refused.diagnostics().contains("Practitioner/dr-a"), "{refused}");
    }

    async fn deleting_a_booking_frees_its_time(app: TestApp) {
        clinic::seed(&app).await;
        let booked = appointment_in(&app, "booked").await;
        let path = format!("Appointment/{}", booked["id"].as_str().expect("an id"));
        let deleted = app.delete(&path).await;
        assert!(matches!(deleted.status, 200 | 204), "{deleted}");
        let mut rival = booked;
        rival.as_object_mut().expect("an object").remove("id");
        let _ = app.post("Appointment", &rival).await.is(201);
        // Brought back, it has to find its time free like anybody else.
        let back = clinic::with_id(rival, path.trim_start_matches("Appointment/"));
        let _ = app.put(&path, &back).await.is(409);
    }
}
