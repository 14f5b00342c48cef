//! `/console/deliveries`: administrators see how notifications reach their subscribers, hold them back, send them again,
//! replace keys and try endpoints. Never what was sent or answered.

use super::apps::Time;
use super::forms::{Frame, Problem, Problems};
use super::visit::{Form, Visit};
use super::words::Words;
use super::{PageError, Refusal, again, redirect, render};
use crate::app::account::{Live, principal};
use crate::app::delivery::keys::Told;
use crate::app::delivery::manage::{self, Deed, ManageError, Noted, Overview};
use crate::app::delivery::sign::Kind;
use crate::audit::clean::visible;
use crate::auth::access::Access;
use crate::auth::rule::{Act, Area};
use crate::clock::Micros;
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use secrecy::ExposeSecret;

/// Where the list is.
const HERE: &str = "/console/deliveries";
/// Rows of a page.
const ROWS: i64 = 50;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    /// The id behind which the next page begins.
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct OnePage {
    frame: Frame,
    problems: Problems,
    /// What was done, in words.
    done: Option<String>,
    /// A new key, told this once.
    fresh: Option<String>,
    row: Row,
    /// The first number that can be sent again.
    replay_from: i64,
    is_sent: bool,
    attempts: Vec<Attempted>,
    keys: Vec<KeyRow>,
}

struct Row {
    id: String,
    endpoint: String,
    state: String,
    is_well: bool,
    paused: bool,
    error: String,
    events: i64,
    lag: i64,
    oldest: Option<Time>,
    failing: Option<Time>,
    due: Option<Time>,
}

struct Attempted {
    at: Time,
    kind: String,
    events: String,
    tried: i64,
    took_ms: i64,
    answer: String,
    error: String,
}

struct KeyRow {
    kind: &'static str,
    public: String,
    made: Time,
    until: Option<Time>,
}

impl From<ManageError> for PageError {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Unknown => Refusal::Gone.into(),
            ManageError::Contended(told) => Self::Unavailable(told),
            other => Self::Broken(other.to_string()),
        }
    }
}

fn judged(visit: &Visit, live: &Live, act: Act) -> Result<(), PageError> {
    let access = Access::of(principal(live), visit.http.app.policy);
    if access.may_in(act, Area::Deliveries) { Ok(()) } else { Err(Refusal::Forbidden.into()) }
}

/// `GET /console/deliveries`, `?after=ID`
pub(in crate::http) async fn list(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "deliveries").await {
        Ok((visit, _)) => visit.answer(listed(&visit).await),
        Err(response) => response,
    }
}

async fn listed(visit: &Visit) -> Result<Response, PageError> {
    judged(visit, visit.signed_in()?, Act::Read)?;
    let after = visit.query("after").unwrap_or_default();
    let all = manage::list(&visit.http.app, &after, ROWS).await?;
    let full = i64::try_from(all.len()).is_ok_and(|count| count == ROWS);
    let page = ListPage {
        frame: Frame::of(visit),
        next: all.last().filter(|_| full).map(|last| last.id.clone()),
        rows: all.into_iter().map(|one| row(&visit.words, one)).collect(),
    };
    render(StatusCode::OK, &page)
}

/// `GET /console/deliveries/{id}`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "deliveries").await {
        Ok((visit, _)) => visit.answer(shown(&visit).await),
        Err(response) => response,
    }
}

async fn shown(visit: &Visit) -> Result<Response, PageError> {
    judged(visit, visit.signed_in()?, Act::Read)?;
    page(visit, Problems::none(), None).await
}

