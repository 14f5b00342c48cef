//! Subscriptions: what is accepted, whose they are, what is told of them, and by which connections.

mod accepted;
mod access;
mod discovery;
mod hostile;
mod operations;
mod refused;
mod sent_events;
mod socket;
mod states;

use crate::support::{Client, Reply, TestApp, clinic};
use serde_json::{Value, json};

pub const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/// The canonical URL of a topic.
pub fn topic(code: &str) -> String {
    format!("https://slotwright.org/fhir/SubscriptionTopic/{code}")
}

/// A subscription to a topic over one of the channels, at a content level.
pub fn subscription(code: &str, channel: &str, content: &str) -> Value {
    let mut channel = match channel {
        "rest-hook" => json!({ "type": "rest-hook", "endpoint": "https://receiver.example/hook",
            "header": ["Authorization: Bearer s3cr3t"] }),
        "websocket" => json!({ "type": "websocket" }),
        _ => json!({ "type": "message", "_type": { "extension": [{
            "url": format!("{BACKPORT}backport-channel-type"),
            "valueCoding": { "system": "https://slotwright.org/fhir/CodeSystem/subscription-channel-type",
                "code": "server-sent-events" }
        }] } }),
    };
    channel["payload"] = json!("application/fhir+json");
    channel["_payload"] = json!({ "extension": [{
        "url": format!("{BACKPORT}backport-payload-content"), "valueCode": content }] });
    json!({ "resourceType": "Subscription", "status": "requested", "reason": "a test",
        "criteria": topic(code), "channel": channel })
}

/// The same with filters.
pub fn filtered(mut subscription: Value, filters: &[&str]) -> Value {
    let extension = filters
        .iter()
        .map(|filter| json!({ "url": format!("{BACKPORT}backport-filter-criteria"), "valueString": filter }));
    subscription["_criteria"] = json!({ "extension": extension.collect::<Vec<_>>() });
    subscription
}

/// A classic subscription.
pub fn classic(criteria: &str, payload: Option<&str>) -> Value {
    let mut channel = json!({ "type": "rest-hook", "endpoint": "https://receiver.example/hook" });
    if let Some(payload) = payload {
        channel["payload"] = json!(payload);
    }
    json!({ "resourceType": "Subscription", "status": "requested", "reason": "a test", "criteria": criteria,
        "channel": channel })
}

/// Gives numbers to what happened, and hands it out, as the worker does.
pub async fn hand_out(app: &TestApp) {
    app.number_events().await;
}

/// Books `slot` for `pat-1`, and hands the event out; gives the id of the appointment.
pub async fn book(app: &TestApp, client: &Client, slot: &str) -> String {
    let slot = client.get(&format!("Slot/{slot}")).await.is(200).json;
    let booked = client.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
    hand_out(app).await;
    booked.id().to_owned()
}

/// The value of a parameter of a status.
pub fn told<'a>(parameters: &'a Value, name: &str) -> &'a str {
    let all = parameters["parameter"].as_array().expect("parameters");
    let found = all.iter().find(|parameter| parameter["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} in {parameters}"));
    let value = found.as_object().expect("a parameter").iter().find(|(name, _)| name.starts_with("value"));
    let value = value.expect("a value").1;
    value.as_str().or_else(|| value["reference"].as_str()).expect("a text")
}

/// The status that `$status` tells of one subscription.
pub async fn status_of(client: &Client, id: &str) -> Value {
    let reply: Reply = client.get(&format!("Subscription/{id}/$status")).await.is(200);
    assert_eq!((reply.text("/type"), reply.json["total"].as_i64()), ("searchset", Some(1)));
    reply.json["entry"][0]["resource"].clone()
}
