//! Enrolling an authenticator app, and leaving it.

use super::sign_in::recovery_fingerprint;
use super::{AccountError, Live, Origin, attempt};
use crate::app::App;
use crate::auth::totp::{Authenticator, RECOVERY_CODES, SECRET_BYTES, recovery_code};
use crate::store::Intent;
use crate::store::account as table;

/// What the person copies into their authenticator app.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The `otpauth:` URI.
    pub uri: String,
}

/// The secret to enrol: the one that waits to be confirmed, else a fresh one. It does not count until
/// [`confirm`]ed.
///
/// # Errors
/// [`AccountError::Invalid`] when an authenticator app is enrolled already.
pub async fn enrol(app: &App, live: &Live) -> Result<Enrolment, AccountError> {
    let (id, username) = (live.account.id.clone(), live.account.username.clone());
    let random = app.clock.random_bytes::<SECRET_BYTES>().map_err(AccountError::broken)?;
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (id, username) = (id.clone(), username.clone());
        Box::pin(async move {
            let known = table::credentials(tx, &id).await?;
            if known.totp_since_us.is_some() {
                return Err(AccountError::Invalid("An authenticator app is set up already"));
            }
            let waiting = known.totp_secret.and_then(|secret| Authenticator::stored(&secret, &username));
            let authenticator = match waiting {
                Some(waiting) => waiting,
                None => Authenticator::new(random, &username)
                    .ok_or_else(|| AccountError::broken("no authenticator"))?,
            };
            let secret = authenticator.base32();
            table::set_totp(tx, &id, Some(&secret), None, known.totp_step).await?;
            let uri = authenticator.uri().ok_or_else(|| AccountError::broken("no otpauth URI"))?;
            Ok(Enrolment { secret, uri })
        })
    });
    work.await
}

/// From now on the authenticator app is asked for: its first code proves that it was set up. Gives the
/// recovery codes, which are never shown again.
///
/// # Errors
/// [`AccountError::Wrong`], [`AccountError::Wait`].
pub async fn confirm(
    app: &App,
    live: &Live,
    code: &str,
    origin: &Origin,
) -> Result<Vec<String>, AccountError> {
    let account = &live.account;
    let attempt = attempt::begin(app, "code", &account.username, origin).await?;
    let known = table::credentials(&mut app.store.reader().await?, &account.id).await?;
    let now = app.clock.now();
    let secret = known.totp_secret.filter(|_| known.totp_since_us.is_none()).ok_or(AccountError::Wrong)?;
    let authenticator = Authenticator::stored(&secret, &account.username);
    let step = authenticator.and_then(|app| app.step_of(code, now, known.totp_step));
    let step = step.ok_or(AccountError::Wrong)?;
    let codes = fresh_codes(app)?;
    let (id, session) = (account.id.clone(), live.session.hash.clone());
    let hashes: Vec<String> = codes.iter().map(|code| recovery_fingerprint(&id, code)).collect();
    let work = app.noting(app.administration("set up an authenticator app", &id), move |tx| {
        let (id, session, secret) = (id.clone(), session.clone(), secret.clone());
        let (hashes, attempt) = (hashes.clone(), attempt.clone());
        Box::pin(async move {
            attempt.succeeded(tx).await?;
            table::set_totp(tx, &id, Some(&secret), Some(now), step).await?;
            table::keep_recovery_codes(tx, &id, &hashes).await?;
            // Whoever signed in elsewhere with the password alone must do it again.
            table::end_all(tx, &id, &session, now).await?;
            Ok::<_, AccountError>(())
        })
    });
    work.await?;
    Ok(codes)
}

/// Stops asking for the authenticator app. The caller sees to it that the sign-in is recent.
///
/// # Errors
/// When the database fails.
pub async fn remove(app: &App, account: &str) -> Result<(), AccountError> {
    let id = account.to_owned();
    let work = app.noting(app.administration("leave the authenticator app", account), move |tx| {
        let id = id.clone();
        Box::pin(async move {
            table::set_totp(tx, &id, None, None, 0).await?;
            Ok::<_, AccountError>(table::keep_recovery_codes(tx, &id, &[]).await?)
        })
    });
    work.await
}

/// Replaces the recovery codes. The caller sees to it that the sign-in is recent.
///
/// # Errors
/// When the database fails.
pub async fn renew_recovery_codes(app: &App, live: &Live) -> Result<Vec<String>, AccountError> {
    let codes = fresh_codes(app)?;
    let id = live.account.id.clone();
    let hashes: Vec<String> = codes.iter().map(|code| recovery_fingerprint(&id, code)).collect();
    let work = app.noting(app.administration("make new recovery codes", &live.account.id), move |tx| {
        let (id, hashes) = (id.clone(), hashes.clone());
        Box::pin(async move { Ok::<_, AccountError>(table::keep_recovery_codes(tx, &id, &hashes).await?) })
    });
    work.await?;
    Ok(codes)
}

/// How many recovery codes an account has left.
///
/// # Errors
/// When the database fails.
pub async fn recovery_codes_left(app: &App, account: &str) -> Result<i64, AccountError> {
    Ok(table::recovery_codes_left(&mut app.store.reader().await?, account).await?)
}

fn fresh_codes(app: &App) -> Result<Vec<String>, AccountError> {
    let code = |_| app.clock.random_bytes::<10>().map(recovery_code).map_err(AccountError::broken);
    (0..RECOVERY_CODES).map(code).collect()
}
