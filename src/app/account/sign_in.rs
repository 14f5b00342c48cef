//! Signing in: a password, then a code where the account has a second factor.

use super::apps::follow_session;
use super::session::micros;
use super::{AccountError, Origin, STEP, attempt, folded, fresh, password};
use crate::app::App;
use crate::auth::secret::{derived, fingerprint};
use crate::auth::totp::{Authenticator, folded_recovery_code};
use crate::store::account::{self as table, Account, Session};
use crate::store::{Intent, Tx};
use attempt::Attempt;
use secrecy::{ExposeSecret, SecretString};

/// How far a sign-in came.
#[derive(Debug)]
pub enum SignedIn {
    /// All is proved.
    Done(Box<NewSession>),
    /// The password was right; a code is asked for. Holds the cookie that stands for this half sign-in.
    SecondFactor(String),
}

/// A session that just began.
#[derive(Debug)]
pub struct NewSession {
    /// The cookie's value; only its fingerprint is stored.
    pub cookie: String,
    /// The cookie by which this browser is known from now on, when it was not.
    pub device: Option<String>,
    /// What is stored.
    pub session: Session,
    /// Whose it is.
    pub account: Account,
}

/// Signs in with a password. `old` is the session cookie that the browser had: that session ends.
///
/// Neither the answer nor the time it takes tells whether there is such an account.
///
/// # Errors
/// [`AccountError::Wrong`], [`AccountError::Wait`].
pub async fn sign_in(
    app: &App,
    username: &str,
    password: &SecretString,
    origin: &Origin,
    old: Option<&str>,
) -> Result<SignedIn, AccountError> {
    let username = folded(username);
    let attempt = attempt::begin(app, "password", &username, origin).await?;
    let mut reader = app.store.reader().await?;
    let account = table::by_username(&mut reader, &username).await?;
    // The same statements for an account that does not exist.
    let id = account.as_ref().map_or("", |account| account.id.as_str());
    let known = table::credentials(&mut reader, id).await?;
    drop(reader);
    let right = password::matches(password, known.password_hash).await?;
    let account = account.filter(|account| account.disabled_us.is_none());
    let Some(account) = account.filter(|_| right) else { return Err(AccountError::Wrong) };
    if known.totp_since_us.is_none() {
        let session = start(app, account, Some(attempt), Proof::Password, origin, old).await?;
        return Ok(SignedIn::Done(Box::new(session)));
    }
    let cookie = fresh(app)?;
    let (hash, expires) = (fingerprint(&cookie), app.clock.now() + STEP);
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (hash, id, attempt) = (hash.clone(), account.id.clone(), attempt.clone());
        Box::pin(async move {
            attempt.succeeded(tx).await?;
            Ok::<_, AccountError>(table::start_step(tx, &hash, &id, expires).await?)
        })
    });
    work.await?;
    Ok(SignedIn::SecondFactor(cookie))
}

/// Completes a sign-in by a code of the authenticator app, or by a recovery code.
///
/// # Errors
/// [`AccountError::Wrong`], [`AccountError::Wait`], [`AccountError::Lapsed`].
pub async fn verify_second_factor(
    app: &App,
    step: &str,
    code: &SecretString,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let (step, now) = (fingerprint(step), app.clock.now());
    let mut reader = app.store.reader().await?;
    let id = table::step_account(&mut reader, &step, now).await?.ok_or(AccountError::Lapsed)?;
    let account = table::by_id(&mut reader, &id).await?;
    let account = account.filter(|account| account.disabled_us.is_none()).ok_or(AccountError::Lapsed)?;
    let known = table::credentials(&mut reader, &id).await?;
    drop(reader);
    let attempt = attempt::begin(app, "code", &account.username, origin).await?;
    let typed = code.expose_secret();
    let authenticator =
        known.totp_secret.as_deref().and_then(|secret| Authenticator::stored(secret, &account.username));
    let proof = match authenticator.and_then(|app| app.step_of(typed, now, known.totp_step)) {
        Some(used) => Proof::Totp { step, used },
        None => Proof::Recovery { step, code: recovery_fingerprint(&id, typed) },
    };
    start(app, account, Some(attempt), proof, origin, old).await
}

/// What is stored of a recovery code.
pub(super) fn recovery_fingerprint(account: &str, code: &str) -> String {
    derived(&folded_recovery_code(code), account)
}

/// What the person showed.
#[derive(Clone, Debug)]
enum Proof {
    Password,
    Totp { step: String, used: i64 },
    Recovery { step: String, code: String },
}

impl Proof {
    /// Uses up what works only once.
    async fn spend(&self, tx: &mut Tx, account: &str, now: i64) -> Result<(), AccountError> {
        let (step, spent) = match self {
            Self::Password => return Ok(()),
            Self::Totp { step, used } => (step, table::spend_totp_step(tx, account, *used).await?),
            Self::Recovery { step, code } => {
                (step, table::spend_recovery_code(tx, account, code, now).await?)
            }
        };
        if !spent {
            return Err(AccountError::Wrong);
        }
        table::take_step(tx, step, now).await?.ok_or(AccountError::Lapsed).map(drop)
    }
}

/// Begins a session, with a cookie that nobody knew before.
async fn start(
    app: &App,
    account: Account,
    attempt: Option<Attempt>,
    proof: Proof,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let (cookie, now, settings) = (fresh(app)?, app.clock.now(), &app.config.sign_in);
    let ends_us = now + micros(settings.limit);
    let session = Session {
        hash: fingerprint(&cookie),
        account: account.id.clone(),
        created_us: now,
        authenticated_us: now,
        second_factor: !matches!(proof, Proof::Password),
        seen_us: now,
        expires_us: (now + micros(settings.idle)).min(ends_us),
        ends_us,
    };
    let fresh_device = fresh(app)?;
    let device_hash = origin.device_hash();
    let (stored, old) = (session.clone(), old.map(fingerprint));
    let (new_device, username) = (derived(&fresh_device, "device"), account.username.clone());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (session, attempt, proof, old) = (stored.clone(), attempt.clone(), proof.clone(), old.clone());
        let (device_hash, new_device, username) = (device_hash.clone(), new_device.clone(), username.clone());
        Box::pin(async move {
            proof.spend(tx, &session.account, now).await?;
            if let Some(attempt) = attempt {
                attempt.succeeded(tx).await?;
            }
            table::insert_session(tx, &session).await?;
            if let Some(old) = old {
                follow_session(tx, &session.account, &old, &session.hash, now).await?;
                table::end(tx, &old, now).await?;
            }
            table::signed_in(tx, &session.account, now).await?;
            table::role_used(tx, &session.account, now, now).await?;
            let known = match device_hash {
                Some(hash) => table::is_device_of(tx, &hash, &username).await?,
                None => false,
            };
            if !known {
                table::know_device(tx, &new_device, &session.account, now).await?;
            }
            Ok::<_, AccountError>(known)
        })
    });
    let known = work.await?;
    let device = (!known).then_some(fresh_device);
    Ok(NewSession { cookie, device, session, account })
}
