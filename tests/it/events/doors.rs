//! Whichever way a change comes in, it leaves its events; what is refused leaves none.

use super::{assert_in_order, count, told};
use crate::support::{FixedApp, TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};

/// A free slot of its own, and a booking of it.
async fn wanted(app: &TestApp, id: &str, hour: u32) -> Value {
    let slot = clinic::slot(id, "sch-a", &clinic::at(&format!("{hour:02}:00")), 30);
    app.store(&slot).await;
    clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"])
}

both_engines! {
    async fn every_door_leaves_its_events(app: FixedApp) {
        clinic::seed(&app).await;
        let booked = |id: &str, slot: &str| {
            vec![
                format!("Appointment/{id}: appointment-booked appointment-changed"),
                format!("Slot/{slot}: slot-taken"),
            ]
        };

        let booking = wanted(&app, "s-post", 1).await;
        let before = count(&app).await;
        let id = app.post("Appointment", &booking).await.is(201).id().to_owned();
        assert_eq!(told(&app, before).await, booked(&id, "s-post"), "POST");

        let booking = wanted(&app, "s-put", 2).await;
        let before = count(&app).await;
        let _ = app.put("Appointment/put", &clinic::with_id(booking, "put")).await.is(201);
        assert_eq!(told(&app, before).await, booked("put", "s-put"), "PUT");

        let proposal = clinic::with(wanted(&app, "s-patch", 3).await, "status", "proposed");
        let id = app.post("Appointment", &proposal).await.is(201).id().to_owned();
        let before = count(&app).await;
        let confirm = json!([{ "op": "replace", "path": "/status", "value": "booked" }]);
        let _ = app.patch(&format!("Appointment/{id}"), &confirm).await.is(200);
        assert_eq!(told(&app, before).await, booked(&id, "s-patch"), "PATCH");

        let proposal = clinic::with(wanted(&app, "s-fhirpath", 4).await, "status", "proposed");
        let id = app.post("Appointment", &proposal).await.is(201).id().to_owned();
        let before = count(&app).await;
        let parts = json!([{ "name": "type", "valueCode": "replace" },
            { "name": "path", "valueString": "Appointment.status" }, { "name": "value", "valueCode": "booked" }]);
        let patch = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": parts }] });
        let path = format!("Appointment/{id}");
        let _ = app.request(Method::PATCH, &path).json(&patch).send().await.is(200);
        assert_eq!(told(&app, before).await, booked(&id, "s-fhirpath"), "PATCH by FHIRPath");

        let booking = wanted(&app, "s-batch", 5).await;
        let before = count(&app).await;
        let bundle = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
            { "resource": clinic::with_id(booking, "batch"),
                "request": { "method": "PUT", "url": "Appointment/batch" } }] });
        let _ = app.post("", &bundle).await.is(200);
        assert_eq!(told(&app, before).await, booked("batch", "s-batch"), "batch");

        let booking = wanted(&app, "s-transaction", 6).await;
        let before = count(&app).await;
        let booking = clinic::with_id(booking, "transaction");
        let entries = [("PUT", "Appointment/transaction", Some(booking))];
        let _ = app.post("", &clinic::transaction(&entries)).await.is(200);
        assert_eq!(told(&app, before).await, booked("transaction", "s-transaction"), "transaction");

        let named = json!([{ "system": "urn:x", "value": "N-1" }]);
        let booking = clinic::with(wanted(&app, "s-matching", 7).await, "identifier", named);
        let before = count(&app).await;
        let path = "Appointment?identifier=urn:x%7CN-1";
        let id = app.put(path, &booking).await.is(201).id().to_owned();
        assert_eq!(told(&app, before).await, booked(&id, "s-matching"), "PUT by a condition");

        let before = count(&app).await;
        let off = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        let _ = app.patch(path, &off).await.is(200);
        let freed = vec![
            format!("Appointment/{id}: appointment-cancelled appointment-changed"),
            "Slot/s-matching: slot-freed".to_owned(),
        ];
        assert_eq!(told(&app, before).await, freed, "PATCH by a condition");

        let before = count(&app).await;
        let _ = app.delete("Appointment/put").await.is(204);
        let freed = vec![
            "Appointment/put: appointment-cancelled appointment-changed".to_owned(),
            "Slot/s-put: slot-freed".to_owned(),
        ];
        assert_eq!(told(&app, before).await, freed, "DELETE");
        let events = app.events().await;
        let deleted = events.iter().rfind(|event| event.id == "put").expect("an event");
        assert!(deleted.is_deletion() && deleted.body.is_none());
        assert!(String::from_utf8_lossy(deleted.content()).contains("Patient/pat-1"), "judged by what it was");
        assert_in_order(&events);
    }

    async fn what_comes_to_nothing_leaves_no_event(app: FixedApp) {
        clinic::seed(&app).await;
        let booking = wanted(&app, "s", 9).await;
        let key = "0d2f6a5e-7a0a-4a6c-9f0b-3f1f3c8d9a10";
        let post = || app.request(Method::POST, "Appointment").header("Idempotency-Key", key).json(&booking);
        let _ = post().send().await.is(201);
        let before = count(&app).await;

        let _ = post().send().await.is(201);
        let _ = app.post("Appointment", &clinic::with(booking.clone(), "comment", "again")).await.is(409);
        let _ = app.post("Appointment", &clinic::with(booking.clone(), "status", "nothing")).await.is(422);
        let other = clinic::with_id(wanted(&app, "s-2", 10).await, "other");
        let rolled_back = clinic::transaction(&[
            ("PUT", "Appointment/other", Some(other)),
            ("POST", "Appointment", Some(booking.clone())),
        ]);
        let _ = app.post("", &rolled_back).await.is(409);
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "mode", "valueCode": "create" }, { "name": "resource", "resource": booking }] });
        let _ = app.post("Appointment/$validate", &body).await;
        app.store(&clinic::patient_resource("pat-9")).await;
        assert_eq!(told(&app, before).await, ["Slot/s-2: slot-freed"]);
    }
}
