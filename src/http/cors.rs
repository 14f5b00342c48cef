//! Which pages of other origins may read answers in a browser (Fetch standard, SMART App Launch 2.2
//! "Considerations for Cross-Origin Resource Sharing"). Never with cookies: only a token opens anything here.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

const ANYONE: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// What an app may send.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept, prefer, if-match, if-none-match, if-modified-since, if-none-exist, \
     idempotency-key, last-event-id, x-override-reason, x-request-id, x-requested-with",
);
/// What an app may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "etag, location, content-location, last-modified, preference-applied, x-request-id, retry-after, \
     www-authenticate",
);
/// Seconds for which a browser may remember what it was told, so short that an origin that is withdrawn is soon out.
const REMEMBER: HeaderValue = HeaderValue::from_static("300");

/// Who may read what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every page: what is public anyway.
    Anyone,
    /// Pages of registered apps.
    Registered,
    /// Only our own pages.
    Own,
}

impl Reach {
    /// By path.
    pub(super) fn of(path: &str) -> Self {
        let fhir = path == "/fhir" || path.starts_with("/fhir/");
        match path {
            "/fhir/metadata"
            | "/fhir/.well-known/smart-configuration"
            | "/oauth/jwks"
            | "/openapi.json"
            | "/smart-style.json"
            | "/brands.json" => Self::Anyone,
            _ if path.starts_with("/.well-known/") => Self::Anyone,
            "/oauth/token" | "/oauth/revoke" | "/oauth/introspect" | "/oauth/register" => Self::Registered,
            _ if fhir => Self::Registered,
            _ => Self::Own,
        }
    }
}

/// A request from a page of another origin, and what its answer must say.
#[derive(Clone, Debug)]
pub(super) struct Cors {
    reach: Reach,
    /// The origin, when it may read the answer.
    allowed: Option<HeaderValue>,
    preflight: bool,
}

impl Cors {
    /// Judges a request; `registered` says whether an origin is that of a registered app.
    pub(super) async fn of<R>(
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        registered: impl FnOnce(String) -> R,
    ) -> Self
    where
        R: Future<Output = bool>,
    {
        let reach = Reach::of(path);
        let preflight = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let allowed = match (reach, headers.get(ORIGIN)) {
            (_, None) | (Reach::Own, _) => None,
            (Reach::Anyone, Some(_)) => Some(ANYONE),
            (Reach::Registered, Some(origin)) => match origin.to_str() {
                Ok(text) if registered(text.to_owned()).await => Some(origin.clone()),
                _ => None,
            },
        };
        Self { reach, allowed, preflight }
    }

    /// The answer to a preflight; none when `request` is none.
    pub(super) fn preflight(&self) -> Option<Response> {
        if !self.preflight || self.reach == Reach::Own {
            return None;
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        if self.allowed.is_some() {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
            headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBER);
        }
        Some(response)
    }

    /// Completes the headers of the answer.
    pub(super) fn complete(self, headers: &mut HeaderMap) {
        if self.reach == Reach::Registered {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(allowed) = self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            if !self.preflight {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            }
        }
    }
}
