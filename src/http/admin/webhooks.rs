//! `/admin/webhooks`: plain JSON webhooks for receivers that don't speak FHIR.

use super::{AdminError, allowed, answer, present, sent, with};
use crate::app::delivery::webhook::{self, Asked, Webhook, WebhookError};
use crate::auth::rule::{Act, Area};
use crate::clock::instant_text;
use crate::http::pages::visit::Visit;
use crate::http::{RouteInfo, Shared};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

/// Webhooks in one answer.
const PAGE: i64 = 100;

/// Routes about webhooks.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "POST"],
        path: "/admin/webhooks",
        is_fhir: false,
        summary: "List webhooks, set one up",
        handler: || get(list).post(create),
    },
    RouteInfo {
        methods: &["GET", "HEAD", "DELETE"],
        path: "/admin/webhooks/{id}",
        is_fhir: false,
        summary: "Show a webhook, end it",
        handler: || get(show).delete(remove),
    },
];

impl From<WebhookError> for AdminError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Unknown => Self::Unknown("There is no such webhook"),
            WebhookError::Invalid { field, told } => Self::Invalid { field, told },
            WebhookError::Broken(told) => Self::Broken(told),
        }
    }
}

fn described(one: &Webhook) -> Value {
    json!({
        "id": one.id,
        "event": one.event,
        "url": one.url,
        "client_id": one.client,
        "description": one.description,
        "status": one.status,
        "error": (!one.error.is_empty()).then_some(&one.error),
        "changed": instant_text(one.changed_us),
    })
}

/// `GET /admin/webhooks`, `?after=ID`
async fn list(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(listed(&http, &visit).await)
}

async fn listed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Deliveries).await?;
    let after = visit.query("after").unwrap_or_default();
    let (all, next) = webhook::list(&http.app, &after, PAGE).await?;
    let all: Vec<Value> = all.iter().map(described).collect();
    Ok(answer(StatusCode::OK, &json!({ "webhooks": all, "next": next })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    url: String,
    event: String,
    client_id: String,
    #[serde(default)]
    description: String,
}

/// `POST /admin/webhooks`
async fn create(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, body) = Visit::bare(http.clone(), request);
    present(created(&http, &visit, body).await)
}

async fn created(http: &Shared, visit: &Visit, body: Body) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    let New { url, event, client_id, description } = sent(visit, body).await?;
    let asked = Asked { client: client_id, url, event, description };
    let (made, secret) = webhook::add(&http.app, asked).await?;
    let told = with(described(&made), "secret", secret.expose_secret());
    Ok(answer(StatusCode::CREATED, &told))
}

/// `GET /admin/webhooks/{id}`
async fn show(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(shown(&http, &visit).await)
}

async fn shown(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Read, Area::Deliveries).await?;
    let found = webhook::find(&http.app, &visit.segment(2)).await?;
    Ok(answer(StatusCode::OK, &described(&found)))
}

/// `DELETE /admin/webhooks/{id}`
async fn remove(State(http): State<Shared>, request: Request) -> Response {
    let http = http.during(request.extensions());
    let (visit, _) = Visit::bare(http.clone(), request);
    present(removed(&http, &visit).await)
}

async fn removed(http: &Shared, visit: &Visit) -> Result<Response, AdminError> {
    allowed(http, visit, Act::Update, Area::Deliveries).await?;
    webhook::remove(&http.app, &visit.segment(2)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
