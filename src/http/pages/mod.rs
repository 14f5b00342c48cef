//! Pages for people, rendered here and without scripts: what this server is, and everything around signing in.

mod about;
pub(super) mod account;
pub(super) mod apps;
pub(super) mod consent;
pub(super) mod console;
pub(super) mod deliveries;
pub(super) mod emergencies;
pub(super) mod emergency;
mod encounters;
mod forms;
mod passkeys;
mod patients;
mod scope_words;
pub(super) mod sign_in;
mod upstream;
pub(super) mod visit;
mod words;

use about::style;
pub(super) use about::{capabilities, index, livez, oauth_problem, openapi, openapi_json, readyz, too_many};

use super::{RouteInfo, Shared};
use crate::app::account::AccountError;
use crate::fhir::outcome::{Error, Kind};
use askama::Template;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use forms::Frame;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use visit::Visit;

const fn page(path: &'static str, summary: &'static str, handler: fn() -> MethodRouter<Shared>) -> RouteInfo {
    RouteInfo { methods: &["GET", "HEAD"], path, is_fhir: false, summary, handler }
}

const fn form(path: &'static str, summary: &'static str, handler: fn() -> MethodRouter<Shared>) -> RouteInfo {
    RouteInfo { methods: &["GET", "HEAD", "POST"], path, is_fhir: false, summary, handler }
}

const fn action(
    path: &'static str,
    summary: &'static str,
    handler: fn() -> MethodRouter<Shared>,
) -> RouteInfo {
    RouteInfo { methods: &["POST"], path, is_fhir: false, summary, handler }
}

/// Everything around signing in.
pub(super) const ROUTES: &[RouteInfo] = &[
    page("/assets/style.css", "The looks of the pages", || get(style)),
    form("/sign-in", "Sign in", || get(sign_in::show).post(sign_in::submit)),
    form("/sign-in/code", "The second factor", || get(sign_in::show_code).post(sign_in::submit_code)),
    page("/assets/passkey.js", "What a passkey needs", || get(passkeys::script)),
    action("/sign-in/passkey", "Sign in by a passkey", || post(passkeys::sign_in)),
    action("/sign-in/passkey/options", "A challenge for a passkey", || post(passkeys::sign_in_options)),
    action("/sign-in/code/passkey", "A passkey as second factor", || post(passkeys::step)),
    action("/sign-in/code/passkey/options", "A challenge for a second factor", || {
        post(passkeys::step_options)
    }),
    action("/sign-in/with/{provider}", "Sign in at an upstream provider", || post(upstream::begin)),
    page("/sign-in/callback/{provider}", "Back from an upstream provider", || get(upstream::finish)),
    form("/sign-out", "Sign out", || get(sign_in::show_sign_out).post(sign_in::sign_out)),
    form("/consent/{id}", "Say what an app may do", || get(consent::show).post(consent::submit)),
    form("/pick-patient/{id}", "Choose the patient whom an app is about", || {
        get(consent::show_picker).post(consent::search)
    }),
    page("/apps", "Apps with access", || get(apps::show)),
    action("/apps/revoke", "Take an app's access back", || post(apps::revoke)),
    form("/emergency", "Declare an emergency", || get(emergency::show).post(emergency::submit)),
    action("/emergency/end", "End the emergency", || post(emergency::end)),
    form("/emergencies", "Review declared emergencies", || get(emergencies::show).post(emergencies::submit)),
    page("/console/deliveries", "How notifications reach their subscribers", || get(deliveries::list)),
    form("/console/deliveries/{id}", "Deliveries to one subscriber", || {
        get(deliveries::show).post(deliveries::submit)
    }),
    page("/account", "Password, second factor and language", || get(account::show)),
    action("/account/password", "Change the password", || post(account::password)),
    action("/account/language", "Change the language", || post(account::language)),
    form("/account/authenticator", "Set up an authenticator app", || {
        get(account::show_authenticator).post(account::authenticator)
    }),
    action("/account/authenticator/remove", "Leave the authenticator app", || {
        post(account::remove_authenticator)
    }),
    action("/account/passkeys", "Register a passkey", || post(passkeys::register)),
    action("/account/passkeys/options", "A challenge to register a passkey", || {
        post(passkeys::register_options)
    }),
    action("/account/passkeys/remove", "Remove a passkey", || post(passkeys::remove)),
    action("/account/recovery-codes", "Make new recovery codes", || post(account::recovery_codes)),
];

