//! `/consent/{id}` and `/pick-patient/{id}`: what an app asks for, and what the person answers.

use super::encounters::{self, Encounter};
use super::forms::{Frame, Problem, Problems};
use super::patients::{self, Patient};
use super::scope_words::{self, Part, Whose};
use super::visit::{Form, Visit};
use super::{PageError, Refusal, again, leading_to, redirect, render};
use crate::app::account::Live;
use crate::app::oauth::pending::{self, Approval, Pending};
use crate::auth::scope::{Scope, Scopes};
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage {
    frame: Frame,
    problems: Problems,
    id: String,
    app: String,
    address: String,
    patient: Option<Patient>,
    can_pick: bool,
    offline: bool,
    scopes: Vec<Asked>,
    /// Visits to choose from; none: none is asked for.
    encounters: Vec<Encounter>,
    /// The one that was chosen before.
    encounter: String,
}

/// A scope that is asked for.
struct Asked {
    value: String,
    label: String,
    ticked: bool,
    parts: Vec<AskedPart>,
}

struct AskedPart {
    part: Part,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "pick_patient.html")]
struct PickPage {
    frame: Frame,
    problems: Problems,
    id: String,
    app: String,
    name: String,
    birth_date: String,
    found: Option<Vec<Patient>>,
    more: bool,
}

impl PickPage {
    fn count(&self) -> i64 {
        self.found.as_ref().map_or(0, |found| i64::try_from(found.len()).unwrap_or(i64::MAX))
    }
}

#[derive(Template)]
#[template(path = "other_account.html")]
struct OtherAccountPage {
    frame: Frame,
    id: String,
}

/// A request that this person may answer.
struct Waiting<'a> {
    live: &'a Live,
    pending: Pending,
}

/// How far a visit came before the question can be asked.
enum Stage<'a> {
    Ready(Box<Waiting<'a>>),
    /// The launch was made for somebody else.
    Other(Response),
}

async fn waiting<'a>(visit: &'a Visit, id: &str) -> Result<Stage<'a>, PageError> {
    let pending = pending::load(&visit.http.app, id).await.map_err(crate::fhir::outcome::Error::from)?;
    let pending = pending.ok_or(Refusal::Gone)?;
    let back = format!("/consent/{id}");
    let Some(live) = &visit.live else {
        return Err(PageError::sign_in_as(&back, false, pending.login_hint.as_deref()));
    };
    if pending.sign_in_after_us.is_some_and(|after| live.session.authenticated_us < after) {
        return Err(PageError::sign_in_first(&back, true));
    }
    if pending.account.as_ref().is_some_and(|account| *account != live.account.id) {
        let page = OtherAccountPage { frame: Frame::of(visit), id: id.to_owned() };
        return Ok(Stage::Other(leading_to(render(StatusCode::FORBIDDEN, &page)?, &pending.redirect_origin)));
    }
    Ok(Stage::Ready(Box::new(Waiting { live, pending })))
}

impl Waiting<'_> {
    /// The person's own record, when they are a patient.
    fn own_record(&self) -> Option<&str> {
        self.live.account.fhir_user.as_deref().and_then(|user| user.strip_prefix("Patient/"))
    }

    /// The patient that this is about: the launch's, else the person's own record, else the one chosen, whom
    /// they must be allowed to see. A detour to the picker when one is needed and none is there.
    async fn patient(&self, visit: &Visit, chosen: Option<&str>) -> Result<Option<Patient>, PageError> {
        if let Some(id) = self.pending.launch.as_ref().and_then(|launch| launch.patient.as_deref()) {
            return patients::find(visit, self.live, id).await;
        }
        if !self.pending.needs_patient {
            return Ok(None);
        }
        let pick = || PageError::Detour(format!("/pick-patient/{}", self.pending.id));
        let id = self.own_record().or(chosen).ok_or_else(pick)?;
        patients::find(visit, self.live, id).await?.map(Some).ok_or_else(|| Refusal::Forbidden.into())
    }

    /// Visits of the patient, when the app asks for one and the launch has none.
    async fn encounters(
        &self,
        visit: &Visit,
        patient: Option<&Patient>,
    ) -> Result<Vec<Encounter>, PageError> {
        match patient.filter(|_| self.pending.needs_encounter) {
            Some(patient) => encounters::latest(visit, self.live, &patient.id).await,
            None => Ok(Vec::new()),
        }
    }

    fn whose(&self, patient: Option<&Patient>) -> Whose {
        match patient {
            Some(patient) if self.own_record() == Some(&patient.id) => Whose::Own,
            Some(patient) => Whose::Of(patient.name.clone()),
            None => Whose::Unnamed,
        }
    }

    /// Chosen here, rather than given by the launch or by who the person is.
    fn can_pick(&self) -> bool {
        self.pending.needs_patient && self.own_record().is_none()
    }
}

