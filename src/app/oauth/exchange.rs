//! The token endpoint (RFC 6749 §4.1.3, §4.4, §6).

use super::answer::{self, Answer};
use super::authenticate::{Credentials, authenticate, bearer_of_refresh};
use super::pending::is_served;
use crate::app::App;
use crate::audit::act::Act;
use crate::audit::clean;
use crate::audit::event::Outcome;
use crate::auth::client::{Client, Proof};
use crate::auth::error::{Code, OAuthError};
use crate::auth::params::Params;
use crate::auth::scope::{LONGEST, Level, Scope, Scopes};
use crate::auth::{pkce, secret};
use crate::clock::Micros;
use crate::store::account;
use crate::store::oauth::grant::{self, Grant};
use crate::store::oauth::token;
use crate::store::{Intent, StoreError, Tx};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Carries out a token request. `bases` are the FHIR bases under which this server is known, the first of them the
/// one that it was asked under; `audiences` are what an assertion may be for.
///
/// # Errors
/// RFC 6749 §5.2; `temporarily_unavailable` when it can't be put on the record.
pub async fn exchange(
    app: &App,
    bases: &[String],
    audiences: &[String],
    params: &Params,
    credentials: Result<Credentials, OAuthError>,
) -> Result<Answer, OAuthError> {
    let done = exchanged(app, bases, audiences, params, credentials).await;
    let mut event = app.event(Act::Token);
    event.query = Some(clean::oauth(&format!("POST /oauth/token?{}", params.form())));
    if let Err(error) = &done {
        event = event.detail("client", params.only("client_id").unwrap_or_default());
        let told = format!("{}: {}", error.code.text(), error.description);
        event.outcome = match error.code.status() {
            status @ 500.. => Outcome::of_status(status, told),
            _ => Outcome::Denied(told),
        };
    }
    app.note(event).await?;
    done
}

async fn exchanged(
    app: &App,
    bases: &[String],
    audiences: &[String],
    params: &Params,
    credentials: Result<Credentials, OAuthError>,
) -> Result<Answer, OAuthError> {
    let kind = params.need("grant_type", "grant_type is missing")?;
    if !["authorization_code", "refresh_token", "client_credentials"].contains(&kind) {
        return Err(OAuthError::new(
            Code::UnsupportedGrantType,
            "grant_type is authorization_code, refresh_token or client_credentials",
        ));
    }
    let client = match credentials? {
        Credentials::Nothing if kind == "refresh_token" => {
            bearer_of_refresh(app, refresh_token(params)?).await?
        }
        credentials => authenticate(app, audiences, &credentials).await?,
    };
    match kind {
        "authorization_code" => by_code(app, params, &client).await,
        "refresh_token" => by_refresh(app, params, &client).await,
        _ => by_itself(app, bases, params, &client).await,
    }
}

/// What a transaction found: a refusal may have to be kept (what it revoked), so it is no error of it.
type Found = Result<Tokens, OAuthError>;

/// What is handed out.
#[derive(Clone, Debug)]
struct Tokens {
    grant: Grant,
    fhir_user: Option<String>,
    scope: String,
    refresh: Option<SecretString>,
}

async fn by_code(app: &App, params: &Params, client: &Client) -> Result<Answer, OAuthError> {
    let code = params.need("code", "code is missing")?;
    let redirect_uri = params.need("redirect_uri", "redirect_uri is missing")?;
    let verifier = params.need("code_verifier", "code_verifier is missing")?;
    let asked = CodeRequest {
        hash: secret::fingerprint(code),
        client: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        verifier: verifier.to_owned(),
        fresh: Fresh::draw(app)?,
    };
    let asked = Arc::new(asked);
    let found: Found = app
        .store
        .write(Intent::Upsert, move |tx| {
            let asked = Arc::clone(&asked);
            Box::pin(async move { take_code(tx, &asked).await })
        })
        .await?;
    let Tokens { grant, fhir_user, scope, refresh } = found?;
    answer::of_grant(app, &grant, fhir_user, &scope, refresh, true).await
}

struct CodeRequest {
    hash: String,
    client: String,
    redirect_uri: String,
    verifier: String,
    fresh: Fresh,
}

async fn take_code(tx: &mut Tx, asked: &CodeRequest) -> Result<Found, OAuthError> {
    let refused = |description| Ok(Err(OAuthError::new(Code::InvalidGrant, description)));
    let now = asked.fresh.now;
    let Some(brought) = token::code(tx, &asked.hash).await? else { return refused("the code is not known") };
    let grant = brought.grant;
    // Somebody else has it too: what they got, or will get, ends (RFC 6749 §4.1.2).
    if brought.used || !token::use_code(tx, &asked.hash, now).await? {
        grant::revoke(tx, &grant.id, now).await?;
        return refused("the code was used before");
    }
    let wrong = if grant.client != asked.client {
        Some("the code was given to another client")
    } else if brought.code.expires_us <= now {
        Some("the code has expired")
    } else if brought.code.redirect_uri != asked.redirect_uri {
        Some("redirect_uri is not the one that the code was sent to")
    } else if !pkce::fits(&asked.verifier, &brought.code.challenge) {
        Some("code_verifier does not fit")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        // A code that fell into wrong hands is not tried twice.
        grant::revoke(tx, &grant.id, now).await?;
        return refused(wrong);
    }
    let scope = grant.scope.clone();
    hand_out(tx, grant, scope, &asked.fresh).await
}

fn refresh_token(params: &Params) -> Result<&str, OAuthError> {
    params.need("refresh_token", "refresh_token is missing")
}

