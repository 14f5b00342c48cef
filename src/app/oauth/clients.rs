//! Registered clients.

use crate::app::App;
use crate::auth::client::{Client, ClientKeys, Proof, redirect_problem, url_problem};
use crate::auth::error::{Code, OAuthError};
use crate::auth::scope::{Level, Scopes};
use crate::auth::{assertion, secret};
use crate::clock::Micros;
use crate::store::oauth::client;
use crate::store::oauth::invitation::{self, Invitation};
use crate::store::{Intent, StoreError};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// The longest name of a client.
const LONGEST_NAME: usize = 200;
/// Most redirect URIs of a client.
const MOST_URIS: usize = 20;

/// A client that is to be registered.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// `client_id`; none: a new one.
    pub id: Option<String>,
    /// What people are shown.
    pub name: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// Whether it acts for itself.
    pub system: bool,
    /// The most that it may be given.
    pub scope: String,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Where an EHR starts it.
    pub launch_uri: Option<String>,
    /// Its public keys.
    pub keys: Option<ClientKeys>,
    /// Whether it may ask what tokens of others mean.
    pub may_introspect: bool,
    /// Whether it may make launch contexts.
    pub may_launch: bool,
}

/// Checks a new client and gives it what it lacks: an id, and a secret if it proves itself by one.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata` with what is wrong.
pub(super) fn made(app: &App, new: NewClient) -> Result<(Client, Option<SecretString>), OAuthError> {
    let invalid = |told| Err(OAuthError::new(Code::InvalidClientMetadata, told));
    let is_id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if new.id.as_deref().is_some_and(|id| !is_id(id)) {
        return invalid("a client_id has 1 to 64 letters, digits, hyphens, dots and underscores");
    }
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return invalid("a client has a name of 1 to 200 characters");
    }
    let scopes = Scopes::parse(&new.scope);
    if scopes.is_empty() {
        return invalid("a client has scopes");
    }
    let fits = |level| if new.system { level == Level::System } else { level != Level::System };
    if !scopes.resources().all(|scope| fits(scope.level)) {
        return invalid(
            "a client that acts for itself has system/ scopes, any other patient/ and user/ scopes",
        );
    }
    if new.system {
        if new.proof != Proof::Key {
            return invalid("a client that acts for itself proves itself by a key");
        }
        if !new.redirect_uris.is_empty() {
            return invalid("a client that acts for itself has no redirect URIs");
        }
    } else {
        if new.may_introspect || new.may_launch {
            return invalid("only a client that acts for itself may introspect or make launches");
        }
        check_uris(&new.redirect_uris)?;
    }
    if new.launch_uri.as_deref().is_some_and(|uri| url_problem(uri).is_some()) {
        return invalid("launch_uri is an https URL");
    }
    check_keys(app, new.proof, new.keys.as_ref())?;
    let secret = match new.proof {
        Proof::Secret => Some(drawn(app)?),
        _ => None,
    };
    let client = Client {
        id: new.id.unwrap_or_else(|| app.clock.new_id()),
        name: name.to_owned(),
        proof: new.proof,
        system: new.system,
        scopes,
        redirect_uris: new.redirect_uris,
        launch_uri: new.launch_uri,
        keys: new.keys,
        may_introspect: new.may_introspect,
        may_launch: new.may_launch,
        disabled: false,
    };
    Ok((client, secret))
}

fn check_uris(uris: &[String]) -> Result<(), OAuthError> {
    let refused = |told| Err(OAuthError::new(Code::InvalidRedirectUri, told));
    if uris.is_empty() || uris.len() > MOST_URIS {
        return refused("an application for people has 1 to 20 redirect URIs");
    }
    match uris.iter().find_map(|uri| redirect_problem(uri)) {
        Some(problem) => refused(problem),
        None => Ok(()),
    }
}

fn check_keys(app: &App, proof: Proof, keys: Option<&ClientKeys>) -> Result<(), OAuthError> {
    let told = match (proof, keys) {
        (Proof::Key, Some(ClientKeys::Set(set))) => assertion::problem(set),
        (Proof::Key, Some(ClientKeys::Url(url))) => {
            app.outbound.judge(url).is_err().then_some("jwks_uri is not a URL that this server fetches from")
        }
        (Proof::Key, None) => Some("a client that proves itself by a key has jwks or jwks_uri"),
        (_, Some(_)) => Some("only a client that proves itself by a key has keys"),
        (_, None) => None,
    };
    told.map_or(Ok(()), |told| Err(OAuthError::new(Code::InvalidClientMetadata, told)))
}