/// Pages load our style and nothing else, run nothing, and send forms to us alone.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The same for pages with passkeys: they run our own script, which asks us for a challenge.
const SCRIPT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// Why a page can't be shown, in words of `locales`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The form did not come from our page in this browser.
    Forged,
    /// The form can't be read.
    Malformed,
    /// There is no such thing, or its time is over.
    Gone,
    /// Not for this person.
    Forbidden,
}

/// Why a visit did not end with its page.
#[derive(Debug)]
enum PageError {
    /// The person is told why.
    Refused(Refusal),
    /// First another page, at this URL.
    Detour(String),
    /// Ours; the text is for the log.
    Broken(String),
    /// The database can't be reached.
    Unavailable(String),
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Unavailable => Self::Unavailable(error.to_string()),
            Kind::NotFound => Self::Refused(Refusal::Gone),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl From<AccountError> for PageError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => Error::from(error).into(),
            AccountError::Unknown | AccountError::Lapsed => Self::Refused(Refusal::Gone),
            AccountError::Invalid(_) | AccountError::Taken | AccountError::Weak(_) => {
                Self::Refused(Refusal::Malformed)
            }
            AccountError::Wrong | AccountError::Cloned | AccountError::Wait { .. } => {
                Self::Refused(Refusal::Forbidden)
            }
        }
    }
}

impl PageError {
    fn broken(reason: &impl std::fmt::Display) -> Self {
        Self::Broken(reason.to_string())
    }

    /// A detour over the sign-in page and back to `back`.
    fn sign_in_first(back: &str, again: bool) -> Self {
        Self::sign_in_as(back, again, None)
    }

    /// The same, with the username that is expected.
    fn sign_in_as(back: &str, again: bool, hint: Option<&str>) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("return", back);
        if again {
            query.append_pair("again", "1");
        }
        if let Some(hint) = hint {
            query.append_pair("hint", hint);
        }
        Self::Detour(format!("/sign-in?{}", query.finish()))
    }

    fn present(self, visit: &Visit) -> Response {
        let (status, id) = match self {
            Self::Detour(url) => return redirect(&url),
            Self::Refused(Refusal::Forged) => (StatusCode::FORBIDDEN, "error-forged"),
            Self::Refused(Refusal::Malformed) => (StatusCode::BAD_REQUEST, "error-malformed"),
            Self::Refused(Refusal::Gone) => (StatusCode::NOT_FOUND, "error-gone"),
            Self::Refused(Refusal::Forbidden) => (StatusCode::FORBIDDEN, "error-forbidden"),
            Self::Broken(error) => {
                tracing::error!(%error, "a page failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "error-broken")
            }
            Self::Unavailable(error) => {
                tracing::warn!(%error, "a page could not reach the database");
                (StatusCode::SERVICE_UNAVAILABLE, "error-unavailable")
            }
        };
        let page = Message { frame: Frame::of(visit), text: visit.words.t(id) };
        render(status, &page).unwrap_or_else(|_| status.into_response())
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    frame: Frame,
    text: String,
}

/// A rendered page with the headers that every page has.
fn render(status: StatusCode, page: &impl Template) -> Result<Response, PageError> {
    let html = page.render().map_err(|error| PageError::broken(&error))?;
    let mut response = (status, html).into_response();
    page_headers(&mut response);
    Ok(response)
}

fn page_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // To ourselves it is said, since browsers call a form's origin `null` without it; to nobody else.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
}

/// A page that may run our script.
fn with_script(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, SCRIPT_POLICY);
    response
}

/// A page whose form ends at an app: browsers hold the form's policy against where it is redirected to, too.
fn leading_to(mut response: Response, origin: &str) -> Response {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-+_[]".contains(&byte);
    if !origin.is_empty() && origin.bytes().all(plain) {
        let policy = format!(
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self' {origin}; \
             frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
    }
    response
}

/// On to another page, by GET.
fn redirect(url: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    page_headers(&mut response);
    let location = HeaderValue::from_str(url).unwrap_or(HeaderValue::from_static("/account"));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// A form shown again with what was wrong, the time to wait being said to machines too.
fn again(page: &impl Template, wait_seconds: Option<i64>) -> Result<Response, PageError> {
    let Some(seconds) = wait_seconds else { return render(StatusCode::UNPROCESSABLE_ENTITY, page) };
    let mut response = render(StatusCode::TOO_MANY_REQUESTS, page)?;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1).unsigned_abs()));
    Ok(response)
}
