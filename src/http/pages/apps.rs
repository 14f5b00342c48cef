//! `/apps`: who was given access, and taking it back.

use super::forms::Frame;
use super::scope_words::{self, Whose};
use super::visit::Visit;
use super::words::Words;
use super::{PageError, patients, redirect, render};
use crate::app::account::{self, AuthorisedApp, Live};
use crate::auth::scope::Scopes;
use crate::clock::{Micros, instant_text};
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    frame: Frame,
    revoked: bool,
    apps: Vec<AppRow>,
}

struct AppRow {
    id: String,
    name: String,
    patient: Option<String>,
    since: Time,
    last_used: Time,
    scopes: Vec<String>,
}

/// A time for machines and for people.
pub(super) struct Time {
    pub(super) instant: String,
    pub(super) text: String,
}

impl Time {
    pub(super) fn of(at: Micros) -> Self {
        let instant = instant_text(at);
        let text = match (instant.get(..10), instant.get(11..16)) {
            (Some(day), Some(time)) => format!("{day} {time} UTC"),
            _ => instant.clone(),
        };
        Self { instant, text }
    }
}

/// `GET /apps`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "apps").await {
        Ok((visit, _)) => visit.answer(list(&visit).await),
        Err(response) => response,
    }
}

async fn list(visit: &Visit) -> Result<Response, PageError> {
    let live = visit.signed_in()?;
    let mut apps = Vec::new();
    for app in account::apps(&visit.http.app, &live.account.id).await? {
        apps.push(row(visit, live, app).await?);
    }
    let page = AppsPage { frame: Frame::of(visit), revoked: visit.query("revoked").is_some(), apps };
    render(StatusCode::OK, &page)
}

async fn row(visit: &Visit, live: &Live, app: AuthorisedApp) -> Result<AppRow, PageError> {
    let AuthorisedApp { name, grant } = app;
    let own = live.account.fhir_user.as_deref().and_then(|user| user.strip_prefix("Patient/"));
    let (whose, patient) = match &grant.patient {
        Some(id) if own == Some(id) => (Whose::Own, None),
        Some(id) => match patients::find(visit, live, id).await? {
            Some(patient) => (Whose::Of(patient.name.clone()), Some(patient.name)),
            None => (Whose::Unnamed, None),
        },
        None => (Whose::Unnamed, None),
    };
    Ok(AppRow {
        id: grant.id,
        name,
        patient,
        since: Time::of(grant.made_us),
        last_used: Time::of(grant.last_used_us),
        scopes: labels(&visit.words, &grant.scope, &whose),
    })
}

fn labels(words: &Words, scope: &str, whose: &Whose) -> Vec<String> {
    let mut labels = Vec::new();
    for scope in Scopes::parse(scope).all() {
        let label = scope_words::label(words, scope, whose);
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// `POST /apps/revoke`
pub(in crate::http) async fn revoke(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "apps").await {
        Ok((visit, body)) => visit.answer(take_back(&visit, body).await),
        Err(response) => response,
    }
}

async fn take_back(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first("/apps", false))?;
    account::revoke(&visit.http.app, &live.account.id, form.text("grant")).await?;
    Ok(redirect("/apps?revoked=1"))
}
