//! Operations, their answers and headers.

use super::examples;
use serde_json::{Map, Value, json};

/// An operation to describe.
pub(super) struct Operation {
    pub(super) method: &'static str,
    id: String,
    summary: String,
    statuses: Vec<u16>,
    pub(super) tag: &'static str,
    /// Type of the resource in the answer.
    pub(super) answer: &'static str,
    pub(super) parameters: Vec<Value>,
    /// Schema of the resource in the body.
    pub(super) body: Option<String>,
    /// Whether the body is a patch.
    pub(super) patch: bool,
    /// Schema of a form.
    pub(super) form: Option<Value>,
    /// Whether what is created can be followed to what can be done with it.
    pub(super) links: bool,
}

impl Operation {
    pub(super) fn new(method: &'static str, id: &str, summary: &str, statuses: &[u16]) -> Self {
        let mut statuses = statuses.to_vec();
        statuses.sort_unstable();
        Self {
            method,
            id: id.to_owned(),
            summary: summary.to_owned(),
            statuses,
            tag: "System",
            answer: "OperationOutcome",
            parameters: Vec::new(),
            body: None,
            patch: false,
            form: None,
            links: false,
        }
    }
}

/// The Operation Object.
pub(super) fn describe(operation: &Operation) -> Value {
    let mut described = Map::new();
    described.insert("tags".to_owned(), json!([operation.tag]));
    described.insert("operationId".to_owned(), operation.id.as_str().into());
    described.insert("summary".to_owned(), operation.summary.as_str().into());
    let mut parameters = operation.parameters.clone();
    parameters.extend(super::parameters::refs(&["Format", "Pretty", "RequestId"]));
    described.insert("parameters".to_owned(), Value::Array(parameters));
    if let Some(body) = body(operation) {
        described.insert("requestBody".to_owned(), body);
    }
    let mut responses = Map::new();
    for status in &operation.statuses {
        responses.insert(status.to_string(), response(operation, *status));
    }
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Refused" }));
    described.insert("responses".to_owned(), Value::Object(responses));
    Value::Object(described)
}

fn body(operation: &Operation) -> Option<Value> {
    if let Some(schema) = &operation.form {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        return Some(json!({ "content": content }));
    }
    if operation.patch {
        return Some(json!({
            "required": true,
            "content": {
                "application/json-patch+json": {
                    "schema": { "$ref": "#/components/schemas/JsonPatch" },
                    "example": examples::json_patch(operation.tag)
                },
                "application/fhir+json": {
                    "schema": { "$ref": "#/components/schemas/FhirPathPatch" },
                    "example": examples::fhirpath_patch(operation.tag)
                }
            }
        }));
    }
    let schema = operation.body.as_deref()?;
    let reference = format!("#/components/schemas/{schema}");
    let mut json_body = json!({ "schema": { "$ref": reference } });
    if let (Some(example), Some(members)) = (examples::body(schema), json_body.as_object_mut()) {
        members.insert("example".to_owned(), example);
    }
    Some(json!({
        "required": true,
        "content": {
            "application/fhir+json": json_body,
            "application/fhir+xml": { "schema": { "type": "string", "description": "The same as FHIR XML" } }
        }
    }))
}

fn response(operation: &Operation, status: u16) -> Value {
    if status >= 400 {
        return json!({ "$ref": format!("#/components/responses/R{status}") });
    }
    if matches!(status, 204 | 304) {
        let description = if status == 204 { "Deleted, or not there" } else { "Not changed" };
        return json!({ "description": description });
    }
    let mut headers = Map::new();
    let versioned =
        !matches!(operation.answer, "Bundle" | "CapabilityStatement" | "OperationOutcome" | "Parameters");
    if versioned {
        for name in ["ETag", "Last-Modified"] {
            headers.insert(name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
        }
        if status == 201 {
            headers.insert("Location".to_owned(), json!({ "$ref": "#/components/headers/Location" }));
        }
    }
    headers.insert("X-Request-Id".to_owned(), json!({ "$ref": "#/components/headers/X-Request-Id" }));
    let resource = json!({
        "type": "object",
        "required": ["resourceType"],
        "properties": { "resourceType": { "enum": [operation.answer, "OperationOutcome"] } }
    });
    let description = if status == 201 { "Created" } else { "Done" };
    let mut response = json!({
        "description": description,
        "headers": headers,
        "content": {
            "application/fhir+json": { "schema": resource },
            "application/fhir+xml": { "schema": { "type": "string" } }
        }
    });
    if let (true, 201, Some(members)) = (operation.links, status, response.as_object_mut()) {
        members.insert("links".to_owned(), links(operation.tag));
    }
    response
}

fn links(rtype: &str) -> Value {
    let mut links = Map::new();
    for what in ["read", "update", "patch", "delete", "history"] {
        let link =
            json!({ "operationId": format!("{what}{rtype}"), "parameters": { "id": "$response.body#/id" } });
        links.insert(what.to_owned(), link);
    }
    Value::Object(links)
}

/// Headers of answers.
pub(super) fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "ETag": text("The version, such as W/\"3\""),
        "Last-Modified": text("When the version was written"),
        "Location": text("Where the version is"),
        "X-Request-Id": text("Names the request in the server's log")
    })
}

const REFUSALS: &[(u16, &str)] = &[
    (400, "Can't be understood"),
    (404, "No such resource, version or route"),
    (406, "None of the accepted formats can be produced"),
    (409, "Taken time, edited meanwhile, or still referred to; every conflict is an issue"),
    (410, "Deleted"),
    (412, "A condition that the client set does not hold"),
    (413, "Larger than the server takes"),
    (415, "A format that the server does not read"),
    (422, "Understood, and against a rule; every problem is an issue"),
];

/// Refusals, each with an OperationOutcome.
pub(super) fn responses() -> Value {
    let refusal = |description: &str| {
        json!({
            "description": description,
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": {
                "application/fhir+json": { "schema": { "$ref": "#/components/schemas/OperationOutcome" } },
                "application/fhir+xml": { "schema": { "type": "string" } }
            }
        })
    };
    let mut responses = Map::new();
    for (status, description) in REFUSALS {
        responses.insert(format!("R{status}"), refusal(description));
    }
    responses.insert("Refused".to_owned(), refusal("Any other refusal"));
    Value::Object(responses)
}