fn drawn(app: &App) -> Result<SecretString, OAuthError> {
    let bytes = app.clock.random_bytes::<32>().map_err(|error| OAuthError::internal(error.to_string()))?;
    Ok(secret::written(&bytes).into())
}

/// Checks and registers a client; its secret, if it proves itself by one, is told this once.
///
/// # Errors
/// What is wrong with it, or that its id is taken.
pub async fn create(
    app: &App,
    new: NewClient,
    by: &str,
) -> Result<(Client, Option<SecretString>), OAuthError> {
    let (client, secret) = made(app, new)?;
    let hash = secret.as_ref().map(|secret| secret::fingerprint(secret.expose_secret()));
    let (now, shared) = (app.clock.now(), Arc::new((client.clone(), hash, by.to_owned())));
    let added = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (client, hash, by) = shared.as_ref();
            if !client::insert(tx, client, by, now).await? {
                return Err(OAuthError::new(Code::InvalidClientMetadata, "this client_id is taken"));
            }
            if let Some(hash) = hash {
                client::add_secret(tx, &client.id, hash, now, now).await?;
            }
            Ok(())
        })
    });
    added.await?;
    Ok((client, secret))
}

/// Registers a client as it is, under its id; false when the id is taken.
///
/// # Errors
/// When the database fails.
pub async fn add(app: &App, client: Client, created_by: &str) -> Result<bool, StoreError> {
    let (now, shared) = (app.clock.now(), Arc::new((client, created_by.to_owned())));
    let added = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { client::insert(tx, &shared.0, &shared.1, now).await })
    });
    added.await
}

/// One client.
///
/// # Errors
/// When the database fails.
pub async fn find(app: &App, id: &str) -> Result<Option<Client>, StoreError> {
    client::find(&mut app.store.reader().await?, id).await
}

/// Every client, by id.
///
/// # Errors
/// When the database fails.
pub async fn all(app: &App) -> Result<Vec<Client>, StoreError> {
    client::all(&mut app.store.reader().await?).await
}

/// Switches a client off, with all its tokens, or on again; false when it was so already, or is not known.
///
/// # Errors
/// When the database fails.
pub async fn switch(app: &App, id: &str, on: bool) -> Result<bool, StoreError> {
    let (now, id) = (app.clock.now(), Arc::<str>::from(id));
    let switched = app.store.write(Intent::Upsert, move |tx| {
        let id = Arc::clone(&id);
        Box::pin(async move {
            if on { client::enable(tx, &id).await } else { client::disable(tx, &id, now).await }
        })
    });
    switched.await
}

/// Gives a client a new secret, which is told this once; the old ones stay good for `overlap`.
///
/// # Errors
/// When the client is not known or does not prove itself by a secret.
pub async fn renew_secret(app: &App, id: &str, overlap: Duration) -> Result<SecretString, OAuthError> {
    let found = find(app, id).await?;
    if found.is_none_or(|client| client.proof != Proof::Secret) {
        return Err(OAuthError::new(Code::InvalidClientMetadata, "there is no such client with a secret"));
    }
    let secret = drawn(app)?;
    let now = app.clock.now();
    let until = now.saturating_add(Micros::try_from(overlap.as_micros()).unwrap_or(Micros::MAX));
    let shared = Arc::new((id.to_owned(), secret::fingerprint(secret.expose_secret())));
    let added = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { client::add_secret(tx, &shared.0, &shared.1, now, until).await })
    });
    added.await?;
    Ok(secret)
}

/// Makes an initial access token (RFC 7591 §3), which is told this once.
///
/// # Errors
/// When the scopes are none of ours.
pub async fn invite(
    app: &App,
    invitation: Invitation,
    uses: i64,
    lifetime: Duration,
) -> Result<SecretString, OAuthError> {
    if Scopes::parse(&invitation.scope).is_empty() {
        return Err(OAuthError::new(Code::InvalidClientMetadata, "an invitation has scopes"));
    }
    let token = drawn(app)?;
    let now = app.clock.now();
    let until = now.saturating_add(Micros::try_from(lifetime.as_micros()).unwrap_or(Micros::MAX));
    let shared = Arc::new((secret::fingerprint(token.expose_secret()), invitation));
    let kept = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { invitation::insert(tx, &shared.0, &shared.1, uses, now, until).await })
    });
    kept.await?;
    Ok(token)
}
