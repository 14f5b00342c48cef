//! `$export` of the system, of all patients, of a Group and of the audit log.

use super::operations::Operation;
use super::{parameters, put};
use crate::fhir::registry::TYPES;
use serde_json::{Map, Value, json};

/// Adds the kick-off requests.
pub(super) fn add(paths: &mut Map<String, Value>) {
    let all = [
        ("/fhir/$export", "System", "", "Export everything"),
        ("/fhir/Patient/$export", "Patient", "Patient", "Export the records of all patients"),
        ("/fhir/Group/{id}/$export", "Group", "Group", "Export the records of the members of a Group"),
        ("/fhir/AuditEvent/$export", "System", "AuditEvent", "Export the audit log with its proofs"),
    ];
    for (path, tag, of, summary) in all {
        let operation = |method, id: &str| {
            let mut operation = Operation::new(method, &format!("{id}{of}"), summary, &[202, 400, 404, 406]);
            operation.tag = tag;
            operation.parameters = if of == "Group" { parameters::refs(&["Id"]) } else { Vec::new() };
            operation.parameters.push(json!({
                "name": "Prefer", "in": "header", "required": true, "schema": { "const": "respond-async" },
                "description": "An export is answered later: Content-Location says where to ask"
            }));
            operation
        };
        let mut get = operation("get", "export");
        get.parameters.extend(asked(of));
        let mut post = operation("post", "exportByParameters");
        post.body = Some("ExportParameters".to_owned());
        put(paths, path, vec![get, post]);
    }
}

fn asked(of: &str) -> Vec<Value> {
    let parameter = |name: &str, schema: Value| json!({ "name": name, "in": "query", "schema": schema });
    let instant = json!({ "type": "string", "format": "date-time" });
    let text = json!({ "type": "string" });
    let mut all = vec![
        parameter(
            "_outputFormat",
            json!({ "enum": ["application/fhir+ndjson", "application/ndjson", "ndjson"] }),
        ),
        parameter("_since", instant.clone()),
    ];
    if of == "AuditEvent" {
        all.push(parameter("_until", instant));
    } else {
        let types: Vec<&str> = TYPES.iter().map(|rtype| rtype.name).collect();
        all.push(parameter("_type", json!({ "enum": types })));
        all.push(parameter("_typeFilter", text.clone()));
    }
    if !of.is_empty() {
        all.push(parameter("patient", text));
    }
    all
}

/// The schema of what is posted.
pub(super) fn schema() -> Value {
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
                        "name": { "enum": ["_outputFormat", "_since", "_type", "_typeFilter", "patient"] },
                        "valueString": { "type": "string" },
                        "valueInstant": { "type": "string", "format": "date-time" },
                        "valueReference": {
                            "type": "object",
                            "properties": { "reference": { "type": "string" } }
                        }
                    }
                }
            }
        }
    })
}
