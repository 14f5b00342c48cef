//! `/emergencies`: compliance officers see what was declared, and say whether it was justified.

use super::apps::Time;
use super::emergency::Choice;
use super::forms::{Frame, Problem, Problems};
use super::visit::Visit;
use super::words::Words;
use super::{PageError, Refusal, again, redirect, render};
use crate::app::account::{Live, principal};
use crate::app::emergency::{self, Declared, EmergencyError, State as Stands};
use crate::auth::access::Access;
use crate::auth::emergency::Finding;
use crate::auth::rule::{Act, Area};
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

/// Where this page is.
const HERE: &str = "/emergencies";
/// Reviewed emergencies that are shown; the API has all.
const CLOSED: i64 = 50;

#[derive(Template)]
#[template(path = "emergencies.html")]
struct QueuePage {
    frame: Frame,
    problems: Problems,
    reviewed: bool,
    open: Vec<Row>,
    closed: Vec<Row>,
    findings: Vec<Choice>,
}

struct Row {
    id: String,
    who: String,
    state: String,
    began: Time,
    over: Time,
    is_over: bool,
    how: Option<String>,
    patient: String,
    purpose: String,
    reason: String,
    review: Option<Review>,
    can_review: bool,
    review_label: String,
}

struct Review {
    finding: String,
    by: String,
    at: Time,
    note: String,
}

fn allowed(visit: &Visit, live: &Live, act: Act) -> bool {
    Access::of(principal(live), visit.http.app.policy).may_in(act, Area::Emergencies)
}

/// `GET /emergencies`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "emergencies").await {
        Ok((visit, _)) => visit.answer(page(&visit, Problems::none()).await),
        Err(response) => response,
    }
}

async fn page(visit: &Visit, problems: Problems) -> Result<Response, PageError> {
    let live = visit.signed_in()?;
    if !allowed(visit, live, Act::Read) {
        return Err(Refusal::Forbidden.into());
    }
    let (app, words) = (&visit.http.app, &visit.words);
    let may_review = allowed(visit, live, Act::Update);
    let rows = |queue: emergency::Queue| -> Vec<Row> {
        queue.into_iter().map(|(stands, declared)| row(words, live, may_review, stands, declared)).collect()
    };
    let finding = |finding: Finding| Choice {
        code: finding.code(),
        text: words.t(&format!("emergencies-finding-{}", finding.code())),
        chosen: false,
    };
    let failed = problems.any();
    let page = QueuePage {
        frame: Frame::of(visit),
        problems,
        reviewed: visit.query("reviewed").is_some() && !failed,
        open: rows(emergency::queue(app).await?),
        closed: rows(emergency::reviewed(app, None, CLOSED).await?),
        findings: Finding::ALL.map(finding).into(),
    };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

fn row(words: &Words, live: &Live, may_review: bool, stands: Stands, declared: Declared) -> Row {
    let over = declared.ended_us.unwrap_or(declared.until_us);
    let is_over = stands != Stands::Running;
    let how = declared.ended_how.as_deref().unwrap_or("time");
    let who = words.args("emergencies-who", &[("name", &declared.name), ("username", &declared.username)]);
    let began = Time::of(declared.began_us);
    let label = [("name", declared.name.as_str()), ("time", began.text.as_str())];
    let review_label = words.args("emergencies-review-of", &label);
    Row {
        who,
        state: words.t(&format!("emergencies-state-{}", stands.code())),
        over: Time::of(over),
        is_over,
        how: is_over.then(|| words.t(&format!("emergencies-how-{how}"))),
        purpose: words.t(&format!("emergency-purpose-{}", declared.purpose)),
        can_review: may_review
            && matches!(stands, Stands::Overdue | Stands::Waiting)
            && declared.account != live.account.id,
        review_label,
        began,
        review: declared.review.map(|review| Review {
            finding: words.t(&format!("emergencies-finding-{}", review.finding)),
            by: review.by,
            at: Time::of(review.at_us),
            note: review.note,
        }),
        id: declared.id,
        patient: declared.patient,
        reason: declared.reason,
    }
}

/// `POST /emergencies`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "emergencies").await {
        Ok((visit, body)) => visit.answer(judge(&visit, body).await),
        Err(response) => response,
    }
}

async fn judge(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.recently_signed_in(HERE)?;
    if !allowed(visit, live, Act::Update) {
        return Err(Refusal::Forbidden.into());
    }
    let wrong = match Finding::from_code(form.text("finding")) {
        None => "emergencies-finding-missing",
        Some(finding) => {
            let (reviewer, id, note) = (&live.account.id, form.text("id"), form.text("note"));
            match emergency::judge(&visit.http.app, reviewer, id, finding, note).await {
                Ok(_) => return Ok(redirect("/emergencies?reviewed=1")),
                Err(EmergencyError::Unknown) => "emergencies-gone",
                Err(EmergencyError::Running) => "emergencies-running",
                Err(EmergencyError::Own) => "emergencies-own",
                Err(other) => return Err(other.into()),
            }
        }
    };
    page(visit, Problem::new(&visit.words, "main", wrong).into()).await
}
