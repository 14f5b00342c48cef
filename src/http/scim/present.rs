//! Answers of SCIM.

use super::query;
use crate::app::scim::{Error, Kind, Page, Query, Resource};
use crate::http::bearer;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// What is told whatever is asked for (RFC 7643 §3.1).
const ALWAYS: [&str; 2] = ["schemas", "id"];

/// What is asked for, and how much of it is to be told.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Of a list.
    pub(super) query: Query,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl Shown {
    /// From the query of a URL.
    pub(super) fn of_query(text: &str) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let get = |name: &str| {
            pairs.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let names = |name: &str| {
            let list = get(name).unwrap_or_default();
            list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        Self::of(query(get)?, names("attributes"), names("excludedAttributes"))
    }

    /// From the body of `/.search` (RFC 7644 §3.4.3).
    pub(super) fn of_search(body: &Value) -> Result<Self, Error> {
        let get = |name: &str| {
            let body = body.as_object()?;
            body.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let text = |name: &str| match get(name)? {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let names = |name: &str| {
            let list = get(name).and_then(|value| value.as_array().cloned()).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self::of(query(text)?, names("attributes"), names("excludedAttributes"))
    }

    fn of(query: Query, attributes: Vec<String>, excluded: Vec<String>) -> Result<Self, Error> {
        if !attributes.is_empty() && !excluded.is_empty() {
            let told = "attributes and excludedAttributes exclude each other";
            return Err(Error::new(Kind::InvalidValue, told));
        }
        Ok(Self { query, attributes, excluded })
    }

    /// Whether a filter is asked for.
    pub(super) fn has_filter(&self) -> bool {
        self.query.filter.is_some()
    }

    fn cut(&self, schema: &str, document: Map<String, Value>) -> Map<String, Value> {
        if self.attributes.is_empty() && self.excluded.is_empty() {
            return document;
        }
        let mut out = Map::new();
        for (name, value) in document {
            if ALWAYS.contains(&name.as_str()) {
                out.insert(name, value);
                continue;
            }
            if self.attributes.is_empty() {
                match named(&self.excluded, schema, &name) {
                    Named::Whole => {}
                    Named::Not => drop(out.insert(name, value)),
                    Named::Members(members) => drop(out.insert(name, without(value, &members))),
                }
            } else {
                match named(&self.attributes, schema, &name) {
                    Named::Whole => drop(out.insert(name, value)),
                    Named::Not => {}
                    Named::Members(members) => drop(out.insert(name, only(value, &members))),
                }
            }
        }
        out
    }
}

/// How a list of names names an attribute.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Not,
    Whole,
    Members(Vec<String>),
}

fn named(names: &[String], schema: &str, attribute: &str) -> Named {
    let mut members = Vec::new();
    for name in names {
        let plain = match (name.get(..schema.len()), name.get(schema.len()..)) {
            (Some(start), Some(rest)) if start.eq_ignore_ascii_case(schema) => rest.trim_start_matches(':'),
            _ => name.as_str(),
        };
        let (Some(start), Some(rest)) = (plain.get(..attribute.len()), plain.get(attribute.len()..)) else {
            continue;
        };
        if !start.eq_ignore_ascii_case(attribute) {
            continue;
        }
        match rest.strip_prefix(['.', ':']) {
            None if rest.is_empty() => return Named::Whole,
            None => {}
            Some(member) => members.push(member.to_ascii_lowercase()),
        }
    }
    if members.is_empty() { Named::Not } else { Named::Members(members) }
}

fn only(value: Value, members: &[String]) -> Value {
    each(value, |name| members.contains(&name.to_ascii_lowercase()))
}

fn without(value: Value, members: &[String]) -> Value {
    each(value, |name| !members.contains(&name.to_ascii_lowercase()))
}

fn each(value: Value, keep: impl Fn(&str) -> bool + Copy) -> Value {
    match value {
        Value::Object(object) => object.into_iter().filter(|(name, _)| keep(name)).collect(),
        Value::Array(list) => list.into_iter().map(|item| each(item, keep)).collect(),
        other => other,
    }
}

/// A resource with its location, and where the others are that it names.
fn located(resource: Resource, shape: &Shown, base: &str) -> Map<String, Value> {
    let schema = resource.of.schema();
    let location = location(&resource, base);
    let mut document = resource.document;
    if let Some(Value::Object(meta)) = document.get_mut("meta") {
        meta.insert("location".to_owned(), location.into());
    }
    for (list, endpoint) in [("members", "Users"), ("groups", "Groups")] {
        let Some(Value::Array(items)) = document.get_mut(list) else { continue };
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            let id = item.get("value").and_then(Value::as_str).unwrap_or_default();
            let url = format!("{base}/{endpoint}/{id}");
            item.insert("$ref".to_owned(), url.into());
        }
    }
    shape.cut(schema, document)
}

fn location(resource: &Resource, base: &str) -> String {
    format!("{base}/{}/{}", resource.of.endpoint(), resource.id())
}

/// JSON as SCIM sends it.
pub(super) fn plain(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, value.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One resource.
pub(super) fn shown(status: StatusCode, resource: Resource, shape: &Shown, base: &str) -> Response {
    let version = HeaderValue::from_str(resource.version());
    let place = HeaderValue::from_str(&location(&resource, base));
    let mut response = plain(status, &Value::Object(located(resource, shape, base)));
    if let (Ok(version), Ok(place)) = (version, place) {
        response.headers_mut().insert(ETAG, version);
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// A page of resources.
pub(super) fn listed(page: Page, shape: &Shown, base: &str) -> Response {
    let resources: Vec<Value> =
        page.resources.into_iter().map(|one| Value::Object(located(one, shape, base))).collect();
    let list = json!({
        "schemas": [LIST],
        "totalResults": page.total,
        "startIndex": page.start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    plain(StatusCode::OK, &list)
}

/// All of what discovery tells.
pub(super) fn list_of(resources: Vec<Value>) -> Response {
    let count = resources.len();
    let list = json!({
        "schemas": [LIST], "totalResults": count, "startIndex": 1, "itemsPerPage": count, "Resources": resources,
    });
    plain(StatusCode::OK, &list)
}

/// 204.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 304.
pub(super) fn not_modified(resource: &Resource) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    if let Ok(version) = HeaderValue::from_str(resource.version()) {
        response.headers_mut().insert(ETAG, version);
    }
    response
}

/// An error (RFC 7644 §3.12).
pub(super) fn refusal(error: &Error) -> Response {
    if let Some(detail) = &error.detail {
        if error.kind == Kind::Internal {
            tracing::error!(detail, "a SCIM request failed");
        } else {
            tracing::warn!(told = error.told, detail, "a SCIM request was refused");
        }
    }
    let status = error.kind.status();
    let mut body = json!({ "schemas": [ERROR], "status": status.to_string(), "detail": error.told });
    if let (Some(code), Some(body)) = (error.kind.code(), body.as_object_mut()) {
        body.insert("scimType".to_owned(), code.into());
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = plain(status, &body);
    match error.kind {
        Kind::Unauthorized => bearer::challenge(&mut response, Some("invalid_token")),
        Kind::Forbidden => bearer::challenge(&mut response, Some("insufficient_scope")),
        _ => {}
    }
    response
}
