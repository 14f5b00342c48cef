//! The CapabilityStatement, from the same tables that the server works by (R4 `capabilitystatement.html`).

use super::registry::{COMMON, LOGGED, ParamKind, ResourceType, SearchParam, TYPES};
use super::subscription::topic::{TOPICS, Topic};
use super::subscription::words;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// When what the server offers last changed.
const DATE: &str = "2026-11-22";

/// What the canonical URLs of operations of the Bulk Data Access IG begin with.
const BULK: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/";
/// The export of the audit log, which is ours.
const AUDIT_EXPORT: &str = "https://slotwright.org/fhir/OperationDefinition/audit-event-export";

/// The operations of Subscription (Subscriptions R5 Backport 1.1).
const OF_SUBSCRIPTION: &[(&str, &str)] = &[
    ("status", words::STATUS_OPERATION),
    ("events", words::EVENTS_OPERATION),
    ("get-ws-binding-token", words::TOKEN_OPERATION),
    ("signing-keys", words::KEYS_OPERATION),
    ("rotate-secret", words::ROTATE_OPERATION),
];

/// `$export` of a type, by its canonical URL.
fn export(rtype: &str) -> Option<String> {
    match rtype {
        "Patient" => Some(format!("{BULK}patient-export")),
        "Group" => Some(format!("{BULK}group-export")),
        _ => None,
    }
}

static TEMPLATE: LazyLock<Value> = LazyLock::new(template);

/// The statement of the server at `base` (no slash at the end).
pub fn statement(base: &str) -> Value {
    let mut statement = TEMPLATE.clone();
    if let Some(members) = statement.as_object_mut() {
        members.insert("url".to_owned(), format!("{base}/metadata").into());
        let implementation = json!({ "description": "Slotwright scheduling gateway", "url": base });
        members.insert("implementation".to_owned(), implementation);
    }
    if let Some(security) = statement.pointer_mut("/rest/0/security") {
        *security = self::security(base);
    }
    statement
}

/// Where access is asked for (SMART App Launch, the extension that SMART 1 clients read).
fn security(base: &str) -> Value {
    let origin = base.strip_suffix("/fhir").unwrap_or(base);
    let uri = |name: &str, path: &str| json!({ "url": name, "valueUri": format!("{origin}/oauth/{path}") });
    json!({
        "extension": [{
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [
                uri("authorize", "authorize"),
                uri("token", "token"),
                uri("register", "register"),
                uri("introspect", "introspect"),
                uri("revoke", "revoke")
            ]
        }],
        "cors": true,
        "service": [{
            "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR"
            }],
            "text": "OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)"
        }],
        "description": "SMART App Launch 2.2: every request except this one and the discovery documents needs an access token. See .well-known/smart-configuration."
    })
}

fn template() -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "url": "",
        "version": env!("CARGO_PKG_VERSION"),
        "name": "Slotwright",
        "title": "Slotwright scheduling gateway",
        "status": "active",
        "date": DATE,
        "description": "Schedules, slots and appointments of a clinic. An appointment claims the time of its slots and actors in the transaction that stores it; a claim that can't be had is a 409 that names every conflict.",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data", words::SERVER],
        "kind": "instance",
        "software": { "name": "Slotwright", "version": env!("CARGO_PKG_VERSION") },
        "implementation": {},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json", "application/fhir+xml"],
        "rest": [{
            "mode": "server",
            "security": {},
            "resource": TYPES.iter().map(resource).chain(LOGGED.iter().map(logged)).collect::<Vec<_>>(),
            "operation": [{ "name": "export", "definition": format!("{BULK}export") }],
            "interaction": codes(&["transaction", "batch", "search-system", "history-system"]),
            "searchParam": COMMON.iter().map(search_param).collect::<Vec<_>>(),
            "compartment": [
                "http://hl7.org/fhir/CompartmentDefinition/patient",
                "http://hl7.org/fhir/CompartmentDefinition/practitioner"
            ]
        }]
    })
}

/// A type of the audit log: written once, read and searched for.
fn logged(rtype: &ResourceType) -> Value {
    json!({
        "type": rtype.name,
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{}", rtype.name),
        "interaction": codes(&["read", "create", "search-type"]),
        "versioning": "no-version",
        "readHistory": false,
        "updateCreate": false,
        "operation": [{ "name": "export", "definition": AUDIT_EXPORT }],
        "searchParam": rtype.all_params().map(search_param).collect::<Vec<_>>()
    })
}

