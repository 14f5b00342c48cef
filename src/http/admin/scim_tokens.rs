//! `/admin/clients/{id}/scim-tokens`: long-lived tokens of provisioning sources.

use super::{AdminError, allowed, answer, present, sent, with};
use crate::app::oauth::clients;
use crate::app::scim::token::{self, Token, USUAL_DAYS};
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

/// Routes about tokens of provisioning sources.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/clients/{id}/scim-tokens",
        is_fhir: false,
        summary: "List an application's long-lived tokens for SCIM, make one",
        handler: || get(list).post(create),
    },
    RouteInfo {
        methods: &["POST"],
        path: "/admin/scim-tokens/{id}/revoke",
        is_fhir: false,
        summary: "Take a long-lived token for SCIM back",
        handler: || post(revoke),
    },
];

fn described(token: &Token) -> Value {
    json!({
        "id": token.id,
        "client_id": token.client,
        "made": instant_text(token.made_us),
        "made_by": token.made_by,
        "expires": instant_text(token.expires_us),
        "last_used": token.last_used_us.map(instant_text),
        "revoked": token.revoked_us.map(instant_text)
    })
}

/// `GET /admin/clients/{id}/scim-tokens`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Clients).await?;
    let id = visit.segment(2);
    let known = clients::find(&http.app, &id).await.map_err(AdminError::broken)?;
    known.ok_or(AdminError::Unknown("There is no such client"))?;
    let all = token::all(&http.app, &id).await.map_err(AdminError::broken)?;
    let all: Vec<Value> = all.iter().map(described).collect();
    Ok(answer(StatusCode::OK, &json!({ "tokens": all })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[serde(default = "usual")]
    days: u32,
}

fn usual() -> u32 {
    USUAL_DAYS
}

/// `POST /admin/clients/{id}/scim-tokens`
async fn create(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(created(&http, &visit, body).await)
}

async fn created(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Clients).await?.account.id;
    let NewToken { days } = sent(visit, body).await?;
    let (made, secret) = token::issue(&http.app, &visit.segment(2), days, &by).await?;
    let told = with(described(&made), "token", secret.expose_secret());
    Ok(answer(StatusCode::CREATED, &told))
}

/// `POST /admin/scim-tokens/{id}/revoke`
async fn revoke(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(revoked(&http, &visit).await)
}

async fn revoked(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    let by = allowed(http, visit, Act::Update, Area::Clients).await?.account.id;
    let id = visit.segment(2);
    if !token::revoke(&http.app, &id, &by).await.map_err(AdminError::broken)? {
        return Err(AdminError::Unknown("There is no such token, or it was taken back already"));
    }
    Ok(answer(StatusCode::OK, &json!({ "id": id, "state": "revoked" })))
}
