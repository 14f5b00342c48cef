//! Notifications: a Bundle that begins with the state of the subscription as Parameters (Subscriptions R5 Backport
//! 1.1, `notifications.html`). The same input gives the same bytes, so that what is sent again is what was sent before.

use super::payload::Content;
use super::words::BACKPORT;
use crate::clock::{Micros, instant_text};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What a notification is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// Finds out whether the endpoint is there.
    Handshake,
    /// Says that nothing happened.
    Heartbeat,
    /// Says what happened.
    EventNotification,
    /// Answers `$status`.
    QueryStatus,
    /// Answers `$events`.
    QueryEvent,
}

impl NotificationKind {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Heartbeat => "heartbeat",
            Self::EventNotification => "event-notification",
            Self::QueryStatus => "query-status",
            Self::QueryEvent => "query-event",
        }
    }
}

/// The state of a subscription, and what it tells.
#[derive(Clone, Debug)]
pub struct Status {
    /// Logical id of the Subscription.
    pub subscription: String,
    /// Canonical URL of its topic; absent for classic criteria.
    pub topic: Option<String>,
    /// `requested`, `active`, `error` or `off`.
    pub status: String,
    /// What it is told for.
    pub kind: NotificationKind,
    /// The number of its last event.
    pub events_since_start: i64,
    /// When it is told. For what may be sent again: a time that does not change, such as that of its last event.
    pub at_us: Micros,
    /// The events that it tells, in order.
    pub events: Vec<NotificationEvent>,
    /// What is wrong with it; empty: nothing.
    pub error: String,
}

/// An event as it is told to one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationEvent {
    /// Its number in this subscription.
    pub number: i64,
    /// When it happened.
    pub at_us: Micros,
    /// The resource that it is about; absent when the subscriber may not know.
    pub focus: Option<Focus>,
}

/// The version that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// Resource type.
    pub rtype: String,
    /// Logical id.
    pub id: String,
    /// `meta.versionId`
    pub vid: i64,
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Canonical JSON as the subscriber may see it; absent after a deletion.
    pub resource: Option<Vec<u8>>,
}

impl Focus {
    /// `Type/id`
    pub fn reference(&self) -> String {
        format!("{}/{}", self.rtype, self.id)
    }
}

/// The state of a subscription as Parameters (`backport-subscription-status-r4`).
pub fn parameters(base: &str, status: &Status, content: Content) -> Value {
    let told = content != Content::Empty;
    let subscription = format!("{base}/Subscription/{}", status.subscription);
    let mut parameter =
        vec![json!({ "name": "subscription", "valueReference": { "reference": subscription } })];
    if let Some(topic) = status.topic.as_ref().filter(|_| told) {
        parameter.push(json!({ "name": "topic", "valueCanonical": topic }));
    }
    parameter.push(json!({ "name": "status", "valueCode": status.status }));
    parameter.push(json!({ "name": "type", "valueCode": status.kind.code() }));
    let count = status.events_since_start.to_string();
    parameter.push(json!({ "name": "events-since-subscription-start", "valueString": count }));
    for event in &status.events {
        let mut part = vec![
            json!({ "name": "event-number", "valueString": event.number.to_string() }),
            json!({ "name": "timestamp", "valueInstant": instant_text(event.at_us) }),
        ];
        if let Some(focus) = event.focus.as_ref().filter(|_| told) {
            let reference = format!("{base}/{}", focus.reference());
            part.push(json!({ "name": "focus", "valueReference": { "reference": reference } }));
        }
        parameter.push(json!({ "name": "notification-event", "part": part }));
    }
    if !status.error.is_empty() {
        parameter.push(json!({ "name": "error", "valueCodeableConcept": { "text": status.error } }));
    }
    json!({
        "resourceType": "Parameters",
        "id": stable_id(status, "status"),
        "meta": { "profile": [format!("{BACKPORT}backport-subscription-status-r4")] },
        "parameter": parameter
    })
}

/// The notification: a `history` Bundle whose first entry is the state.
pub fn bundle(base: &str, status: &Status, content: Content) -> Value {
    let state = parameters(base, status, content);
    let mut entries = vec![json!({
        "fullUrl": format!("urn:uuid:{}", stable_id(status, "status")),
        "resource": state,
        "request": {
            "method": "GET",
            "url": format!("{base}/Subscription/{}/$status", status.subscription)
        },
        "response": { "status": "200" }
    })];
    if content != Content::Empty {
        entries.extend(status.events.iter().filter_map(|event| entry(base, event, content)));
    }
    json!({
        "resourceType": "Bundle",
        "id": stable_id(status, "bundle"),
        "meta": { "profile": [format!("{BACKPORT}backport-subscription-notification-r4")] },
        "type": "history",
        "timestamp": instant_text(status.at_us),
        "entry": entries
    })
}

