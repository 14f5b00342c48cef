//! The page for an authorization request whose sender can't be told (RFC 6749 §4.1.2.1).

use crate::auth::error::{Code, OAuthError};
use crate::http::pages::POLICY;
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode};

#[derive(Template)]
#[template(path = "oauth_problem.html")]
struct Problem {
    code: &'static str,
    description: &'static str,
}

/// Says what is wrong, here and nowhere else.
pub(super) fn page(error: &OAuthError) -> Response {
    let status = match error.code {
        Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let page = Problem { code: error.code.text(), description: error.description };
    let mut response = match page.render() {
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
