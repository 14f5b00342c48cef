//! What the benchmarks read, search and book: clinicians, each with thirty quarter hours a day.

use crate::support::{Client, clinic};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// Slots of one clinician on one day.
pub const A_DAY: usize = 30;
/// Clinicians.
pub const CLINICIANS: usize = 20;

/// The search for one clinician's free slots on one day.
pub const CLINIC_DAY: &str =
    "Slot?schedule=Schedule/sch-7&start=ge2031-03-03&start=lt2031-03-04&status=free&_count=100";

/// Number `n` of all slots: clinicians side by side, day after day.
pub fn slot(n: usize) -> Value {
    let clinician = n % CLINICIANS;
    let (day, quarter) = (n / CLINICIANS / A_DAY, n / CLINICIANS % A_DAY);
    let minutes = i64::try_from(day * 24 * 60 + quarter * 15).expect("a time");
    let start = clinic::later(&clinic::at("08:00"), minutes);
    clinic::slot(&format!("slot-{n}"), &format!("sch-{clinician}"), &start, 15)
}

/// The booking of slot `n`.
pub fn booking(n: usize) -> Value {
    clinic::appointment(
        &slot(n),
        &format!("pat-{}", n % 100),
        &[&format!("Practitioner/dr-{}", n % CLINICIANS)],
    )
}

/// Stores clinicians, schedules, patients and `slots` slots, then books every slot from `booked_from` on.
pub async fn seed(client: &Client, slots: usize, booked_from: usize) {
    let mut people: Vec<Value> = (0..100).map(|n| clinic::patient_resource(&format!("pat-{n}"))).collect();
    for n in 0..CLINICIANS {
        people.push(clinic::practitioner(&format!("dr-{n}")));
        people.push(clinic::schedule(&format!("sch-{n}"), &format!("Practitioner/dr-{n}")));
    }
    put_all(client, people.into_iter()).await;
    put_all(client, (0..slots).map(slot)).await;
    let bookings = (booked_from..slots).map(|n| clinic::with_id(booking(n), &format!("booked-{n}")));
    put_all(client, bookings).await;
}

async fn put_all(client: &Client, resources: impl Iterator<Item = Value>) {
    let mut resources = resources.peekable();
    let mut bundles = Vec::new();
    while resources.peek().is_some() {
        let entries: Vec<Value> = resources
            .by_ref()
            .take(250)
            .map(|resource| {
                let url = format!("{}/{}", text(&resource, "resourceType"), text(&resource, "id"));
                json!({ "request": { "method": "PUT", "url": url }, "resource": resource })
            })
            .collect();
        bundles
            .push(json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries }).to_string());
    }
    let sent = stream::iter(bundles).map(|bundle| async move {
        let request = client.request(reqwest::Method::POST, "").header("Prefer", "return=minimal");
        let _ = request.bytes("application/fhir+json", bundle.into_bytes()).send().await.is(200);
    });
    sent.buffer_unordered(4).collect::<Vec<()>>().await;
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