/// `GET /consent/{id}`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "consent").await {
        Ok((visit, _)) => visit.answer(ask(&visit, None).await),
        Err(response) => response,
    }
}

/// `POST /consent/{id}`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "consent").await {
        Ok((visit, body)) => visit.answer(decide(&visit, body).await),
        Err(response) => response,
    }
}

/// The question; with `answered` again, because that answer was no answer.
async fn ask(visit: &Visit, answered: Option<&Form>) -> Result<Response, PageError> {
    let id = visit.segment(1);
    let waiting = match waiting(visit, &id).await? {
        Stage::Ready(waiting) => waiting,
        Stage::Other(response) => return Ok(response),
    };
    let chosen = visit.query("patient").or_else(|| answered.map(|form| form.text("patient").to_owned()));
    let patient = waiting.patient(visit, chosen.as_deref().filter(|id| !id.is_empty())).await?;
    let whose = waiting.whose(patient.as_ref());
    let pending = &waiting.pending;
    let scopes = pending.grantable.all().map(|scope| asked(visit, scope, &whose, answered)).collect();
    let nothing = || Problems::from(Problem::new(&visit.words, "scope-1", "consent-none"));
    let page = ConsentPage {
        encounters: waiting.encounters(visit, patient.as_ref()).await?,
        encounter: answered.map(|form| form.text("encounter").to_owned()).unwrap_or_default(),
        frame: Frame::of(visit),
        problems: answered.map(|_| nothing()).unwrap_or_default(),
        id,
        app: pending.client.name.clone(),
        address: pending.redirect_origin.clone(),
        can_pick: waiting.can_pick(),
        offline: pending.grantable.has(&Scope::OfflineAccess),
        patient,
        scopes,
    };
    let response = if answered.is_some() { again(&page, None)? } else { render(StatusCode::OK, &page)? };
    Ok(leading_to(response, &pending.redirect_origin))
}

fn asked(visit: &Visit, scope: &Scope, whose: &Whose, answered: Option<&Form>) -> Asked {
    let value = scope.to_string();
    let parts_field = format!("part {value}");
    let has =
        |field: &str, wanted: &str| answered.is_some_and(|form| form.all(field).any(|own| own == wanted));
    let parts = scope_words::parts(&visit.words, scope)
        .into_iter()
        .map(|part| AskedPart { ticked: has(&parts_field, &part.value), part })
        .collect();
    let ticked = answered.is_none() || has("scope", &value);
    Asked { label: scope_words::label(&visit.words, scope, whose), value, ticked, parts }
}

