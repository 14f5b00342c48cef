//! `/sign-in/with/{provider}`, `/sign-in/callback/{provider}`: signing in at an upstream provider.

use super::forms::Frame;
use super::sign_in::{ask_for_code, back, welcome};
use super::visit::{Cookie, Visit};
use super::{PageError, Refusal, redirect, render};
use crate::app::account::SignedIn;
use crate::app::upstream::{self, Callback, Failed, Wanted, Why};
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::REFRESH;
use http::{HeaderValue, StatusCode};

#[derive(Template)]
#[template(path = "leave.html")]
struct LeavePage {
    frame: Frame,
    name: String,
    url: String,
}

#[derive(Template)]
#[template(path = "sign_in_failed.html")]
struct FailedPage {
    frame: Frame,
    text: String,
    query: String,
}

/// `POST /sign-in/with/{provider}`
pub(in crate::http) async fn begin(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "upstream").await {
        Ok((mut visit, body)) => {
            let result = go(&mut visit, body).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn go(visit: &mut Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let app = visit.http.app.clone();
    let provider = app.providers.get(&visit.segment(2)).ok_or(Refusal::Gone)?;
    let wanted =
        Wanted { back: back(Some(form.text("return").to_owned())), anew: !form.text("again").is_empty() };
    let cookie = visit.cookie(Cookie::Upstream).filter(|cookie| cookie.len() == 43);
    match upstream::begin(&app, provider, &visit.site(), cookie, &wanted).await {
        Ok(begun) => {
            visit.set(Cookie::Upstream, &begun.cookie);
            leave(visit, &provider.name, begun.url)
        }
        Err(why) => failed(visit, &provider.name, Failed { why, back: Some(wanted.back) }),
    }
}

/// To another site by a page of its own: after a redirect the browser would hold our form's policy against every site
/// that the person passes there.
fn leave(visit: &Visit, name: &str, url: String) -> Result<Response, PageError> {
    let refresh =
        HeaderValue::from_str(&format!("0; url={url}")).map_err(|error| PageError::broken(&error))?;
    let mut response =
        render(StatusCode::OK, &LeavePage { frame: Frame::of(visit), name: name.to_owned(), url })?;
    response.headers_mut().insert(REFRESH, refresh);
    Ok(response)
}

/// `GET /sign-in/callback/{provider}`
pub(in crate::http) async fn finish(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "upstream").await {
        Ok((mut visit, _)) => {
            let result = come_back(&mut visit).await;
            visit.answer(result)
        }
        Err(response) => response,
    }
}

async fn come_back(visit: &mut Visit) -> Result<Response, PageError> {
    let provider = visit.segment(2);
    let name = visit.http.app.providers.get(&provider).map(|provider| provider.name.clone());
    let name = name.ok_or(Refusal::Gone)?;
    let callback = Callback {
        provider,
        state: visit.query("state").unwrap_or_default(),
        code: visit.query("code"),
        error: visit.query("error"),
        issuer: visit.query("iss"),
        cookie: visit.cookie(Cookie::Upstream).unwrap_or_default(),
        old: visit.cookie(Cookie::Session),
    };
    let base = visit.base();
    let done = upstream::finish(&visit.http.app, &[&base], &callback, &visit.origin()).await;
    match done {
        Ok((SignedIn::Done(session), back)) => {
            visit.unset(Cookie::Upstream);
            Ok(welcome(visit, &session, &back))
        }
        Ok((SignedIn::SecondFactor(step), back)) => {
            visit.unset(Cookie::Upstream);
            Ok(ask_for_code(visit, &step, &back))
        }
        Err(why) => failed(visit, &name, why),
    }
}

fn failed(visit: &Visit, name: &str, failed: Failed) -> Result<Response, PageError> {
    let (status, id) = match failed.why {
        Why::Lapsed => (StatusCode::BAD_REQUEST, "upstream-lapsed"),
        Why::Denied => (StatusCode::FORBIDDEN, "upstream-denied"),
        Why::Unreachable => (StatusCode::SERVICE_UNAVAILABLE, "upstream-unreachable"),
        Why::Unproved => (StatusCode::BAD_GATEWAY, "upstream-unproved"),
        Why::NotAnew => (StatusCode::FORBIDDEN, "upstream-not-anew"),
        Why::Weak => (StatusCode::FORBIDDEN, "upstream-weak"),
        Why::NoRole => (StatusCode::FORBIDDEN, "upstream-no-role"),
        Why::Disabled => (StatusCode::FORBIDDEN, "upstream-disabled"),
        Why::Account(error) => return Err(error.into()),
    };
    let anew = matches!(failed.why, Why::NotAnew);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("return", &back(failed.back));
    if anew {
        query.append_pair("again", "1");
    }
    let query = query.finish();
    let page = FailedPage { frame: Frame::of(visit), text: visit.words.with(id, "name", name), query };
    render(status, &page)
}

/// After the sign-out here: the one at the provider, if it has one.
pub(super) async fn sign_out(visit: &Visit, provider: &str) -> Result<Response, PageError> {
    let app = &visit.http.app;
    let url = upstream::sign_out_url(app, provider, &visit.site()).await;
    match (url, app.providers.get(provider)) {
        (Some(url), Some(provider)) => leave(visit, &provider.name, url),
        _ => Ok(redirect("/sign-out")),
    }
}
