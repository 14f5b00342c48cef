//! Long-lived tokens for provisioning sources that can't fetch tokens themselves, as Entra ID and Okta can't. One is
//! good for `/scim` alone, ends by itself, and can be taken back at once.

use crate::app::App;
use crate::audit::event::Actor;
use crate::auth::client::Client;
use crate::auth::error::{Code, OAuthError};
use crate::auth::secret;
use crate::clock::Micros;
use crate::store::oauth::client;
use crate::store::{Intent, StoreError, scim};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

pub use crate::store::scim::Token;

/// What such tokens begin with, so that a leaked one is known for what it is.
const PREFIX: &str = "slotwright_scim_";
/// The longest that one is good, in days.
pub const LONGEST_DAYS: u32 = 1096;
/// How long one is good unless somebody says otherwise, in days.
pub const USUAL_DAYS: u32 = 365;
/// How exactly the last use is remembered.
const USED_EVERY: Micros = 60_000_000;

/// Whether a bearer token is of this kind, good or not.
pub(super) fn is_one(bearer: &str) -> bool {
    bearer.starts_with(PREFIX)
}

/// Gives a client a token for so many days, which is told this once.
///
/// # Errors
/// [`Code::InvalidClient`] when the client is not known, `invalid_client_metadata` when it may not keep accounts or
/// the days are out of bounds.
pub async fn issue(
    app: &App,
    client: &str,
    days: u32,
    by: &str,
) -> Result<(Token, SecretString), OAuthError> {
    let invalid = |field, told| OAuthError::new(Code::InvalidClientMetadata, told).about(field);
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(invalid("days", "a token is good for 1 to 1096 days"));
    }
    let found = client::find(&mut app.store.reader().await?, client).await?;
    let found = found.ok_or_else(|| OAuthError::new(Code::InvalidClient, "there is no such client"))?;
    if !found.may_provision {
        return Err(invalid("client_id", "the client may not keep accounts (may_provision)"));
    }
    let drawn = app.clock.random_bytes::<32>().map_err(|error| OAuthError::internal(error.to_string()))?;
    let text = SecretString::from(format!("{PREFIX}{}", secret::written(&drawn)));
    let now = app.clock.now();
    let lifetime = Duration::from_hours(24 * u64::from(days));
    let token = Token {
        id: app.clock.new_id(),
        client: found.id,
        made_us: now,
        made_by: by.to_owned(),
        expires_us: now.saturating_add(Micros::try_from(lifetime.as_micros()).unwrap_or(Micros::MAX)),
        last_used_us: None,
        revoked_us: None,
    };
    let event = app.administration("make a provisioning token", &token.client).detail("token", &token.id);
    let shared = Arc::new((secret::fingerprint(text.expose_secret()), token.clone()));
    let kept = app.noting(event, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (hash, token) = shared.as_ref();
            scim::insert_token(tx, hash, token).await
        })
    });
    kept.await?;
    Ok((token, text))
}

/// Every token that a client ever had, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn all(app: &App, client: &str) -> Result<Vec<Token>, StoreError> {
    scim::tokens_of(&mut app.store.reader().await?, client).await
}

/// Takes a token back; false when there is none with this id that is not taken back.
///
/// # Errors
/// When the database fails.
pub async fn revoke(app: &App, id: &str, by: &str) -> Result<bool, StoreError> {
    let (now, shared) = (app.clock.now(), Arc::new((id.to_owned(), by.to_owned(), app.clone())));
    let revoked = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, by, app) = shared.as_ref();
            let Some(client) = scim::revoke_token(tx, id, by, now).await? else { return Ok(false) };
            let event = app.administration("take a provisioning token back", &client).detail("token", id);
            app.note_in(tx, event).await?;
            Ok::<_, StoreError>(true)
        })
    });
    let revoked = revoked.await?;
    if revoked {
        app.caller.noted();
    }
    Ok(revoked)
}

/// The client that brings such a token, if both still stand; remembers the use.
pub(super) async fn bearer(app: &App, bearer: &str) -> Result<Option<Client>, StoreError> {
    let now = app.clock.now();
    let mut tx = app.store.reader().await?;
    let Some(token) = scim::good_token(&mut tx, &secret::fingerprint(bearer), now).await? else {
        return Ok(None);
    };
    let client = client::find(&mut tx, &token.client).await?.filter(|client| !client.disabled);
    drop(tx);
    let Some(client) = client else { return Ok(None) };
    app.caller.is(Actor {
        client: Some(client.id.clone()),
        token: Some(token.id.clone()),
        ..Actor::default()
    });
    if token.last_used_us.is_none_or(|last| now - last >= USED_EVERY) {
        let id = Arc::new(token.id);
        let used = app.store.write(Intent::Upsert, move |tx| {
            let id = Arc::clone(&id);
            Box::pin(async move { scim::token_used(tx, &id, now).await })
        });
        used.await?;
    }
    Ok(Some(client))
}