async fn decide(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let id = visit.segment(1);
    let waiting = match waiting(visit, &id).await? {
        Stage::Ready(waiting) => waiting,
        Stage::Other(response) if form.text("decision") != "deny" => return Ok(response),
        // Whoever is asked in somebody else's place can only send the app away.
        Stage::Other(_) => return deny(visit, &id).await,
    };
    if form.text("decision") != "approve" {
        return deny(visit, &id).await;
    }
    let scopes = chosen(&waiting.pending.grantable, &form);
    if scopes.is_empty() {
        return ask(visit, Some(&form)).await;
    }
    let typed = form.text("patient");
    let patient = waiting.patient(visit, Some(typed).filter(|id| !id.is_empty())).await?;
    let encounters = waiting.encounters(visit, patient.as_ref()).await?;
    let typed = form.text("encounter");
    let encounter = encounters.into_iter().find(|one| one.id == typed);
    if encounter.is_none() && !typed.is_empty() {
        return Err(Refusal::Forbidden.into());
    }
    let session = &waiting.live.session;
    let approval = Approval {
        account: waiting.live.account.id.clone(),
        session: session.hash.clone(),
        auth_time_us: session.authenticated_us,
        scopes,
        // The launch's own patient is not for the person to choose.
        patient: patient.filter(|_| waiting.pending.needs_patient).map(|patient| patient.id),
        encounter: encounter.map(|encounter| encounter.id),
    };
    let url = pending::approve(&visit.http.app, &id, approval).await;
    let url = url.map_err(crate::fhir::outcome::Error::from)?.ok_or(Refusal::Gone)?;
    Ok(leading_to(redirect(&url), &waiting.pending.redirect_origin))
}

async fn deny(visit: &Visit, id: &str) -> Result<Response, PageError> {
    let url = pending::deny(&visit.http.app, id).await.map_err(crate::fhir::outcome::Error::from)?;
    Ok(redirect(&url.ok_or(Refusal::Gone)?))
}

/// The scopes whose tick was left, narrowed to the parts that were ticked.
fn chosen(grantable: &Scopes, form: &Form) -> Scopes {
    let mut chosen = Vec::new();
    for scope in grantable.all() {
        let value = scope.to_string();
        if !form.all("scope").any(|own| own == value) {
            continue;
        }
        let field = format!("part {value}");
        let mut parts = form.all(&field).peekable();
        if parts.peek().is_none() {
            chosen.push(scope.clone());
        } else {
            chosen.extend(parts.filter_map(|part| scope_words::narrowed(scope, part)));
        }
    }
    chosen.into_iter().collect()
}

/// `GET /pick-patient/{id}`
pub(in crate::http) async fn show_picker(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "pick-patient").await {
        Ok((visit, _)) => visit.answer(pick(&visit, None).await),
        Err(response) => response,
    }
}

/// `POST /pick-patient/{id}`: a search, by POST so that no name gets into a URL.
pub(in crate::http) async fn search(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "pick-patient").await {
        Ok((visit, body)) => {
            let result = match visit.form(body).await {
                Ok(form) => pick(&visit, Some(&form)).await,
                Err(error) => Err(error),
            };
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn pick(visit: &Visit, form: Option<&Form>) -> Result<Response, PageError> {
    let id = visit.segment(1);
    let waiting = match waiting(visit, &id).await? {
        Stage::Ready(waiting) => waiting,
        Stage::Other(response) => return Ok(response),
    };
    if !waiting.can_pick() {
        return Ok(redirect(&format!("/consent/{id}")));
    }
    let text = |name: &str| form.map(|form| form.text(name).trim().to_owned()).unwrap_or_default();
    let (name, birth_date) = (text("name"), text("birth-date"));
    let mut problems = Problems::none();
    let (mut found, mut more) = (None, false);
    if form.is_some() {
        let is_date = birth_date.parse::<jiff::civil::Date>().is_ok();
        if name.is_empty() && !is_date {
            problems.add(Problem::new(&visit.words, "name", "pick-empty"));
        } else {
            let date = if is_date { birth_date.as_str() } else { "" };
            let (patients, beyond) = patients::search(visit, waiting.live, &name, date).await?;
            (found, more) = (Some(patients), beyond);
        }
    }
    let failed = problems.any();
    let app = waiting.pending.client.name.clone();
    let page = PickPage { frame: Frame::of(visit), problems, id, app, name, birth_date, found, more };
    let response = if failed { again(&page, None)? } else { render(StatusCode::OK, &page)? };
    Ok(leading_to(response, &waiting.pending.redirect_origin))
}
