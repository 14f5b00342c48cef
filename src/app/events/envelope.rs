//! An event for systems that read streams: CloudEvents 1.0 in JSON. It names the resource and nothing of any patient.

use crate::clock::instant_text;
use crate::store::events::Event;
use serde_json::{Value, json};

/// The media type of [`envelope`].
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// An event in its envelope; `base` is that of the FHIR endpoint.
pub fn envelope(base: &str, event: &Event) -> Value {
    // Whoever reads by type gets each event once: by what it is most of all.
    let kind = match event.topics.first() {
        Some(topic) => topic.clone(),
        None => format!("{}-written", event.rtype.to_ascii_lowercase()),
    };
    let change = match (event.is_deletion(), event.before_vid) {
        (true, _) => "deleted",
        (false, None) => "created",
        (false, Some(_)) => "updated",
    };
    json!({
        "specversion": "1.0",
        "id": event.seq.to_string(),
        "source": base,
        "type": format!("org.slotwright.{kind}"),
        "subject": event.reference(),
        "time": instant_text(event.at_us),
        "datacontenttype": "application/json",
        // CloudEvents "Sequence": compares as text.
        "sequence": format!("{:020}", event.seq),
        "data": {
            "number": event.seq,
            "change": change,
            "resource": event.reference(),
            "version": event.vid.to_string(),
            "topics": event.topics,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_names_the_resource_and_no_patient() {
        let event = Event {
            seq: 42,
            rtype: "Appointment".to_owned(),
            rid: 1,
            id: "a".to_owned(),
            vid: 2,
            before_vid: Some(1),
            topics: vec!["appointment-booked".to_owned(), "appointment-changed".to_owned()],
            at_us: 1_900_000_000_000_000,
            method: "PATCH".to_owned(),
            body: Some(br#"{"participant":[{"actor":{"reference":"Patient/p"}}]}"#.to_vec()),
            before: None,
        };
        let told = envelope("https://clinic.example/fhir", &event);
        assert_eq!(
            told,
            json!({
                "specversion": "1.0", "id": "42", "source": "https://clinic.example/fhir",
                "type": "org.slotwright.appointment-booked", "subject": "Appointment/a",
                "time": "2030-03-17T17:46:40.000Z", "datacontenttype": "application/json",
                "sequence": "00000000000000000042",
                "data": { "number": 42, "change": "updated", "resource": "Appointment/a", "version": "2",
                    "topics": ["appointment-booked", "appointment-changed"] },
            })
        );
        let deleted = Event { method: "DELETE".to_owned(), topics: Vec::new(), ..event };
        let told = envelope("", &deleted);
        assert_eq!(told["type"], "org.slotwright.appointment-written");
        assert_eq!(told["data"]["change"], "deleted");
    }
}