/// The states of subscriptions as a `searchset` Bundle, for `$status`.
pub fn searchset(base: &str, own_url: &str, statuses: &[(Status, Content)]) -> Value {
    let entries: Vec<Value> = statuses
        .iter()
        .map(|(status, content)| {
            json!({
                "fullUrl": format!("urn:uuid:{}", stable_id(status, "status")),
                "resource": parameters(base, status, *content),
                "search": { "mode": "match" }
            })
        })
        .collect();
    let mut bundle = Map::new();
    bundle.insert("resourceType".to_owned(), "Bundle".into());
    bundle.insert("type".to_owned(), "searchset".into());
    bundle.insert("total".to_owned(), entries.len().into());
    bundle.insert("link".to_owned(), json!([{ "relation": "self", "url": own_url }]));
    if !entries.is_empty() {
        bundle.insert("entry".to_owned(), Value::Array(entries));
    }
    Value::Object(bundle)
}

/// The entry of one event.
fn entry(base: &str, event: &NotificationEvent, content: Content) -> Option<Value> {
    let focus = event.focus.as_ref()?;
    let url = if focus.method == "POST" { focus.rtype.clone() } else { focus.reference() };
    let status = match (focus.method.as_str(), focus.vid) {
        ("DELETE", _) => "204",
        (_, 1) => "201",
        _ => "200",
    };
    let mut entry = Map::new();
    entry.insert("fullUrl".to_owned(), format!("{base}/{}", focus.reference()).into());
    if content == Content::FullResource
        && let Some(resource) = focus.resource.as_ref().and_then(|body| serde_json::from_slice(body).ok())
    {
        entry.insert("resource".to_owned(), resource);
    }
    entry.insert("request".to_owned(), json!({ "method": focus.method, "url": url }));
    let response = json!({
        "status": status,
        "etag": format!("W/\"{}\"", focus.vid),
        "lastModified": instant_text(event.at_us)
    });
    entry.insert("response".to_owned(), response);
    Some(Value::Object(entry))
}

/// A UUID (version 8) that is the same whenever the same is told.
fn stable_id(status: &Status, part: &str) -> String {
    let first = status.events.first().map_or(0, |event| event.number);
    let last = status.events.last().map_or(0, |event| event.number);
    let told = format!(
        "{part}\n{}\n{}\n{}\n{first}\n{last}\n{}",
        status.subscription,
        status.kind.code(),
        status.events_since_start,
        status.at_us
    );
    let digest = Sha256::digest(told.as_bytes());
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | (0x8 << 76);
    let number = number & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: NotificationKind) -> Status {
        Status {
            subscription: "s1".to_owned(),
            topic: Some("https://slotwright.org/fhir/SubscriptionTopic/appointment-booked".to_owned()),
            status: "active".to_owned(),
            kind,
            events_since_start: 7,
            at_us: 1_800_000_000_000_000,
            events: vec![NotificationEvent {
                number: 7,
                at_us: 1_800_000_000_000_000,
                focus: Some(Focus {
                    rtype: "Appointment".to_owned(),
                    id: "a1".to_owned(),
                    vid: 1,
                    method: "POST".to_owned(),
                    resource: Some(br#"{"resourceType":"Appointment","id":"a1","status":"booked","participant":[{"status":"accepted","actor":{"reference":"Patient/p"}}]}"#.to_vec()),
                }),
            }],
            error: String::new(),
        }
    }

    fn text(value: &Value) -> String {
        value.to_string()
    }

    #[test]
    fn every_notification_is_valid_r4_and_the_same_each_time() {
        for kind in [NotificationKind::Handshake, NotificationKind::EventNotification] {
            for content in [Content::Empty, Content::IdOnly, Content::FullResource] {
                let told = text(&bundle("https://a.example/fhir", &status(kind), content));
                fhirkit::from_json_strict::<fhirkit::r4::Resource>(&told).expect("valid");
                assert_eq!(told, text(&bundle("https://a.example/fhir", &status(kind), content)));
            }
        }
        let told = text(&searchset(
            "https://a.example/fhir",
            "x",
            &[(status(NotificationKind::QueryStatus), Content::IdOnly)],
        ));
        fhirkit::from_json_strict::<fhirkit::r4::Resource>(&told).expect("valid");
    }

    #[test]
    fn levels_tell_no_more_than_they_say() {
        let base = "https://a.example/fhir";
        let event = status(NotificationKind::EventNotification);
        let empty = bundle(base, &event, Content::Empty);
        assert_eq!(empty["entry"].as_array().unwrap().len(), 1);
        assert!(!text(&empty).contains("Appointment/a1") && !text(&empty).contains("SubscriptionTopic"));
        let ids = bundle(base, &event, Content::IdOnly);
        assert_eq!(ids["entry"][1]["fullUrl"], "https://a.example/fhir/Appointment/a1");
        assert!(ids["entry"][1].get("resource").is_none());
        let full = bundle(base, &event, Content::FullResource);
        assert_eq!(full["entry"][1]["resource"]["id"], "a1");
        for told in [&empty, &ids, &full] {
            for entry in told["entry"].as_array().unwrap() {
                assert!(entry["request"].is_object() && entry["response"].is_object());
            }
        }
    }

    #[test]
    fn ids_are_uuids() {
        let id = stable_id(&status(NotificationKind::Heartbeat), "bundle");
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(id.chars().nth(14) == Some('8') && "89ab".contains(id.chars().nth(19).unwrap()), "{id}");
    }
}
