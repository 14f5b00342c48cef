//! A small clinic to test with, and builders for what a test posts.
//!
//! [`seed`] stores two practitioners (`dr-a`, `dr-b`) with a schedule each (`sch-a`, `sch-b`), two rooms
//! (`room-a`, `room-b`) and three patients (`pat-1` … `pat-3`). Slots are the test's own: see [`slot`].

use super::client::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A Monday long after any test runs: slots there are in the future of a real clock, too.
pub const DAY: &str = "2031-03-03";

/// `HH:MM` on [`DAY`], UTC, as a FHIR instant.
pub fn at(time: &str) -> String {
    format!("{DAY}T{time}:00Z")
}

/// `start` moved by `minutes`, as a FHIR instant.
pub fn later(start: &str, minutes: i64) -> String {
    let start: Timestamp = start.parse().expect("an instant");
    (start + SignedDuration::from_mins(minutes)).to_string()
}

/// Stores the clinic.
pub async fn seed(client: &Client) {
    for patient in 1..=3 {
        client.store(&patient_resource(&format!("pat-{patient}"))).await;
    }
    for letter in ["a", "b"] {
        client.store(&practitioner(&format!("dr-{letter}"))).await;
        client.store(&room(&format!("room-{letter}"))).await;
        client.store(&schedule(&format!("sch-{letter}"), &format!("Practitioner/dr-{letter}"))).await;
    }
}

/// A Patient.
pub fn patient_resource(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "family": "Test", "given": [id] }] })
}

/// A Practitioner.
pub fn practitioner(id: &str) -> Value {
    json!({ "resourceType": "Practitioner", "id": id, "name": [{ "family": "Doctor", "given": [id] }] })
}

/// A Location that is a room.
pub fn room(id: &str) -> Value {
    let kind = "http://terminology.hl7.org/CodeSystem/location-physical-type";
    json!({
        "resourceType": "Location", "id": id, "status": "active", "name": id,
        "physicalType": { "coding": [{ "system": kind, "code": "ro" }] },
    })
}

/// A Schedule of one actor.
pub fn schedule(id: &str, actor: &str) -> Value {
    json!({ "resourceType": "Schedule", "id": id, "active": true, "actor": [{ "reference": actor }] })
}

/// A free Slot of `minutes` from `start` (an instant, see [`at`]).
pub fn slot(id: &str, schedule: &str, start: &str, minutes: i64) -> Value {
    json!({
        "resourceType": "Slot", "id": id, "status": "free",
        "schedule": { "reference": format!("Schedule/{schedule}") },
        "start": start, "end": later(start, minutes),
    })
}

/// A free Slot with room for `seats` at a time.
pub fn group_slot(id: &str, schedule: &str, start: &str, minutes: i64, seats: u32) -> Value {
    let mut group = slot(id, schedule, start, minutes);
    let url = "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity";
    group["extension"] = json!([{ "url": url, "valueInteger": seats }]);
    group
}

/// A `booked` Appointment over `slot`'s time, for `patient` and `actors` (references such as `Practitioner/dr-a`).
pub fn appointment(slot: &Value, patient: &str, actors: &[&str]) -> Value {
    let mut made = unslotted("booked", text(slot, "start"), text(slot, "end"), patient, actors);
    made["slot"] = json!([{ "reference": format!("Slot/{}", text(slot, "id")) }]);
    made
}

/// An Appointment that names no Slot.
pub fn unslotted(status: &str, start: &str, end: &str, patient: &str, actors: &[&str]) -> Value {
    let patient = format!("Patient/{patient}");
    let participants: Vec<Value> = std::iter::once(patient.as_str())
        .chain(actors.iter().copied())
        .map(|actor| json!({ "actor": { "reference": actor }, "status": "accepted" }))
        .collect();
    json!({
        "resourceType": "Appointment", "status": status, "start": start, "end": end,
        "participant": participants,
    })
}

/// `resource` with its `id` set: what a PUT sends.
pub fn with_id(mut resource: Value, id: &str) -> Value {
    resource["id"] = json!(id);
    resource
}

/// `resource` with one more field set.
pub fn with(mut resource: Value, field: &str, value: impl Into<Value>) -> Value {
    resource[field] = value.into();
    resource
}

/// A transaction Bundle of `(method, url, resource)` entries.
pub fn transaction(entries: &[(&str, &str, Option<Value>)]) -> Value {
    let entries: Vec<Value> = entries
        .iter()
        .map(|(method, url, resource)| {
            let mut entry = json!({ "request": { "method": method, "url": url } });
            if let Some(resource) = resource {
                entry["resource"] = resource.clone();
            }
            entry
        })
        .collect();
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
