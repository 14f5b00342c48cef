//! A visit to a page: whose browser it is, in which language, and whether a form is really ours.

use super::words::Words;
use super::{PageError, Refusal};
use crate::app::account::{self, Live, Origin};
use crate::auth::secret::{self, derived};
use crate::http::Shared;
use crate::http::body;
use crate::http::edge::{Arrival, Label};
use crate::http::peer;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Largest form.
const LARGEST_FORM: usize = 256 * 1024;
/// How long a browser is known, in seconds.
const DEVICE_AGE: u64 = 365 * 24 * 3600;

/// Cookies of ours, by their names without the prefix that https gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Cookie {
    /// Who is signed in.
    Session,
    /// A sign-in that waits for its second factor.
    Step,
    /// Binds forms to a browser that nobody signed in from.
    Form,
    /// A browser that somebody signed in from before.
    Device,
    /// Binds sign-ins at an upstream provider to the browser that they were begun in.
    Upstream,
    /// Binds a challenge for a passkey to the browser that it was given to.
    Passkey,
}

impl Cookie {
    fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, true) => "__Host-session",
            (Self::Session, false) => "session",
            (Self::Step, true) => "__Host-step",
            (Self::Step, false) => "step",
            (Self::Form, true) => "__Host-form",
            (Self::Form, false) => "form",
            (Self::Device, true) => "__Host-device",
            (Self::Device, false) => "device",
            (Self::Upstream, true) => "__Host-upstream",
            (Self::Upstream, false) => "upstream",
            (Self::Passkey, true) => "__Host-passkey",
            (Self::Passkey, false) => "passkey",
        }
    }

    /// Seconds that a browser keeps it; none: until it is closed.
    fn max_age(self) -> Option<u64> {
        match self {
            Self::Session | Self::Form => None,
            Self::Step | Self::Upstream => Some(600),
            Self::Passkey => Some(300),
            Self::Device => Some(DEVICE_AGE),
        }
    }
}

/// One request to a page.
pub(in crate::http) struct Visit {
    pub(super) http: Shared,
    parts: Parts,
    pub(super) words: Words,
    /// Who is signed in.
    pub(super) live: Option<Live>,
    /// What forms are bound to: the session's cookie, else one of their own.
    binding: String,
    /// The network that the request comes from.
    from: String,
    set: Vec<HeaderValue>,
    label: &'static str,
}

impl Visit {
    /// Begins a visit; `label` names the page in the metrics.
    pub(super) async fn begin(
        http: Shared,
        request: Request,
        label: &'static str,
    ) -> Result<(Self, Body), Response> {
        let http = http.during(request.extensions());
        let from = network(peer::address(&request, &http.app.config.server));
        let (parts, body) = request.into_parts();
        let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let words = Words::choose(None, accepted);
        let mut visit =
            Self { http, parts, words, live: None, binding: String::new(), from, set: Vec::new(), label };
        match visit.recognise().await {
            Ok(()) => Ok((visit, body)),
            Err(error) => Err(visit.answer(Err(error))),
        }
    }

    /// A request to something that is no page: nobody is recognised yet.
    pub(in crate::http) fn bare(http: Shared, request: Request) -> (Self, Body) {
        let from = network(peer::address(&request, &http.app.config.server));
        let (parts, body) = request.into_parts();
        let words = Words::choose(None, None);
        (
            Self {
                http,
                parts,
                words,
                live: None,
                binding: String::new(),
                from,
                set: Vec::new(),
                label: "none",
            },
            body,
        )
    }

