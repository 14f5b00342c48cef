//! The log, filtered and read page by page.

use super::event::hex;
use super::names::{ACTIONS, KINDS, Named, Names, OUTCOMES, SUBTYPES, choices, word};
use super::period::{self, Moment};
use super::{Choice, HERE, ROWS, asked, broken, link, looked, officer};
use crate::app::audit::browse::{self, Filter, Place};
use crate::audit::clean::visible;
use crate::audit::facts::Facts;
use crate::http::Shared;
use crate::http::pages::forms::{Frame, Problem, Problems};
use crate::http::pages::visit::Visit;
use crate::http::pages::words::Words;
use crate::http::pages::{PageError, again, render};
use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

#[derive(Template)]
#[template(path = "console_list.html")]
struct ListPage {
    frame: Frame,
    problems: Problems,
    typed: Typed,
    kinds: Vec<Choice>,
    subtypes: Vec<Choice>,
    actions: Vec<Choice>,
    outcomes: Vec<Choice>,
    rows: Vec<EventRow>,
    /// The page behind this one.
    older: Option<String>,
    /// The first page, when this is another.
    newest: Option<String>,
    /// Whether the page ended because it looked at so much, not because it is full.
    is_short: bool,
    checkpoint: Option<Checkpoint>,
    /// What a download would hold.
    download: String,
}

impl ListPage {
    fn count(&self) -> i64 {
        i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }
}

/// The filter as it was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub(super) from: String,
    pub(super) until: String,
    pub(super) kind: String,
    pub(super) subtype: String,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) user: String,
    pub(super) patient: String,
    pub(super) address: String,
    pub(super) request: String,
}

impl Typed {
    /// Whether it names a period with both its ends.
    pub(super) fn has_period(&self) -> bool {
        !self.from.is_empty() && !self.until.is_empty()
    }
}

struct EventRow {
    url: String,
    at: Moment,
    what: String,
    /// What it was about, besides the patient.
    about: Vec<String>,
    who: Named,
    through: Option<Named>,
    patient: Option<Named>,
    outcome: String,
    failed: bool,
    address: Option<Named>,
    purged: bool,
}

struct Checkpoint {
    size: i64,
    at: Moment,
    root: String,
    note: String,
}

/// `GET /console/audit`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(page(&visit).await),
        Err(response) => response,
    }
}

fn typed(visit: &Visit) -> Typed {
    let text = |name: &str| asked(visit, name);
    let patient = text("patient");
    Typed {
        from: text("from"),
        until: text("until"),
        kind: text("type"),
        subtype: text("subtype"),
        action: text("action"),
        outcome: text("outcome"),
        user: text("user"),
        patient: patient.strip_prefix("Patient/").unwrap_or(&patient).to_owned(),
        address: text("address"),
        request: text("request"),
    }
}

/// What is wrong with the filter.
fn wrong(words: &Words, typed: &Typed) -> Problems {
    let mut problems = Problems::none();
    for (field, text) in [("from", &typed.from), ("until", &typed.until)] {
        if !text.is_empty() && period::from(text).is_none() {
            problems.add(Problem::new(words, field, "console-time-wrong"));
        }
    }
    if !typed.outcome.is_empty() && typed.outcome.parse::<i64>().is_err() {
        problems.add(Problem::new(words, "outcome", "console-outcome-wrong"));
    }
    problems
}

async fn filter(visit: &Visit, typed: &Typed) -> Result<Filter, PageError> {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let user = match typed.user.as_str() {
        "" => None,
        named => Some(browse::user_word(&visit.http.app, named).await.map_err(broken)?),
    };
    Ok(Filter {
        from: period::from(&typed.from).unwrap_or(i64::MIN),
        until: period::until(&typed.until).unwrap_or(i64::MAX),
        kind: some(&typed.kind),
        subtype: some(&typed.subtype),
        action: some(&typed.action),
        outcome: typed.outcome.parse().ok(),
        user,
        patient: some(&typed.patient),
        address: some(&typed.address),
        request: some(&typed.request),
    })
}

/// Where a page begins: a time and a place, as its link says.
fn place(text: &str) -> Option<Place> {
    let (at, seq) = text.split_once('.')?;
    Some((at.parse().ok()?, seq.parse().ok()?))
}

