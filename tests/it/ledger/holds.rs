//! A hold is an appointment with an expiry: from the instant it lapses its time is free for everybody.

use crate::support::{FixedApp, both_engines, clinic};
use serde_json::{Value, json};
use std::time::Duration;

/// Default life of a hold.
const HOLD: Duration = Duration::from_mins(5);

fn held(slot: &Value, patient: &str) -> Value {
    clinic::with(clinic::appointment(slot, patient, &["Practitioner/dr-a"]), "status", "pending")
}

both_engines! {
    async fn a_lapsed_hold_is_free_at_once(app: FixedApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let hold = app.post("Appointment", &held(&slot, "pat-1")).await.is(201);
        let day = "Slot?schedule=Schedule/sch-a&start=ge2031-03-03&start=lt2031-03-04";
        let rival = clinic::appointment(&slot, "pat-2", &["Practitioner/dr-a"]);

        app.advance(HOLD.saturating_sub(Duration::from_secs(1)));
        let _ = app.post("Appointment", &rival).await.is(409);
        assert!(app.get(&format!("{day}&status=free")).await.ids().is_empty());

        app.advance(Duration::from_secs(1));
        assert_eq!(app.get(&format!("{day}&status=free")).await.is(200).ids(), ["s"]);
        assert!(app.get(&format!("{day}&status=busy-tentative")).await.is(200).ids().is_empty());
        assert_eq!(app.get(&format!("{day}&status=free")).await.resources()[0]["status"], "free");
        assert_eq!(app.get("Slot/s").await.is(200).text("/status"), "free");
        let _ = app.post("Appointment", &rival).await.is(201);
        assert_eq!(app.get("Slot/s").await.text("/status"), "busy");

        // The hold is over: it can't be confirmed over somebody else's booking.
        let confirm = json!([{ "op": "replace", "path": "/status", "value": "booked" }]);
        let late = app.patch(&format!("Appointment/{}", hold.id()), &confirm).await;
        assert!(matches!(late.status, 409 | 422), "{late}");
    }

    async fn a_lapsed_hold_without_a_slot_frees_its_actors(app: FixedApp) {
        clinic::seed(&app).await;
        let (start, end) = (clinic::at("09:00"), clinic::at("09:30"));
        let hold = clinic::unslotted("pending", &start, &end, "pat-1", &["Practitioner/dr-a", "Location/room-a"]);
        let _ = app.post("Appointment", &hold).await.is(201);
        let booking = clinic::with(hold, "status", "booked");
        let _ = app.post("Appointment", &booking).await.is(409);
        app.advance(HOLD);
        let _ = app.post("Appointment", &booking).await.is(201);
    }

    async fn a_confirmed_hold_no_longer_lapses(app: FixedApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let hold = app.post("Appointment", &held(&slot, "pat-1")).await.is(201);
        app.advance(Duration::from_mins(4));
        let confirm = json!([{ "op": "replace", "path": "/status", "value": "booked" }]);
        let _ = app.patch(&format!("Appointment/{}", hold.id()), &confirm).await.is(200);
        app.advance(Duration::from_hours(1));
        assert_eq!(app.get("Slot/s").await.text("/status"), "busy");
        let _ = app.post("Appointment", &clinic::appointment(&slot, "pat-2", &[])).await.is(409);
    }

    async fn a_lapsed_seat_is_free_at_once(app: FixedApp) {
        clinic::seed(&app).await;
        let slot = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 2);
        app.store(&slot).await;
        let _ = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        let _ = app.post("Appointment", &held(&slot, "pat-2")).await.is(201);
        assert_eq!(app.get("Slot/g").await.text("/status"), "busy-tentative");
        let third = clinic::appointment(&slot, "pat-3", &[]);
        let _ = app.post("Appointment", &third).await.is(409);
        app.advance(HOLD);
        assert_eq!(app.get("Slot?status=free").await.ids(), ["g"]);
        let _ = app.post("Appointment", &third).await.is(201);
        let _ = app.post("Appointment", &third).await.is(409);
    }
}
