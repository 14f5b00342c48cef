//! `/account`: password, second factor, language.

use super::forms::{Frame, Problems, problem, weakness};
use super::visit::{Form, Visit};
use super::words::{LANGUAGES, Words};
use super::{PageError, Refusal, again, redirect, render, with_script};
use crate::app::account::{self, AccountError, Enrolment};
use crate::clock::instant_text;
use crate::http::Shared;
use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;

/// Where this page is.
const HERE: &str = "/account";
/// Where an authenticator app is set up.
const AUTHENTICATOR: &str = "/account/authenticator";

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    problems: Problems,
    username: String,
    has_password: bool,
    done: Option<String>,
    second_factor: bool,
    codes_left: i64,
    /// None: this account, or this address of the server, can't have any.
    passkeys: Option<Vec<Registered>>,
    most_passkeys: usize,
    languages: Vec<Language>,
}

/// A passkey.
struct Registered {
    id: String,
    name: String,
    /// Since when, and when it was used.
    told: String,
}

impl Registered {
    fn of(visit: &Visit, passkey: account::StoredPasskey) -> Self {
        let day = |at| instant_text(at).chars().take(10).collect::<String>();
        let made = day(passkey.made_us);
        let told = match passkey.last_used_us.map(day) {
            Some(used) => visit.words.args("passkey-used", &[("made", &made), ("used", &used)]),
            None => visit.words.with("passkey-unused", "made", &made),
        };
        Self { id: passkey.id, name: passkey.name, told }
    }
}

struct Language {
    tag: String,
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "authenticator.html")]
struct AuthenticatorPage {
    frame: Frame,
    problems: Problems,
    secret: String,
    uri: String,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
}

/// `GET /account`
pub(in crate::http) async fn show(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "account").await {
        Ok((visit, _)) => {
            let done = visit.query("done");
            visit.answer(page(&visit, Problems::none(), None, done.as_deref()).await)
        }
        Err(response) => response,
    }
}

pub(super) async fn page(
    visit: &Visit,
    problems: Problems,
    wait: Option<i64>,
    done: Option<&str>,
) -> Result<Response, PageError> {
    let live = visit.signed_in()?;
    let done = match done {
        Some("password") => Some("account-password-changed"),
        Some("language") => Some("account-language-changed"),
        Some("authenticator") => Some("account-authenticator-removed"),
        Some("passkey") => Some("account-passkey-added"),
        Some("passkey-removed") => Some("account-passkey-removed"),
        _ => None,
    };
    let chosen = live.account.locale.as_deref();
    let mut languages = vec![Language {
        tag: String::new(),
        name: visit.words.t("language-of-browser"),
        chosen: chosen.is_none(),
    }];
    languages.extend(LANGUAGES.iter().map(|language| Language {
        tag: language.to_string(),
        name: Words::choose(Some(&language.to_string()), None).t("language-name"),
        chosen: chosen == Some(language.to_string().as_str()),
    }));
    let failed = problems.any();
    let possible = account::are_possible(&visit.site());
    let passkeys = if possible { account::passkeys(&visit.http.app, live).await? } else { None };
    let passkeys = passkeys.map(|all| all.into_iter().map(|one| Registered::of(visit, one)).collect());
    let page = AccountPage {
        frame: Frame::of(visit),
        problems,
        username: live.account.username.clone(),
        has_password: live.account.has_password,
        done: done.map(|id| visit.words.t(id)),
        second_factor: live.account.totp_since_us.is_some(),
        codes_left: account::recovery_codes_left(&visit.http.app, &live.account.id).await?,
        passkeys,
        most_passkeys: account::MOST_PASSKEYS,
        languages,
    };
    let page = if failed { again(&page, wait) } else { render(StatusCode::OK, &page) };
    Ok(with_script(page?))
}

/// `POST /account/password`
pub(in crate::http) async fn password(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "account").await {
        Ok((visit, body)) => visit.answer(change_password(&visit, body).await),
        Err(response) => response,
    }
}

