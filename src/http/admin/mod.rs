//! The administrator API: accounts, clients and keys, as JSON.
//!
//! It takes a person's own session, so that no app administers on anyone's behalf; the access rules decide
//! which role may do what. Whatever changes something must be sent as `application/json` and from this site,
//! which no form of another site can do.

mod accounts;
mod clients;
mod deliveries;
mod emergencies;
mod invitations;
mod keys;
mod scim_tokens;
mod webhooks;

use super::edge::{Arrival, Label};
use super::pages::visit::{Cookie, Visit};
use super::{RouteInfo, Shared, body};
use crate::app::account::{self, AccountError, Live};
use crate::app::oauth::clients::TAKEN;
use crate::auth::access::Access;
use crate::auth::error::{Code, OAuthError};
use crate::auth::rule::{Act, Area};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// Largest body.
const LARGEST: usize = 64 * 1024;

/// Every route of the administrator API.
pub(super) fn routes() -> Vec<RouteInfo> {
    [
        accounts::ROUTES,
        clients::ROUTES,
        deliveries::ROUTES,
        emergencies::ROUTES,
        invitations::ROUTES,
        keys::ROUTES,
        scim_tokens::ROUTES,
        webhooks::ROUTES,
    ]
    .concat()
}

/// Why the API refuses.
#[derive(Debug)]
enum AdminError {
    NotSignedIn,
    NotAllowed,
    NotRecent,
    NotFromHere,
    Invalid { field: Option<&'static str>, told: String },
    Taken { field: &'static str, told: &'static str },
    Unknown(&'static str),
    Broken(String),
}

impl From<AccountError> for AdminError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Unknown => Self::Unknown("There is no such account"),
            AccountError::Taken => Self::Taken { field: "username", told: "The username is taken" },
            AccountError::Weak(_) => Self::invalid("password", error.to_string()),
            AccountError::Invalid(_) => Self::Invalid { field: None, told: error.to_string() },
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<OAuthError> for AdminError {
    fn from(error: OAuthError) -> Self {
        match error.code {
            Code::InvalidClient => Self::Unknown("There is no such client"),
            Code::InvalidClientMetadata if error.description == TAKEN => {
                Self::Taken { field: "client_id", told: TAKEN }
            }
            Code::InvalidClientMetadata | Code::InvalidRedirectUri => {
                Self::Invalid { field: error.field, told: error.description.to_owned() }
            }
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl AdminError {
    /// Something of ours is broken.
    fn broken(error: impl std::fmt::Display) -> Self {
        Self::Broken(error.to_string())
    }

    fn invalid(field: &'static str, told: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field), told: told.into() }
    }

    fn present(self) -> Response {
        let field = match &self {
            Self::Invalid { field, .. } => *field,
            Self::Taken { field, .. } => Some(*field),
            _ => None,
        };
        let (status, code, told) = match self {
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "signed-out", "Sign in at /sign-in".to_owned()),
            Self::NotAllowed => {
                (StatusCode::FORBIDDEN, "forbidden", "Your roles do not allow this".to_owned())
            }
            Self::NotRecent => {
                let told = "Show once more that it is you: /sign-in?again=1".to_owned();
                (StatusCode::FORBIDDEN, "sign-in-again", told)
            }
            Self::NotFromHere => {
                let told = "Changes are sent as application/json, from this site".to_owned();
                (StatusCode::FORBIDDEN, "not-from-here", told)
            }
            Self::Invalid { told, .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", told),
            Self::Taken { told, .. } => (StatusCode::CONFLICT, "taken", told.to_owned()),
            Self::Unknown(told) => (StatusCode::NOT_FOUND, "unknown", told.to_owned()),
            Self::Broken(error) => {
                tracing::error!(%error, "the administrator API failed");
                let told = "Something went wrong on our side".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, "broken", told)
            }
        };
        let mut body = json!({ "error": code, "message": told });
        if let (Some(field), Some(body)) = (field, body.as_object_mut()) {
            body.insert("field".to_owned(), field.into());
        }
        answer(status, &body)
    }
}

/// What is told, with one thing more.
fn with(mut told: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Some(members) = told.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
    told
}

fn answer(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, value.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn present(result: Result<Response, AdminError>) -> Response {
    let mut response = result.unwrap_or_else(AdminError::present);
    response.extensions_mut().insert(Label("admin"));
    response
}

/// Whoever is signed in with a role that allows `act` in `area`; to change something they must have proved
/// not long ago who they are.
async fn allowed(http: &Shared, visit: &Visit, act: Act, area: Area) -> Result<Live, AdminError> {
    let cookie = visit.cookie(Cookie::Session).ok_or(AdminError::NotSignedIn)?;
    let live = account::session_of(&http.app, &cookie).await?.ok_or(AdminError::NotSignedIn)?;
    http.app.caller.is_signed_in(&live);
    let access = Access::of(account::principal(&live), http.app.policy);
    if !access.may_in(act, area) {
        return Err(AdminError::NotAllowed);
    }
    if act != Act::Read {
        if !visit.is_json_from_here() {
            return Err(AdminError::NotFromHere);
        }
        if !live.is_recent(&http.app) {
            return Err(AdminError::NotRecent);
        }
    }
    Ok(live)
}

/// The body as `T`; what is wrong with it names the place.
async fn sent<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    body: axum::body::Body,
) -> Result<T, AdminError> {
    let arrival = visit.extension::<Arrival>().ok_or_else(|| AdminError::Broken("no arrival".to_owned()))?;
    let bytes = body::read(visit.headers(), body, LARGEST, arrival).await;
    let bytes = bytes.map_err(unreadable)?;
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> AdminError {
    AdminError::Invalid { field: None, told: error.to_string() }
}
