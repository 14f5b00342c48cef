//! `/emergency`: a clinician declares an emergency, sees until when it lasts, and ends it.

use super::apps::Time;
use super::forms::{Frame, Problem, Problems, problem};
use super::visit::{Form, Visit};
use super::{PageError, Refusal, again, patients, redirect, render};
use crate::app::account::{Live, principal};
use crate::app::emergency::{self, Declaration, EmergencyError};
use crate::auth::access::Access;
use crate::auth::emergency::{Purpose, reason};
use crate::auth::rule::{Act, Area};
use crate::http::Shared;
use crate::telemetry;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;

/// Where this page is.
const HERE: &str = "/emergency";

#[derive(Template)]
#[template(path = "emergency.html")]
struct EmergencyPage {
    frame: Frame,
    problems: Problems,
    done: Option<String>,
    minutes: i64,
    running: Option<Running>,
    patient: String,
    purposes: Vec<Choice>,
    reason: String,
    username: String,
    asks_password: bool,
    asks_code: bool,
}

/// The emergency that is running.
struct Running {
    patient: String,
    until: Time,
}

/// One of several answers.
pub(super) struct Choice {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) chosen: bool,
}

/// What was typed, to be shown again.
#[derive(Default)]
struct Typed {
    patient: String,
    purpose: Option<Purpose>,
    reason: String,
}

/// Whoever is signed in, if they may declare emergencies.
fn clinician(visit: &Visit) -> Result<&Live, PageError> {
    let live = visit.signed_in()?;
    let access = Access::of(principal(live), visit.http.app.policy);
    if access.may_in(Act::Create, Area::Emergencies) { Ok(live) } else { Err(Refusal::Forbidden.into()) }
}

/// `GET /emergency`, with `patient` if somebody was sent here
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "emergency").await {
        Ok((visit, _)) => {
            let typed = Typed { patient: visit.query("patient").unwrap_or_default(), ..Typed::default() };
            visit.answer(begin(&visit, typed).await)
        }
        Err(response) => response,
    }
}

async fn begin(visit: &Visit, typed: Typed) -> Result<Response, PageError> {
    let live = clinician(visit)?;
    // Before anything is typed that would have to be typed again.
    if live.emergency.is_none() && emergency::must_sign_in_again(&visit.http.app, live) {
        return Err(sign_in_again(&typed.patient));
    }
    page(visit, Problems::none(), None, typed).await
}

async fn page(
    visit: &Visit,
    problems: Problems,
    wait: Option<i64>,
    typed: Typed,
) -> Result<Response, PageError> {
    let live = clinician(visit)?;
    let words = &visit.words;
    let running = match &live.emergency {
        None => None,
        Some(running) => {
            let found = patients::find(visit, live, &running.patient).await?;
            let patient = found.map_or_else(|| running.patient.clone(), |patient| patient.name);
            Some(Running { patient, until: Time::of(running.until) })
        }
    };
    let done = match (visit.query("done").as_deref(), running.is_some()) {
        (Some("declared"), true) => Some(words.t("emergency-declared")),
        (Some("ended"), false) => Some(words.t("emergency-ended")),
        _ => None,
    };
    let choice = |purpose: Purpose| Choice {
        code: purpose.code(),
        text: words.t(&format!("emergency-purpose-{}", purpose.code())),
        chosen: typed.purpose == Some(purpose),
    };
    let failed = problems.any();
    let page = EmergencyPage {
        frame: Frame::of(visit),
        problems,
        done: done.filter(|_| !failed),
        minutes: i64::from(visit.http.app.config.auth.emergency_minutes),
        running,
        patient: typed.patient,
        purposes: Purpose::ALL.map(choice).into(),
        reason: typed.reason,
        username: live.account.username.clone(),
        asks_password: live.account.has_password,
        asks_code: live.account.totp_since_us.is_some(),
    };
    if failed { again(&page, wait) } else { render(StatusCode::OK, &page) }
}

/// `POST /emergency`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "emergency").await {
        Ok((visit, body)) => visit.answer(declare(&visit, body).await),
        Err(response) => response,
    }
}

