//! The operations of Subscription.

use super::operations::Operation;
use super::{parameters, put};
use serde_json::{Map, Value, json};

/// Adds `$status`, `$events`, `$get-ws-binding-token`, `$signing-keys` and `$rotate-secret`.
pub(super) fn add(paths: &mut Map<String, Value>) {
    let named = |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
    let id = || named("id", "Ids of subscriptions; any of several, separated by commas");
    let statuses = || named("status", "requested, active, error or off; any of several, separated by commas");
    let number = |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "integer", "minimum": 0 } });
    let events = vec![
        number("eventsSinceNumber", "The first event"),
        number("eventsUntilNumber", "The last event"),
        json!({ "name": "content", "in": "query", "schema": { "enum": ["empty", "id-only", "full-resource"] } }),
    ];
    let all = [
        (
            "/fhir/Subscription/$status",
            "statusOfSubscriptions",
            "How subscriptions are",
            "Bundle",
            vec![id(), statuses()],
        ),
        (
            "/fhir/Subscription/{id}/$status",
            "statusOfSubscription",
            "How a subscription is",
            "Bundle",
            Vec::new(),
        ),
        ("/fhir/Subscription/{id}/$events", "eventsOfSubscription", "Events of the past", "Bundle", events),
        (
            "/fhir/Subscription/$get-ws-binding-token",
            "tokenForSubscriptions",
            "A token that binds a WebSocket to subscriptions",
            "Parameters",
            vec![id()],
        ),
        (
            "/fhir/Subscription/{id}/$get-ws-binding-token",
            "tokenForSubscription",
            "A token that binds a WebSocket to a subscription",
            "Parameters",
            Vec::new(),
        ),
        (
            "/fhir/Subscription/{id}/$signing-keys",
            "signingKeysOfSubscription",
            "What notifications are verified with",
            "Parameters",
            Vec::new(),
        ),
        (
            "/fhir/Subscription/{id}/$rotate-secret",
            "rotateSecretOfSubscription",
            "Replace a key that notifications are signed with (Parameters with a kind: hmac or ed25519)",
            "Parameters",
            Vec::new(),
        ),
    ];
    for (path, name, summary, answer, asked) in all {
        let posts = path.ends_with("$rotate-secret");
        let mut operation =
            Operation::new(if posts { "post" } else { "get" }, name, summary, &[200, 400, 404, 406, 422]);
        operation.tag = "Subscription";
        operation.answer = answer;
        if path.contains("{id}") {
            operation.parameters = parameters::refs(&["Id"]);
        }
        operation.parameters.extend(asked);
        if posts {
            operation.body = Some("RotationParameters".to_owned());
        }
        put(paths, path, vec![operation]);
    }
}

/// The body of `$rotate-secret`.
pub(super) fn rotation() -> Value {
    let kind = json!({
        "type": "object",
        "required": ["name", "valueCode"],
        "additionalProperties": false,
        "properties": { "name": { "const": "kind" }, "valueCode": { "enum": ["hmac", "ed25519"] } }
    });
    json!({
        "type": "object",
        "required": ["resourceType", "parameter"],
        "additionalProperties": false,
        "properties": {
            "resourceType": { "const": "Parameters" },
            "parameter": { "type": "array", "minItems": 1, "maxItems": 1, "items": kind }
        }
    })
}
