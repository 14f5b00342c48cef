//! The `Authorization` header of a FHIR request (RFC 6750 §2.1): the only place where a token is taken from.

use super::Http;
use crate::app::bearer::Bearer;
use crate::app::oauth::tokens;
use crate::app::{Mode, external};
use crate::auth::Access;
use crate::auth::principal::Principal;
use crate::fhir::outcome::Error;
use axum::response::Response;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

/// Who sends this request, and what they may do, as far as this process knows; whether it still holds is for the
/// caller to find out.
///
/// # Errors
/// 401 without a valid token, and 400 for a token in the query, where it ends up in logs.
pub(super) async fn bearer(http: &Http, parts: &Parts) -> Result<Bearer, Error> {
    let query = parts.uri.query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        return Err(Error::bad_request(
            "An access token is sent in the Authorization header, never in a URL",
        ));
    }
    match token(&parts.headers)? {
        Some(token) => {
            let bases = http.bases(&parts.headers);
            let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
            match http.app.issuers.of(&bases, token) {
                Some(issuer) => external::bearer(&http.app, issuer, &bases, token).await,
                None => tokens::bearer(&http.app, &bases, token).await,
            }
        }
        None if http.app.mode == Mode::Sandbox => {
            Ok(Bearer::unchanging(Access::of(Principal::sandbox(), http.app.policy)))
        }
        None => Err(tokens::missing()),
    }
}

/// The bearer token; none without an `Authorization` header.
///
/// # Errors
/// 401 when there is a header that holds no bearer token.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let scheme_and_token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match (scheme_and_token, all.next()) {
        (Some((scheme, token)), None)
            if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() =>
        {
            Ok(Some(token.trim()))
        }
        _ => Err(tokens::missing()),
    }
}

/// Says how to be let in (RFC 6750 §3); `error` is that of the token that was sent, if one was.
pub(super) fn challenge(response: &mut Response, error: Option<&str>) {
    let value = match error {
        None => HeaderValue::from_static("Bearer realm=\"fhir\""),
        Some(error) => {
            let text = format!("Bearer realm=\"fhir\", error=\"{error}\"");
            HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
        }
    };
    response.headers_mut().insert(WWW_AUTHENTICATE, value);
}

impl Http {
    /// The FHIR bases under which this server is known: what tokens may be for.
    pub(super) fn bases(&self, headers: &HeaderMap) -> Vec<String> {
        let asked = self.base(headers.get(HOST).and_then(|host| host.to_str().ok()));
        let own = self.base(None);
        if own == asked { vec![asked] } else { vec![asked, own] }
    }
}
