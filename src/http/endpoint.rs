//! The FHIR endpoint: one handler for every interaction.

use super::edge::{self, Arrival, Label};
use super::negotiate::{Sent, Wanted};
use super::prefer::{Prefer, Return};
use super::{Shared, bearer, body, present};
use crate::app::audit::Asked;
use crate::app::bearer::Bearer;
use crate::app::{self, Answer, Context};
use crate::audit::act::Act;
use crate::audit::clean;
use crate::audit::event::{Event, Scene};
use crate::auth::Access;
use crate::auth::principal::Principal;
use crate::fhir::interaction::{self, Incoming, Interaction};
use crate::fhir::outcome::{Error, Kind};
use crate::telemetry;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use std::borrow::Cow;
use std::sync::Arc;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const OVERRIDE_REASON: HeaderName = HeaderName::from_static("x-override-reason");
/// The longest `Idempotency-Key`.
const LONGEST_KEY: usize = 255;
/// The longest `X-Override-Reason`, in bytes.
const LONGEST_REASON: usize = 500;

/// A carried-out request, ready to be presented.
pub(super) struct Done {
    pub(super) wanted: Wanted,
    pub(super) prefer: Prefer,
    pub(super) interaction: Interaction,
    pub(super) query: String,
    pub(super) base: String,
    pub(super) answer: Answer,
}

/// Answers a request to `/fhir` or below.
pub(super) async fn fhir(State(http): State<Shared>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    // What an error is presented in when the request does not get as far as a proper negotiation.
    let mut wanted =
        Wanted::of(parts.uri.query().unwrap_or(""), &parts.headers, false).unwrap_or(Wanted::PLAIN);
    let mut label = Label("unknown");
    let unread =
        !matches!(parts.method, Method::GET | Method::HEAD) && !axum::body::HttpBody::is_end_stream(&sent);
    let mut trail = Trail::default();
    let mut outcome = serve(&http, &parts, sent, &mut wanted, &mut label, &mut trail).await;
    if let Err(error) = &outcome
        && !trail.recorded
        && let Err(unrecorded) = trail.refused(&http, &parts, error).await
    {
        outcome = Err(unrecorded);
    }
    let mut response = match outcome.and_then(present::answer) {
        Ok(response) => response,
        Err(error) => {
            if error.kind == Kind::Conflict && error.issues.iter().any(|issue| issue.details.is_some()) {
                telemetry::booking_conflict();
            }
            let response = present::error(&error, wanted);
            // The rest of a body that was refused half-way is not worth reading to save a connection.
            let cut_short = matches!(error.kind, Kind::TooLarge | Kind::RequestTimeout);
            if unread && cut_short { edge::closing(response) } else { response }
        }
    };
    response.extensions_mut().insert(label);
    response
}

