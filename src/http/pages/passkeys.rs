//! Passkeys on the pages: challenges for the script, and what authenticators answer.

use super::account::page as account_page;
use super::forms::{Problem, Problems};
use super::sign_in::{back, code_page, refused, welcome};
use super::visit::{Cookie, Visit};
use super::{PageError, Refusal, page_headers, redirect};
use crate::app::account::{self, AccountError, Challenge, NewSession, Response as Answer};
use crate::http::Shared;
use crate::http::edge::Label;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// Where passkeys are looked after.
const ACCOUNT: &str = "/account";

/// `GET /assets/passkey.js`
pub(in crate::http) async fn script() -> Response {
    let mut response = include_str!("../../../templates/passkey.js").into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response.extensions_mut().insert(Label("script"));
    response
}

/// The options for the script, and the cookie that the answer must come with.
fn challenge(visit: &mut Visit, made: Result<Challenge, AccountError>) -> Result<Response, PageError> {
    let made = made?;
    visit.set(Cookie::Passkey, &made.cookie);
    let mut response = made.options.into_response();
    page_headers(&mut response);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// What is wrong with an answer; an error when it is ours.
fn problem(visit: &Visit, error: AccountError) -> Result<Problem, PageError> {
    let (field, id) = match error {
        AccountError::Wrong => ("passkey", "passkey-wrong"),
        AccountError::Lapsed => ("passkey", "passkey-lapsed"),
        AccountError::Cloned => ("passkey", "passkey-cloned"),
        AccountError::Taken => ("passkey", "passkey-taken"),
        AccountError::Invalid(_) => ("passkey-name", "passkey-name-wrong"),
        other => return Err(other.into()),
    };
    Ok(Problem::new(&visit.words, field, id))
}

/// `POST /sign-in/passkey/options`
pub(in crate::http) async fn sign_in_options(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = offer(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn offer(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    visit.form(body).await?;
    let made = account::begin_passkey_sign_in(&visit.http.app, &visit.site()).await;
    challenge(visit, made)
}

/// `POST /sign-in/passkey`
pub(in crate::http) async fn sign_in(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = enter(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn enter(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let back = back(Some(form.text("return").to_owned()));
    let (site, cookie) = (visit.site(), visit.cookie(Cookie::Passkey).unwrap_or_default());
    let old = visit.cookie(Cookie::Session);
    let answer = Answer { site: &site, cookie: &cookie, credential: form.text("credential") };
    let tried = account::sign_in_by_passkey(&visit.http.app, answer, &visit.origin(), old.as_deref()).await;
    match tried {
        Ok(session) => Ok(done(visit, &session, &back)),
        Err(error) => {
            let found = problem(visit, error)?;
            refused(visit, found, back, !form.text("again").is_empty())
        }
    }
}

fn done(visit: &mut Visit, session: &NewSession, back: &str) -> Response {
    visit.unset(Cookie::Passkey);
    welcome(visit, session, back)
}

/// `POST /sign-in/code/passkey/options`
pub(in crate::http) async fn step_options(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = offer_step(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn offer_step(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    visit.form(body).await?;
    let step = visit.cookie(Cookie::Step).unwrap_or_default();
    let made = account::begin_passkey_step(&visit.http.app, &visit.site(), &step).await;
    challenge(visit, made)
}

/// `POST /sign-in/code/passkey`
pub(in crate::http) async fn step(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = complete(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn complete(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let back = back(Some(form.text("return").to_owned()));
    let (site, cookie) = (visit.site(), visit.cookie(Cookie::Passkey).unwrap_or_default());
    let (step, old) = (visit.cookie(Cookie::Step).unwrap_or_default(), visit.cookie(Cookie::Session));
    let answer = Answer { site: &site, cookie: &cookie, credential: form.text("credential") };
    let tried =
        account::finish_passkey_step(&visit.http.app, &step, answer, &visit.origin(), old.as_deref()).await;
    match tried {
        Ok(session) => Ok(done(visit, &session, &back)),
        Err(error) => {
            let found = problem(visit, error)?;
            code_page(visit, found.into(), back, None).await
        }
    }
}

/// `POST /account/passkeys/options`
pub(in crate::http) async fn register_options(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = offer_registration(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn offer_registration(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    visit.form(body).await?;
    let live = visit.signed_in()?;
    if !live.is_recent(&visit.http.app) {
        // The script sends the form as it is, and the answer to that leads to the sign-in page.
        let mut response = "{}".into_response();
        page_headers(&mut response);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    }
    let made = account::begin_registration(&visit.http.app, &visit.site(), live).await;
    challenge(visit, made)
}

/// `POST /account/passkeys`
pub(in crate::http) async fn register(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((mut visit, body)) => {
            let result = add(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn add(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.recently_signed_in(ACCOUNT)?;
    let (site, cookie) = (visit.site(), visit.cookie(Cookie::Passkey).unwrap_or_default());
    let answer = Answer { site: &site, cookie: &cookie, credential: form.text("credential") };
    let added = account::finish_registration(&visit.http.app, live, answer, form.text("name")).await;
    match added {
        Ok(()) => {
            visit.unset(Cookie::Passkey);
            Ok(redirect("/account?done=passkey"))
        }
        Err(error) => {
            let found: Problems = problem(visit, error)?.into();
            account_page(visit, found, None, None).await
        }
    }
}

/// `POST /account/passkeys/remove`
pub(in crate::http) async fn remove(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "passkey").await {
        Ok((visit, body)) => visit.answer(take_away(&visit, body).await),
        Err(response) => response,
    }
}

async fn take_away(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.recently_signed_in(ACCOUNT)?;
    match account::remove_passkey(&visit.http.app, &live.account.id, form.text("id")).await {
        Ok(()) => Ok(redirect("/account?done=passkey-removed")),
        Err(AccountError::Unknown) => Err(Refusal::Gone.into()),
        Err(error) => Err(error.into()),
    }
}
