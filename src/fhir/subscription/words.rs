//! URLs and codes of the Subscriptions R5 Backport IG 1.1, and of ours.

use serde_json::Value;

/// What the canonical URLs of the IG's profiles and extensions begin with.
pub const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
/// The IG's statement of what a server does.
pub const SERVER: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/CapabilityStatement/backport-subscription-server-r4";
/// `$status`
pub const STATUS_OPERATION: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status";
/// `$events`
pub const EVENTS_OPERATION: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events";
/// `$get-ws-binding-token`
pub const TOKEN_OPERATION: &str = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-get-ws-binding-token";
/// `$signing-keys`, which is ours.
pub const KEYS_OPERATION: &str = "https://slotwright.org/fhir/OperationDefinition/subscription-signing-keys";
/// `$rotate-secret`, which is ours.
pub const ROTATE_OPERATION: &str =
    "https://slotwright.org/fhir/OperationDefinition/subscription-rotate-secret";
/// The extension by which a CapabilityStatement names a topic.
pub const TOPIC_EXTENSION: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical";
/// What extensions begin with that write R5's Subscription in R4 element by element.
pub const CROSS_VERSION: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription";
/// R4's channel types.
pub const CHANNEL_TYPE: &str = "http://terminology.hl7.org/CodeSystem/subscription-channel-type";
/// Channel types of ours.
pub const OUR_CHANNEL_TYPE: &str = "https://slotwright.org/fhir/CodeSystem/subscription-channel-type";
/// Server-sent events, one of ours.
pub const SERVER_SENT_EVENTS: &str = "server-sent-events";
/// The tag by which a Subscription says whose it is: a hash of their name.
pub const OWNER: &str = "https://slotwright.org/fhir/CodeSystem/subscription-owner";

/// The tag (system and code) by which a Subscription says that an administrator set it up as a plain JSON webhook.
pub const WEBHOOK: (&str, &str) = ("https://slotwright.org/fhir/CodeSystem/subscription-door", "webhook");

/// The extensions of the IG with this name that an element has.
pub fn extensions<'a>(element: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let url = format!("{BACKPORT}{name}");
    let all = element.get("extension").and_then(Value::as_array).into_iter().flatten();
    all.filter(move |extension| extension.get("url").and_then(Value::as_str) == Some(&url))
}
