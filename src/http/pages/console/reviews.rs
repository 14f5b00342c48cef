//! Marks: that an officer looked at an event, a finding or a period.

use super::event::{self, MarkRow};
use super::period::{self, Moment, exactly};
use super::{HERE, ROWS, broken, link, looked, officer, officer_sending, reports};
use crate::app::audit::review::{self, Mark, ReviewError, Subject};
use crate::audit::clean;
use crate::http::Shared;
use crate::http::pages::forms::{Frame, Problem, Problems};
use crate::http::pages::visit::{Form, Visit};
use crate::http::pages::words::Words;
use crate::http::pages::{PageError, Refusal, again, redirect, render};
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

const REVIEWS: &str = "/console/audit/reviews";

#[derive(Template)]
#[template(path = "console_reviews.html")]
struct ReviewsPage {
    frame: Frame,
    problems: Problems,
    reviewed: bool,
    from: String,
    until: String,
    note: String,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
}

struct Row {
    mark: MarkRow,
    what: String,
    link: String,
}

/// `GET /console/audit/reviews`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => {
            let typed = ["from", "until"].map(|name| super::asked(&visit, name));
            visit.answer(page(&visit, Problems::none(), typed, String::new()).await)
        }
        Err(response) => response,
    }
}

async fn page(
    visit: &Visit,
    problems: Problems,
    [from, until]: [String; 2],
    note: String,
) -> Result<Response, PageError> {
    officer(visit)?;
    let (app, words) = (&visit.http.app, &visit.words);
    let before = visit.query("before").unwrap_or_default();
    let behind = before.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    let most = i64::try_from(ROWS + 1).unwrap_or(i64::MAX);
    let found = review::marks(app, behind, most).await.map_err(broken)?;
    let failed = problems.any();
    if !failed {
        looked(visit, None).await?;
    }
    let shown = found.get(..ROWS).unwrap_or(&found);
    let last = shown.last().filter(|_| found.len() > ROWS);
    let page = ReviewsPage {
        frame: Frame::of(visit),
        problems,
        reviewed: visit.query("reviewed").is_some() && !failed,
        from,
        until,
        note,
        rows: shown.iter().map(|mark| row(words, mark)).collect(),
        older: last.map(|last| link(REVIEWS, &[("before", &format!("{}.{}", last.at_us, last.id))])),
        newest: behind.map(|_| REVIEWS.to_owned()),
    };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

fn row(words: &Words, mark: &Mark) -> Row {
    let (what, to) = match (mark.kind.as_str(), mark.period) {
        ("event", _) => (words.t("console-mark-event"), format!("{HERE}/events/{}", mark.subject)),
        (_, Some((from, until))) => {
            let (first, last) = (Moment::of(from), Moment::of(until));
            let text = words.args("console-mark-period", &[("from", &first.text), ("until", &last.text)]);
            (text, link(HERE, &[("from", &exactly(from)), ("until", &exactly(until))]))
        }
        _ => (words.t("console-mark-finding"), format!("{HERE}/findings/{}", mark.subject)),
    };
    Row { mark: MarkRow::of(mark), what, link: to }
}

/// `POST /console/audit/reviews`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, body)) => visit.answer(mark(&visit, body).await),
        Err(response) => response,
    }
}

async fn mark(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = officer_sending(visit)?;
    let subject = match form.text("kind") {
        "event" => Subject::Event(form.text("id").to_owned()),
        "finding" => Subject::Finding(form.text("id").to_owned()),
        "period" => match (period::from(form.text("from")), period::until(form.text("until"))) {
            (Some(from), Some(until)) => Subject::Period(from, until),
            (None, _) => return again_with(visit, &form, "from", "console-time-wrong").await,
            _ => return again_with(visit, &form, "until", "console-time-wrong").await,
        },
        _ => return Err(Refusal::Malformed.into()),
    };
    let note = form.text("note");
    if note.trim().is_empty() {
        return again_with(visit, &form, "note", "console-note-missing").await;
    }
    let done = match &subject {
        Subject::Event(id) => format!("{HERE}/events/{}?reviewed=1", path_safe(id)),
        Subject::Finding(id) => format!("{HERE}/findings/{}?reviewed=1", path_safe(id)),
        Subject::Period(..) => format!("{REVIEWS}?reviewed=1"),
    };
    match review::mark(&visit.http.app, &live.account.id, subject, note).await {
        Ok(()) => Ok(redirect(&done)),
        Err(ReviewError::Unknown) => Err(Refusal::Gone.into()),
        Err(ReviewError::Closed) => again_with(visit, &form, "main", "console-closed").await,
        Err(ReviewError::Own) => again_with(visit, &form, "main", "console-own").await,
        Err(ReviewError::Period) => again_with(visit, &form, "until", "console-period-wrong").await,
        Err(ReviewError::Store(error)) => Err(broken(error)),
    }
}

/// The page that the form was on, with what is wrong.
async fn again_with(
    visit: &Visit,
    form: &Form,
    field: &'static str,
    id: &str,
) -> Result<Response, PageError> {
    let problems = Problems::from(Problem::new(&visit.words, field, id));
    match form.text("kind") {
        "event" => event::page(visit, form.text("id"), problems).await,
        "finding" => reports::one(visit, form.text("id"), problems).await,
        _ => {
            let typed = ["from", "until"].map(|name| clean::line(form.text(name)));
            page(visit, problems, typed, clean::line(form.text("note"))).await
        }
    }
}

/// An id as a segment of a path: ids of ours have nothing to encode.
fn path_safe(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect()
}
