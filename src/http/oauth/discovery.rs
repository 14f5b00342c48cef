//! What clients find out by themselves.

use super::json;
use crate::app::oauth::{brand, discovery as documents};
use crate::auth::secret;
use crate::fhir::outcome::{Error, Kind};
use crate::http::{Shared, present};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

/// `GET /fhir/.well-known/smart-configuration`: JSON, whatever the client accepts.
pub(super) async fn smart(State(http): State<Shared>, headers: HeaderMap) -> Response {
    json(documents::smart(&http.app.config, &http.base_of(&headers)).to_string(), "smart-configuration")
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

/// `GET /brands.json`: who runs this server (SMART "User-access Brands"), whole or, where nothing changed, 304.
pub(super) async fn brands(State(http): State<Shared>, headers: HeaderMap) -> Response {
    let bundle = |since| brand::bundle(&http.app.config.brand, &http.base_of(&headers), since);
    let (Some(current), Some(timeless)) = (bundle(http.since), bundle(0)) else {
        let absent = Error::new(Kind::NotFound, "This server publishes no brand");
        return present::refusal(&absent);
    };
    // Other processes of this server give the same tag.
    let tag = format!("\"{}\"", secret::fingerprint(&timeless.to_string()));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = if known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(current.to_string(), "brands")
    };
    let kept = HeaderValue::from_static("public, max-age=3600");
    response.headers_mut().insert(CACHE_CONTROL, kept);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// `GET /smart-style.json`
pub(super) async fn style() -> Response {
    json(documents::style().to_string(), "smart-style")
}
