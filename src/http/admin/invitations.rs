//! `/admin/invitations`: initial access tokens, by which others register applications.

use super::{AdminError, allowed, answer, present, sent, with};
use crate::app::oauth::invitations::{self, Invitation, Open};
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
use std::time::Duration;

/// Routes about invitations.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/invitations",
        is_fhir: false,
        summary: "List initial access tokens, by which others register applications; make one",
        handler: || get(list).post(invite),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/invitations/{id}/revoke",
        is_fhir: false,
        summary: "Withdraw an initial access token",
        handler: || post(withdraw),
    },
];

fn described(open: &Open) -> Value {
    json!({
        "id": open.id,
        "scope": open.invitation.scope,
        "system": open.invitation.system,
        "uses": open.uses_left,
        "made": instant_text(open.made_us),
        "made_by": open.made_by,
        "expires": instant_text(open.expires_us)
    })
}

/// `GET /admin/invitations`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Clients).await?;
    let all = invitations::open(&http.app).await.map_err(AdminError::broken)?;
    let all: Vec<Value> = all.iter().map(described).collect();
    Ok(answer(StatusCode::OK, &json!({ "invitations": all })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invited {
    scope: String,
    #[serde(default)]
    system: bool,
    #[serde(default = "once")]
    uses: i64,
    #[serde(default = "a_day")]
    hours: u32,
}

fn once() -> i64 {
    1
}

fn a_day() -> u32 {
    24
}

/// `POST /admin/invitations`
async fn invite(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(invited(&http, &visit, body).await)
}

async fn invited(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Create, Area::Clients).await?.account.id;
    let Invited { scope, system, uses, hours } = sent(visit, body).await?;
    let lifetime = Duration::from_secs(u64::from(hours) * 3600);
    let (open, token) =
        invitations::invite(&http.app, Invitation { scope, system }, uses, lifetime, &by).await?;
    let told = with(described(&open), "initial_access_token", token.expose_secret());
    let told = with(told, "hours", hours);
    Ok(answer(StatusCode::CREATED, &told))
}

/// `POST /admin/invitations/{id}/revoke`
async fn withdraw(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(withdrawn(&http, &visit).await)
}

async fn withdrawn(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Clients).await?;
    let id = visit.segment(2);
    if !invitations::withdraw(&http.app, &id).await.map_err(AdminError::broken)? {
        return Err(AdminError::Unknown("There is no such invitation, or it can't be used any more"));
    }
    Ok(answer(StatusCode::OK, &json!({ "id": id, "state": "revoked" })))
}