async fn by_refresh(app: &App, params: &Params, client: &Client) -> Result<Answer, OAuthError> {
    let given = refresh_token(params)?;
    let scope = params.get("scope")?.map(str::to_owned);
    if scope.as_ref().is_some_and(|scope| scope.len() > LONGEST) {
        return Err(OAuthError::new(Code::InvalidScope, "scope is too long"));
    }
    let shared = Arc::new((secret::fingerprint(given), client.id.clone(), scope, Fresh::draw(app)?));
    let found: Found = app
        .store
        .write(Intent::Upsert, move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (hash, client, scope, fresh) = shared.as_ref();
                take_refresh(tx, hash, client, scope.as_deref(), fresh).await
            })
        })
        .await?;
    let Tokens { grant, fhir_user, scope, refresh } = found?;
    answer::of_grant(app, &grant, fhir_user, &scope, refresh, false).await
}

async fn take_refresh(
    tx: &mut Tx,
    hash: &str,
    client: &str,
    scope: Option<&str>,
    fresh: &Fresh,
) -> Result<Found, OAuthError> {
    let refused = |description| Ok(Err(OAuthError::new(Code::InvalidGrant, description)));
    let Some(brought) = token::refresh(tx, hash).await? else {
        return refused("the refresh token is not known");
    };
    let grant = brought.grant;
    if grant.client != client {
        return refused("the refresh token was given to another client");
    }
    if brought.used {
        // One of its two bearers stole it: nobody can tell which, so both are out (RFC 9700 §4.14.2).
        grant::revoke(tx, &grant.id, fresh.now).await?;
        return refused("the refresh token was used before");
    }
    if brought.expires_us <= fresh.now {
        return refused("the refresh token has expired");
    }
    let granted = Scopes::parse(&grant.scope);
    let scope = match scope {
        None => grant.scope.clone(),
        Some(scope) => {
            let asked = Scopes::parse(scope);
            if asked.is_empty() || !asked.is_within(&granted) {
                return Ok(Err(OAuthError::new(Code::InvalidScope, "scope is more than was granted")));
            }
            asked.to_string()
        }
    };
    let found = hand_out(tx, grant, scope, fresh).await?;
    if let Ok(tokens) = &found
        && !token::use_refresh(tx, hash, fresh.now).await?
    {
        grant::revoke(tx, &tokens.grant.id, fresh.now).await?;
        return refused("the refresh token was used before");
    }
    Ok(found)
}

/// What is drawn before a transaction, which may run several times.
struct Fresh {
    now: Micros,
    refresh: SecretString,
    refresh_until: Micros,
}

impl Fresh {
    fn draw(app: &App) -> Result<Self, OAuthError> {
        let drawn =
            app.clock.random_bytes::<32>().map_err(|error| OAuthError::internal(error.to_string()))?;
        let now = app.clock.now();
        let lifetime = Micros::try_from(app.config.auth.refresh_lifetime.as_micros()).unwrap_or(Micros::MAX);
        Ok(Self { now, refresh: secret::written(&drawn).into(), refresh_until: now.saturating_add(lifetime) })
    }
}

/// Hands out tokens of a grant that still stands, and a refresh token if it was granted.
async fn hand_out(tx: &mut Tx, grant: Grant, scope: String, fresh: &Fresh) -> Result<Found, OAuthError> {
    let refused = |description| Ok(Err(OAuthError::new(Code::InvalidGrant, description)));
    if grant.revoked {
        return refused("access was withdrawn");
    }
    let person = account::by_id(tx, &grant.account).await?.filter(|person| person.disabled_us.is_none());
    let Some(person) = person else { return refused("the account is no longer in use") };
    if !is_online(tx, &grant, fresh.now).await? {
        return refused("the person has signed out");
    }
    let granted = Scopes::parse(&grant.scope);
    let refreshes = granted.has(&Scope::OfflineAccess) || granted.has(&Scope::OnlineAccess);
    if refreshes {
        let hash = secret::fingerprint(fresh.refresh.expose_secret());
        token::insert_refresh(tx, &hash, &grant.id, fresh.now, fresh.refresh_until).await?;
    }
    grant::used(tx, &grant.id, fresh.now).await?;
    let refresh = refreshes.then(|| fresh.refresh.clone());
    Ok(Ok(Tokens { grant, fhir_user: person.fhir_user, scope, refresh }))
}

/// Whether the session that a grant ends with, if there is one, goes on.
async fn is_online(tx: &mut Tx, grant: &Grant, now: Micros) -> Result<bool, StoreError> {
    match &grant.session {
        None => Ok(true),
        Some(hash) => {
            Ok(account::find(tx, hash, now).await?.is_some_and(|found| found.account == grant.account))
        }
    }
}

/// SMART Backend Services.
async fn by_itself(
    app: &App,
    bases: &[String],
    params: &Params,
    client: &Client,
) -> Result<Answer, OAuthError> {
    if !client.system || client.proof != Proof::Key {
        return Err(OAuthError::new(
            Code::UnauthorizedClient,
            "the client is not registered to act for itself",
        ));
    }
    let scope = params.need("scope", "scope is missing")?;
    if scope.len() > LONGEST {
        return Err(OAuthError::new(Code::InvalidScope, "scope is too long"));
    }
    let granted = Scopes::parse(scope).narrowed_to(&client.scopes);
    let served = |scope: &&Scope| match scope {
        Scope::Resource(scope) => scope.level == Level::System && is_served(scope),
        _ => false,
    };
    let granted: Scopes = granted.all().filter(served).cloned().collect();
    if granted.is_empty() {
        return Err(OAuthError::new(Code::InvalidScope, "none of these scopes is within the registration"));
    }
    let base = bases.first().ok_or_else(|| OAuthError::internal("no base"))?;
    answer::of_client(app, base, client, granted.to_string()).await
}
