//! Who stands in whose way, and that a refusal names all of it.

use crate::support::{Reply, TestApp, both_engines, clinic};
use serde_json::{Value, json};

/// The codes of a 409's reasons, sorted.
fn reasons(reply: &Reply) -> Vec<&str> {
    let issues = reply.json["issue"].as_array().expect("issues");
    let mut codes: Vec<&str> = issues
        .iter()
        .map(|issue| issue["details"]["coding"][0]["code"].as_str().unwrap_or_default())
        .collect();
    codes.sort_unstable();
    codes
}

/// Half an hour from `start` for `actors`, without a Slot.
fn visit(start: &str, actors: &[&str]) -> Value {
    let start = clinic::at(start);
    clinic::unslotted("booked", &start, &clinic::later(&start, 30), "pat-1", actors)
}

both_engines! {
    async fn overlaps_are_refused_and_neighbours_are_not(app: TestApp) {
        clinic::seed(&app).await;
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
        for overlapping in ["08:45", "09:00", "09:15"] {
            let refused = app.post("Appointment", &visit(overlapping, &["Practitioner/dr-a"])).await.is(409);
            assert!(refused.diagnostics().contains("Practitioner/dr-a"), "{refused}");
            assert!(refused.diagnostics().contains("2031-03-03T09:00:00"), "{refused}");
            assert_eq!(reasons(&refused), ["actor-taken"]);
        }
        for free in ["08:30", "09:30"] {
            let _ = app.post("Appointment", &visit(free, &["Practitioner/dr-a"])).await.is(201);
        }
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-b"])).await.is(201);
    }

    async fn a_long_visit_meets_every_short_one_inside_it(app: TestApp) {
        clinic::seed(&app).await;
        for start in ["09:00", "10:00", "11:00"] {
            let _ = app.post("Appointment", &visit(start, &["Practitioner/dr-a"])).await.is(201);
        }
        let all_morning =
            clinic::unslotted("booked", &clinic::at("08:00"), &clinic::at("12:00"), "pat-1", &["Practitioner/dr-a"]);
        let refused = app.post("Appointment", &all_morning).await.is(409);
        for start in ["09:00:00", "10:00:00", "11:00:00"] {
            assert!(refused.diagnostics().contains(start), "{start} is not named: {refused}");
        }
        // The other way round: many short ones inside a long one.
        let night =
            clinic::unslotted("booked", &clinic::at("18:00"), &clinic::at("23:00"), "pat-1", &["Practitioner/dr-b"]);
        let _ = app.post("Appointment", &night).await.is(201);
        for inside in ["18:00", "20:00", "22:30"] {
            let _ = app.post("Appointment", &visit(inside, &["Practitioner/dr-b"])).await.is(409);
        }
    }

    async fn every_conflict_is_named(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let taken = clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]);
        let _ = app.post("Appointment", &taken).await.is(201);
        let _ = app.post("Appointment", &visit("09:15", &["Practitioner/dr-b"])).await.is(201);
        let _ = app.post("Appointment", &visit("08:45", &["Location/room-a"])).await.is(201);
        let wanted =
            clinic::appointment(&slot, "pat-2", &["Practitioner/dr-a", "Practitioner/dr-b", "Location/room-a", "Location/room-b"]);
        let refused = app.post("Appointment", &wanted).await.is(409);
        let said = refused.diagnostics();
        for name in ["Slot/s", "Practitioner/dr-a", "Practitioner/dr-b", "Location/room-a"] {
            assert!(said.contains(name), "{name} is not named: {refused}");
        }
        assert!(!said.contains("room-b"), "{refused}");
        assert_eq!(reasons(&refused), ["actor-taken", "actor-taken", "actor-taken", "slot-full"]);
        // Who took it is nobody's business.
        assert!(!String::from_utf8_lossy(&refused.body).contains("pat-1"), "{refused}");
        // Nothing of the refused booking was taken.
        let _ = app.post("Appointment", &visit("09:00", &["Location/room-b"])).await.is(201);
    }

    async fn a_role_is_its_practitioner(app: TestApp) {
        clinic::seed(&app).await;
        for role in ["role-a", "role-c"] {
            app.store(&json!({
                "resourceType": "PractitionerRole", "id": role, "active": true,
                "practitioner": { "reference": "Practitioner/dr-a" },
            }))
            .await;
        }
        let _ = app.post("Appointment", &visit("09:00", &["PractitionerRole/role-a"])).await.is(201);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(409);
        let _ = app.post("Appointment", &visit("09:00", &["PractitionerRole/role-c"])).await.is(409);
        let _ = app.post("Appointment", &visit("10:00", &["Practitioner/dr-a"])).await.is(201);
        let _ = app.post("Appointment", &visit("10:00", &["PractitionerRole/role-a"])).await.is(409);
        // One appointment may name a person both ways.
        let both = visit("11:00", &["Practitioner/dr-a", "PractitionerRole/role-a"]);
        let _ = app.post("Appointment", &both).await.is(201);
    }

    async fn a_slot_takes_its_schedules_actor(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        // Nobody but the patient is named; the schedule says whose time it is.
        let _ = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        let _ = app.post("Appointment", &visit("09:15", &["Practitioner/dr-a"])).await.is(409);
    }

    async fn a_patient_and_a_site_may_have_several_visits_at_once(app: TestApp) {
        clinic::seed(&app).await;
        app.store(&json!({ "resourceType": "Location", "id": "site", "status": "active", "name": "Site" })).await;
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a", "Location/site"])).await.is(201);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-b", "Location/site"])).await.is(201);
    }

    async fn a_device_is_exclusive(app: TestApp) {
        clinic::seed(&app).await;
        app.store(&json!({ "resourceType": "Device", "id": "mri", "status": "active" })).await;
        let _ = app.post("Appointment", &visit("09:00", &["Device/mri"])).await.is(201);
        let refused = app.post("Appointment", &visit("09:00", &["Device/mri"])).await.is(409);
        assert!(refused.diagnostics().contains("Device/mri"), "{refused}");
    }

    async fn someone_who_declined_is_not_taken(app: TestApp) {
        clinic::seed(&app).await;
        let mut declined = visit("09:00", &["Practitioner/dr-a", "Practitioner/dr-b"]);
        declined["participant"][2]["status"] = json!("declined");
        let _ = app.post("Appointment", &declined).await.is(201);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-b"])).await.is(201);
    }

    async fn an_override_books_over_and_still_stands(app: TestApp) {
        clinic::seed(&app).await;
        let first = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
        let over = app
            .request(reqwest::Method::POST, "Appointment")
            .header("X-Override-Reason", "emergency")
            .json(&visit("09:00", &["Practitioner/dr-a"]))
            .send()
            .await
            .is(201);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(409);
        // With the first one gone the time belongs to the override alone.
        let patch = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        let _ = app.patch(&format!("Appointment/{}", first.id()), &patch).await.is(200);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(409);
        let _ = app.patch(&format!("Appointment/{}", over.id()), &patch).await.is(200);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
    }

    async fn rescheduling_frees_the_old_time_only_when_the_new_is_taken(app: TestApp) {
        clinic::seed(&app).await;
        let at_nine = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
        let _ = app.post("Appointment", &visit("10:00", &["Practitioner/dr-a"])).await.is(201);
        let path = format!("Appointment/{}", at_nine.id());
        let moved = |start: &str| clinic::with_id(visit(start, &["Practitioner/dr-a"]), at_nine.id());

        let _ = app.put(&path, &moved("10:15")).await.is(409);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(409);
        assert_eq!(app.get(&path).await.version(), 1, "a refused move makes no version");

        let _ = app.put(&path, &moved("09:15")).await.is(200);
        let _ = app.put(&path, &moved("11:00")).await.is(200);
        let _ = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
        let _ = app.post("Appointment", &visit("11:00", &["Practitioner/dr-a"])).await.is(409);
    }

    async fn cancel_and_book_in_one_transaction(app: TestApp) {
        clinic::seed(&app).await;
        let old = app.post("Appointment", &visit("09:00", &["Practitioner/dr-a"])).await.is(201);
        let path = format!("Appointment/{}", old.id());
        let mut cancelled = old.json.clone();
        cancelled["status"] = json!("cancelled");
        // The booking stands first: a transaction's entries do not depend on their order.
        let swap = clinic::transaction(&[
            ("POST", "Appointment", Some(visit("09:00", &["Practitioner/dr-a"]))),
            ("PUT", &path, Some(cancelled.clone())),
        ]);
        let swapped = app.post("", &swap).await.is(200);
        assert!(swapped.text("/entry/0/response/status").starts_with("201"), "{swapped}");
        assert_eq!(app.get(&path).await.text("/status"), "cancelled");

        let both = clinic::transaction(&[
            ("POST", "Appointment", Some(visit("12:00", &["Practitioner/dr-a"]))),
            ("POST", "Appointment", Some(visit("12:15", &["Practitioner/dr-a"]))),
        ]);
        let refused = app.post("", &both).await.is(409);
        assert!(refused.diagnostics().contains("Practitioner/dr-a"), "{refused}");
        let _ = app.post("Appointment", &visit("12:00", &["Practitioner/dr-a"])).await.is(201);
    }
}
