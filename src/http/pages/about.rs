//! What this server is and what it can do. Terse.

use super::POLICY;
use super::words::Words;
use crate::fhir::outcome::Error;
use crate::http::Shared;
use crate::http::edge::Label;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use std::sync::LazyLock;

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    version: &'static str,
}

#[derive(Template)]
#[template(path = "capabilities.html")]
struct Capabilities<'a> {
    title: &'a str,
    fhir_version: &'a str,
    interactions: Vec<&'a str>,
    operations: Vec<&'a str>,
    types: Vec<TypeRow<'a>>,
}

struct TypeRow<'a> {
    name: &'a str,
    interactions: Vec<&'a str>,
    search: Vec<Parameter<'a>>,
    operations: Vec<&'a str>,
}

struct Parameter<'a> {
    name: &'a str,
    kind: &'a str,
}

#[derive(Template)]
#[template(path = "too_many.html")]
struct TooMany {
    words: Words,
    seconds: String,
}

/// 429 for people: too many requests, try again in so many seconds. `accepted`: languages that the browser asks for.
pub(in crate::http) fn too_many(seconds: u64, accepted: Option<&str>) -> Response {
    let words = Words::choose(None, accepted);
    let mut response = page(TooMany { words, seconds: seconds.to_string() }.render(), "none");
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
}

#[derive(Template)]
#[template(path = "oauth_problem.html")]
struct OauthProblem {
    words: Words,
    code: &'static str,
    description: &'static str,
}

/// The text of the page for an authorization request whose sender can't be told.
pub(in crate::http) fn oauth_problem(
    code: &'static str,
    description: &'static str,
    accepted: Option<&str>,
) -> Result<String, askama::Error> {
    OauthProblem { words: Words::choose(None, accepted), code, description }.render()
}

/// `GET /`
pub(in crate::http) async fn index() -> Response {
    page(Index { version: env!("CARGO_PKG_VERSION") }.render(), "index")
}

/// The description of the API, made once.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(crate::http::openapi);
static DESCRIPTION_JSON: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(DESCRIPTION.to_string()));

#[derive(Template)]
#[template(path = "openapi.html")]
struct OpenApi<'a> {
    title: &'a str,
    paths: Vec<PathRow<'a>>,
}

struct PathRow<'a> {
    path: &'a str,
    operations: Vec<OperationRow<'a>>,
}

struct OperationRow<'a> {
    method: String,
    summary: &'a str,
    statuses: Vec<&'a str>,
}

/// `GET /openapi`
pub(in crate::http) async fn openapi() -> Response {
    let members = |value: Option<&'static Value>| value.and_then(Value::as_object).into_iter().flatten();
    let paths = members(DESCRIPTION.get("paths")).map(|(path, item)| PathRow {
        path,
        operations: members(Some(item))
            .map(|(method, operation)| OperationRow {
                method: method.to_uppercase(),
                summary: text(operation, "summary"),
                statuses: members(operation.get("responses"))
                    .map(|(status, _)| status.as_str())
                    .filter(|status| *status != "default")
                    .collect(),
            })
            .collect(),
    });
    let title = DESCRIPTION.get("info").map_or("", |info| text(info, "summary"));
    page(OpenApi { title, paths: paths.collect() }.render(), "openapi")
}

/// `GET /openapi.json`
pub(in crate::http) async fn openapi_json() -> Response {
    let mut response = DESCRIPTION_JSON.clone().into_response();
    let kind = HeaderValue::from_static("application/vnd.oai.openapi+json;version=3.1");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.extensions_mut().insert(Label("openapi"));
    response
}

/// A CapabilityStatement as a page.
pub(in crate::http) fn capabilities(statement: &Value) -> Result<String, Error> {
    let rest = statement.pointer("/rest/0");
    let types = list(rest, "resource").map(|row| TypeRow {
        name: text(row, "type"),
        interactions: codes(Some(row), "interaction", "code"),
        search: list(Some(row), "searchParam")
            .map(|parameter| Parameter { name: text(parameter, "name"), kind: text(parameter, "type") })
            .collect(),
        operations: codes(Some(row), "operation", "name"),
    });
    let page = Capabilities {
        title: text(statement, "title"),
        fhir_version: text(statement, "fhirVersion"),
        interactions: codes(rest, "interaction", "code"),
        operations: codes(rest, "operation", "name"),
        types: types.collect(),
    };
    page.render().map_err(|error| Error::internal(error.to_string()))
}

fn list<'a>(value: Option<&'a Value>, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.and_then(|value| value.get(key)).and_then(Value::as_array).into_iter().flatten()
}

fn codes<'a>(value: Option<&'a Value>, key: &str, code: &str) -> Vec<&'a str> {
    list(value, key).map(|item| text(item, code)).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A rendered page, which may load nothing and run nothing.
fn page(rendered: Result<String, askama::Error>, label: &'static str) -> Response {
    let mut response = match rendered {
        Ok(html) => html.into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    response.extensions_mut().insert(Label(label));
    response
}

/// `GET /assets/style.css`
pub(in crate::http) async fn style() -> Response {
    let mut response = include_str!("../../../templates/style.css").into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response.extensions_mut().insert(Label("style"));
    response
}

/// `GET /livez`: the process answers.
pub(in crate::http) async fn livez() -> Response {
    plain(StatusCode::OK, "ok\n", "livez")
}

/// `GET /readyz`: the database answers too.
pub(in crate::http) async fn readyz(State(http): State<Shared>) -> Response {
    match http.app.store.ping().await {
        Ok(()) => plain(StatusCode::OK, "ok\n", "readyz"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n", "readyz")
        }
    }
}

fn plain(status: StatusCode, text: &'static str, label: &'static str) -> Response {
    let mut response = (status, text).into_response();
    response.extensions_mut().insert(Label(label));
    response
}