async fn page(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let (app, words) = (&visit.http.app, &visit.words);
    let typed = typed(visit);
    let problems = wrong(words, &typed);
    let behind = visit.query("before").as_deref().and_then(place);
    let failed = problems.any();
    let found = if failed {
        browse::Page::default()
    } else {
        browse::page(app, &filter(visit, &typed).await?, behind, ROWS).await.map_err(broken)?
    };
    if !failed {
        looked(visit, Some(typed.patient.as_str()).filter(|id| crate::fhir::interaction::is_id(id))).await?;
    }
    let names = Names::of(app, found.rows.iter().filter_map(|row| row.facts.as_ref())).await?;
    let is_short = found.next.is_some() && found.rows.len() < ROWS;
    let older = found.next.map(|(at, seq)| address(&typed, &format!("{at}.{seq}")));
    let page = ListPage {
        frame: Frame::of(visit),
        problems,
        kinds: choices(words, "type", &KINDS, &typed.kind),
        subtypes: choices(words, "subtype", &SUBTYPES, &typed.subtype),
        actions: choices(words, "action", &ACTIONS, &typed.action),
        outcomes: choices(words, "outcome", &OUTCOMES, &typed.outcome),
        rows: found.rows.into_iter().map(|row| event_row(words, &names, row)).collect(),
        older,
        newest: behind.map(|_| address(&typed, "")),
        is_short,
        checkpoint: checkpoint(visit).await?,
        download: download(words, &typed),
        typed,
    };
    if failed { again(&page, None) } else { render(StatusCode::OK, &page) }
}

/// The same filter, behind a place.
fn address(typed: &Typed, before: &str) -> String {
    let pairs = [
        ("from", typed.from.as_str()),
        ("until", &typed.until),
        ("type", &typed.kind),
        ("subtype", &typed.subtype),
        ("action", &typed.action),
        ("outcome", &typed.outcome),
        ("user", &typed.user),
        ("patient", &typed.patient),
        ("address", &typed.address),
        ("request", &typed.request),
        ("before", before),
    ];
    link(HERE, &pairs)
}

fn download(words: &Words, typed: &Typed) -> String {
    if typed.patient.is_empty() {
        words.t("console-download-period")
    } else {
        words.with("console-download-patient", "patient", &visible(&typed.patient))
    }
}

fn event_row(words: &Words, names: &Names, row: browse::Row) -> EventRow {
    let url = format!("{HERE}/events/{}", row.id);
    let at = Moment::of(row.recorded_us);
    let outcome = word(words, "outcome", &row.outcome.to_string());
    let failed = row.outcome != 0;
    let Some(facts) = row.facts else {
        return EventRow {
            url,
            at,
            what: word(words, "type", &row.kind),
            about: Vec::new(),
            who: Named::default(),
            through: None,
            patient: None,
            outcome,
            failed,
            address: None,
            purged: true,
        };
    };
    let who = facts.who();
    let through = facts.client().filter(|_| facts.person().is_some());
    let from = facts.address();
    EventRow {
        url,
        at,
        what: what(words, &facts),
        about: about(&facts),
        who: who.map(|who| names.agent(words, who)).unwrap_or_default(),
        through: through.map(|client| names.agent(words, client)),
        patient: facts.patient.as_deref().map(Named::patient),
        outcome,
        failed,
        address: (!from.is_empty())
            .then(|| Named { text: visible(from), link: link(HERE, &[("address", from)]) }),
        purged: false,
    }
}

/// What happened, in a word or two.
pub(super) fn what(words: &Words, facts: &Facts) -> String {
    match facts.subtype.as_str() {
        "" => word(words, "type", &facts.kind),
        subtype => word(words, "subtype", subtype),
    }
}

/// The resources that an event names, besides its patient, and what was asked.
fn about(facts: &Facts) -> Vec<String> {
    let patient = facts.patient.as_ref().map(|id| format!("Patient/{id}")).unwrap_or_default();
    let named = |entity: &crate::audit::facts::Entity| {
        let reference = entity.reference.split("/_history/").next().unwrap_or_default();
        let shown = if reference.is_empty() { entity.query.as_str() } else { reference };
        let short: String = visible(shown).chars().take(120).collect();
        (!short.is_empty() && short != patient).then_some(short)
    };
    facts.entities.iter().filter_map(named).take(5).collect()
}

async fn checkpoint(visit: &Visit) -> Result<Option<Checkpoint>, PageError> {
    let latest = browse::latest(&visit.http.app).await.map_err(broken)?;
    Ok(latest.map(|latest| Checkpoint {
        size: latest.size,
        at: Moment::of(latest.at_us),
        root: hex(&latest.root),
        note: latest.note,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_numbers() {
        assert_eq!(place("12.3"), Some((12, 3)));
        for wrong in ["", "1", "a.b", "1.2.3", "1.'"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
