//! What is offered, for clients to find out (RFC 7643 §5–§7, RFC 7644 §4).

use super::attributes::{GROUP, OURS, USER};
use super::list::MOST;
use crate::auth::principal::Role;
use serde_json::{Value, json};

/// `/ServiceProviderConfig`
pub fn config(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth 2.0 access token",
            "description": "Of a client that is registered with the permission to keep accounts, by client_credentials",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig")
        }
    })
}

/// `/ResourceTypes`
pub fn resource_types(base: &str) -> Vec<Value> {
    let of = |name: &str, endpoint: &str, description: &str, schema: &str, extensions: Value| {
        let mut out = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "description": description,
            "schema": schema,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}") }
        });
        if let (Some(out), false) = (out.as_object_mut(), extensions.is_null()) {
            out.insert("schemaExtensions".to_owned(), extensions);
        }
        out
    };
    let ours = json!([{ "schema": OURS, "required": false }]);
    vec![
        of("User", "/Users", "Somebody who can sign in", USER, ours),
        of("Group", "/Groups", "A role, in one organisation or in all", GROUP, Value::Null),
    ]
}

/// `/Schemas`
pub fn schemas(base: &str) -> Vec<Value> {
    let of = |id: &str, name: &str, description: &str, attributes: Vec<Value>| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id,
            "name": name,
            "description": description,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") }
        })
    };
    vec![
        of(USER, "User", "Somebody who can sign in", user()),
        of(GROUP, "Group", "A role, in one organisation or in all; its members have it", group()),
        of(
            OURS,
            "FHIR user",
            "The resource that stands for the person",
            vec![text(
                "fhirUser",
                "Type and id of the resource, such as Practitioner/dr-a",
                &[("caseExact", json!(true))],
            )],
        ),
    ]
}

fn attribute(name: &str, kind: &str, description: &str, more: &[(&str, Value)]) -> Value {
    let mut out = json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "description": description,
        "required": false,
        "mutability": "readWrite",
        "returned": "default"
    });
    if let Some(out) = out.as_object_mut() {
        if matches!(kind, "string" | "reference") {
            out.insert("caseExact".to_owned(), false.into());
            out.insert("uniqueness".to_owned(), "none".into());
        }
        out.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    out
}

fn text(name: &str, description: &str, more: &[(&str, Value)]) -> Value {
    attribute(name, "string", description, more)
}

fn user() -> Vec<Value> {
    let part = |name: &str, description: &str| text(name, description, &[]);
    let name = vec![
        part("formatted", "All of it"),
        part("familyName", "Family name"),
        part("givenName", "Given name"),
        part("middleName", "Middle name"),
        part("honorificPrefix", "Such as Dr."),
        part("honorificSuffix", "Such as III"),
    ];
    let kinds = json!(["work", "home", "other"]);
    let emails = vec![
        part("value", "The address"),
        text("type", "What it is for", &[("canonicalValues", kinds)]),
        attribute("primary", "boolean", "Whether it is the first choice", &[]),
        part("display", "For people to read"),
    ];
    let read_only = ("mutability", json!("readOnly"));
    let groups = vec![
        text("value", "Id of the group", std::slice::from_ref(&read_only)),
        attribute(
            "$ref",
            "reference",
            "Where the group is",
            &[read_only.clone(), ("referenceTypes", json!(["Group"])), ("caseExact", json!(true))],
        ),
        text("display", "Its name", std::slice::from_ref(&read_only)),
        text("type", "Always direct", &[read_only.clone(), ("canonicalValues", json!(["direct"]))]),
    ];
    vec![
        text(
            "userName",
            "What is typed at the sign-in",
            &[("required", json!(true)), ("uniqueness", json!("server"))],
        ),
        text(
            "displayName",
            "As people are shown it; made of name or userName when it is not sent",
            &[("required", json!(true))],
        ),
        attribute("name", "complex", "Parts of the name", &[("subAttributes", name.into())]),
        attribute("active", "boolean", "Whether the account can be used", &[]),
        text("locale", "Language of the pages", &[("canonicalValues", json!(["en", "es"]))]),
        attribute(
            "emails",
            "complex",
            "Addresses",
            &[("multiValued", json!(true)), ("subAttributes", emails.into())],
        ),
        attribute(
            "groups",
            "complex",
            "The roles that the person has",
            &[("multiValued", json!(true)), read_only, ("subAttributes", groups.into())],
        ),
    ]
}

fn group() -> Vec<Value> {
    let roles: Vec<&str> =
        Role::ALL.into_iter().filter(|role| *role != Role::System).map(Role::code).collect();
    let immutable = ("mutability", json!("immutable"));
    let members = vec![
        text("value", "Id of the user", &[immutable.clone(), ("caseExact", json!(true))]),
        text("display", "The user's name", &[("mutability", json!("readOnly"))]),
        text("type", "Always User", &[immutable.clone(), ("canonicalValues", json!(["User"]))]),
        attribute(
            "$ref",
            "reference",
            "Where the user is",
            &[immutable.clone(), ("referenceTypes", json!(["User"])), ("caseExact", json!(true))],
        ),
    ];
    vec![
        text(
            "displayName",
            "The role, alone or followed by @Organization/ and an id",
            &[
                ("required", json!(true)),
                ("uniqueness", json!("server")),
                immutable,
                ("canonicalValues", json!(roles)),
            ],
        ),
        attribute(
            "members",
            "complex",
            "Who has the role",
            &[("multiValued", json!(true)), ("subAttributes", members.into())],
        ),
    ]
}
