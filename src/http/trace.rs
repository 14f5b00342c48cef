//! What requests to everything but the FHIR endpoint leave on the record when no use case left more.
//!
//! A use case tells what it did in the terms of its own. Whatever ends before that — refused, malformed, broken,
//! too late — is put on the record here, before its answer leaves.

use super::limit::origin;
use super::{Http, Shared, present};
use crate::app;
use crate::app::audit::Caller;
use crate::audit::act::Act;
use crate::audit::clean;
use crate::audit::event::{Event, Outcome, Scene};
use crate::fhir::outcome::{Error, Kind};
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::header::HOST;
use http::{Extensions, HeaderValue, Method, Uri};
use std::net::IpAddr;
use std::sync::Arc;

/// What a route leaves on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Every request, by its FHIR interaction.
    Fhir,
    /// Every request.
    All(Act),
    /// What is sent, and what is refused; to look at the form tells nothing about anybody.
    Sent(Act),
    /// Nothing; the text says why.
    Nothing(&'static str),
}

/// What the route with this path (in axum's notation) leaves on the record; none when nobody said.
pub fn trace(path: &str) -> Option<Trace> {
    const STATIC: Trace = Trace::Nothing("the same for everybody, and about nobody");
    const PROBE: Trace = Trace::Nothing("asks whether the server works, every few seconds");
    const CHALLENGE: Trace = Trace::Nothing("random numbers; what is made of them is recorded");
    const PUBLIC: Trace = Trace::Nothing("published for every client to read");
    Some(match path {
        "/fhir" | "/fhir/" | "/fhir/{*path}" => Trace::Fhir,
        "/" | "/openapi" | "/assets/style.css" | "/assets/passkey.js" | "/assets/proof.js"
        | "/smart-style.json" => STATIC,
        "/livez" | "/readyz" => PROBE,
        "/openapi.json"
        | "/fhir/.well-known/smart-configuration"
        | "/.well-known/openid-configuration"
        | "/brands.json"
        | "/oauth/jwks" => PUBLIC,
        "/sign-in/passkey/options" | "/sign-in/code/passkey/options" | "/account/passkeys/options" => {
            CHALLENGE
        }
        // Asking how an export goes tells nothing of anybody; kick-offs are FHIR operations.
        "/fhir/bulk-export/{id}" | "/fhir/bulk-export/{id}/{file}" => Trace::Sent(Act::Export),
        "/fhir/subscription-socket" => Trace::All(Act::Operation),
        "/fhir/subscription-events/{id}" => Trace::All(Act::Delivery),
        "/oauth/authorize" => Trace::All(Act::AccessRequested),
        "/oauth/token" => Trace::All(Act::Token),
        "/oauth/revoke" => Trace::All(Act::TokenRevoked),
        "/oauth/introspect" => Trace::All(Act::TokenInspected),
        "/oauth/register"
        | "/oauth/launch"
        | "/console/audit/recipients"
        | "/console/deliveries"
        | "/console/deliveries/{id}" => Trace::All(Act::Administration),
        "/sign-out" => Trace::Sent(Act::SignOut),
        "/sign-in/with/{provider}" => Trace::All(Act::SignInBegun),
        "/sign-in/callback/{provider}" => Trace::All(Act::SignIn),
        "/consent/{id}" => Trace::Sent(Act::Authorized),
        // Patients are shown to choose from.
        "/pick-patient/{id}" => Trace::All(Act::Search),
        "/apps" | "/account" => Trace::Sent(Act::Administration),
        "/emergency" => Trace::Sent(Act::EmergencyStarted),
        "/emergency/end" => Trace::Sent(Act::EmergencyEnded),
        "/emergencies"
        | "/admin/emergencies"
        | "/admin/emergencies/{id}/review"
        | "/console/audit/reviews" => Trace::All(Act::Review),
        "/console/audit/export"
        | "/console/audit/reports.csv"
        | "/console/audit/reports.json"
        | "/console/audit/disclosures.csv" => Trace::All(Act::Export),
        _ if path == "/console/audit" || path.starts_with("/console/audit/") => Trace::All(Act::AuditRead),
        _ if path == "/sign-in" || path.starts_with("/sign-in/") => Trace::Sent(Act::SignIn),
        _ if path.starts_with("/account/") || path.starts_with("/apps/") => Trace::Sent(Act::Administration),
        _ if path.starts_with("/scim/v2/") || path.starts_with("/admin/") => Trace::All(Act::Administration),
        _ => return None,
    })
}