async fn serve(
    http: &Shared,
    parts: &Parts,
    sent: axum::body::Body,
    wanted: &mut Wanted,
    label: &mut Label,
    trail: &mut Trail,
) -> Result<Done, Error> {
    let config = &http.app.config;
    let arrival = parts.extensions.get::<Arrival>().ok_or_else(|| Error::internal("no arrival"))?;
    let limit = config.server.body_limit.get();
    let path = parts.uri.path();
    let path = path.strip_prefix("/fhir").unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    // Before anything else is looked at, except what everybody may read.
    let mut bearer = match path {
        "metadata" => Bearer::unchanging(Access::of(Principal::default(), http.app.policy)),
        _ => bearer::bearer(http, parts).await?,
    };
    trail.access = Some(bearer.access.clone());
    http.limits.acts(bearer.access.principal())?;
    let mut query = Cow::Borrowed(parts.uri.query().unwrap_or(""));
    let mut sent = Some(sent);
    if is_search(&parts.method, path) {
        let bytes = body::read(&parts.headers, sent.take().unwrap_or_default(), limit, arrival).await?;
        query = with_form(&query, &parts.headers, &bytes)?;
    }
    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
    let interaction = interaction::parse(&Incoming {
        method,
        path,
        query: &query,
        if_match: text(&parts.headers, &IF_MATCH)?,
        if_none_match: text(&parts.headers, &IF_NONE_MATCH)?,
        if_modified_since: text(&parts.headers, &IF_MODIFIED_SINCE)?,
        if_none_exist: text(&parts.headers, &IF_NONE_EXIST)?,
    })?;
    *label = Label(name(&interaction));
    *wanted = Wanted::of(&query, &parts.headers, interaction == Interaction::Capabilities)?;
    let prefer = Prefer::of(&parts.headers);
    let mut context = context(http, parts, arrival, prefer, bearer.access.clone())?;
    let base = context.base.clone();
    let body = match sent {
        Some(sent) if !matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE) => {
            let bytes = body::read(&parts.headers, sent, limit, arrival).await?;
            body::decode(&parts.method, &parts.headers, &bytes)?
        }
        _ => app::Body::Empty,
    };
    let asked = asked(&interaction, &body);
    // A read tells whether the access that it was judged by still held; anything else has to ask before.
    let tells = matches!(interaction, Interaction::Read(..) | Interaction::Search(_));
    if !tells && !bearer.is_current(&http.app).await? {
        bearer = bearer::bearer(http, parts).await?;
        context.access = bearer.access.clone();
    }
    let mut outcome = app::execute(&http.app, &context, interaction.clone(), body).await;
    if tells && !judged_rightly(http, &bearer, &outcome).await? {
        context.access = bearer::bearer(http, parts).await?.access;
        outcome = app::execute(&http.app, &context, interaction.clone(), app::Body::Empty).await;
    }
    trail.recorded = true;
    app::audit::conclude(&http.app, &context, &asked, &outcome).await?;
    let answer = outcome?;
    Ok(Done { wanted: *wanted, prefer, interaction, query: query.into_owned(), base, answer })
}

/// What the request asks for, as it goes on the record.
fn asked(interaction: &Interaction, body: &app::Body) -> Asked {
    let mut asked = Asked::of(interaction);
    let mode = match body {
        app::Body::Resource(bundle) => bundle.get("type").and_then(serde_json::Value::as_str),
        _ => None,
    };
    if *interaction == Interaction::Bundle && mode == Some("batch") {
        asked.act = Act::Batch;
    }
    asked
}

/// What is known of a request that may end before it is understood.
#[derive(Default)]
struct Trail {
    access: Option<Arc<Access>>,
    recorded: bool,
}

impl Trail {
    /// Puts a request on the record that was refused before it was understood.
    async fn refused(&self, http: &Shared, parts: &Parts, error: &Error) -> Result<(), Error> {
        let arrival = parts.extensions.get::<Arrival>().ok_or_else(|| Error::internal("no arrival"))?;
        let scene = Scene {
            address: Some(arrival.address.to_string()),
            server: http.base(parts.headers.get(HOST).and_then(|host| host.to_str().ok())),
            request_id: arrival.request_id.to_string(),
        };
        let line = format!("{} {}", parts.method, parts.uri);
        let principal = self.access.as_deref().map(Access::principal);
        if let (Kind::TooManyRequests, Some(principal)) = (error.kind, principal) {
            let actor = app::audit::actor(principal, &scene.server);
            let subject = actor.person.as_ref().map(|person| person.subject.clone());
            let key = format!(
                "client {} {}",
                actor.client.as_deref().unwrap_or_default(),
                subject.unwrap_or_default()
            );
            let event = Event { query: Some(clean::query(&line)), ..Event::new(Act::Limited, actor, scene) };
            return http.limited(key, event).await;
        }
        app::audit::refused(&http.app, principal, scene, &line, error).await
    }
}

/// Whether nobody's access had changed in the state that a read or a search saw.
async fn judged_rightly(
    http: &Shared,
    bearer: &Bearer,
    outcome: &Result<Answer, Error>,
) -> Result<bool, Error> {
    match outcome {
        Ok(Answer { access: Some(seen), .. }) => Ok(bearer.still_holds(&http.app, *seen)),
        _ => bearer.is_current(&http.app).await,
    }
}

fn is_search(method: &Method, path: &str) -> bool {
    *method == Method::POST && (path == "_search" || path.ends_with("/_search"))
}

