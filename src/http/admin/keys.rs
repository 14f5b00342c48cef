//! `/admin/keys`: the keys that sign tokens. Nothing but their ids and times is told.

use super::{AdminError, allowed, answer, present, sent};
use crate::app::oauth::keys::{self, KeyringError, Listed};
use crate::auth::rule::{Act, Area};
use crate::clock::{Micros, instant_text};
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Routes about keys.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/keys",
        is_fhir: false,
        summary: "List the keys that sign tokens, make the next one",
        handler: || get(list).post(create),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/keys/{kid}/retire",
        is_fhir: false,
        summary: "Take a key out of use",
        handler: || post(retire),
    },
];

impl From<KeyringError> for AdminError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Unknown { .. } => Self::Unknown("There is no such key"),
            KeyringError::Signs { .. } => Self::Taken {
                field: "kid",
                told: "It is the key that signs; make another one first, and wait until it signs",
            },
            // The rest names files.
            other => Self::Broken(other.to_string()),
        }
    }
}

fn described(key: &Listed, now: Micros) -> Value {
    let state = match key.signs {
        true => "signs",
        false if key.activates_us > now => "next",
        false => "former",
    };
    json!({ "kid": key.kid, "activates": instant_text(key.activates_us), "state": state })
}

/// Runs what reads and writes files where it holds nobody up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, AdminError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| AdminError::Broken(error.to_string()))??)
}

/// `GET /admin/keys`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Keys).await?;
    let (dir, now) = (http.app.config.auth.keys.clone(), http.app.clock.now());
    let all = aside(move || keys::list(&dir, now)).await?;
    let all: Vec<Value> = all.iter().map(|key| described(key, now)).collect();
    Ok(answer(StatusCode::OK, &json!({ "keys": all })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// Sign at once, although others may not know the key yet.
    #[serde(default)]
    now: bool,
}

/// `POST /admin/keys`
async fn create(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(created(&http, &visit, body).await)
}

async fn created(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Create, Area::Keys).await?.account.id;
    let NewKey { now: at_once } = sent(visit, body).await?;
    let (auth, now) = (http.app.config.auth.clone(), http.app.clock.now());
    let made = aside(move || keys::make_next(&auth, at_once, now, &by)).await?;
    let event = http.app.administration("make a signing key", &made.kid);
    http.app.note(event).await.map_err(AdminError::broken)?;
    Ok(answer(StatusCode::CREATED, &described(&made, now)))
}

/// `POST /admin/keys/{kid}/retire`
async fn retire(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(retired(&http, &visit).await)
}

async fn retired(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Keys).await?.account.id;
    let (dir, now, kid) = (http.app.config.auth.keys.clone(), http.app.clock.now(), visit.segment(2));
    let asked = kid.clone();
    aside(move || keys::retire(&dir, &asked, now, &by)).await?;
    let event = http.app.administration("retire a signing key", &kid);
    http.app.note(event).await.map_err(AdminError::broken)?;
    Ok(answer(StatusCode::OK, &json!({ "kid": kid, "state": "retired" })))
}
