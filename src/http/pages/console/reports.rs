//! What the standing reports found.

use super::event::MarkRow;
use super::names::{Named, Names, account_of, choices};
use super::period::{Moment, exactly};
use super::{Choice, HERE, ROWS, broken, file, link, looked, officer, taken};
use crate::app::audit::reports::{self, Finding, Wanted};
use crate::app::audit::{Report, review};
use crate::http::Shared;
use crate::http::pages::forms::{Frame, Problems};
use crate::http::pages::visit::Visit;
use crate::http::pages::words::Words;
use crate::http::pages::{PageError, Refusal, render};
use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::LINK;
use http::{HeaderValue, StatusCode};
use serde_json::json;

const REPORTS: &str = "/console/audit/reports";
/// Findings of one download; what is beyond them is in the next one.
const MOST: usize = 10_000;

#[derive(Template)]
#[template(path = "console_reports.html")]
struct ReportsPage {
    frame: Frame,
    kinds: Vec<Choice>,
    states: Vec<Choice>,
    rows: Vec<FindingRow>,
    older: Option<String>,
    newest: Option<String>,
    csv: String,
    json: String,
}

#[derive(Template)]
#[template(path = "console_finding.html")]
struct FindingPage {
    frame: Frame,
    problems: Problems,
    reviewed: bool,
    row: FindingRow,
    marks: Vec<MarkRow>,
    /// Whether it is about whoever looks.
    own: bool,
}

struct FindingRow {
    id: String,
    report: String,
    meaning: String,
    who: Named,
    patient: Option<Named>,
    count: String,
    first: Moment,
    last: Moment,
    is_open: bool,
    state: String,
    /// Its events.
    events: String,
    /// What the link to it is called, out of its context.
    label: String,
}

/// Which findings are asked for, and what was said of it.
fn wanted(visit: &Visit) -> (Wanted, String, String) {
    let kind = visit.query("report").and_then(|code| Report::from_code(&code)).map(Report::code);
    let state = visit.query("state").unwrap_or_default();
    let reviewed = match state.as_str() {
        "open" => Some(false),
        "reviewed" => Some(true),
        _ => None,
    };
    let state = if reviewed.is_some() { state } else { String::new() };
    let wanted = Wanted { kind: kind.map(str::to_owned), reviewed };
    (wanted, kind.unwrap_or_default().to_owned(), state)
}

/// `GET /console/audit/reports`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(list(&visit).await),
        Err(response) => response,
    }
}

async fn list(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let (app, words) = (&visit.http.app, &visit.words);
    let (wanted, kind, state) = wanted(visit);
    let behind = visit.query("before");
    let found = reports::findings(app, &wanted, behind.as_deref(), ROWS + 1).await.map_err(broken)?;
    looked(visit, None).await?;
    let shown = found.get(..ROWS).unwrap_or(&found);
    let last = shown.last().filter(|_| found.len() > ROWS);
    let pairs = |before: &str| link(REPORTS, &[("report", &kind), ("state", &state), ("before", before)]);
    let names = Names::of_ids(app, shown.iter().filter_map(|one| account_of(&one.who)).collect()).await?;
    let codes = Report::ALL.map(Report::code);
    let file = |path: &str| link(path, &[("report", &kind), ("state", &state)]);
    let page = ReportsPage {
        frame: Frame::of(visit),
        kinds: choices(words, "report", &codes, &kind),
        states: choices(words, "state", &["open", "reviewed"], &state),
        rows: shown.iter().map(|finding| row(words, &names, finding)).collect(),
        older: last.map(|last| pairs(&last.id)),
        newest: behind.map(|_| pairs("")),
        csv: file("/console/audit/reports.csv"),
        json: file("/console/audit/reports.json"),
    };
    render(StatusCode::OK, &page)
}

