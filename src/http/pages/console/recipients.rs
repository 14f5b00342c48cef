//! Who receives data: what officers know of clients that act for themselves, and of organisations whose people come here.

use super::{Choice, asked, broken, looked, officer, officer_sending};
use crate::app::account::AccountError;
use crate::app::audit::review::{Recipient, recipients, say_of_recipient};
use crate::app::oauth::clients;
use crate::audit::clean::{self, visible};
use crate::http::Shared;
use crate::http::pages::forms::{Frame, Problem, Problems};
use crate::http::pages::visit::Visit;
use crate::http::pages::{PageError, again, redirect, render};
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use std::collections::BTreeSet;

#[derive(Template)]
#[template(path = "console_recipients.html")]
struct RecipientsPage {
    frame: Frame,
    problems: Problems,
    kept: bool,
    choices: Vec<Choice>,
    said: Recipient,
    rows: Vec<Recipient>,
}

/// `GET /console/audit/recipients`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(page(&visit, Problems::none(), None).await),
        Err(response) => response,
    }
}

async fn page(visit: &Visit, problems: Problems, typed: Option<Recipient>) -> Result<Response, PageError> {
    officer(visit)?;
    let app = &visit.http.app;
    let rows = recipients(app).await.map_err(broken)?;
    let asked = asked(visit, "recipient");
    let said = typed.or_else(|| rows.iter().find(|row| row.recipient == asked).cloned());
    let said = said.unwrap_or_else(|| Recipient { recipient: asked, counts: true, ..Recipient::default() });
    let registered = clients::all(app).await.map_err(broken)?;
    let mut known: BTreeSet<String> = registered
        .into_iter()
        .filter(|client| client.system)
        .map(|client| format!("client:{}", client.id))
        .collect();
    known.extend(app.config.auth.issuers.iter().map(|issuer| format!("issuer:{}", issuer.issuer)));
    known.extend(rows.iter().map(|row| row.recipient.clone()));
    let is_recipient = said.recipient.starts_with("client:") || said.recipient.starts_with("issuer:");
    known.extend(Some(said.recipient.clone()).filter(|_| is_recipient));
    let failed = problems.any();
    if !failed {
        looked(visit, None).await?;
    }
    let choice = |value: String| Choice { text: visible(&value), chosen: value == said.recipient, value };
    let page = RecipientsPage {
        frame: Frame::of(visit),
        kept: visit.query("kept").is_some() && !failed,
        problems,
        choices: known.into_iter().map(choice).collect(),
        rows: rows.iter().map(shown).collect(),
        said,
    };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

fn shown(row: &Recipient) -> Recipient {
    Recipient {
        recipient: visible(&row.recipient),
        name: visible(&row.name),
        address: visible(&row.address),
        purpose: visible(&row.purpose),
        counts: row.counts,
    }
}

/// `POST /console/audit/recipients`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, body)) => visit.answer(keep(&visit, body).await),
        Err(response) => response,
    }
}

async fn keep(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = officer_sending(visit)?;
    let text = |name: &str| clean::line(form.text(name));
    let said = Recipient {
        recipient: text("recipient"),
        name: text("name"),
        address: text("address"),
        purpose: text("purpose"),
        counts: form.text("counts") != "no",
    };
    match say_of_recipient(&visit.http.app, &live.account.id, &said).await {
        Ok(()) => Ok(redirect("/console/audit/recipients?kept=1")),
        Err(AccountError::Invalid(_)) => {
            let problem = Problem::new(&visit.words, "recipient", "console-recipient-missing");
            page(visit, problem.into(), Some(said)).await
        }
        Err(other) => Err(other.into()),
    }
}
