//! One event: what it says, where it is in the tree, and the proof of that.

use super::names::{Named, Names, word};
use super::period::Moment;
use super::{HERE, broken, file, link, list, looked, officer};
use crate::app::audit::inclusion::{Proven, Verdict, proven};
use crate::app::audit::review::{self, Mark};
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::clean::visible;
use crate::audit::facts::{Agent, Entity, Facts};
use crate::audit::proof::TlogProof;
use crate::http::Shared;
use crate::http::edge::Label;
use crate::http::pages::forms::{Frame, Problems};
use crate::http::pages::visit::Visit;
use crate::http::pages::words::Words;
use crate::http::pages::{PageError, Refusal, render, with_script};
use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

#[derive(Template)]
#[template(path = "console_event.html")]
struct EventPage {
    frame: Frame,
    problems: Problems,
    reviewed: bool,
    id: String,
    at: Moment,
    /// What it says; none when its content is gone.
    told: Option<Told>,
    /// Whether it may be gone.
    lawful: bool,
    place: Place,
    proof: Proof,
    marks: Vec<MarkRow>,
    /// Whether they did it themselves, and so do not review it.
    own: bool,
}

/// An event in words.
struct Told {
    what: String,
    kind: String,
    action: String,
    outcome: String,
    described: String,
    observer: String,
    purposes: Vec<String>,
    agents: Vec<AgentRow>,
    entities: Vec<EntityRow>,
    patient: Option<Named>,
    request: Option<Named>,
    json: String,
}

struct AgentRow {
    who: Named,
    part: String,
    reference: Option<Named>,
    address: Option<Named>,
    roles: Vec<String>,
    policies: Vec<String>,
    purposes: Vec<String>,
}

struct EntityRow {
    kind: String,
    reference: String,
    name: String,
    query: String,
    details: Vec<(String, String)>,
}

/// Where it is in the tree.
struct Place {
    seq: u64,
    size: i64,
    signed: Moment,
    leaf: String,
    path: Vec<String>,
    root: String,
    note: String,
}

/// What the browser checks, and what the server found.
struct Proof {
    salt: String,
    event: String,
    path: String,
    keys: String,
    holds: bool,
    content: String,
    place: String,
    signature: String,
}

/// A mark as pages show it.
pub(super) struct MarkRow {
    pub(super) by: String,
    pub(super) at: Moment,
    pub(super) note: String,
}

impl MarkRow {
    pub(super) fn of(mark: &Mark) -> Self {
        Self { by: visible(&mark.username), at: Moment::of(mark.at_us), note: visible(&mark.note) }
    }
}

/// `GET /console/audit/events/{id}`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => {
            let id = visit.segment(3);
            visit.answer(page(&visit, &id, Problems::none()).await)
        }
        Err(response) => response,
    }
}

/// The page of one event, with what is wrong with a review of it.
pub(super) async fn page(visit: &Visit, id: &str, problems: Problems) -> Result<Response, PageError> {
    let live = officer(visit)?;
    let (app, words) = (&visit.http.app, &visit.words);
    let found = proven(app, id).await.map_err(broken)?.ok_or(Refusal::Gone)?;
    let event: Option<Value> = found.content.as_ref().and_then(|(_, body)| serde_json::from_slice(body).ok());
    let facts = event.as_ref().map(Facts::of);
    if !problems.any() {
        looked(visit, facts.as_ref().and_then(|facts| facts.patient.as_deref())).await?;
    }
    let marks = review::of(app, id).await.map_err(broken)?;
    let names = Names::of(app, facts.iter()).await?;
    let own = |facts: &Facts| facts.person().is_some_and(|person| person.id == live.account.id);
    let failed = problems.any();
    let page = EventPage {
        frame: Frame::of(visit),
        reviewed: visit.query("reviewed").is_some() && !failed,
        problems,
        id: id.to_owned(),
        at: Moment::of(found.leaf.recorded),
        own: facts.as_ref().is_some_and(own),
        told: facts.zip(event).map(|(facts, event)| told(words, &names, &facts, &event)),
        lawful: found.may_be_purged,
        place: place(&found),
        proof: check(words, &found),
        marks: marks.iter().map(MarkRow::of).collect(),
    };
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    render(status, &page).map(with_script)
}

