//! What clients find out by themselves.

use super::json;
use crate::app::oauth::discovery as documents;
use crate::http::Shared;
use axum::extract::State;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

/// `GET /fhir/.well-known/smart-configuration`: JSON, whatever the client accepts.
pub(super) async fn smart(State(http): State<Shared>, headers: HeaderMap) -> Response {
    json(documents::smart(&http.base_of(&headers)).to_string(), "smart-configuration")
}

/// `GET /.well-known/openid-configuration`
pub(super) async fn openid(State(http): State<Shared>, headers: HeaderMap) -> Response {
    json(documents::openid(&http.base_of(&headers)).to_string(), "openid-configuration")
}

/// `GET /oauth/jwks`
pub(super) async fn jwks(State(http): State<Shared>) -> Response {
    let mut response = json(http.app.keys.current().await.jwks().to_string(), "jwks");
    let age = http.app.config.auth.jwks_max_age.as_secs();
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={age}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

/// `GET /smart-style.json`
pub(super) async fn style() -> Response {
    json(documents::style().to_string(), "smart-style")
}
