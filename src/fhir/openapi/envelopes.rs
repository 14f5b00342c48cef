//! Schemas of what is no served resource: Bundles, patches, Parameters, OperationOutcome.

use crate::fhir::registry::TYPES;
use serde_json::{Value, json};

/// Schemas of what is no served resource.
pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let pointer = json!({ "type": "string", "pattern": "^(/[A-Za-z0-9]{1,20}){1,4}(/-)?$" });
    let part = json!({
        "type": "object",
        "required": ["name"],
        "properties": { "name": { "enum": ["type", "path", "name", "value", "index", "source", "destination"] } }
    });
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];
    vec![
        (
            "OperationOutcome",
            json!({
                "type": "object",
                "required": ["resourceType", "issue"],
                "properties": {
                    "resourceType": { "const": "OperationOutcome" },
                    "issue": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["severity", "code"],
                            "properties": {
                                "severity": { "enum": ["fatal", "error", "warning", "information"] },
                                "code": { "type": "string" },
                                "diagnostics": { "type": "string" },
                                "expression": { "type": "array", "items": { "type": "string" } }
                            }
                        }
                    }
                }
            }),
        ),
        (
            "JsonPatch",
            json!({
                "type": "array",
                "minItems": 1,
                "maxItems": 1000,
                "items": {
                    "type": "object",
                    "required": ["op", "path"],
                    "properties": {
                        "op": { "enum": ["add", "remove", "replace", "move", "copy", "test"] },
                        "path": pointer,
                        "from": pointer,
                        "value": {}
                    }
                }
            }),
        ),
        (
            "FhirPathPatch",
            json!({
                "type": "object",
                "required": ["resourceType", "parameter"],
                "properties": {
                    "resourceType": { "const": "Parameters" },
                    "parameter": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 250,
                        "items": {
                            "type": "object",
                            "required": ["name", "part"],
                            "properties": {
                                "name": { "const": "operation" },
                                "part": { "type": "array", "minItems": 2, "items": part }
                            }
                        }
                    }
                }
            }),
        ),
        (
            "ValidateParameters",
            json!({
                "type": "object",
                "required": ["resourceType", "parameter"],
                "properties": {
                    "resourceType": { "const": "Parameters" },
                    "parameter": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": { "enum": ["mode", "profile", "resource"] },
                                "valueCode": { "enum": ["create", "update", "delete"] },
                                "valueUri": { "type": "string" },
                                "resource": { "type": "object" }
                            }
                        }
                    }
                }
            }),
        ),
        ("ExportParameters", super::exports::schema()),
        ("RotationParameters", super::subscriptions::rotation()),
        (
            "RequestBundle",
            json!({
                "type": "object",
                "required": ["resourceType", "type"],
                "properties": {
                    "resourceType": { "const": "Bundle" },
                    "type": { "enum": ["batch", "transaction"] },
                    "entry": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 10_000,
                        "items": {
                            "type": "object",
                            "required": ["request"],
                            "properties": {
                                "fullUrl": { "type": "string", "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$" },
                                "resource": { "anyOf": TYPES.iter().map(|t| json!({ "$ref": format!("#/components/schemas/{}", t.name) })).collect::<Vec<_>>() },
                                "request": {
                                    "type": "object",
                                    "required": ["method", "url"],
                                    "properties": {
                                        "method": { "enum": methods },
                                        "url": { "type": "string", "pattern": format!("^({})(/[A-Za-z0-9.-]{{1,64}})?$", TYPES.iter().map(|t| t.name).collect::<Vec<_>>().join("|")) },
                                        "ifMatch": { "type": "string" },
                                        "ifNoneMatch": { "type": "string" },
                                        "ifModifiedSince": { "type": "string", "format": "date-time" },
                                        "ifNoneExist": { "type": "string" }
                                    }
                                }
                            }
                        }
                    }
                }
            }),
        ),
    ]
}