fn told(words: &Words, names: &Names, facts: &Facts, event: &Value) -> Told {
    let request = facts.request.as_deref();
    Told {
        what: list::what(words, facts),
        kind: word(words, "type", &facts.kind),
        action: word(words, "action", &facts.action),
        outcome: word(words, "outcome", &facts.outcome),
        described: visible(&facts.told),
        observer: visible(&facts.observer),
        purposes: facts.purposes.iter().map(|code| word(words, "purpose", code)).collect(),
        agents: facts.agents.iter().map(|agent| agent_row(words, names, agent)).collect(),
        entities: facts.entities.iter().filter_map(|entity| entity_row(words, facts, entity)).collect(),
        patient: facts.patient.as_deref().map(Named::patient),
        request: request.map(|id| Named { text: visible(id), link: link(HERE, &[("request", id)]) }),
        json: visible(&format!("{event:#}")),
    }
}

fn agent_row(words: &Words, names: &Names, agent: &Agent) -> AgentRow {
    let shown = |codes: &[String], list: &str| codes.iter().map(|code| word(words, list, code)).collect();
    let named = |value: &str, name: &str| {
        (!value.is_empty()).then(|| Named { text: visible(value), link: link(HERE, &[(name, value)]) })
    };
    AgentRow {
        who: names.agent(words, agent),
        part: word(words, "agent", &agent.part),
        reference: named(&agent.reference, "user"),
        address: named(&agent.address, "address"),
        roles: shown(&agent.roles, "role"),
        policies: agent.policies.iter().map(|policy| visible(policy)).collect(),
        purposes: shown(&agent.purposes, "purpose"),
    }
}

/// What an entity says; the request is told elsewhere.
fn entity_row(words: &Words, facts: &Facts, entity: &Entity) -> Option<EntityRow> {
    let is_request = facts.request.as_ref() == Some(&entity.identifier) && entity.query.is_empty();
    let reference = if entity.reference.is_empty() { &entity.identifier } else { &entity.reference };
    let details = entity.details.iter().map(|(name, value)| (visible(name), visible(value)));
    (!is_request || !entity.details.is_empty()).then(|| EntityRow {
        kind: word(words, "entity", &entity.kind),
        reference: visible(reference),
        name: visible(&entity.name),
        query: visible(&entity.query),
        details: details.collect(),
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn place(found: &Proven) -> Place {
    Place {
        seq: found.leaf.seq,
        size: found.checkpoint.size,
        signed: Moment::of(found.checkpoint.at_us),
        leaf: found.leaf.text(),
        path: found.path.iter().map(|hash| hex(hash)).collect(),
        root: hex(&found.checkpoint.root),
        note: found.checkpoint.note.clone(),
    }
}

fn check(words: &Words, found: &Proven) -> Proof {
    let Verdict { content, place, signature } = found.verdict;
    let told = |part: &str, holds: Option<bool>| {
        let how = match holds {
            Some(true) => "good",
            Some(false) => "bad",
            None => "none",
        };
        words.t(&format!("console-proof-{part}-{how}"))
    };
    let path: Vec<String> = found.path.iter().map(|hash| STANDARD.encode(hash)).collect();
    let keys: Vec<String> = found.keys.iter().map(ToString::to_string).collect();
    let (salt, event) = found.content.as_ref().map_or((&[][..], &[][..]), |(salt, body)| (salt, body));
    Proof {
        salt: STANDARD.encode(salt),
        event: STANDARD.encode(event),
        path: path.join(" "),
        keys: keys.join(" "),
        holds: found.verdict.holds(),
        content: told("content", content),
        place: told("place", Some(place)),
        signature: told("signature", signature),
    }
}

/// `GET /console/audit/events/{id}/proof`: C2SP tlog-proof
pub(in crate::http) async fn proof(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "console").await {
        Ok((visit, _)) => visit.answer(proof_file(&visit).await),
        Err(response) => response,
    }
}

async fn proof_file(visit: &Visit) -> Result<Response, PageError> {
    officer(visit)?;
    let id = visit.segment(3);
    let found = proven(&visit.http.app, &id).await.map_err(broken)?.ok_or(Refusal::Gone)?;
    let checkpoint = SignedCheckpoint::parse(found.checkpoint.note.as_bytes());
    let checkpoint = checkpoint.map_err(|error| PageError::broken(&error))?;
    looked(visit, None).await?;
    let proof = TlogProof { extra: None, index: found.leaf.seq, hashes: found.path, checkpoint };
    Ok(file("text/plain; charset=utf-8", &format!("event-{}.tlog-proof", proof.index), proof.text()))
}

/// `GET /assets/proof.js`
pub(in crate::http) async fn script() -> Response {
    let mut response = include_str!("../../../../templates/proof.js").into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response.extensions_mut().insert(Label("proof"));
    response
}
