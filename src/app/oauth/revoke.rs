//! Taking access back: by the client (RFC 7009), and by the person who gave it.

use super::tokens;
use crate::app::App;
use crate::audit::act::Act;
use crate::auth::client::Client;
use crate::auth::error::{Code, OAuthError};
use crate::auth::secret;
use crate::store::oauth::grant::{self, Grant};
use crate::store::oauth::token;
use crate::store::{Intent, StoreError};
use std::sync::Arc;

/// Revokes a refresh token with everything of its grant, or an access token alone. One that is not known, or over,
/// is as good as revoked.
///
/// # Errors
/// `invalid_grant` when the token was given to another client.
pub async fn revoke(app: &App, bases: &[String], client: &Client, given: &str) -> Result<(), OAuthError> {
    let not_yours = || OAuthError::new(Code::InvalidGrant, "the token was given to another client");
    let hash = secret::fingerprint(given);
    let found = token::refresh(&mut app.store.reader().await?, &hash).await?;
    if let Some(refresh) = found {
        if refresh.grant.client != client.id {
            return Err(not_yours());
        }
        revoke_grant(app, &refresh.grant.id).await?;
        return Ok(());
    }
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let Ok((claims, _)) = tokens::inspect(app, &bases, given).await else { return Ok(()) };
    if claims.client_id != client.id {
        return Err(not_yours());
    }
    let until = claims.exp.saturating_mul(1_000_000);
    let revoked = app.noting(app.event(Act::TokenRevoked).detail("jti", &claims.jti), move |tx| {
        let jti = claims.jti.clone();
        Box::pin(async move { token::revoke_access(tx, &jti, until).await })
    });
    Ok(revoked.await?)
}

/// What a person allowed and did not take back, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn grants_of(app: &App, account: &str) -> Result<Vec<Grant>, StoreError> {
    grant::of_account(&mut app.store.reader().await?, account).await
}

/// Takes a person's grant back, with all its codes and tokens; false when there is no such grant of theirs.
///
/// # Errors
/// When the database fails.
pub async fn revoke_of(app: &App, account: &str, id: &str) -> Result<bool, StoreError> {
    let found = grant::find(&mut app.store.reader().await?, id).await?;
    match found {
        Some(grant) if grant.account == account => revoke_grant(app, id).await,
        _ => Ok(false),
    }
}

async fn revoke_grant(app: &App, id: &str) -> Result<bool, StoreError> {
    let (id, now) = (Arc::<str>::from(id), app.clock.now());
    let revoked = app.noting(app.event(Act::TokenRevoked).detail("grant", &*id), move |tx| {
        let id = Arc::clone(&id);
        Box::pin(async move { grant::revoke(tx, &id, now).await })
    });
    revoked.await
}

/// How long a used code is remembered after it expired, in microseconds: the life of what came from it.
const CODES_KEPT: i64 = 24 * 3_600_000_000;

/// Forgets what has expired: requests, launches, codes, tokens, assertions.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let codes = now.saturating_sub(CODES_KEPT);
    if !token::any_old(&mut app.store.reader().await?, now, codes).await? {
        return Ok(());
    }
    let forgotten = app
        .store
        .write(Intent::Upsert, move |tx| Box::pin(async move { token::forget_old(tx, now, codes).await }));
    forgotten.await
}
