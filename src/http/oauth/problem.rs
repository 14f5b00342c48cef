//! The page for an authorization request whose sender can't be told (RFC 6749 §4.1.2.1).

use crate::auth::error::{Code, OAuthError};
use crate::http::pages::{POLICY, oauth_problem};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

/// Says what is wrong, here and nowhere else. `headers` are those of the request.
pub(super) fn page(error: &OAuthError, headers: &HeaderMap) -> Response {
    let status = match error.code {
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut response = match oauth_problem(error.code.text(), error.description, accepted) {
        Ok(html) => (status, html).into_response(),
        Err(_) => (status, error.description).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