fn row(words: &Words, names: &Names, finding: &Finding) -> FindingRow {
    let report = words.t(&format!("console-report-{}", finding.kind));
    let who = names.word(words, &finding.who);
    let first = Moment::of(finding.first_us);
    let label = [("report", report.as_str()), ("who", who.text.as_str()), ("time", first.text.as_str())];
    let (kind, value) = finding.who.split_once(':').unwrap_or(("", &finding.who));
    let (from, until) = (exactly(finding.first_us), exactly(finding.last_us + 1));
    let outcome = if finding.kind == Report::Denials.code() { "8" } else { "" };
    let named = if kind == "a" { "address" } else { "user" };
    let pairs = [
        (named, value),
        ("patient", finding.patient.as_str()),
        ("outcome", outcome),
        ("from", from.as_str()),
        ("until", until.as_str()),
    ];
    FindingRow {
        label: words.args("console-finding-of", &label),
        meaning: words.t(&format!("console-meaning-{}", finding.kind)),
        count: words.number(&format!("console-count-{}", finding.kind), "count", finding.count),
        report,
        who,
        patient: (!finding.patient.is_empty()).then(|| Named::patient(&finding.patient)),
        first,
        last: Moment::of(finding.last_us),
        is_open: finding.review.is_none(),
        state: words.t(if finding.review.is_none() {
            "console-state-open"
        } else {
            "console-state-reviewed"
        }),
        events: link(HERE, &pairs),
        id: finding.id.clone(),
    }
}

/// `GET /console/audit/findings/{id}`
pub(in crate::http) async fn finding(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => {
            let id = visit.segment(3);
            visit.answer(one(&visit, &id, Problems::none()).await)
        }
        Err(response) => response,
    }
}

/// The page of one finding, with what is wrong with a review of it.
pub(super) async fn one(visit: &Visit, id: &str, problems: Problems) -> Result<Response, PageError> {
    let live = officer(visit)?;
    let (app, words) = (&visit.http.app, &visit.words);
    let finding = reports::found(app, id).await.map_err(broken)?.ok_or(Refusal::Gone)?;
    let failed = problems.any();
    if !failed {
        looked(visit, Some(finding.patient.as_str()).filter(|id| !id.is_empty())).await?;
    }
    let names = Names::of_ids(app, account_of(&finding.who).into_iter().collect()).await?;
    let marks = review::of(app, id).await.map_err(broken)?;
    let page = FindingPage {
        frame: Frame::of(visit),
        reviewed: visit.query("reviewed").is_some() && !failed,
        problems,
        row: row(words, &names, &finding),
        marks: marks.iter().map(MarkRow::of).collect(),
        own: account_of(&finding.who).as_ref() == Some(&live.account.id),
    };
    render(if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page)
}

/// `GET /console/audit/reports.csv`
pub(in crate::http) async fn csv(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(download(&visit, true).await),
        Err(response) => response,
    }
}

/// `GET /console/audit/reports.json`
pub(in crate::http) async fn json(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(download(&visit, false).await),
        Err(response) => response,
    }
}

async fn download(visit: &Visit, is_csv: bool) -> Result<Response, PageError> {
    officer(visit)?;
    let (wanted, kind, state) = wanted(visit);
    let behind = visit.query("before");
    let found = reports::findings(&visit.http.app, &wanted, behind.as_deref(), MOST).await.map_err(broken)?;
    taken(visit, "findings of standing reports", None).await?;
    let path = if is_csv { "/console/audit/reports.csv" } else { "/console/audit/reports.json" };
    let last = found.last().filter(|_| found.len() == MOST);
    let next =
        last.map(|last| link(path, &[("report", &kind), ("state", &state), ("before", last.id.as_str())]));
    let mut response = if is_csv {
        file("text/csv; charset=utf-8", "findings.csv", reports::csv(&found))
    } else {
        let all = json!({ "findings": reports::json(&found), "next": next });
        file("application/json", "findings.json", all.to_string())
    };
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(LINK, next);
    }
    Ok(response)
}