fn resource(rtype: &ResourceType) -> Value {
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
    let of_subscription = rtype.name == "Subscription";
    if of_subscription {
        let topic = |topic: &Topic| json!({ "url": words::TOPIC_EXTENSION, "valueCanonical": topic.url });
        put("extension", TOPICS.iter().map(topic).collect());
    }
    put("type", rtype.name.into());
    put("profile", format!("http://hl7.org/fhir/StructureDefinition/{}", rtype.name).into());
    let profiles = supported_profiles(rtype.name);
    if !profiles.is_empty() {
        put("supportedProfile", json!(profiles));
    }
    put(
        "interaction",
        codes(&[
            "read",
            "vread",
            "update",
            "patch",
            "delete",
            "history-instance",
            "history-type",
            "create",
            "search-type",
        ]),
    );
    put("versioning", "versioned-update".into());
    put("readHistory", true.into());
    // Whoever may not know of every subscription has no say in their ids.
    put("updateCreate", (!of_subscription).into());
    put("conditionalCreate", true.into());
    put("conditionalRead", "full-support".into());
    put("conditionalUpdate", true.into());
    put("conditionalDelete", "single".into());
    put("referencePolicy", json!(["literal", "logical", "local", "enforced"]));
    let includes = includes(rtype);
    if !includes.is_empty() {
        put("searchInclude", json!(includes));
    }
    let revincludes = revincludes(rtype);
    if !revincludes.is_empty() {
        put("searchRevInclude", json!(revincludes));
    }
    put("searchParam", rtype.all_params().map(search_param).collect());
    let validate = "http://hl7.org/fhir/OperationDefinition/Resource-validate";
    let mut operations = vec![json!({ "name": "validate", "definition": validate })];
    operations.extend(export(rtype.name).map(|url| json!({ "name": "export", "definition": url })));
    if of_subscription {
        let named = |(name, url): &(&str, &str)| json!({ "name": name, "definition": url });
        operations.extend(OF_SUBSCRIPTION.iter().map(named));
    }
    put("operation", Value::Array(operations));
    Value::Object(row)
}

/// Profiles that resources of a type may claim: our own, and that of subscriptions to topics.
fn supported_profiles(rtype: &str) -> Vec<String> {
    if rtype == "Subscription" {
        return vec![format!("{}backport-subscription", words::BACKPORT)];
    }
    let definitions = super::validate::definitions();
    definitions
        .iter()
        .filter(|(kind, _, _)| *kind == "StructureDefinition")
        .filter_map(|(_, _, text)| serde_json::from_str::<Value>(text).ok())
        .filter(|profile| profile.get("type").and_then(Value::as_str) == Some(rtype))
        .filter_map(|profile| profile.get("url")?.as_str().map(str::to_owned))
        .collect()
}

/// `Type:param` of every reference parameter, as `_include` takes it.
pub fn includes(rtype: &ResourceType) -> Vec<String> {
    let references = rtype.all_params().filter(|param| param.kind == ParamKind::Reference);
    references.map(|param| format!("{}:{}", rtype.name, param.code)).collect()
}

/// `Type:param` of every reference parameter that may point at `rtype`, as `_revinclude` takes it.
pub fn revincludes(rtype: &ResourceType) -> Vec<String> {
    let mut found = Vec::new();
    for other in TYPES {
        let pointing = other.all_params().filter(|param| {
            param.kind == ParamKind::Reference
                && (param.targets.is_empty() || param.targets.contains(&rtype.name))
        });
        found.extend(pointing.map(|param| format!("{}:{}", other.name, param.code)));
    }
    found
}

fn search_param(param: &SearchParam) -> Value {
    json!({ "name": param.code, "definition": param.url, "type": kind_code(param.kind) })
}

/// The R4 code of a kind of search parameter.
pub fn kind_code(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Token => "token",
        ParamKind::Reference => "reference",
        ParamKind::Date => "date",
        ParamKind::String => "string",
        ParamKind::Uri => "uri",
        ParamKind::Quantity => "quantity",
        ParamKind::Special => "special",
        ParamKind::Composite => "composite",
    }
}

fn codes(codes: &[&str]) -> Value {
    codes.iter().map(|code| json!({ "code": code })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_registry_is_there() {
        let statement = statement("http://127.0.0.1:8080/fhir");
        let rows = statement["rest"][0]["resource"].as_array().expect("resources");
        assert_eq!(rows.len(), TYPES.len() + LOGGED.len());
        for (row, rtype) in rows.iter().zip(TYPES.iter().chain(LOGGED)) {
            assert_eq!(row["type"], rtype.name);
            let codes: Vec<_> = row["searchParam"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
            assert!(rtype.all_params().all(|p| codes.contains(&&Value::from(p.code))), "{}", rtype.name);
        }
        assert_eq!(statement["implementation"]["url"], "http://127.0.0.1:8080/fhir");
    }

    #[test]
    fn it_is_valid_r4() {
        let text = statement("http://127.0.0.1:8080/fhir").to_string();
        fhirkit::from_json_strict::<fhirkit::r4::Resource>(&text).expect("valid");
    }

    #[test]
    fn includes_name_reference_parameters() {
        let slot = crate::fhir::registry::resource_type("Slot").expect("Slot");
        assert_eq!(includes(slot), ["Slot:schedule"]);
        assert!(revincludes(slot).contains(&"Appointment:slot".to_owned()));
    }
}
