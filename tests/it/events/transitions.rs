//! Every transition is an event, of the topics that the table says.

use super::{assert_in_order, count, told};
use crate::support::{FixedApp, TestApp, both_engines, clinic};
use serde_json::{Value, json};
use std::time::Duration;

/// Puts a status into an appointment, and gives the topics of its event.
async fn becomes(app: &TestApp, id: &str, status: &str) -> String {
    patched(app, id, json!([{ "op": "replace", "path": "/status", "value": status }])).await
}

/// Patches an appointment, and gives the topics of its event.
async fn patched(app: &TestApp, id: &str, patch: Value) -> String {
    let before = count(app).await;
    let _ = app.patch(&format!("Appointment/{id}"), &patch).await.is(200);
    let told = told(app, before).await;
    let own = told.first().and_then(|told| told.strip_prefix(&format!("Appointment/{id}: ")));
    own.unwrap_or_else(|| panic!("{told:?}")).to_owned()
}

/// An appointment without a slot that begins at an hour.
async fn visit(app: &TestApp, id: &str, status: &str, hour: u32) -> String {
    let (start, end) = (clinic::at(&format!("{hour:02}:00")), clinic::at(&format!("{hour:02}:30")));
    let before = count(app).await;
    app.store(&clinic::with_id(clinic::unslotted(status, &start, &end, "pat-1", &[]), id)).await;
    told(app, before).await.remove(0).split_once(": ").expect("topics").1.to_owned()
}

