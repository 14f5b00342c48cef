//! Passwords, hashed where blocking is allowed.

use super::{AccountError, Live, Origin, attempt};
use crate::app::App;
use crate::auth::password;
use crate::store::account as table;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// How many passwords are hashed at a time: each takes 19 MiB and a core.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Runs one hashing on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
    let _turn = AT_ONCE.acquire().await.map_err(AccountError::broken)?;
    tokio::task::spawn_blocking(work).await.map_err(AccountError::broken)
}

/// Whether `password` is the one behind `hash`; the same work is done when there is none.
pub(in crate::app) async fn matches(
    password: &SecretString,
    hash: Option<String>,
) -> Result<bool, AccountError> {
    // Longer ones are never taken as new, so they are never right.
    if password.expose_secret().len() > password::LONGEST {
        return Ok(false);
    }
    let password = password.clone();
    blocking(move || password::matches(password.expose_secret(), hash.as_deref())).await
}

/// The hash of a password that whoever signs in as `username` may choose.
///
/// # Errors
/// [`AccountError::Weak`].
pub(super) async fn hashed(
    app: &App,
    password: &SecretString,
    username: &str,
) -> Result<String, AccountError> {
    password::judge(password.expose_secret(), username).map_err(AccountError::Weak)?;
    let salt = app.clock.random_bytes::<16>().map_err(AccountError::broken)?;
    let password = password.clone();
    let hash = blocking(move || password::hash(password.expose_secret(), &salt)).await?;
    hash.map_err(AccountError::broken)
}

/// Changes the password of whoever is signed in, who says the old one. All their other sessions end.
///
/// # Errors
/// [`AccountError::Wrong`], [`AccountError::Wait`], [`AccountError::Weak`].
pub async fn change(
    app: &App,
    live: &Live,
    old: &SecretString,
    new: &SecretString,
    origin: &Origin,
) -> Result<(), AccountError> {
    let account = &live.account;
    // Before anything is counted: a weak choice is no guess at the old password.
    password::judge(new.expose_secret(), &account.username).map_err(AccountError::Weak)?;
    let attempt = attempt::begin(app, "password", &account.username, origin).await?;
    let known = table::credentials(&mut app.store.reader().await?, &account.id).await?;
    if !matches(old, known.password_hash).await? {
        return Err(AccountError::Wrong);
    }
    let hash = hashed(app, new, &account.username).await?;
    let (id, session, now) = (account.id.clone(), live.session.hash.clone(), app.clock.now());
    let work = app.noting(app.administration("change the own password", &id), move |tx| {
        let (id, session, hash, attempt) = (id.clone(), session.clone(), hash.clone(), attempt.clone());
        Box::pin(async move {
            attempt.succeeded(tx).await?;
            table::set_password(tx, &id, Some(&hash)).await?;
            table::forget_devices(tx, &id).await?;
            table::end_all(tx, &id, &session, now).await?;
            Ok::<_, AccountError>(())
        })
    });
    work.await
}
