//! `/sign-in`, `/sign-in/code`, `/sign-out`.

use super::forms::{Frame, Problem, Problems, problem};
use super::visit::{Cookie, Visit, safe_return};
use super::{PageError, again, redirect, render, upstream, with_script};
use crate::app::account::{self, AccountError, NewSession, SignedIn};
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;

/// Where to go when nothing else was wanted.
const HOME: &str = "/account";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    problems: Problems,
    back: String,
    again: bool,
    username: String,
    /// Id and name of each upstream provider.
    providers: Vec<(String, String)>,
    /// Whether the form for a password is shown.
    local: bool,
    /// Whether a passkey can be used.
    passkey: bool,
}

impl SignInPage {
    fn new(visit: &Visit, problems: Problems, back: String, again: bool, username: String) -> Self {
        let providers = visit.http.app.providers.all().iter();
        let no_password = again && visit.live.as_ref().is_some_and(|live| !live.account.has_password);
        let local =
            (visit.http.app.config.auth.local_sign_in && !no_password) || visit.query("local").is_some();
        Self {
            frame: Frame::of(visit),
            // What was typed into the form is shown with it.
            local: local || problems.any(),
            passkey: (local || problems.any()) && account::are_possible(&visit.site()),
            problems,
            back,
            again,
            username,
            providers: providers.map(|provider| (provider.id.clone(), provider.name.clone())).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct CodePage {
    frame: Frame,
    problems: Problems,
    back: String,
    /// Whether a passkey can be used.
    passkey: bool,
}

/// The page that asks for the second factor, with what was wrong with the first try.
pub(super) async fn code_page(
    visit: &Visit,
    problems: Problems,
    back: String,
    wait: Option<i64>,
) -> Result<Response, PageError> {
    let step = visit.cookie(Cookie::Step).unwrap_or_default();
    let passkey =
        account::are_possible(&visit.site()) && account::can_complete(&visit.http.app, &step).await?;
    let failed = problems.any();
    let page = CodePage { frame: Frame::of(visit), problems, back, passkey };
    let page = if failed { again(&page, wait) } else { render(StatusCode::OK, &page) };
    Ok(with_script(page?))
}

/// The sign-in page with what was wrong with a passkey.
pub(super) fn refused(
    visit: &Visit,
    problem: Problem,
    back: String,
    anew: bool,
) -> Result<Response, PageError> {
    let page = SignInPage::new(visit, problem.into(), back, anew, String::new());
    Ok(with_script(again(&page, None)?))
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOutPage {
    frame: Frame,
}

/// `GET /sign-in`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "sign-in").await {
        Ok((visit, _)) => visit.answer(sign_in_page(&visit)),
        Err(response) => response,
    }
}

fn sign_in_page(visit: &Visit) -> Result<Response, PageError> {
    // An app's request: its page knows whether somebody must sign in, and as whom.
    if let Some(id) = visit.query("request") {
        return Ok(redirect(&back(Some(format!("/consent/{id}")))));
    }
    let back = back(visit.query("return"));
    let again = visit.query("again").is_some();
    if visit.live.is_some() && !again {
        return Ok(redirect(&back));
    }
    let known = visit.live.as_ref().map(|live| live.account.username.clone());
    let username = known.or_else(|| visit.query("hint")).unwrap_or_default();
    let page = SignInPage::new(visit, Problems::none(), back, again, username);
    Ok(with_script(render(StatusCode::OK, &page)?))
}

pub(super) fn back(wanted: Option<String>) -> String {
    wanted.as_deref().and_then(safe_return).unwrap_or(HOME).to_owned()
}

/// `POST /sign-in`
pub(in crate::http) async fn submit(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "sign-in").await {
        Ok((mut visit, body)) => {
            let result = sign_in(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn sign_in(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let back = back(Some(form.text("return").to_owned()));
    let username = form.text("username").to_owned();
    let password = SecretString::from(form.text("password").to_owned());
    let mut problems = Problems::none();
    for (field, id) in [("username", "username-missing"), ("password", "password-missing")] {
        if form.text(field).is_empty() {
            problems.add(Problem::new(&visit.words, field, id));
        }
    }
    let mut wait = None;
    if !problems.any() {
        let old = visit.cookie(Cookie::Session);
        let tried =
            account::sign_in(&visit.http.app, &username, &password, &visit.origin(), old.as_deref()).await;
        match tried {
            Ok(SignedIn::Done(session)) => return Ok(welcome(visit, &session, &back)),
            Ok(SignedIn::SecondFactor(step)) => return Ok(ask_for_code(visit, &step, &back)),
            Err(error) => {
                let (found, seconds) = problem(visit, error, "username", "sign-in-wrong")?;
                problems.add(found);
                wait = seconds;
            }
        }
    }
    let again_page = !form.text("again").is_empty();
    let page = SignInPage::new(visit, problems, back, again_page, username);
    Ok(with_script(again(&page, wait)?))
}

/// On to the second factor.
pub(super) fn ask_for_code(visit: &mut Visit, step: &str, back: &str) -> Response {
    visit.set(Cookie::Step, step);
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return", back).finish();
    redirect(&format!("/sign-in/code?{query}"))
}

/// Sets the cookies of a new session and goes on.
pub(super) fn welcome(visit: &mut Visit, session: &NewSession, back: &str) -> Response {
    visit.set(Cookie::Session, &session.cookie);
    if let Some(device) = &session.device {
        visit.set(Cookie::Device, device);
    }
    visit.unset(Cookie::Step);
    visit.unset(Cookie::Form);
    redirect(back)
}

/// `GET /sign-in/code`
pub(in crate::http) async fn show_code(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "second-factor").await {
        Ok((visit, _)) => {
            let back = back(visit.query("return"));
            visit.answer(code_page(&visit, Problems::none(), back, None).await)
        }
        Err(response) => response,
    }
}

/// `POST /sign-in/code`
pub(in crate::http) async fn submit_code(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "second-factor").await {
        Ok((mut visit, body)) => {
            let result = verify(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn verify(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let back = back(Some(form.text("return").to_owned()));
    let code = SecretString::from(form.text("code").to_owned());
    let step = visit.cookie(Cookie::Step).unwrap_or_default();
    let old = visit.cookie(Cookie::Session);
    let tried =
        account::verify_second_factor(&visit.http.app, &step, &code, &visit.origin(), old.as_deref()).await;
    match tried {
        Ok(session) => Ok(welcome(visit, &session, &back)),
        Err(AccountError::Lapsed) => {
            visit.unset(Cookie::Step);
            Err(PageError::sign_in_first(&back, false))
        }
        Err(error) => {
            let (found, wait) = problem(visit, error, "code", "code-wrong")?;
            code_page(visit, found.into(), back, wait).await
        }
    }
}

/// `GET /sign-out`
pub(in crate::http) async fn show_sign_out(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "sign-out").await {
        Ok((visit, _)) => visit.answer(render(StatusCode::OK, &SignOutPage { frame: Frame::of(&visit) })),
        Err(response) => response,
    }
}

/// `POST /sign-out`
pub(in crate::http) async fn sign_out(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "sign-out").await {
        Ok((mut visit, body)) => {
            let result = end(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn end(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    visit.form(body).await?;
    if let Some(cookie) = visit.cookie(Cookie::Session) {
        account::sign_out(&visit.http.app, &cookie).await?;
    }
    visit.unset(Cookie::Session);
    let provider = visit.live.take().and_then(|live| live.session.provider);
    match provider {
        Some(provider) => upstream::sign_out(visit, &provider).await,
        None => Ok(redirect("/sign-out")),
    }
}