    /// The request's headers.
    pub(in crate::http) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// What the edge left with the request.
    pub(in crate::http) fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.parts.extensions.get()
    }

    /// Whether this is JSON that was not sent by a page of another site: what a form can't send, and what a
    /// script of another site must ask leave for.
    pub(in crate::http) fn is_json_from_here(&self) -> bool {
        let kind = header(&self.parts.headers, &CONTENT_TYPE).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") && self.is_from_here()
    }

    async fn recognise(&mut self) -> Result<(), PageError> {
        if let Some(cookie) = self.cookie(Cookie::Session) {
            self.live = account::session_of(&self.http.app, &cookie).await?;
            if let Some(live) = &self.live {
                self.http.app.caller.is_signed_in(live);
                if let Some(locale) = &live.account.locale {
                    self.words = Words::choose(Some(locale), None);
                }
                self.binding = cookie;
                return Ok(());
            }
        }
        if let Some(cookie) = self.cookie(Cookie::Form).filter(|cookie| cookie.len() == 43) {
            self.binding = cookie;
            return Ok(());
        }
        let random = self.http.app.clock.random_bytes::<32>();
        let fresh = secret::written(&random.map_err(|error| PageError::broken(&error))?);
        self.set(Cookie::Form, &fresh);
        self.binding = fresh;
        Ok(())
    }

    fn https(&self) -> bool {
        self.http.is_https()
    }

    /// The value of one of our cookies.
    pub(in crate::http) fn cookie(&self, cookie: Cookie) -> Option<String> {
        let name = cookie.name(self.https());
        let all = self.parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(own, _)| *own == name).map(|(_, value)| value.to_owned())
    }

    /// Sets one of our cookies with the answer.
    pub(super) fn set(&mut self, cookie: Cookie, value: &str) {
        let age = cookie.max_age().map(|age| format!("; Max-Age={age}")).unwrap_or_default();
        self.push(cookie, &format!("{value}{age}"));
    }

    /// Takes one of our cookies away.
    pub(super) fn unset(&mut self, cookie: Cookie) {
        self.push(cookie, "; Max-Age=0");
    }

    fn push(&mut self, cookie: Cookie, value: &str) {
        let secure = if self.https() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie.name(self.https()));
        self.set.extend(HeaderValue::from_str(&text));
    }

    /// A parameter of the URL.
    pub(in crate::http) fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }

    /// A segment of the path, counted from 0.
    pub(in crate::http) fn segment(&self, index: usize) -> String {
        let segment = self.parts.uri.path().trim_start_matches('/').split('/').nth(index);
        percent_encoding::percent_decode_str(segment.unwrap_or_default()).decode_utf8_lossy().into_owned()
    }

    /// Path and query of this request, to come back to.
    pub(super) fn here(&self) -> String {
        self.parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
    }

    /// The FHIR base under which this server was reached.
    pub(super) fn base(&self) -> String {
        self.http.base(self.parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
    }

    /// Our origin as the browser knows it.
    pub(super) fn site(&self) -> String {
        let base = self.base();
        base.strip_suffix("/fhir").unwrap_or(&base).to_owned()
    }

    /// `x-request-id`.
    pub(super) fn request_id(&self) -> String {
        self.parts
            .extensions
            .get::<Arrival>()
            .map(|arrival| arrival.request_id.to_string())
            .unwrap_or_default()
    }

    /// What a form must send back to prove that it is ours and this browser's.
    pub(super) fn form_token(&self) -> String {
        derived(&self.binding, "form")
    }

    /// Where attempts to sign in come from.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            address: self.from.clone(),
            device: self.cookie(Cookie::Device).filter(|cookie| cookie.len() == 43),
        }
    }

    /// Reads a form, which must come from one of our own pages in this very browser.
    pub(super) async fn form(&self, sent: Body) -> Result<Form, PageError> {
        if !self.is_from_here() {
            return Err(Refusal::Forged.into());
        }
        let arrival = self.parts.extensions.get::<Arrival>();
        let arrival = arrival.ok_or_else(|| PageError::broken(&"no arrival"))?;
        let bytes = body::read(&self.parts.headers, sent, LARGEST_FORM, arrival).await;
        let bytes = bytes.map_err(|_| Refusal::Malformed)?;
        let pairs = form_urlencoded::parse(&bytes);
        let form = Form(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect());
        if !secret::equal(form.text("token"), &self.form_token()) {
            return Err(Refusal::Forged.into());
        }
        Ok(form)
    }

    /// What browsers say about where a form was sent from, as far as they say it.
    fn is_from_here(&self) -> bool {
        let headers = &self.parts.headers;
        if let Some(site) = header(headers, &SEC_FETCH_SITE) {
            return matches!(site, "same-origin" | "none");
        }
        match header(headers, &ORIGIN) {
            Some(origin) => self.base().strip_suffix("/fhir").is_some_and(|own| own == origin),
            None => true,
        }
    }

    /// Whoever is signed in; a detour over the sign-in page otherwise.
    pub(super) fn signed_in(&self) -> Result<&Live, PageError> {
        self.live.as_ref().ok_or_else(|| PageError::sign_in_first(&self.here(), false))
    }

    /// Whoever proved not long ago who they are; a detour over the sign-in page otherwise.
    pub(super) fn recently_signed_in(&self, back: &str) -> Result<&Live, PageError> {
        let live = self.signed_in()?;
        if live.is_recent(&self.http.app) { Ok(live) } else { Err(PageError::sign_in_first(back, true)) }
    }

    /// The answer, with what every page carries.
    pub(super) fn answer(&self, result: Result<Response, PageError>) -> Response {
        let mut response = result.unwrap_or_else(|error| error.present(self));
        for cookie in &self.set {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response.extensions_mut().insert(Label(self.label));
        response
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"))
}

/// The network that counts as one client: an IPv4 address, or the /64 that a customer is given.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// A form that was sent.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The first value of a field, empty when absent.
    pub(super) fn text(&self, name: &str) -> &str {
        let first = self.0.iter().find(|(own, _)| own == name);
        first.map_or("", |(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Where a person goes after the sign-in: a page of ours, never somewhere else.
pub(super) fn safe_return(wanted: &str) -> Option<&str> {
    const PAGES: [&str; 8] = [
        "/consent/",
        "/pick-patient/",
        "/apps",
        "/account",
        "/emergency",
        "/emergencies",
        "/console/audit",
        "/console/deliveries",
    ];
    let is_plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    let path = wanted.split('?').next().unwrap_or_default();
    let has_dots = path.split('/').any(|segment| matches!(segment, "." | ".."))
        || path.contains('%')
        || path.contains("//");
    let is_ours = PAGES.iter().any(|page| {
        path == *page
            || path.starts_with(page) && (page.ends_with('/') || path.starts_with(&format!("{page}/")))
    });
    (is_plain && is_ours && !has_dots && wanted.len() <= 2048).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_leads_only_to_our_own_pages() {
        for good in [
            "/account",
            "/apps",
            "/consent/abc?patient=pat-1",
            "/pick-patient/x",
            "/emergency?patient=a%7Cb",
            "/console/audit/events/x?a=b",
            "/console/deliveries/x?done=pause",
        ] {
            assert_eq!(safe_return(good), Some(good));
        }
        for evil in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/account",
            "/account\r\nSet-Cookie: a=b",
            "/account@evil.example",
            "/accounts",
            "/consent/../../evil",
            "/consent/%2e%2e/x",
            "/apps//evil.example",
            "/sign-out",
            "javascript:alert(1)",
            "/consent/x#y",
            " /account",
        ] {
            assert_eq!(safe_return(evil), None, "{evil}");
        }
    }

    #[test]
    fn a_customers_network_is_one_client() {
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
    }
}
