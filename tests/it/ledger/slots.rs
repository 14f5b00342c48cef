//! Slots: seats, several in one appointment, and the status that is served.

use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::{Value, json};

async fn status(client: &Client, slot: &str) -> (String, i64) {
    let reply = client.get(&format!("Slot/{slot}")).await.is(200);
    (reply.text("/status").to_owned(), reply.version())
}

fn cancelled() -> Value {
    json!([{ "op": "replace", "path": "/status", "value": "cancelled" }])
}

both_engines! {
    async fn a_slot_is_busy_while_it_is_booked(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        assert_eq!(status(&app, "s").await, ("free".to_owned(), 1));
        let booked = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        assert_eq!(status(&app, "s").await, ("busy".to_owned(), 2));
        assert!(app.get("Slot?status=free").await.ids().is_empty());
        assert_eq!(app.get("Slot?status=busy").await.ids(), ["s"]);
        let path = format!("Appointment/{}", booked.id());
        let _ = app.patch(&path, &cancelled()).await.is(200);
        assert_eq!(status(&app, "s").await, ("free".to_owned(), 3));
        assert_eq!(app.get("Slot?status=free").await.ids(), ["s"]);
        // Each status it was served with is a version of its own.
        assert_eq!(app.get("Slot/s/_history/2").await.is(200).text("/status"), "busy");
        assert_eq!(app.get("Slot/s/_history").await.is(200).resources().len(), 3);
    }

    async fn a_held_slot_is_busy_tentative(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let held = clinic::with(clinic::appointment(&slot, "pat-1", &[]), "status", "pending");
        let held = app.post("Appointment", &held).await.is(201);
        assert_eq!(status(&app, "s").await, ("busy-tentative".to_owned(), 2));
        let confirm = json!([{ "op": "replace", "path": "/status", "value": "booked" }]);
        let _ = app.patch(&format!("Appointment/{}", held.id()), &confirm).await.is(200);
        assert_eq!(status(&app, "s").await, ("busy".to_owned(), 3));
    }

    async fn a_group_slot_is_free_until_its_last_seat(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 3);
        app.store(&slot).await;
        let mut seats = Vec::new();
        for patient in ["pat-1", "pat-2"] {
            let booked = clinic::appointment(&slot, patient, &["Practitioner/dr-a"]);
            seats.push(app.post("Appointment", &booked).await.is(201).id().to_owned());
            assert_eq!(status(&app, "g").await.0, "free");
        }
        let third = clinic::appointment(&slot, "pat-3", &["Practitioner/dr-a"]);
        seats.push(app.post("Appointment", &third).await.is(201).id().to_owned());
        assert_eq!(status(&app, "g").await.0, "busy");
        let refused = app.post("Appointment", &third).await.is(409);
        assert!(refused.diagnostics().contains("Slot/g"), "{refused}");
        // The group takes its practitioner as one.
        let (start, end) = (clinic::at("09:30"), clinic::at("10:00"));
        let other = clinic::unslotted("booked", &start, &end, "pat-1", &["Practitioner/dr-a"]);
        let _ = app.post("Appointment", &other).await.is(409);
        // Any seat given back can be taken again; the practitioner is free when the last one is.
        let _ = app.patch(&format!("Appointment/{}", seats[1]), &cancelled()).await.is(200);
        assert_eq!(status(&app, "g").await.0, "free");
        let again = app.post("Appointment", &third).await.is(201);
        again.id().clone_into(&mut seats[1]);
        for seat in &seats {
            let _ = app.post("Appointment", &other).await.is(409);
            let _ = app.patch(&format!("Appointment/{seat}"), &cancelled()).await.is(200);
        }
        let _ = app.post("Appointment", &other).await.is(201);
    }

    async fn an_override_takes_a_seat_too_many(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 2);
        app.store(&slot).await;
        let wanted = clinic::appointment(&slot, "pat-1", &[]);
        for _ in 0..2 {
            let _ = app.post("Appointment", &wanted).await.is(201);
        }
        let _ = app.post("Appointment", &wanted).await.is(409);
        let over = app.request(reqwest::Method::POST, "Appointment").header("X-Override-Reason", "urgent");
        let _ = over.json(&wanted).send().await.is(201);
        let _ = app.post("Appointment", &wanted).await.is(409);
        assert_eq!(status(&app, "g").await.0, "busy");
    }

    async fn one_appointment_in_several_slots(app: TestApp) {
        clinic::seed(&app).await;
        let starts = ["09:00", "09:30", "10:00"];
        for (number, start) in starts.iter().enumerate() {
            app.store(&clinic::slot(&format!("s{number}"), "sch-a", &clinic::at(start), 30)).await;
        }
        let mut long = clinic::unslotted("booked", &clinic::at("09:00"), &clinic::at("10:00"), "pat-1", &[]);
        long["slot"] = json!([{ "reference": "Slot/s0" }, { "reference": "Slot/s1" }]);
        let booked = app.post("Appointment", &long).await.is(201);
        for (slot, expected) in [("s0", "busy"), ("s1", "busy"), ("s2", "free")] {
            assert_eq!(status(&app, slot).await.0, expected, "{slot}");
        }
        // Neither slot can be taken by itself; all or nothing for one that overlaps the pair.
        let mut overlapping = clinic::unslotted("booked", &clinic::at("09:30"), &clinic::at("10:30"), "pat-2", &[]);
        overlapping["slot"] = json!([{ "reference": "Slot/s1" }, { "reference": "Slot/s2" }]);
        let refused = app.post("Appointment", &overlapping).await.is(409);
        assert!(refused.diagnostics().contains("Slot/s1"), "{refused}");
        assert_eq!(status(&app, "s2").await.0, "free");
        let _ = app.patch(&format!("Appointment/{}", booked.id()), &cancelled()).await.is(200);
        let _ = app.post("Appointment", &overlapping).await.is(201);
        assert_eq!(status(&app, "s0").await.0, "free");
    }

    async fn one_transaction_of_many_bookings(app: TestApp) {
        clinic::seed(&app).await;
        let slots: Vec<Value> = (0..600)
            .map(|n| clinic::slot(&format!("s{n}"), "sch-a", &clinic::later(&clinic::at("00:00"), n * 5), 5))
            .collect();
        let put = |resource: &Value, path: String| {
            json!({ "request": { "method": "PUT", "url": path }, "resource": resource })
        };
        let mut entries: Vec<Value> =
            slots.iter().map(|slot| put(slot, format!("Slot/{}", slot["id"].as_str().expect("an id")))).collect();
        for (n, slot) in slots.iter().enumerate() {
            let booking = clinic::with_id(clinic::appointment(slot, "pat-1", &["Practitioner/dr-a"]), &format!("a{n}"));
            entries.push(put(&booking, format!("Appointment/a{n}")));
        }
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let _ = app.post("", &bundle).await.is(200);
        assert!(app.get("Slot?status=free").await.is(200).ids().is_empty());
        assert_eq!(app.get("Appointment?_count=1000").await.is(200).ids().len(), 600);
    }

    async fn moving_to_another_slot_swaps_both(app: TestApp) {
        clinic::seed(&app).await;
        let old = clinic::slot("old", "sch-a", &clinic::at("09:00"), 30);
        let new = clinic::slot("new", "sch-b", &clinic::at("11:00"), 30);
        app.store(&old).await;
        app.store(&new).await;
        let booked = app.post("Appointment", &clinic::appointment(&old, "pat-1", &[])).await.is(201);
        let moved = clinic::with_id(clinic::appointment(&new, "pat-1", &[]), booked.id());
        let _ = app.put(&format!("Appointment/{}", booked.id()), &moved).await.is(200);
        assert_eq!(status(&app, "old").await.0, "free");
        assert_eq!(status(&app, "new").await.0, "busy");
    }

    async fn the_owners_word_is_kept(app: TestApp) {
        clinic::seed(&app).await;
        for (id, start, declared) in [("b", "09:00", "busy"), ("u", "10:00", "busy-unavailable")] {
            let slot = clinic::with(clinic::slot(id, "sch-a", &clinic::at(start), 30), "status", declared);
            app.store(&slot).await;
            let refused = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(409);
            assert!(refused.diagnostics().contains(&format!("Slot/{id}")), "{refused}");
            assert_eq!(status(&app, id).await, (declared.to_owned(), 1));
        }
        // Withdrawn by its owner while booked: it stays withdrawn when the booking goes.
        let slot = clinic::slot("s", "sch-a", &clinic::at("11:00"), 30);
        app.store(&slot).await;
        let booked = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        let withdrawn = clinic::with(slot, "status", "busy-unavailable");
        let _ = app.put("Slot/s", &withdrawn).await.is(200);
        let _ = app.patch(&format!("Appointment/{}", booked.id()), &cancelled()).await.is(200);
        assert_eq!(status(&app, "s").await.0, "busy-unavailable");
    }

    async fn a_slot_names_its_schedule_by_reference(app: TestApp) {
        clinic::seed(&app).await;
        let mut slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        slot["schedule"] = json!({ "display": "Dr. A's mornings" });
        let refused = app.post("Slot", &slot).await.is(422);
        assert_eq!(refused.text("/issue/0/expression/0"), "Slot.schedule.reference");
    }

    async fn a_booked_slot_is_neither_moved_nor_deleted(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let booked = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        let later = clinic::slot("s", "sch-a", &clinic::at("12:00"), 30);
        let _ = app.put("Slot/s", &later).await.is(409);
        let elsewhere = clinic::slot("s", "sch-b", &clinic::at("09:00"), 30);
        let _ = app.put("Slot/s", &elsewhere).await.is(409);
        let _ = app.delete("Slot/s").await.is(409);
        // Saying again that it is free, as an owner that does not know of the booking does, changes nothing.
        let _ = app.put("Slot/s", &slot).await.is(200);
        assert_eq!(status(&app, "s").await.0, "busy");
        let _ = app.patch(&format!("Appointment/{}", booked.id()), &cancelled()).await.is(200);
        let _ = app.put("Slot/s", &later).await.is(200);
    }

    async fn a_group_slot_never_shrinks_below_its_bookings(app: TestApp) {
        clinic::seed(&app).await;
        let three = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 3);
        app.store(&three).await;
        for patient in ["pat-1", "pat-2"] {
            let _ = app.post("Appointment", &clinic::appointment(&three, patient, &[])).await.is(201);
        }
        let one = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 1);
        let _ = app.put("Slot/g", &one).await.is(409);
        let two = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 2);
        let _ = app.put("Slot/g", &two).await.is(200);
        assert_eq!(status(&app, "g").await.0, "busy");
        let five = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 5);
        let _ = app.put("Slot/g", &five).await.is(200);
        assert_eq!(status(&app, "g").await.0, "free");
    }

    async fn an_appointment_keeps_to_its_slots_time(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let beyond = clinic::with(clinic::appointment(&slot, "pat-1", &[]), "end", clinic::at("10:00"));
        let refused = app.post("Appointment", &beyond).await;
        assert_eq!(refused.status, 422, "{refused}");
        let unknown = clinic::slot("nowhere", "sch-a", &clinic::at("09:00"), 30);
        let refused = app.post("Appointment", &clinic::appointment(&unknown, "pat-1", &[])).await;
        assert!(matches!(refused.status, 409 | 422), "{refused}");
        assert!(refused.diagnostics().contains("Slot/nowhere"), "{refused}");
        assert_eq!(status(&app, "s").await, ("free".to_owned(), 1));
    }

    async fn slots_of_one_actor_that_overlap_fill_together(app: TestApp) {
        clinic::seed(&app).await;
        // The same hour offered as one long and as two short visits.
        let long = clinic::slot("long", "sch-a", &clinic::at("09:00"), 60);
        let short = clinic::slot("short", "sch-a", &clinic::at("09:30"), 30);
        app.store(&long).await;
        app.store(&short).await;
        let booked = app.post("Appointment", &clinic::appointment(&short, "pat-1", &[])).await.is(201);
        assert_eq!(status(&app, "long").await.0, "busy");
        let _ = app.post("Appointment", &clinic::appointment(&long, "pat-2", &[])).await.is(409);
        let _ = app.patch(&format!("Appointment/{}", booked.id()), &cancelled()).await.is(200);
        assert_eq!(status(&app, "long").await.0, "free");
        // A slot stored over time that is taken is served busy at once.
        let _ = app.post("Appointment", &clinic::appointment(&long, "pat-2", &[])).await.is(201);
        app.store(&clinic::slot("late", "sch-a", &clinic::at("09:15"), 15)).await;
        assert_eq!(status(&app, "late").await.0, "busy");
    }
}
