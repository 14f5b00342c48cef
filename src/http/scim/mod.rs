//! SCIM 2.0 (RFC 7644): accounts and roles kept by a provisioning source.

mod present;

use super::edge::{Arrival, Label};
use super::{RouteInfo, Shared, bearer, body};
use crate::app::scim::{self, Change, Error, Kind, Precondition, Query, Type, discovery};
use crate::auth::token::issuer_of;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{Method, StatusCode};
use present::{Shown, listed, plain, refusal, shown};
use serde_json::Value;

/// Largest body.
const LARGEST: usize = 1024 * 1024;

const fn route(path: &'static str, methods: &'static [&'static str], summary: &'static str) -> RouteInfo {
    RouteInfo { methods, path, is_fhir: false, summary, handler: || any(scim) }
}

const READ: &[&str] = &["GET", "HEAD"];
const LIST: &[&str] = &["GET", "HEAD", "POST"];
const ONE: &[&str] = &["GET", "HEAD", "PUT", "PATCH", "DELETE"];

/// Every route of SCIM.
pub(super) const ROUTES: &[RouteInfo] = &[
    route("/scim/v2/ServiceProviderConfig", READ, "What this SCIM server offers"),
    route("/scim/v2/ResourceTypes", READ, "Types of SCIM resources"),
    route("/scim/v2/ResourceTypes/{id}", READ, "A type of SCIM resources"),
    route("/scim/v2/Schemas", READ, "Schemas of SCIM resources"),
    route("/scim/v2/Schemas/{id}", READ, "A schema of SCIM resources"),
    route("/scim/v2/Users", LIST, "List accounts, make one"),
    route("/scim/v2/Users/{id}", ONE, "Read, change or delete an account"),
    route("/scim/v2/Users/.search", &["POST"], "List accounts"),
    route("/scim/v2/Groups", LIST, "List roles, take one up"),
    route("/scim/v2/Groups/{id}", ONE, "Read, change or give up a role"),
    route("/scim/v2/Groups/.search", &["POST"], "List roles"),
    route("/scim/v2/.search", &["POST"], "List accounts and roles"),
    // What is not there is told in the words of SCIM too.
    route("/scim/v2/{*path}", &[], "Nothing else is here"),
];

async fn scim(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let http = http.during(&parts.extensions);
    let base = http.base_of(&parts.headers);
    let base = format!("{}/scim/v2", issuer_of(&base));
    let done = answered(&http, &parts, sent, &base).await;
    let mut response = done.unwrap_or_else(|error| refusal(&error));
    response.extensions_mut().insert(Label("scim"));
    response
}

/// What a path names.
enum Place<'a> {
    Config,
    ResourceTypes(Option<&'a str>),
    Schemas(Option<&'a str>),
    Search(&'static [Type]),
    All(Type),
    One(Type, &'a str),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix("/scim/v2/")?.trim_end_matches('/').split('/');
        let (first, second) = (segments.next()?, segments.next());
        if segments.next().is_some() {
            return None;
        }
        let of = |of: Type, both: &'static [Type]| match second {
            None => Self::All(of),
            Some(".search") => Self::Search(both),
            Some(id) => Self::One(of, id),
        };
        Some(match (first, second) {
            ("ServiceProviderConfig", None) => Self::Config,
            ("ResourceTypes", name) => Self::ResourceTypes(name),
            ("Schemas", id) => Self::Schemas(id),
            ("Users", _) => of(Type::User, &[Type::User]),
            ("Groups", _) => of(Type::Group, &[Type::Group]),
            (".search", None) => Self::Search(&[Type::User, Type::Group]),
            _ => return None,
        })
    }
}

async fn answered(
    http: &Shared,
    parts: &Parts,
    sent: axum::body::Body,
    base: &str,
) -> Result<Response, Error> {
    let not_found = || Error::new(Kind::NotFound, "There is no such resource");
    let not_allowed = || Error::new(Kind::NotAllowed, "The resource has no such method");
    let token = bearer::token(&parts.headers).ok().flatten();
    let source = scim::source(&http.app, &http.bases(&parts.headers), token).await?;
    let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let place = match Place::of(&path) {
        Some(place) => place,
        None if path.ends_with("/Bulk") || path.ends_with("/Me") => {
            return Err(Error::new(Kind::NotImplemented, "Neither Bulk nor Me is offered"));
        }
        None => return Err(not_found()),
    };
    let is_get = matches!(parts.method, Method::GET | Method::HEAD);
    let shape = Shown::of_query(parts.uri.query().unwrap_or_default())?;
    let app = &http.app;
    let filtered = || {
        // RFC 7644 §4: whoever filters discovery is refused.
        if shape.has_filter() {
            Err(Error::new(Kind::Forbidden, "Discovery takes no filter"))
        } else {
            Ok(())
        }
    };
    match place {
        Place::Config if is_get => Ok(plain(StatusCode::OK, &discovery::config(base))),
        Place::ResourceTypes(name) if is_get => {
            filtered()?;
            described(discovery::resource_types(base), name, not_found)
        }
        Place::Schemas(id) if is_get => {
            filtered()?;
            described(discovery::schemas(base), id, not_found)
        }
        Place::Search(types) if parts.method == Method::POST => {
            let asked = Shown::of_search(&object(parts, sent).await?)?;
            Ok(listed(scim::search(app, types, &asked.query).await?, &asked, base))
        }
        Place::All(of) if is_get => Ok(listed(scim::search(app, &[of], &shape.query).await?, &shape, base)),
        Place::All(of) if parts.method == Method::POST => {
            let body = object(parts, sent).await?;
            let made = scim::create(app, &source, of, &body).await?;
            Ok(shown(StatusCode::CREATED, made, &shape, base))
        }
        Place::One(of, id) => {
            let precondition = Precondition::read(header(parts, &IF_MATCH));
            match parts.method {
                Method::GET | Method::HEAD => {
                    let found = scim::read(app, of, id).await?;
                    let known = header(parts, &IF_NONE_MATCH).unwrap_or_default();
                    if known.split(',').any(|tag| tag.trim() == found.version()) {
                        return Ok(present::not_modified(&found));
                    }
                    Ok(shown(StatusCode::OK, found, &shape, base))
                }
                Method::PUT | Method::PATCH => {
                    let body = object(parts, sent).await?;
                    let is_put = parts.method == Method::PUT;
                    let change = if is_put { Change::Replace(body) } else { Change::Patch(body) };
                    let changed = scim::change(app, &source, of, id, change, precondition).await?;
                    Ok(shown(StatusCode::OK, changed, &shape, base))
                }
                Method::DELETE => {
                    scim::delete(app, &source, of, id, precondition).await?;
                    Ok(present::nothing())
                }
                _ => Err(not_allowed()),
            }
        }
        _ => Err(not_allowed()),
    }
}

/// One of what discovery tells, or all of it.
fn described(all: Vec<Value>, name: Option<&str>, not_found: impl Fn() -> Error) -> Result<Response, Error> {
    let Some(name) = name else { return Ok(present::list_of(all)) };
    let one = all.into_iter().find(|one| one.get("id").and_then(Value::as_str) == Some(name));
    Ok(plain(StatusCode::OK, &one.ok_or_else(not_found)?))
}

fn header<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// A JSON object.
async fn object(parts: &Parts, sent: axum::body::Body) -> Result<Value, Error> {
    let syntax = |told: &str| Error::new(Kind::InvalidSyntax, told);
    let kind = header(parts, &CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !["application/scim+json", "application/json"].iter().any(|own| own.eq_ignore_ascii_case(kind)) {
        return Err(syntax("The body is sent as application/scim+json"));
    }
    let arrival = parts.extensions.get::<Arrival>().ok_or_else(|| Error::internal("no arrival"))?;
    let read = body::read(&parts.headers, sent, LARGEST, arrival).await;
    let bytes = read.map_err(|error| match error.kind {
        crate::fhir::outcome::Kind::TooLarge => Error::new(Kind::TooLarge, "The body is longer than 1 MB"),
        _ => syntax("The body broke off"),
    })?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| syntax("The body is not JSON"))?;
    // No database column takes a NUL.
    if !value.is_object() || value.to_string().contains("\\u0000") {
        return Err(syntax("The body is a JSON object without NUL"));
    }
    Ok(value)
}

/// The parameters of a list.
fn query(parameter: impl Fn(&str) -> Option<String>) -> Result<Query, Error> {
    let number = |name: &str| match parameter(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<i64>()
            .map(Some)
            .map_err(|_| Error::new(Kind::InvalidValue, format!("{name} is a number"))),
    };
    Ok(Query {
        filter: parameter("filter").filter(|filter| !filter.trim().is_empty()),
        sort_by: parameter("sortBy").filter(|by| !by.is_empty()),
        descending: parameter("sortOrder").is_some_and(|order| order.eq_ignore_ascii_case("descending")),
        start: number("startIndex")?.unwrap_or(1),
        count: number("count")?,
    })
}
