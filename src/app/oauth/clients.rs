//! Registered clients.

use crate::app::App;
use crate::auth::client::{Client, ClientKeys, Proof, redirect_problem, url_problem};
use crate::auth::error::{Code, OAuthError};
use crate::auth::scope::{Level, Scopes};
use crate::auth::{assertion, secret};
use crate::clock::Micros;
use crate::store::oauth::client;
use crate::store::oauth::grant;
use crate::store::{Intent, StoreError};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// The longest name of a client.
const LONGEST_NAME: usize = 200;
/// Most redirect URIs of a client.
const MOST_URIS: usize = 20;
/// Refusal of an id that somebody has.
pub const TAKEN: &str = "this client_id is taken";

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
    /// Whether it may keep accounts and roles.
    pub may_provision: bool,
}

/// What is changed of a client: all but its id, how it proves itself, and for whom it acts.
#[derive(Clone, Debug)]
pub struct Change {
    /// What people are shown.
    pub name: String,
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
    /// Whether it may keep accounts and roles.
    pub may_provision: bool,
}

/// Checks a new client and gives it what it lacks: an id, and a secret if it proves itself by one.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata` with what is wrong.
pub(super) fn made(app: &App, new: NewClient) -> Result<(Client, Option<SecretString>), OAuthError> {
    let is_id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    if new.id.as_deref().is_some_and(|id| !is_id(id)) {
        let told = "a client_id has 1 to 64 letters, digits, hyphens, dots and underscores";
        return Err(invalid("client_id", told));
    }
    if new.system && new.proof != Proof::Key {
        let told = "a client that acts for itself proves itself by a key";
        return Err(invalid("token_endpoint_auth_method", told));
    }
    let secret = match new.proof {
        Proof::Secret => Some(drawn(app)?),
        _ => None,
    };
    let client = Client {
        id: new.id.unwrap_or_else(|| app.clock.new_id()),
        name: new.name.trim().to_owned(),
        proof: new.proof,
        system: new.system,
        scopes: Scopes::parse(&new.scope),
        redirect_uris: new.redirect_uris,
        launch_uri: new.launch_uri,
        keys: new.keys,
        may_introspect: new.may_introspect,
        may_launch: new.may_launch,
        may_provision: new.may_provision,
        disabled: false,
    };
    check(app, &client)?;
    Ok((client, secret))
}

/// Refuses a client that contradicts itself, naming the member that does.
fn check(app: &App, client: &Client) -> Result<(), OAuthError> {
    let name = &client.name;
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(invalid("client_name", "a client has a name of 1 to 200 characters"));
    }
    if client.scopes.is_empty() {
        return Err(invalid("scope", "a client has scopes"));
    }
    let fits = |level| if client.system { level == Level::System } else { level != Level::System };
    if !client.scopes.resources().all(|scope| fits(scope.level)) {
        let told = "a client that acts for itself has system/ scopes, any other patient/ and user/ scopes";
        return Err(invalid("scope", told));
    }
    if client.system {
        if !client.redirect_uris.is_empty() {
            return Err(invalid("redirect_uris", "a client that acts for itself has no redirect URIs"));
        }
    } else {
        let permissions = [
            ("may_introspect", client.may_introspect),
            ("may_launch", client.may_launch),
            ("may_provision", client.may_provision),
        ];
        if let Some((field, _)) = permissions.into_iter().find(|(_, given)| *given) {
            let told = "only a client that acts for itself may introspect, make launches or keep accounts";
            return Err(invalid(field, told));
        }
        check_uris(&client.redirect_uris)?;
    }
    if client.launch_uri.as_deref().is_some_and(|uri| url_problem(uri).is_some()) {
        return Err(invalid("launch_uri", "launch_uri is an https URL"));
    }
    check_keys(app, client.proof, client.keys.as_ref())
}

pub(super) fn invalid(field: &'static str, told: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidClientMetadata, told).about(field)
}

fn check_uris(uris: &[String]) -> Result<(), OAuthError> {
    let refused = |told| Err(OAuthError::new(Code::InvalidRedirectUri, told).about("redirect_uris"));
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
    let field = if matches!(keys, Some(ClientKeys::Url(_))) { "jwks_uri" } else { "jwks" };
    told.map_or(Ok(()), |told| Err(invalid(field, told)))
}

