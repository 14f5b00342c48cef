//! The account of disclosures for one patient, to be read, printed and handed over.

use super::period::{self, Moment, exactly};
use super::{broken, file, link, looked, officer, taken};
use crate::app::account::cell;
use crate::app::audit::disclosures::{self, Account, Disclosure};
use crate::audit::clean::visible;
use crate::clock::{Micros, instant_text};
use crate::fhir::interaction::is_id;
use crate::http::Shared;
use crate::http::pages::forms::{Frame, Problem, Problems};
use crate::http::pages::visit::Visit;
use crate::http::pages::words::Words;
use crate::http::pages::{PageError, Refusal, again, render};
use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

/// How far back patients may ask (45 CFR 164.528(a)(1)).
const YEARS: i16 = 6;

#[derive(Template)]
#[template(path = "console_disclosures.html")]
struct DisclosuresPage {
    frame: Frame,
    problems: Problems,
    patient: String,
    from: String,
    until: String,
    account: Option<Told>,
}

struct Told {
    patient: String,
    made: Moment,
    from: Moment,
    until: Moment,
    rows: Vec<Row>,
    purged: i64,
    only_from: Option<Moment>,
    csv: String,
}

struct Row {
    first: Moment,
    /// When the last was, if there were several.
    last: Option<Moment>,
    count: i64,
    recipient: String,
    address: String,
    what: String,
    purpose: String,
    told_by: String,
    event: String,
    /// Where an officer says who the recipient is.
    say: String,
}

/// What is asked for.
struct Asked {
    patient: String,
    from: String,
    until: String,
    period: (Micros, Micros),
    problems: Problems,
}

fn asked(visit: &Visit) -> Asked {
    let words = &visit.words;
    let text = |name: &str| super::asked(visit, name);
    let (patient, from, until) = (text("patient"), text("from"), text("until"));
    let patient = patient.strip_prefix("Patient/").unwrap_or(&patient).to_owned();
    let mut problems = Problems::none();
    if !patient.is_empty() && !is_id(&patient) {
        problems.add(Problem::new(words, "patient", "console-patient-wrong"));
    }
    let now = visit.http.app.clock.now();
    let mut at = |field: &'static str, text: &str, default: Micros, read: fn(&str) -> Option<Micros>| {
        let read = if text.is_empty() { Some(default) } else { read(text) };
        if read.is_none() {
            problems.add(Problem::new(words, field, "console-time-wrong"));
        }
        read.unwrap_or(default)
    };
    let begin = at("from", &from, period::years_before(now, YEARS), period::from);
    let end = at("until", &until, now, period::until);
    Asked { patient, from, until, period: (begin, end), problems }
}

/// `GET /console/audit/disclosures`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(page(&visit).await),
        Err(response) => response,
    }
}

async fn page(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let Asked { patient, from, until, period, problems } = asked(visit);
    let failed = problems.any();
    let mut account = None;
    if !failed {
        looked(visit, Some(patient.as_str()).filter(|id| !id.is_empty())).await?;
        if !patient.is_empty() {
            let found = disclosures::account(&visit.http.app, &patient, period).await.map_err(broken)?;
            account = Some(told(visit, &patient, period, found));
        }
    }
    let page = DisclosuresPage { frame: Frame::of(visit), problems, patient, from, until, account };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

fn told(visit: &Visit, patient: &str, (from, until): (Micros, Micros), account: Account) -> Told {
    let pairs = [("patient", patient), ("from", &exactly(from)), ("until", &exactly(until))];
    Told {
        patient: patient.to_owned(),
        made: Moment::of(visit.http.app.clock.now()),
        from: Moment::of(from),
        until: Moment::of(until),
        csv: link("/console/audit/disclosures.csv", &pairs),
        rows: account.disclosures.into_iter().map(|one| row(&visit.words, one)).collect(),
        purged: i64::try_from(account.purged).unwrap_or(i64::MAX),
        only_from: account.only_from.map(Moment::of),
    }
}

fn row(words: &Words, one: Disclosure) -> Row {
    let unknown = |text: &str, id: &str| if text.is_empty() { words.t(id) } else { visible(text) };
    Row {
        first: Moment::of(one.first_us),
        last: (one.count > 1).then(|| Moment::of(one.last_us)),
        count: i64::try_from(one.count).unwrap_or(i64::MAX),
        recipient: unknown(&one.recipient, "console-recipient-unknown"),
        address: unknown(&one.address, "console-not-known"),
        what: visible(&one.what),
        purpose: unknown(&one.purpose, "console-not-said"),
        told_by: visible(&one.told_by),
        event: one.event,
        say: if one.key.is_empty() {
            String::new()
        } else {
            link("/console/audit/recipients", &[("recipient", &one.key)])
        },
    }
}

/// `GET /console/audit/disclosures.csv`
pub(in crate::http) async fn csv(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(download(&visit).await),
        Err(response) => response,
    }
}

async fn download(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let Asked { patient, period, problems, .. } = asked(visit);
    if problems.any() || patient.is_empty() {
        return Err(Refusal::Malformed.into());
    }
    let account = disclosures::account(&visit.http.app, &patient, period).await.map_err(broken)?;
    taken(visit, "account of disclosures", Some(&patient)).await?;
    let mut text = String::from("first,last,count,recipient,address,what,purpose,reportedBy,event\r\n");
    for one in account.disclosures {
        let cells = [
            instant_text(one.first_us),
            instant_text(one.last_us),
            one.count.to_string(),
            one.recipient,
            one.address,
            one.what,
            one.purpose,
            one.told_by,
            one.event,
        ];
        let cells: Vec<String> = cells.iter().map(|value| cell(&visible(value))).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    Ok(file("text/csv; charset=utf-8", &format!("disclosures-{patient}.csv"), text))
}
