//! `/admin/deliveries`: how notifications reach their subscribers, and what is done about it.

use super::{AdminError, allowed, answer, present, sent, with};
use crate::app::delivery::keys::Told;
use crate::app::delivery::manage::{self, Attempt, Deed, ManageError, Noted, Overview};
use crate::app::delivery::sign::Kind;
use crate::auth::rule::{Act, Area};
use crate::clock::instant_text;
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

/// Subscriptions or attempts in one answer.
const PAGE: i64 = 100;

/// Routes about deliveries.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/admin/deliveries",
        is_fhir: false,
        summary: "How notifications reach their subscribers",
        handler: || get(list),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/admin/deliveries/{id}",
        is_fhir: false,
        summary: "A subscription with its attempts and its keys",
        handler: || get(show),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/deliveries/{id}/pause",
        is_fhir: false,
        summary: "Hold a subscription's notifications back",
        handler: || post(pause),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/deliveries/{id}/resume",
        is_fhir: false,
        summary: "Send a subscription's notifications again",
        handler: || post(resume),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/deliveries/{id}/replay",
        is_fhir: false,
        summary: "Send a subscription's events again from a number on",
        handler: || post(replay),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/deliveries/{id}/rotate-secret",
        is_fhir: false,
        summary: "Replace a key that notifications are signed with",
        handler: || post(rotate),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/deliveries/{id}/test",
        is_fhir: false,
        summary: "Send a handshake to an endpoint",
        handler: || post(test),
    },
];

impl From<ManageError> for AdminError {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Unknown => Self::Unknown("There is no such subscription"),
            ManageError::Invalid(told) => Self::Invalid { field: None, told: told.to_owned() },
            other => Self::Broken(other.to_string()),
        }
    }
}

fn described(one: &Overview) -> Value {
    json!({
        "id": one.id,
        "channel": one.channel,
        "status": one.status,
        "error": (!one.error.is_empty()).then_some(&one.error),
        "endpoint": (!one.host.is_empty()).then_some(&one.host),
        "paused": one.paused,
        "events": one.count,
        "delivered": one.done,
        "lag": one.count - one.done,
        "oldest": one.oldest_us.map(instant_text),
        "failed_tries": one.tries,
        "failing_since": one.failing_us.map(instant_text),
        "due": one.due_us.map(instant_text),
        "tried": one.tried_us.map(instant_text),
        "changed": instant_text(one.changed_us),
    })
}

fn attempted(attempt: &Attempt) -> Value {
    let events = (attempt.last > 0).then(|| json!({ "first": attempt.first, "last": attempt.last }));
    json!({
        "kind": attempt.kind,
        "events": events,
        "try": attempt.tried,
        "at": instant_text(attempt.at_us),
        "took_ms": attempt.took_us / 1000,
        "status": (attempt.status > 0).then_some(attempt.status),
        "error": (!attempt.error.is_empty()).then_some(&attempt.error),
    })
}

fn noted(noted: &Noted) -> Value {
    with(attempted(&noted.attempt), "number", noted.number)
}

fn key(key: &Told) -> Value {
    json!({
        "id": key.id,
        "kind": key.kind.code(),
        "public_key": key.public,
        "made": instant_text(key.made_us),
        "until": key.until_us.map(instant_text),
    })
}

/// `GET /admin/deliveries`, `?after=ID`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Deliveries).await?;
    let after = visit.query("after").unwrap_or_default();
    let all = manage::list(&http.app, &after, PAGE).await?;
    let full = i64::try_from(all.len()).is_ok_and(|count| count == PAGE);
    let next = all.last().filter(|_| full).map(|last| last.id.clone());
    let all: Vec<Value> = all.iter().map(described).collect();
    Ok(answer(StatusCode::OK, &json!({ "deliveries": all, "next": next })))
}

/// `GET /admin/deliveries/{id}`, `?before=NUMBER`
async fn show(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(shown(&http, &visit).await)
}

async fn shown(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Deliveries).await?;
    let before = visit.query("before").map_or(Ok(0), |text| text.parse());
    let before = before.map_err(|_| AdminError::invalid("before", "the number of an attempt"))?;
    let (overview, attempts, keys) = manage::show(&http.app, &visit.segment(2), before, PAGE).await?;
    let told = with(described(&overview), "attempts", attempts.iter().map(noted).collect::<Vec<_>>());
    let told = with(told, "keys", keys.iter().map(key).collect::<Vec<_>>());
    Ok(answer(StatusCode::OK, &told))
}

/// `POST /admin/deliveries/{id}/pause`
async fn pause(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(acted(&http, &visit, Deed::Pause).await)
}

/// `POST /admin/deliveries/{id}/resume`
async fn resume(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(acted(&http, &visit, Deed::Resume).await)
}

async fn acted(http: &Shared, visit: &Visit, deed: Deed) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    let overview = manage::act(&http.app, &visit.segment(2), deed).await?;
    Ok(answer(StatusCode::OK, &described(&overview)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    from: i64,
}

/// `POST /admin/deliveries/{id}/replay`
async fn replay(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(replayed(&http, &visit, body).await)
}

async fn replayed(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    let Replay { from } = sent(visit, body).await?;
    let overview = manage::act(&http.app, &visit.segment(2), Deed::Replay(from)).await?;
    Ok(answer(StatusCode::OK, &described(&overview)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    kind: String,
}

/// `POST /admin/deliveries/{id}/rotate-secret`
async fn rotate(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(rotated(&http, &visit, body).await)
}

async fn rotated(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    let Rotation { kind } = sent(visit, body).await?;
    let kind = Kind::from_code(&kind).ok_or_else(|| AdminError::invalid("kind", "hmac or ed25519"))?;
    let fresh = manage::rotate(&http.app, &visit.segment(2), kind).await?;
    let told = with(key(&fresh.key), "for_receiver", fresh.for_receiver.expose_secret());
    Ok(answer(StatusCode::CREATED, &told))
}

/// `POST /admin/deliveries/{id}/test`
async fn test(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(tested(&http, &visit).await)
}

async fn tested(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    let attempt = manage::test(&http.app, &visit.segment(2)).await?;
    Ok(answer(StatusCode::OK, &attempted(&attempt)))
}
