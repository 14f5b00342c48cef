//! `/oauth/authorize`, by GET and by POST (SMART "authorize-post").

use super::{form, keep_nowhere, log, problem};
use crate::app::oauth::authorize::{Begun, begin};
use crate::auth::error::{Code, OAuthError};
use crate::auth::params::Params;
use crate::auth::token::issuer_of;
use crate::http::Shared;
use crate::http::edge::{self, Label};
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

/// `GET /oauth/authorize`
pub(super) async fn by_query(State(http): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let params = match edge::well_encoded(query) {
        Ok(()) => Ok(Params::parse(query)),
        Err(_) => Err(OAuthError::new(Code::InvalidRequest, "the request is not UTF-8 or holds a NUL")),
    };
    answer(&http, &parts, params).await
}

/// `POST /oauth/authorize`
pub(super) async fn by_form(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let params = form(&parts, sent).await;
    answer(&http, &parts, params).await
}

async fn answer(http: &Shared, parts: &Parts, params: Result<Params, OAuthError>) -> Response {
    let http = http.during(&parts.extensions);
    let bases = http.bases(&parts.headers);
    let begun = match params {
        Ok(params) => begin(&http.app, &bases, &params).await,
        Err(error) => Err(error),
    };
    let mut response = match begun {
        Ok(Begun::Waits { id, base }) => redirect(&format!("{}/sign-in?request={id}", issuer_of(&base))),
        Ok(Begun::Refused(url)) => redirect(&url),
        Err(error) => {
            log(&error);
            problem::page(&error, &parts.headers)
        }
    };
    keep_nowhere(&mut response);
    response.extensions_mut().insert(Label("authorize"));
    response
}

/// 303: whatever the method was, the browser goes on by GET (RFC 9700 §4.12).
fn redirect(url: &str) -> Response {
    let mut response = Response::default();
    match HeaderValue::from_str(url) {
        Ok(url) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, url);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}