async fn declare(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first(HERE, false))?;
    clinician(visit)?;
    let typed = Typed {
        patient: form.text("patient").to_owned(),
        purpose: Purpose::from_code(form.text("purpose")),
        reason: form.text("reason").to_owned(),
    };
    let missing = missing(visit, live, &form);
    let Some(purpose) = typed.purpose.filter(|_| !missing.any()) else {
        return page(visit, missing, None, typed).await;
    };
    let secret = |name| SecretString::from(form.text(name).to_owned());
    let declaration = Declaration {
        patient: typed.patient.clone(),
        purpose,
        reason: typed.reason.clone(),
        password: secret("password"),
        code: secret("code"),
        base: visit.base(),
    };
    let declared = emergency::declare(&visit.http.app, live, declaration, &visit.origin()).await;
    let (found, wait) = match declared {
        Ok(_) => {
            telemetry::emergency_declared();
            return Ok(redirect("/emergency?done=declared"));
        }
        Err(error) => refusal(visit, error, &typed)?,
    };
    page(visit, found.into(), wait, typed).await
}

/// A detour over the sign-in page, and back with the patient.
fn sign_in_again(patient: &str) -> PageError {
    let mut query = form_urlencoded::Serializer::new(String::new());
    PageError::sign_in_first(&format!("{HERE}?{}", query.append_pair("patient", patient).finish()), true)
}

/// What was left out.
fn missing(visit: &Visit, live: &Live, form: &Form) -> Problems {
    let mut problems = Problems::none();
    let blank = |name: &str| form.text(name).trim().is_empty();
    let mut add = |is_missing: bool, field: &'static str, id: &str| {
        if is_missing {
            problems.add(Problem::new(&visit.words, field, id));
        }
    };
    add(blank("patient"), "patient", "emergency-patient-missing");
    add(Purpose::from_code(form.text("purpose")).is_none(), "purpose", "emergency-purpose-missing");
    add(reason(form.text("reason")).is_none(), "reason", "emergency-reason-wrong");
    add(live.account.has_password && blank("password"), "password", "password-missing");
    add(live.account.totp_since_us.is_some() && blank("code"), "code", "code-wrong");
    problems
}

/// Why an emergency was not declared, and the seconds to wait.
fn refusal(visit: &Visit, error: EmergencyError, typed: &Typed) -> Result<(Problem, Option<i64>), PageError> {
    let words = &visit.words;
    match error {
        EmergencyError::Password(error) => problem(visit, error, "password", "emergency-password-wrong"),
        EmergencyError::Code(error) => problem(visit, error, "code", "code-wrong"),
        EmergencyError::NoPatient => Ok((Problem::new(words, "patient", "emergency-patient-unknown"), None)),
        EmergencyError::SeveralPatients => {
            Ok((Problem::new(words, "patient", "emergency-patient-several"), None))
        }
        EmergencyError::Reason => Ok((Problem::new(words, "reason", "emergency-reason-wrong"), None)),
        EmergencyError::NotRecent => Err(sign_in_again(&typed.patient)),
        other => Err(other.into()),
    }
}

/// `POST /emergency/end`
pub(in crate::http) async fn end(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "emergency").await {
        Ok((visit, body)) => visit.answer(end_now(&visit, body).await),
        Err(response) => response,
    }
}

async fn end_now(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let _: Form = visit.form(body).await?;
    // Whoever lost the role may still end what they began.
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first(HERE, false))?;
    emergency::end(&visit.http.app, live).await?;
    Ok(redirect("/emergency?done=ended"))
}

impl From<EmergencyError> for PageError {
    fn from(error: EmergencyError) -> Self {
        match error {
            EmergencyError::Failed(error) => error.into(),
            EmergencyError::Password(error) | EmergencyError::Code(error) => error.into(),
            EmergencyError::NotAllowed => Self::Refused(Refusal::Forbidden),
            EmergencyError::Unknown => Self::Refused(Refusal::Gone),
            other => Self::broken(&other),
        }
    }
}
