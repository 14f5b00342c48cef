//! Initial access tokens (RFC 7591 §3): invitations, by which others register applications themselves.

use super::clients::{drawn, invalid};
use crate::app::App;
use crate::auth::error::OAuthError;
use crate::auth::scope::Scopes;
use crate::auth::secret;
use crate::clock::Micros;
use crate::store::oauth::invitation;
use crate::store::{Intent, StoreError};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;

pub use crate::store::oauth::invitation::{Invitation, Open};

/// Most applications of one invitation.
const MOST_USES: i64 = 1000;
/// How long an invitation may be good: a year.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Makes one, whose text is told this once.
///
/// # Errors
/// When the scopes are none of ours, or uses or lifetime are out of bounds.
pub async fn invite(
    app: &App,
    invitation: Invitation,
    uses: i64,
    lifetime: Duration,
    by: &str,
) -> Result<(Open, SecretString), OAuthError> {
    if Scopes::parse(&invitation.scope).is_empty() {
        return Err(invalid("scope", "an invitation has scopes"));
    }
    if !(1..=MOST_USES).contains(&uses) {
        return Err(invalid("uses", "an invitation is good for 1 to 1000 applications"));
    }
    if lifetime.is_zero() || lifetime > LONGEST {
        return Err(invalid("hours", "an invitation is good for 1 to 8760 hours"));
    }
    let token = drawn(app)?;
    let now = app.clock.now();
    let open = Open {
        id: app.clock.new_id(),
        invitation,
        uses_left: uses,
        made_us: now,
        made_by: by.to_owned(),
        expires_us: now.saturating_add(Micros::try_from(lifetime.as_micros()).unwrap_or(Micros::MAX)),
    };
    let event = app.administration("make an invitation", &open.id).detail("scope", &open.invitation.scope);
    let shared = Arc::new((secret::fingerprint(token.expose_secret()), open.clone()));
    let kept = app.noting(event, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (hash, open) = shared.as_ref();
            invitation::insert(tx, hash, open).await
        })
    });
    kept.await?;
    Ok((open, token))
}

/// Every invitation that can still be used, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn open(app: &App) -> Result<Vec<Open>, StoreError> {
    invitation::open(&mut app.store.reader().await?, app.clock.now()).await
}

/// Withdraws an invitation; false when there is none with this id that could be used.
///
/// # Errors
/// When the database fails.
pub async fn withdraw(app: &App, id: &str) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let shared = Arc::new((id.to_owned(), app.administration("withdraw an invitation", id), app.clone()));
    let withdrawn = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, event, app) = shared.as_ref();
            let withdrawn = invitation::withdraw(tx, id, now).await?;
            if withdrawn {
                app.note_in(tx, event.clone()).await?;
            }
            Ok::<_, StoreError>(withdrawn)
        })
    });
    let withdrawn = withdrawn.await?;
    if withdrawn {
        app.caller.noted();
    }
    Ok(withdrawn)
}
