//! The endpoints of the authorization server.

mod authorize;
mod clients;
mod discovery;
mod problem;
mod token;

use super::edge::{self, Arrival, Label};
use super::{Http, RouteInfo, bearer, body};
use crate::app::oauth::{Credentials, brand};
use crate::auth::assertion;
use crate::auth::error::{Code, OAuthError};
use crate::auth::params::Params;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, PRAGMA, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// The largest form or JSON body: a scope list of 64 kB, percent-encoded.
const LARGEST: usize = 256 * 1024;

/// Every route of the authorization server.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/fhir/.well-known/smart-configuration",
        is_fhir: false,
        summary: "SMART App Launch configuration",
        handler: || get(discovery::smart),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/.well-known/openid-configuration",
        is_fhir: false,
        summary: "OpenID Connect discovery",
        handler: || get(discovery::openid),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/oauth/jwks",
        is_fhir: false,
        summary: "The keys that tokens are signed with",
        handler: || get(discovery::jwks),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/smart-style.json",
        is_fhir: false,
        summary: "How applications can look like these pages",
        handler: || get(discovery::style),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: brand::PATH,
        is_fhir: false,
        summary: "Who runs this server",
        handler: || get(discovery::brands),
    },
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/oauth/authorize",
        is_fhir: false,
        summary: "Ask a person for access",
        handler: || get(authorize::by_query).post(authorize::by_form),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/oauth/token",
        is_fhir: false,
        summary: "Fetch tokens",
        handler: || post(token::token),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/oauth/revoke",
        is_fhir: false,
        summary: "Give tokens back",
        handler: || post(token::revoke),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/oauth/introspect",
        is_fhir: false,
        summary: "Ask what a token means",
        handler: || post(token::introspect),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/oauth/register",
        is_fhir: false,
        summary: "Register an application",
        handler: || post(clients::register),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/oauth/launch",
        is_fhir: false,
        summary: "Make the context that an application is started with",
        handler: || post(clients::launch),
    },
];

impl Http {
    /// What assertions may be for: the token endpoint (SMART, RFC 7523 §3) or this server as the issuer that
    /// OpenID Connect clients know it by, neither of which is anybody else's.
    fn audiences(&self, headers: &HeaderMap) -> Vec<String> {
        let origins = self.bases(headers);
        let of = |base: &String| {
            let issuer = crate::auth::token::issuer_of(base).to_owned();
            [format!("{issuer}/oauth/token"), issuer]
        };
        origins.iter().flat_map(of).collect()
    }

    /// The FHIR base that this request was sent to.
    pub(super) fn base_of(&self, headers: &HeaderMap) -> String {
        self.base(headers.get(HOST).and_then(|host| host.to_str().ok()))
    }
}

/// The body of a request.
async fn read(parts: &Parts, sent: Body) -> Result<Bytes, OAuthError> {
    let arrival = parts.extensions.get::<Arrival>().ok_or_else(|| OAuthError::internal("no arrival"))?;
    let read = body::read(&parts.headers, sent, LARGEST, arrival).await;
    read.map_err(|error| invalid("the body is too long or broke off").because(error.to_string()))
}

/// The parameters of a form.
async fn form(parts: &Parts, sent: Body) -> Result<Params, OAuthError> {
    if !is_type(&parts.headers, "application/x-www-form-urlencoded") {
        return Err(invalid("parameters are sent as application/x-www-form-urlencoded"));
    }
    let bytes = read(parts, sent).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| invalid("the form is not UTF-8"))?;
    edge::well_encoded(text).map_err(|_| invalid("the form is not UTF-8 or holds a NUL"))?;
    Ok(Params::parse(text))
}

/// A JSON object.
async fn object(parts: &Parts, sent: Body) -> Result<Map<String, Value>, OAuthError> {
    if !is_type(&parts.headers, "application/json") {
        return Err(invalid("the body is sent as application/json"));
    }
    let bytes = read(parts, sent).await?;
    let object: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| invalid("the body is not a JSON object"))?;
    // No database column takes a NUL.
    if Value::Object(object.clone()).to_string().contains("\\u0000") {
        return Err(invalid("the body holds a NUL"));
    }
    Ok(object)
}

fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// What a client sent to prove who it is: in one way, not in two (RFC 6749 §2.3).
fn credentials(headers: &HeaderMap, params: &Params) -> Result<Credentials, OAuthError> {
    let id = params.get("client_id")?.map(str::to_owned);
    let secret = params.get("client_secret")?.map(str::to_owned);
    let assertion = params.get("client_assertion")?;
    let kind = params.get("client_assertion_type")?;
    let basic = headers.contains_key(AUTHORIZATION);
    let ways = [basic, secret.is_some(), assertion.is_some() || kind.is_some()];
    if ways.into_iter().filter(|used| *used).count() > 1 {
        return Err(invalid("the client authenticates itself in more than one way"));
    }
    if basic {
        let (user, password) = basic_credentials(headers).ok_or_else(|| {
            OAuthError::new(Code::InvalidClient, "the Authorization header is not of the kind Basic")
        })?;
        if id.is_some_and(|id| id != user) {
            return Err(invalid("client_id differs from the Authorization header"));
        }
        return Ok(Credentials::Secret(user, password));
    }
    match (assertion, kind, id, secret) {
        (Some(text), Some(assertion::TYPE), id, None) => Ok(Credentials::Assertion(text.to_owned(), id)),
        (Some(_), _, _, _) | (None, Some(_), _, _) => {
            Err(OAuthError::new(Code::InvalidClient, "client_assertion or its type is not one of ours"))
        }
        (None, None, Some(id), Some(secret)) => Ok(Credentials::Secret(id, secret)),
        (None, None, Some(id), None) => Ok(Credentials::Public(id)),
        (None, None, None, Some(_)) => Err(OAuthError::new(Code::InvalidClient, "client_id is missing")),
        (None, None, None, None) => Ok(Credentials::Nothing),
    }
}

/// RFC 6749 §2.3.1: both parts are form-encoded before they are put together.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, packed) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(packed.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let decoded = |part: &str| {
        let spaced = part.replace('+', " ");
        Some(percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
    };
    Some((decoded(user)?, decoded(password)?)).filter(|(user, _)| !user.is_empty() && !user.contains('\0'))
}

/// The bearer token of a request to one of our own endpoints.
fn bearer_token(headers: &HeaderMap) -> Result<&str, OAuthError> {
    let token = bearer::token(headers).ok().flatten();
    token.ok_or_else(|| OAuthError::new(Code::InvalidToken, "a bearer token is needed"))
}

/// A JSON answer that nobody keeps (RFC 6749 §5.1).
fn answer(status: StatusCode, body: Map<String, Value>, label: &'static str) -> Response {
    let mut response = json(Value::Object(body).to_string(), label);
    *response.status_mut() = status;
    keep_nowhere(&mut response);
    response
}

fn json(text: String, label: &'static str) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Label(label));
    response
}

fn keep_nowhere(response: &mut Response) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// An error as RFC 6749 §5.2 has it. `headers` are those of the request.
fn refusal(error: &OAuthError, headers: &HeaderMap, label: &'static str) -> Response {
    log(error);
    let body = json!({ "error": error.code.text(), "error_description": error.description });
    let mut response = json(body.to_string(), label);
    *response.status_mut() =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match error.code {
        Code::InvalidToken => {
            bearer::challenge(&mut response, headers.contains_key(AUTHORIZATION).then_some("invalid_token"));
        }
        Code::InsufficientScope => bearer::challenge(&mut response, Some("insufficient_scope")),
        Code::InvalidClient => {
            let challenge = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        _ => {}
    }
    keep_nowhere(&mut response);
    response
}

/// What only the log reads.
fn log(error: &OAuthError) {
    if let Some(detail) = &error.detail {
        if error.code == Code::ServerError {
            tracing::error!(detail, "an OAuth request failed");
        } else {
            tracing::warn!(error = error.code.text(), detail, "an OAuth request was refused");
        }
    }
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidRequest, description)
}