/// The query with the parameters of a form appended (R4 `http.html`, search by POST).
fn with_form<'a>(query: &Cow<'a, str>, headers: &HeaderMap, bytes: &[u8]) -> Result<Cow<'a, str>, Error> {
    if bytes.is_empty() {
        return Ok(query.clone());
    }
    if Sent::of(headers)? != Sent::Form {
        return Err(Error::new(
            Kind::UnsupportedMediaType,
            "Search parameters are posted as application/x-www-form-urlencoded",
        ));
    }
    let form = std::str::from_utf8(bytes).map_err(|_| Error::bad_request("The form is not UTF-8"))?;
    edge::well_encoded(form)?;
    let form = form.trim();
    Ok(if query.is_empty() { form.to_owned() } else { format!("{query}&{form}") }.into())
}

/// A header as text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let value = value.to_str().map_err(|_| Error::bad_request(format!("The header {name} is not ASCII")))?;
    if *name == IF_NONE_EXIST {
        edge::well_encoded(value)?;
    }
    Ok(Some(value))
}

fn context(
    http: &Shared,
    parts: &Parts,
    arrival: &Arrival,
    prefer: Prefer,
    access: Arc<Access>,
) -> Result<Context, Error> {
    Ok(Context {
        access,
        base: http.base(parts.headers.get(HOST).and_then(|host| host.to_str().ok())),
        request_id: arrival.request_id.to_string(),
        address: Some(arrival.address),
        strict: prefer.strict.unwrap_or(false),
        respond_async: prefer.respond_async,
        minimal: prefer.returning == Some(Return::Minimal),
        idempotency_key: idempotency_key(&parts.headers)?,
        override_reason: override_reason(&parts.headers)?,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Error::bad_request(format!(
            "Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters"
        ))),
    }
}

/// The reason for an override, in UTF-8, without control characters and surrounding spaces.
fn override_reason(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(&OVERRIDE_REASON) else { return Ok(None) };
    let reason: String = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::bad_request("X-Override-Reason must be UTF-8"))?
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > LONGEST_REASON {
        return Err(Error::bad_request(format!("X-Override-Reason must have 1 to {LONGEST_REASON} bytes")));
    }
    Ok(Some(reason.to_owned()))
}

/// R4's code of an interaction: a label of the metrics.
fn name(interaction: &Interaction) -> &'static str {
    match interaction {
        Interaction::Capabilities => "capabilities",
        Interaction::Read(..) => "read",
        Interaction::VersionRead(..) => "vread",
        Interaction::Search(_) => "search",
        Interaction::History { .. } => "history",
        Interaction::Create { .. } => "create",
        Interaction::Update(..) => "update",
        Interaction::Patch(..) => "patch",
        Interaction::Delete(..) => "delete",
        Interaction::Bundle => "transaction",
        Interaction::Operation { .. } => "operation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(name: &HeaderName, value: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        headers
    }

    #[test]
    fn idempotency_keys_are_bounded_and_printable() {
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(idempotency_key(&with(&IDEMPOTENCY_KEY, b"k-1")).unwrap().as_deref(), Some("k-1"));
        assert!(idempotency_key(&with(&IDEMPOTENCY_KEY, b"")).is_err());
        assert!(idempotency_key(&with(&IDEMPOTENCY_KEY, &[b'x'; 256])).is_err());
        assert!(idempotency_key(&with(&IDEMPOTENCY_KEY, "ü".as_bytes())).is_err());
    }

    #[test]
    fn override_reasons_are_cleaned() {
        let reason = override_reason(&with(&OVERRIDE_REASON, "  Notfall\tfür heute ".as_bytes())).unwrap();
        assert_eq!(reason.as_deref(), Some("Notfall für heute"));
        assert!(override_reason(&with(&OVERRIDE_REASON, b" ")).is_err());
        assert!(override_reason(&with(&OVERRIDE_REASON, &[b'x'; 501])).is_err());
        assert!(override_reason(&with(&OVERRIDE_REASON, b"\xff")).is_err());
    }

    #[test]
    fn a_form_is_appended_to_the_query() {
        let headers = with(&http::header::CONTENT_TYPE, b"application/x-www-form-urlencoded");
        let joined = with_form(&Cow::Borrowed("a=1"), &headers, b"b=2&c=%C3%BC").unwrap();
        assert_eq!(joined, "a=1&b=2&c=%C3%BC");
        assert!(with_form(&Cow::Borrowed(""), &headers, b"b=%FF").is_err());
        assert!(with_form(&Cow::Borrowed(""), &headers, b"b=%00").is_err());
    }
}
