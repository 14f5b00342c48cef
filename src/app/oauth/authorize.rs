//! The authorization endpoint (RFC 6749 §4.1.1, SMART "Obtain authorization code").
//!
//! A request is judged whole before anybody is asked to sign in. Until client and redirect URI are proved, an error
//! is shown on a page of ours and never sent anywhere; after that it goes back to the client.
//!
//! The answer has no `iss` (RFC 9207): clients of SMART read a parameter of that name at their redirect URI as the
//! start of an EHR launch. Mix-up of servers is prevented by a redirect URI for each server, as RFC 9700 §4.4.2.2
//! has it, and by `aud`.

use super::pending::{grantable, refusal_to};
use crate::app::App;
use crate::audit::act::Act;
use crate::auth::client::Client;
use crate::auth::error::{Code, OAuthError};
use crate::auth::launch::Launch;
use crate::auth::params::Params;
use crate::auth::scope::{LONGEST, Scope, Scopes};
use crate::auth::{pkce, secret};
use crate::clock::Micros;
use crate::store::oauth::request::Request;
use crate::store::oauth::{client, request};
use std::sync::Arc;

/// How long a person may take, in microseconds.
const LIFETIME: Micros = 600_000_000;
/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 4096;
/// The longest `nonce`, in bytes.
const LONGEST_NONCE: usize = 1024;
/// The longest `login_hint`, in bytes.
const LONGEST_HINT: usize = 256;

/// What becomes of an authorization request.
#[derive(Debug)]
pub enum Begun {
    /// It waits for a person under this id.
    Waits {
        /// Names it in our pages' URLs.
        id: String,
        /// The FHIR base that it is for.
        base: String,
    },
    /// The client is told an error at this URL.
    Refused(String),
}

/// Judges an authorization request and keeps it. `bases` are the FHIR bases under which this server is known.
///
/// # Errors
/// What is shown on a page of ours, because nobody else may be told.
pub async fn begin(app: &App, bases: &[String], params: &Params) -> Result<Begun, OAuthError> {
    let id = params.need("client_id", "client_id is missing")?;
    let found = client::find(&mut app.store.reader().await?, id).await?;
    let usable = found.filter(|client| !client.disabled && !client.system);
    let client =
        usable.ok_or_else(|| OAuthError::new(Code::InvalidClient, "the application is not known"))?;
    let redirect_uri = params.need("redirect_uri", "redirect_uri is missing")?;
    if !client.has_redirect(redirect_uri) {
        return Err(OAuthError::new(
            Code::InvalidRequest,
            "redirect_uri is not one that the application registered",
        ));
    }
    match keep(app, bases, params, &client, redirect_uri).await {
        Ok(begun) => Ok(begun),
        Err(error) if matches!(error.code, Code::ServerError | Code::TemporarilyUnavailable) => Err(error),
        Err(error) => {
            let mut event = app.event(Act::AccessRequested);
            event.actor.client = Some(client.id.clone());
            app.note(event.denied(format!("{}: {}", error.code.text(), error.description))).await?;
            let state = params.only("state").filter(|state| state.len() <= LONGEST_STATE);
            Ok(Begun::Refused(refusal_to(redirect_uri, error.code, error.description, state)))
        }
    }
}

async fn keep(
    app: &App,
    bases: &[String],
    params: &Params,
    client: &Client,
    redirect_uri: &str,
) -> Result<Begun, OAuthError> {
    let now = app.clock.now();
    let mut request = judge(bases, params, client, redirect_uri, now)?;
    let drawn = app.clock.random_bytes::<32>().map_err(|error| OAuthError::internal(error.to_string()))?;
    request.id = secret::written(&drawn);
    let begun = Begun::Waits { id: request.id.clone(), base: request.base.clone() };
    let launch = params.get("launch")?.map(secret::fingerprint);
    let mut asked = app.event(Act::AccessRequested).detail("scope", &request.scope);
    asked.actor.client = Some(client.id.clone());
    let shared = Arc::new((request, launch));
    let kept = app.noting(asked, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (request, launch) = shared.as_ref();
            let mut request = request.clone();
            if let Some(hash) = launch {
                let Some((context, account)) = request::take_launch(tx, hash, &request.client, now).await?
                else {
                    return Err(invalid("launch is unknown, used or too old"));
                };
                (request.launch, request.launch_account) = (Some(context), account);
            }
            Ok(request::insert(tx, &request).await?)
        })
    });
    kept.await?;
    Ok(begun)
}

/// Everything that can be judged without the database.
fn judge(
    bases: &[String],
    params: &Params,
    client: &Client,
    redirect_uri: &str,
    now: Micros,
) -> Result<Request, OAuthError> {
    let state = params.need("state", "state is missing")?;
    if state.len() > LONGEST_STATE {
        return Err(invalid("state is too long"));
    }
    match params.need("response_type", "response_type is missing")? {
        "code" => {}
        _ => return Err(OAuthError::new(Code::UnsupportedResponseType, "response_type is code")),
    }
    if params.get("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(invalid("response_mode is query"));
    }
    let challenge = params.need("code_challenge", "code_challenge is missing: PKCE is required")?;
    if params.get("code_challenge_method")? != Some("S256") {
        return Err(invalid("code_challenge_method is S256"));
    }
    if !pkce::is_challenge(challenge) {
        return Err(invalid("code_challenge has 43 characters of base64url"));
    }
    let aud = params.need("aud", "aud is missing")?;
    let base = bases.iter().find(|base| *base == aud);
    let base = base.ok_or_else(|| invalid("aud is not the URL of this FHIR server"))?;
    let scope = params.get("scope")?.unwrap_or_default();
    if scope.len() > LONGEST {
        return Err(OAuthError::new(Code::InvalidScope, "scope is too long"));
    }
    let asked = Scopes::parse(scope);
    let launches = params.get("launch")?.is_some();
    if launches && !asked.has(&Scope::Launch) {
        return Err(invalid("launch needs the scope launch"));
    }
    if grantable(&asked, client, launches).is_empty() {
        return Err(OAuthError::new(
            Code::InvalidScope,
            "none of these scopes can be granted to this application",
        ));
    }
    let prompt = params.get("prompt")?;
    if prompt.is_some_and(|prompt| prompt.split(' ').any(|word| word == "none")) {
        return Err(OAuthError::new(Code::InteractionRequired, "the person is asked each time"));
    }
    let short = |name, longest, told| {
        let value = params.get(name)?.map(str::to_owned);
        if value.as_ref().is_some_and(|value| value.len() > longest) { Err(invalid(told)) } else { Ok(value) }
    };
    let max_age = match params.get("max_age")?.map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(i64::from(seconds)),
        Some(Err(_)) => return Err(invalid("max_age is a number of seconds")),
    };
    Ok(Request {
        id: String::new(),
        client: client.id.clone(),
        base: base.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state: state.to_owned(),
        challenge: challenge.to_owned(),
        nonce: short("nonce", LONGEST_NONCE, "nonce is too long")?,
        prompt: short("prompt", LONGEST_HINT, "prompt is too long")?,
        max_age,
        login_hint: short("login_hint", LONGEST_HINT, "login_hint is too long")?,
        launch: None::<Launch>,
        launch_account: None,
        made_us: now,
        expires_us: now + LIFETIME,
    })
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidRequest, description)
}