/// A request on its way, as far as the record is concerned.
pub(super) struct Traced {
    trace: Trace,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    request_id: Arc<str>,
    address: IpAddr,
    /// Whoever the use cases of the request are carried out for; the FHIR endpoint tells of its own.
    caller: Option<Caller>,
}

impl Traced {
    /// Begins to trace a request.
    pub(super) fn begin(http: &Http, request: &Request, request_id: &Arc<str>, address: IpAddr) -> Self {
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        // A route that nobody said anything about leaves more rather than less.
        let unsaid = match path {
            "" => Trace::Nothing("there is nothing at this address"),
            _ => Trace::All(Act::Operation),
        };
        let mut traced = Self {
            trace: trace(path).unwrap_or(unsaid),
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(HOST).cloned(),
            request_id: Arc::clone(request_id),
            address,
            caller: None,
        };
        if !matches!(traced.trace, Trace::Fhir | Trace::Nothing(_)) {
            traced.caller = Some(traced.somebody(http));
        }
        traced
    }

    /// For whom use cases are carried out.
    pub(super) fn caller(&self) -> Option<Caller> {
        self.caller.clone()
    }

    /// Somebody who is not known yet, in the scene of this request.
    fn somebody(&self, http: &Http) -> Caller {
        Caller::in_scene(Scene {
            address: Some(self.address.to_string()),
            server: http.base(self.host.as_ref().and_then(|host| host.to_str().ok())),
            request_id: self.request_id.to_string(),
        })
    }

    /// The request's first line, fit for the record.
    fn line(&self) -> String {
        clean::oauth(&format!("{} {}", self.method, self.uri))
    }

    fn reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// Puts on the record that an address sent too much.
    pub(super) async fn limited(self, http: &Http, response: Response) -> Response {
        let app = http.app.called_by(self.somebody(http));
        let event = Event { query: Some(self.line()), ..app.event(Act::Limited) };
        match http.limited(format!("address {}", origin_text(self.address)), event).await {
            Ok(()) => response,
            Err(error) => unrecorded(&error),
        }
    }

    /// Puts what came of the request on the record, unless its use case did. `at_edge`: no handler answered.
    pub(super) async fn end(self, http: &Http, response: Response, at_edge: bool) -> Response {
        let status = response.status().as_u16();
        let act = match self.trace {
            Trace::Fhir if at_edge => Act::Operation,
            Trace::Fhir | Trace::Nothing(_) => return response,
            Trace::Sent(_) if self.reads() && status < 400 => return response,
            Trace::All(act) | Trace::Sent(act) => act,
        };
        let caller = self.caller.clone().unwrap_or_else(|| self.somebody(http));
        if caller.is_noted() && status < 500 {
            return response;
        }
        let app = http.app.called_by(caller);
        let mut event = Event { query: Some(self.line()), ..app.event(act) };
        let reason = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
        let told = format!("{status} {}", reason.unwrap_or_default());
        event.outcome = match (self.trace, act) {
            // Had it been done, the use case would have said so.
            (Trace::Sent(_), _) | (_, Act::SignIn) if status < 400 => Outcome::Refused(told),
            // Sent away to sign in first.
            _ if self.reads() && status == 303 => Outcome::Denied(told),
            _ => Outcome::of_status(status, told),
        };
        match app.note(event).await {
            Ok(()) => response,
            Err(error) => unrecorded(&error),
        }
    }
}

impl Http {
    /// Counts a request that was one too many for `key`, and puts the sum on the record when it is time to.
    ///
    /// # Errors
    /// When it can't be recorded.
    pub(super) async fn limited(&self, key: String, event: Event) -> Result<(), Error> {
        let event = Event { act: Act::Limited, ..event }.denied("Too many requests").detail("key", &key);
        match self.limits.refusals.count(key, self.app.clock.instant(), event) {
            Some(event) => Ok(self.app.note(event).await?),
            None => Ok(()),
        }
    }
}

/// 503: nothing is answered that is not on the record.
fn unrecorded(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a request could not be put on the record");
    present::refusal(&Error::new(Kind::Unavailable, "The request could not be put on the record; try again"))
}

/// What counts as one address.
fn origin_text(address: IpAddr) -> String {
    std::net::Ipv6Addr::from_bits(origin(address)).to_canonical().to_string()
}

impl Http {
    /// The same, for what this very request does.
    pub(super) fn during(self: &Arc<Self>, request: &Extensions) -> Shared {
        match request.get::<Caller>() {
            Some(caller) => {
                let app: app::App = self.app.called_by(caller.clone());
                Arc::new(Self { app, limits: Arc::clone(&self.limits), since: self.since })
            }
            None => Arc::clone(self),
        }
    }
}