pub(super) fn drawn(app: &App) -> Result<SecretString, OAuthError> {
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
    let added = app.noting(app.administration("register a client", &client.id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (client, hash, by) = shared.as_ref();
            if !client::insert(tx, client, by, now).await? {
                return Err(invalid("client_id", TAKEN));
            }
            if let Some(hash) = hash {
                client::add_secret(tx, &client.id, hash, by, now, now).await?;
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
    let event = app.administration("register a client", &client.id);
    let (now, shared) = (app.clock.now(), Arc::new((client, created_by.to_owned(), app.clone(), event)));
    let added = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (client, by, app, event) = shared.as_ref();
            let added = client::insert(tx, client, by, now).await?;
            if added {
                app.note_in(tx, event.clone()).await?;
            }
            Ok::<_, StoreError>(added)
        })
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

/// Changes a client. What people allowed it beyond its new scopes ends.
///
/// # Errors
/// What is wrong with it; [`Code::InvalidClient`] when it is not known.
pub async fn change(app: &App, id: &str, change: Change, by: &str) -> Result<Client, OAuthError> {
    let (now, shared) = (app.clock.now(), Arc::new((id.to_owned(), change, by.to_owned(), app.clone())));
    let changed = app.noting(app.administration("change a client", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, change, by, app) = shared.as_ref();
            let old = client::find(tx, id).await?.ok_or_else(unknown)?;
            let Change { redirect_uris, launch_uri, keys, may_introspect, may_launch, may_provision, .. } =
                change.clone();
            let new = Client {
                name: change.name.trim().to_owned(),
                scopes: Scopes::parse(&change.scope),
                redirect_uris,
                launch_uri,
                keys,
                may_introspect,
                may_launch,
                may_provision,
                ..old
            };
            check(app, &new)?;
            client::update(tx, &new, by, now).await?;
            for grant in grant::of_client(tx, id).await? {
                if !Scopes::parse(&grant.scope).is_within(&new.scopes) {
                    grant::revoke(tx, &grant.id, now).await?;
                }
            }
            Ok::<_, OAuthError>(new)
        })
    });
    let changed = changed.await?;
    tracing::info!(client = changed.id, by, "a client was changed");
    Ok(changed)
}

fn unknown() -> OAuthError {
    OAuthError::new(Code::InvalidClient, "there is no such client")
}

/// Switches a client off, with all its tokens, or on again; false when it was so already, or is not known.
///
/// # Errors
/// When the database fails.
pub async fn switch(app: &App, id: &str, on: bool, by: &str) -> Result<bool, StoreError> {
    let event = app.administration(if on { "enable a client" } else { "disable a client" }, id);
    let (now, shared) = (app.clock.now(), Arc::new((id.to_owned(), by.to_owned(), app.clone(), event)));
    let switched = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, by, app, event) = shared.as_ref();
            let switched = if on {
                client::enable(tx, id, by, now).await?
            } else {
                client::disable(tx, id, by, now).await?
            };
            if switched {
                app.note_in(tx, event.clone()).await?;
            }
            Ok::<_, StoreError>(switched)
        })
    });
    let switched = switched.await?;
    if switched {
        app.caller.noted();
    }
    Ok(switched)
}

/// Gives a client a new secret, which is told this once; the old ones stay good for `overlap`.
///
/// # Errors
/// [`Code::InvalidClient`] when the client is not known, `invalid_client_metadata` when it does not prove itself
/// by a secret.
pub async fn renew_secret(
    app: &App,
    id: &str,
    overlap: Duration,
    by: &str,
) -> Result<SecretString, OAuthError> {
    let found = find(app, id).await?.ok_or_else(unknown)?;
    if found.proof != Proof::Secret {
        let told = "the client does not prove itself by a secret";
        return Err(invalid("token_endpoint_auth_method", told));
    }
    let secret = drawn(app)?;
    let now = app.clock.now();
    let until = now.saturating_add(Micros::try_from(overlap.as_micros()).unwrap_or(Micros::MAX));
    let shared = Arc::new((id.to_owned(), secret::fingerprint(secret.expose_secret()), by.to_owned()));
    let added = app.noting(app.administration("give a client a new secret", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, hash, by) = shared.as_ref();
            client::add_secret(tx, id, hash, by, now, until).await
        })
    });
    added.await?;
    Ok(secret)
}
