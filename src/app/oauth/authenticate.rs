//! Which client is at the token endpoint (RFC 6749 §2.3; SMART "Client Authentication").

use crate::app::App;
use crate::auth::assertion::{self, Assertion};
use crate::auth::client::{Client, ClientKeys, Proof};
use crate::auth::error::{Code, OAuthError};
use crate::auth::secret;
use crate::store::Intent;
use crate::store::oauth::{client, token};
use serde_json::Value;
use std::sync::Arc;

/// What a client sent to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Not even a name.
    Nothing,
    /// Its `client_id` alone.
    Public(String),
    /// Its `client_id` and secret, in a header or in the form.
    Secret(String, String),
    /// A signed assertion, and the `client_id` that was sent with it.
    Assertion(String, Option<String>),
}

/// The client that sent these credentials. `audiences` are what an assertion may be for.
///
/// # Errors
/// `invalid_client`.
pub async fn authenticate(
    app: &App,
    audiences: &[String],
    credentials: &Credentials,
) -> Result<Client, OAuthError> {
    let client = proved(app, audiences, credentials).await?;
    app.caller.is_client(&client.id);
    Ok(client)
}

async fn proved(app: &App, audiences: &[String], credentials: &Credentials) -> Result<Client, OAuthError> {
    match credentials {
        Credentials::Nothing => Err(invalid("client_id is missing")),
        Credentials::Public(id) => public(app, id).await,
        Credentials::Secret(id, given) => {
            let found = find(app, id).await?;
            if found.proof != Proof::Secret {
                return Err(invalid("the client does not authenticate itself by a secret"));
            }
            let hash = secret::fingerprint(given);
            let mut tx = app.store.reader().await?;
            let known = client::secrets(&mut tx, id, app.clock.now()).await?;
            // Every one is compared, so that the time tells nothing.
            let fits = known.iter().fold(false, |fits, one| fits | secret::equal(one, &hash));
            if fits { Ok(found) } else { Err(invalid("the secret is wrong")) }
        }
        Credentials::Assertion(text, id) => by_assertion(app, audiences, text, id.as_deref()).await,
    }
}

/// The public client that a refresh token was given to: SMART's refresh request does not carry `client_id`, and a
/// public client proves nothing by it.
///
/// # Errors
/// `invalid_grant` when the token is not known, `invalid_client` when it is that of a client which must
/// authenticate itself.
pub(super) async fn bearer_of_refresh(app: &App, given: &str) -> Result<Client, OAuthError> {
    let hash = secret::fingerprint(given);
    let found = token::refresh(&mut app.store.reader().await?, &hash).await?;
    let unknown = || OAuthError::new(Code::InvalidGrant, "the refresh token is not known");
    public(app, &found.ok_or_else(unknown)?.grant.client).await
}

async fn public(app: &App, id: &str) -> Result<Client, OAuthError> {
    let found = find(app, id).await?;
    if found.proof == Proof::None { Ok(found) } else { Err(invalid("the client must authenticate itself")) }
}

async fn by_assertion(
    app: &App,
    audiences: &[String],
    text: &str,
    id: Option<&str>,
) -> Result<Client, OAuthError> {
    let claimed =
        assertion::claimed_client(text).ok_or_else(|| invalid("the assertion is not a signed JWT"))?;
    if id.is_some_and(|id| id != claimed) {
        return Err(invalid("client_id is not the one of the assertion"));
    }
    let found = find(app, &claimed).await?;
    if found.proof != Proof::Key {
        return Err(invalid("the client does not authenticate itself by a key"));
    }
    let now = app.clock.now() / 1_000_000;
    let assertion = assertion::check(text, &found.id, audiences, now).map_err(invalid)?;
    let key = key(app, &found, &assertion).await?;
    if !assertion.is_signed_by(&key) {
        return Err(invalid("the signature of the assertion is wrong"));
    }
    let until = assertion.exp.saturating_mul(1_000_000);
    let shared = Arc::new((found.id.clone(), assertion.jti.clone()));
    let fresh = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { token::use_assertion(tx, &shared.0, &shared.1, until).await })
    });
    if fresh.await? { Ok(found) } else { Err(invalid("the assertion was used before")) }
}

/// The client's key that the assertion names (SMART, "Signature verification", the algorithm of @338).
async fn key(app: &App, client: &Client, assertion: &Assertion<'_>) -> Result<Value, OAuthError> {
    let unknown = || invalid("the client has no such key");
    match &client.keys {
        Some(ClientKeys::Set(set)) if assertion.jku.is_none() => {
            assertion.key(set).map_err(invalid)?.cloned().ok_or_else(unknown)
        }
        Some(ClientKeys::Url(url)) if assertion.jku.as_ref().is_none_or(|jku| jku == url) => {
            // A client learns no more than that, or it could map our network.
            let unreachable = |error: crate::app::outbound::FetchError| {
                invalid("the client's keys could not be fetched").because(error.to_string())
            };
            let set = app.outbound.json(url).await.map_err(unreachable)?;
            if let Some(key) = assertion.key(&set).map_err(invalid)? {
                return Ok(key.clone());
            }
            // The client may have got a new key since.
            let set = app.outbound.json_again(url).await.map_err(unreachable)?;
            assertion.key(&set).map_err(invalid)?.cloned().ok_or_else(unknown)
        }
        Some(_) => Err(invalid("jku is not the registered URL")),
        None => Err(unknown()),
    }
}

async fn find(app: &App, id: &str) -> Result<Client, OAuthError> {
    let found = client::find(&mut app.store.reader().await?, id).await?;
    // The same words for both, so that nobody learns which clients there are.
    found.filter(|client| !client.disabled).ok_or_else(|| invalid("the client is not known"))
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidClient, description)
}
