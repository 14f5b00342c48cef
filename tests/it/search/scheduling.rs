//! The searches that clinics live on: free slots, a day's appointments.

use super::{assert_found, entries};
use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::json;

async fn seed(app: &Client) {
    clinic::seed(app).await;
    for (id, schedule, time) in [
        ("a-0900", "sch-a", "09:00"),
        ("a-0930", "sch-a", "09:30"),
        ("a-1000", "sch-a", "10:00"),
        ("b-0900", "sch-b", "09:00"),
    ] {
        let mut slot = clinic::slot(id, schedule, &clinic::at(time), 30);
        slot["serviceType"] = json!([{ "coding": [{ "system": "urn:s", "code": if schedule == "sch-a" { "gp" } else { "eye" } }] }]);
        app.store(&slot).await;
    }
    let slot = clinic::slot("a-1000", "sch-a", &clinic::at("10:00"), 30);
    let booked = clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a", "Location/room-a"]);
    app.store(&clinic::with_id(booked, "app-1")).await;
    let other = clinic::unslotted(
        "booked",
        &clinic::at("14:00"),
        &clinic::at("14:30"),
        "pat-2",
        &["Practitioner/dr-b"],
    );
    app.store(&clinic::with_id(other, "app-2")).await;
    let wanted = json!({ "resourceType": "Appointment", "id": "app-3", "status": "proposed",
        "participant": [{ "actor": { "type": "Patient", "identifier": { "system": "urn:mrn", "value": "77" } },
            "status": "needs-action" }] });
    app.store(&wanted).await;
}

both_engines! {
    async fn slots(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Slot?schedule=Schedule/sch-a&start=ge2031-03-03&start=lt2031-03-04&status=free", "a-0900 a-0930"),
            ("Slot?schedule=sch-a&status=busy", "a-1000"),
            ("Slot?status:not=free", "a-1000"),
            ("Slot?status=http://hl7.org/fhir/slotstatus|busy", "a-1000"),
            ("Slot?status=urn:else|busy", ""),
            ("Slot?status=busy,free&start=2031-03-03T09:00Z", "a-0900 b-0900"),
            ("Slot?start=2031-03-03T10:00:00%2B01:00", "a-0900 b-0900"),
            ("Slot?start=sa2031-03-03T09:00:00Z", "a-0930 a-1000"),
            ("Slot?start=ne2031-03-03T09:00:00Z", "a-0930 a-1000"),
            ("Slot?start=eb2031-03-03T09:30:00Z", "a-0900 b-0900"),
            ("Slot?end=le2031-03-03T09:30:00Z", "a-0900 b-0900"),
            ("Slot?end=gt2031-03-03T09:30:00Z", "a-0930 a-1000"),
            ("Slot?service-type=gp", "a-0900 a-0930 a-1000"),
            ("Slot?service-type=urn:s|eye&start=ge2031-03-03", "b-0900"),
            ("Slot?service-type:not=gp", "b-0900"),
            ("Slot?schedule=Schedule/none", ""),
            ("Slot?schedule=https://else.example/Schedule/sch-a", ""),
            ("Slot?schedule:missing=false&status=busy", "a-1000"),
            ("Slot?start:missing=true", ""),
            ("Slot?_id=a-0900&status=free", "a-0900"),
            ("Slot?schedule.actor=Practitioner/dr-b", "b-0900"),
            ("Slot?schedule.actor:Practitioner.name=doctor&status=free", "a-0900 a-0930 b-0900"),
            ("Schedule?actor=Practitioner/dr-a", "sch-a"),
            ("Schedule?actor=dr-a", "sch-a"),
            ("Schedule?actor:Practitioner=dr-b", "sch-b"),
            ("Schedule?_has:Slot:schedule:status=busy", "sch-a"),
        ]).await;
        let base = app.base().to_owned();
        assert_found(&app, &[(&format!("Slot?schedule={base}/Schedule/sch-b"), "b-0900")]).await;
    }

    async fn appointments(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        assert_found(&app, &[
            ("Appointment?patient=Patient/pat-1", "app-1"),
            ("Appointment?patient=pat-2", "app-2"),
            ("Appointment?practitioner=dr-a", "app-1"),
            ("Appointment?location=room-a", "app-1"),
            ("Appointment?actor=Practitioner/dr-a,Practitioner/dr-b", "app-1 app-2"),
            ("Appointment?actor=dr-b", "app-2"),
            ("Appointment?actor:Practitioner=dr-a&date=2031-03-03", "app-1"),
            ("Appointment?patient=Practitioner/dr-a", ""),
            ("Appointment?practitioner=dr-a&date=ge2031-03-04", ""),
            ("Appointment?date=ge2031-03-03T12:00:00Z", "app-2"),
            ("Appointment?date:missing=true", "app-3"),
            ("Appointment?patient:missing=true", ""),
            ("Appointment?practitioner:missing=true", "app-3"),
            ("Appointment?actor:identifier=urn:mrn|77", "app-3"),
            ("Appointment?patient:identifier=77", "app-3"),
            ("Appointment?practitioner:identifier=77", ""),
            ("Appointment?slot=a-1000", "app-1"),
            ("Appointment?slot:missing=true", "app-2 app-3"),
            ("Appointment?status=booked&patient=pat-1", "app-1"),
            ("Appointment?part-status=needs-action", "app-3"),
            ("Appointment?patient.family=test&status=booked", "app-1 app-2"),
            ("Appointment?slot.status=busy", "app-1"),
            ("Appointment?slot.schedule.actor:Practitioner.name=dr-a", "app-1"),
            ("Patient/pat-1/Appointment", "app-1"),
            ("Patient/pat-1/Appointment?status=cancelled", ""),
            ("Practitioner/dr-b/Appointment", "app-2"),
            ("Patient/pat-1/Patient", "pat-1"),
            ("Patient?_has:Appointment:patient:status=booked", "pat-1 pat-2"),
            ("Practitioner?_has:Appointment:practitioner:date=ge2031-03-03T12:00:00Z", "dr-b"),
            ("Patient?_has:Appointment:patient:slot.status=busy", "pat-1"),
        ]).await;
        let _ = app.get("Patient/pat-1/Slot").await.is(404);
    }

    async fn what_is_deleted_is_not_found(app: TestApp) {
        let app = app.client();
        seed(&app).await;
        let _ = app.delete("Appointment/app-2").await.is(204);
        assert_found(&app, &[
            ("Appointment?patient=pat-2", ""),
            ("Appointment?status=booked", "app-1"),
            ("Patient?_has:Appointment:patient:status=booked", "pat-1"),
        ]).await;
        let all = app.get("Appointment").await.is(200);
        assert_eq!(entries(&all, "match"), ["Appointment/app-1", "Appointment/app-3"]);
    }

    async fn a_search_by_start_is_in_order_of_start(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        for time in ["11:00", "09:00", "10:00"] {
            app.store(&clinic::slot(&time.replace(':', ""), "sch-a", &clinic::at(time), 30)).await;
        }
        assert_eq!(app.get("Slot?start=ge2031-03-03").await.is(200).ids(), ["0900", "1000", "1100"]);
        assert_eq!(app.get("Slot?_sort=-start").await.is(200).ids(), ["1100", "1000", "0900"]);
        assert_eq!(app.get("Slot").await.is(200).ids(), ["1100", "0900", "1000"]);
    }
}