both_engines! {
    async fn an_appointments_life(app: FixedApp) {
        clinic::seed(&app).await;
        assert_eq!(visit(&app, "a", "proposed", 8).await, "appointment-changed");
        assert_eq!(becomes(&app, "a", "pending").await, "appointment-changed");
        assert_eq!(becomes(&app, "a", "booked").await, "appointment-booked appointment-changed");
        let later = json!([{ "op": "replace", "path": "/end", "value": clinic::at("08:45") }]);
        assert_eq!(patched(&app, "a", later).await, "appointment-rescheduled appointment-changed");
        let comment = json!([{ "op": "add", "path": "/comment", "value": "by phone" }]);
        assert_eq!(patched(&app, "a", comment.clone()).await, "appointment-changed");
        assert_eq!(patched(&app, "a", comment).await, "", "a new version, nothing changed");
        assert_eq!(becomes(&app, "a", "arrived").await, "appointment-arrived appointment-changed");
        assert_eq!(becomes(&app, "a", "checked-in").await, "appointment-changed");
        assert_eq!(becomes(&app, "a", "fulfilled").await, "appointment-changed");
        assert_eq!(becomes(&app, "a", "entered-in-error").await, "appointment-changed");

        assert_eq!(visit(&app, "b", "booked", 9).await, "appointment-booked appointment-changed");
        assert_eq!(becomes(&app, "b", "noshow").await, "appointment-noshow appointment-changed");
        visit(&app, "c", "booked", 10).await;
        assert_eq!(becomes(&app, "c", "checked-in").await, "appointment-arrived appointment-changed");
        assert_eq!(becomes(&app, "c", "cancelled").await, "appointment-cancelled appointment-changed");
        assert_eq!(visit(&app, "d", "waitlist", 11).await, "appointment-changed");
        assert_eq!(becomes(&app, "d", "booked").await, "appointment-booked appointment-changed");
        assert_eq!(becomes(&app, "d", "entered-in-error").await, "appointment-cancelled appointment-changed");
        assert_eq!(visit(&app, "f", "waitlist", 13).await, "appointment-changed");
        assert_eq!(becomes(&app, "f", "proposed").await, "waitlist-offer appointment-changed");
        assert_eq!(becomes(&app, "f", "booked").await, "appointment-booked appointment-changed");
        assert_eq!(visit(&app, "g", "waitlist", 14).await, "appointment-changed");
        assert_eq!(becomes(&app, "g", "pending").await, "waitlist-offer appointment-changed");
        assert_eq!(becomes(&app, "g", "waitlist").await, "appointment-changed", "the offer was declined");
        assert_eq!(becomes(&app, "g", "pending").await, "waitlist-offer appointment-changed");
        assert_eq!(becomes(&app, "g", "booked").await, "appointment-booked appointment-changed");
        assert_eq!(visit(&app, "e", "pending", 12).await, "appointment-changed");
        assert_eq!(becomes(&app, "e", "cancelled").await, "appointment-cancelled appointment-changed");
        assert_in_order(&app.events().await);
    }

    async fn holds_lapse_and_free_their_slots(app: FixedApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let before = count(&app).await;
        let hold = clinic::with(clinic::appointment(&slot, "pat-1", &[]), "status", "pending");
        let id = app.post("Appointment", &hold).await.is(201).id().to_owned();
        assert_eq!(told(&app, before).await, [format!("Appointment/{id}: appointment-changed"), "Slot/s: slot-taken".to_owned()]);

        // Somebody who looks for free time finds that the hold is over.
        app.advance(Duration::from_mins(6));
        let before = count(&app).await;
        assert_eq!(app.get("Slot?status=free").await.ids(), ["s"]);
        assert_eq!(told(&app, before).await,
            [format!("Appointment/{id}: hold-lapsed appointment-changed"), "Slot/s: slot-freed".to_owned()]);

        // A rival's booking finds it in its way: the slot goes from one to the other.
        let id = app.post("Appointment", &hold).await.is(201).id().to_owned();
        app.advance(Duration::from_mins(6));
        let before = count(&app).await;
        let rival = clinic::appointment(&slot, "pat-2", &[]);
        let rival = app.post("Appointment", &rival).await.is(201).id().to_owned();
        let mut told = told(&app, before).await;
        told.sort_unstable();
        let mut wanted = vec![
            format!("Appointment/{id}: hold-lapsed appointment-changed"),
            format!("Appointment/{rival}: appointment-booked appointment-changed"),
        ];
        wanted.sort_unstable();
        told.retain(|told| told.starts_with("Appointment"));
        assert_eq!(told, wanted);
        assert_in_order(&app.events().await);
    }

    async fn slots_schedules_and_answers(app: FixedApp) {
        clinic::seed(&app).await;
        let before = count(&app).await;
        let group = clinic::group_slot("g", "sch-a", &clinic::at("09:00"), 60, 2);
        app.store(&group).await;
        let first = app.post("Appointment", &clinic::appointment(&group, "pat-1", &[])).await.is(201).id().to_owned();
        let second = app.post("Appointment", &clinic::appointment(&group, "pat-2", &[])).await.is(201).id().to_owned();
        let answer = json!({ "resourceType": "AppointmentResponse", "id": "r", "participantStatus": "accepted",
            "appointment": { "reference": format!("Appointment/{first}") }, "actor": { "reference": "Patient/pat-1" } });
        app.store(&answer).await;
        app.store(&clinic::with(answer, "participantStatus", "declined")).await;
        let _ = app.delete("AppointmentResponse/r").await.is(204);
        let mut schedule = clinic::schedule("sch-a", "Practitioner/dr-a");
        app.store(&schedule).await;
        schedule["comment"] = json!("closed in summer");
        app.store(&schedule).await;
        app.store(&clinic::schedule("sch-c", "Practitioner/dr-a")).await;
        let _ = app.delete("Schedule/sch-c").await.is(204);
        app.store(&clinic::slot("t", "sch-b", &clinic::at("09:00"), 60)).await;
        app.store(&clinic::slot("t", "sch-b", &clinic::at("10:00"), 60)).await;
        app.store(&clinic::with(clinic::slot("t", "sch-b", &clinic::at("10:00"), 60), "status", "busy-unavailable")).await;
        let _ = app.delete("Slot/t").await.is(204);
        let booked = |id: &str| format!("Appointment/{id}: appointment-booked appointment-changed");
        assert_eq!(told(&app, before).await, [
            "Slot/g: slot-freed".to_owned(),
            booked(&first),
            booked(&second),
            "Slot/g: slot-taken".to_owned(),
            "AppointmentResponse/r: response-received".to_owned(),
            "AppointmentResponse/r: response-received".to_owned(),
            "AppointmentResponse/r: ".to_owned(),
            "Schedule/sch-a: ".to_owned(),
            "Schedule/sch-a: schedule-changed".to_owned(),
            "Schedule/sch-c: schedule-changed".to_owned(),
            "Schedule/sch-c: schedule-changed".to_owned(),
            "Slot/t: slot-freed".to_owned(),
            "Slot/t: slot-freed".to_owned(),
            "Slot/t: slot-taken".to_owned(),
            "Slot/t: ".to_owned(),
        ]);
    }
}