async fn change_password(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first(HERE, false))?;
    let secret = |name| SecretString::from(form.text(name).to_owned());
    let (old, new, origin) = (secret("old-password"), secret("new-password"), visit.origin());
    let changed = account::change_password(&visit.http.app, live, &old, &new, &origin).await;
    let (found, wait) = match changed {
        Ok(()) => return Ok(redirect("/account?done=password")),
        Err(AccountError::Weak(weak)) => (weakness(&visit.words, weak), None),
        Err(error) => problem(visit, error, "old-password", "old-password-wrong")?,
    };
    page(visit, found.into(), wait, None).await
}

/// `POST /account/language`
pub(in crate::http) async fn language(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "account").await {
        Ok((visit, body)) => visit.answer(change_language(&visit, body).await),
        Err(response) => response,
    }
}

async fn change_language(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.live.as_ref().ok_or_else(|| PageError::sign_in_first(HERE, false))?;
    let wanted = form.text("language");
    let known = LANGUAGES.iter().any(|language| *language == wanted);
    if !known && !wanted.is_empty() {
        return Err(Refusal::Malformed.into());
    }
    account::set_locale(&visit.http.app, &live.account.id, known.then(|| wanted.to_owned())).await?;
    Ok(redirect("/account?done=language"))
}

/// `GET /account/authenticator`
pub(in crate::http) async fn show_authenticator(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "authenticator").await {
        Ok((visit, _)) => visit.answer(enrol(&visit, Problems::none(), None).await),
        Err(response) => response,
    }
}

async fn enrol(visit: &Visit, problems: Problems, wait: Option<i64>) -> Result<Response, PageError> {
    let live = visit.recently_signed_in(AUTHENTICATOR)?;
    let Enrolment { secret, uri } = match account::enrol(&visit.http.app, live).await {
        Ok(enrolment) => enrolment,
        Err(AccountError::Invalid(_)) => return Ok(redirect(HERE)),
        Err(error) => return Err(error.into()),
    };
    let failed = problems.any();
    // In groups of four it can be read aloud and typed.
    let groups: Vec<String> =
        secret.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into()).collect();
    let page = AuthenticatorPage { frame: Frame::of(visit), problems, secret: groups.join(" "), uri };
    if failed { again(&page, wait) } else { render(StatusCode::OK, &page) }
}

/// `POST /account/authenticator`
pub(in crate::http) async fn authenticator(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "authenticator").await {
        Ok((visit, body)) => visit.answer(confirm(&visit, body).await),
        Err(response) => response,
    }
}

async fn confirm(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let form = visit.form(body).await?;
    let live = visit.recently_signed_in(AUTHENTICATOR)?;
    match account::confirm(&visit.http.app, live, form.text("code"), &visit.origin()).await {
        Ok(codes) => render(StatusCode::OK, &CodesPage { frame: Frame::of(visit), codes }),
        Err(error) => {
            let (found, wait) = problem(visit, error, "code", "code-wrong")?;
            enrol(visit, found.into(), wait).await
        }
    }
}

/// `POST /account/authenticator/remove`
pub(in crate::http) async fn remove_authenticator(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "authenticator").await {
        Ok((visit, body)) => visit.answer(remove(&visit, body).await),
        Err(response) => response,
    }
}

async fn remove(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let _: Form = visit.form(body).await?;
    let live = visit.recently_signed_in(HERE)?;
    account::remove(&visit.http.app, &live.account.id).await?;
    Ok(redirect("/account?done=authenticator"))
}

/// `POST /account/recovery-codes`
pub(in crate::http) async fn recovery_codes(State(http): State<Shared>, request: Request) -> Response {
    match Visit::begin(http, request, "authenticator").await {
        Ok((visit, body)) => visit.answer(renew(&visit, body).await),
        Err(response) => response,
    }
}

async fn renew(visit: &Visit, body: Body) -> Result<Response, PageError> {
    let _: Form = visit.form(body).await?;
    let live = visit.recently_signed_in(HERE)?;
    if live.account.totp_since_us.is_none() {
        return Ok(redirect(HERE));
    }
    let codes = account::renew_recovery_codes(&visit.http.app, live).await?;
    render(StatusCode::OK, &CodesPage { frame: Frame::of(visit), codes })
}