async fn page(visit: &Visit, problems: Problems, fresh: Option<String>) -> Result<Response, PageError> {
    let words = &visit.words;
    let (overview, attempts, keys) = manage::show(&visit.http.app, &visit.segment(2), 0, ROWS).await?;
    let failed = problems.any();
    let done = visit.query("done").filter(|_| !failed && fresh.is_none());
    let done = done.filter(|done| DONE.contains(&done.as_str()));
    let page = OnePage {
        frame: Frame::of(visit),
        problems,
        done: done.map(|done| words.t(&format!("deliveries-done-{done}"))),
        fresh,
        replay_from: (overview.done + 1).min(overview.count).max(1),
        is_sent: !overview.host.is_empty(),
        row: row(words, overview),
        attempts: attempts.into_iter().map(|noted| attempted(words, noted)).collect(),
        keys: keys.into_iter().map(key).collect(),
    };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

/// What a form of the page can ask for, and what is said when it is done.
const DONE: [&str; 5] = ["pause", "resume", "replay", "test", "test-failed"];

fn row(words: &Words, one: Overview) -> Row {
    let time = |at: Option<Micros>| at.map(Time::of);
    let paused = one.paused;
    let code = if paused { "paused" } else { one.status.as_str() };
    Row {
        endpoint: if one.host.is_empty() { visible(&one.channel) } else { visible(&one.host) },
        state: words.t(&format!("deliveries-state-{code}")),
        is_well: one.status == "active" && one.failing_us.is_none(),
        paused,
        error: visible(&one.error),
        events: one.count,
        lag: one.count - one.done,
        oldest: time(one.oldest_us),
        failing: time(one.failing_us),
        due: time(one.due_us),
        id: one.id,
    }
}

fn attempted(words: &Words, noted: Noted) -> Attempted {
    let attempt = noted.attempt;
    Attempted {
        at: Time::of(attempt.at_us),
        kind: words.t(&format!("deliveries-kind-{}", attempt.kind)),
        events: match (attempt.first, attempt.last) {
            (_, 0) => String::new(),
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}–{last}"),
        },
        tried: attempt.tried,
        took_ms: attempt.took_us / 1000,
        answer: if attempt.status > 0 { attempt.status.to_string() } else { words.t("deliveries-no-answer") },
        error: visible(&attempt.error),
    }
}

fn key(told: Told) -> KeyRow {
    KeyRow {
        kind: told.kind.code(),
        public: told.public.unwrap_or_default(),
        made: Time::of(told.made_us),
        until: told.until_us.map(Time::of),
    }
}

/// `POST /console/deliveries/{id}`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "deliveries").await {
        Ok((visit, body)) => visit.answer(carried_out(&visit, body).await),
        Err(response) => response,
    }
}

async fn carried_out(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let id = visit.segment(2);
    let back = format!("{HERE}/{id}");
    judged(visit, visit.recently_signed_in(&back)?, Act::Update)?;
    match deed(visit, &form, &id).await {
        Ok(Done::Said(said)) => Ok(redirect(&format!("{back}?done={said}"))),
        Ok(Done::Fresh(key)) => page(visit, Problems::none(), Some(key)).await,
        Err(ManageError::Invalid(_)) => {
            page(visit, Problem::new(&visit.words, "main", "deliveries-not-now").into(), None).await
        }
        Err(error) => Err(error.into()),
    }
}

enum Done {
    Said(&'static str),
    Fresh(String),
}

async fn deed(visit: &Visit, form: &Form, id: &str) -> Result<Done, ManageError> {
    let app = &visit.http.app;
    let (deed, said) = match form.text("do") {
        "pause" => (Deed::Pause, "pause"),
        "resume" => (Deed::Resume, "resume"),
        "replay" => {
            let from = form.text("from").parse().map_err(|_| ManageError::Invalid("no number"))?;
            (Deed::Replay(from), "replay")
        }
        "test" => {
            let well = manage::test(app, id).await?.error.is_empty();
            return Ok(Done::Said(if well { "test" } else { "test-failed" }));
        }
        "rotate" => {
            let kind = Kind::from_code(form.text("kind")).ok_or(ManageError::Invalid("no kind"))?;
            let fresh = manage::rotate(app, id, kind).await?;
            return Ok(Done::Fresh(fresh.for_receiver.expose_secret().to_owned()));
        }
        _ => return Err(ManageError::Invalid("no such deed")),
    };
    manage::act(app, id, deed).await?;
    Ok(Done::Said(said))
}
