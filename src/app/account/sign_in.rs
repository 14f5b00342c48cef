//! Signing in: by a password, a passkey or an upstream provider, then a second factor where the account has one.

use super::apps::follow_session;
use super::session::micros;
use super::{AccountError, Origin, STEP, attempt, folded, fresh, note_failure, password};
use crate::app::App;
use crate::audit::act::Act;
use crate::auth::principal::Role;
use crate::auth::secret::{derived, fingerprint};
use crate::auth::totp::{Authenticator, folded_recovery_code};
use crate::store::Tx;
use crate::store::account::{self as table, Account, Session, Step, StoredPasskey};
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
    let mut whose = None;
    let done = by_password(app, username, password, origin, old, &mut whose).await;
    note_failure(app, "password", whose.as_deref(), done).await
}

async fn by_password(
    app: &App,
    username: &str,
    password: &SecretString,
    origin: &Origin,
    old: Option<&str>,
    whose: &mut Option<String>,
) -> Result<SignedIn, AccountError> {
    let username = folded(username);
    let mut reader = app.store.reader().await?;
    let account = table::by_username(&mut reader, &username).await?;
    drop(reader);
    *whose = account.as_ref().map(|account| account.id.clone());
    let attempt = attempt::begin(app, "password", &username, origin).await?;
    let mut reader = app.store.reader().await?;
    // The same statements for an account that does not exist.
    let id = account.as_ref().map_or("", |account| account.id.as_str());
    let known = table::credentials(&mut reader, id).await?;
    let local = may_sign_in_here(app, &mut reader, id).await?;
    drop(reader);
    let right = password::matches(password, known.password_hash).await?;
    let account = account.filter(|account| account.disabled_us.is_none());
    let Some(account) = account.filter(|_| right && local) else { return Err(AccountError::Wrong) };
    if known.totp_since_us.is_none() {
        let session =
            start(app, account, Some(attempt), Shown::now(app, Proof::Password), origin, old).await?;
        return Ok(SignedIn::Done(Box::new(session)));
    }
    half_way(app, &account, Some(attempt), None).await
}

/// Whether an account may sign in here by what it proves itself by here: everybody's, or administrators' alone.
pub(super) async fn may_sign_in_here(
    app: &App,
    reader: &mut Tx,
    account: &str,
) -> Result<bool, AccountError> {
    if app.config.auth.local_sign_in {
        return Ok(true);
    }
    let roles = table::grants(reader, account).await?;
    Ok(roles.iter().any(|grant| grant.role == Role::Administrator.code()))
}

/// The first part is proved; the account has a second factor.
async fn half_way(
    app: &App,
    account: &Account,
    attempt: Option<Attempt>,
    provider: Option<String>,
) -> Result<SignedIn, AccountError> {
    let cookie = fresh(app)?;
    let (hash, expires) = (fingerprint(&cookie), app.clock.now() + STEP);
    let mut event = app.event(Act::SignInBegun);
    event.actor = app.caller.account(&account.id, account.fhir_user.as_deref(), None);
    let step = Step { account: account.id.clone(), provider };
    let work = app.noting(event, move |tx| {
        let (hash, step, attempt) = (hash.clone(), step.clone(), attempt.clone());
        Box::pin(async move {
            if let Some(attempt) = attempt {
                attempt.succeeded(tx).await?;
            }
            Ok::<_, AccountError>(table::start_step(tx, &hash, &step, expires).await?)
        })
    });
    work.await?;
    Ok(SignedIn::SecondFactor(cookie))
}

/// What an upstream provider said of a sign-in there.
#[derive(Clone, Debug)]
pub(in crate::app) struct AtProvider {
    /// `auth.providers.id`.
    pub(in crate::app) provider: String,
    /// When the person proved who they are; 0: it did not say.
    pub(in crate::app) authenticated_us: i64,
    /// Whether they showed a second factor.
    pub(in crate::app) second_factor: bool,
}

/// Signs in whom a provider vouches for. An authenticator app that is enrolled here is asked, unless the provider
/// asked for a second factor.
///
/// # Errors
/// When the database fails.
pub(in crate::app) async fn by_provider(
    app: &App,
    account: Account,
    said: AtProvider,
    origin: &Origin,
    old: Option<&str>,
) -> Result<SignedIn, AccountError> {
    if account.totp_since_us.is_some() && !said.second_factor {
        return half_way(app, &account, None, Some(said.provider)).await;
    }
    let AtProvider { provider, authenticated_us, second_factor } = said;
    let shown = Shown { proof: Proof::Provider, provider: Some(provider), authenticated_us, second_factor };
    Ok(SignedIn::Done(Box::new(start(app, account, None, shown, origin, old).await?)))
}

/// Begins a session for whom a passkey proved, alone or (with the `step` that it completes) as second factor.
/// `used` is the passkey as it was found, `credential` as it is to be kept.
///
/// # Errors
/// [`AccountError::Lapsed`] when passkey or step were used meanwhile.
pub(super) async fn by_passkey(
    app: &App,
    account: Account,
    used: StoredPasskey,
    credential: String,
    step: Option<(String, Option<String>)>,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let (step, provider) = step.map_or((None, None), |(step, provider)| (Some(step), provider));
    let proof = Proof::Passkey { step, used: Box::new(used), credential };
    start(app, account, None, Shown { provider, ..Shown::now(app, proof) }, origin, old).await
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
    let mut whose = None;
    let done = by_code(app, step, code, origin, old, &mut whose).await;
    note_failure(app, "code", whose.as_deref(), done).await
}

async fn by_code(
    app: &App,
    step: &str,
    code: &SecretString,
    origin: &Origin,
    old: Option<&str>,
    whose: &mut Option<String>,
) -> Result<NewSession, AccountError> {
    let (step, now) = (fingerprint(step), app.clock.now());
    let mut reader = app.store.reader().await?;
    let half = table::step(&mut reader, &step, now).await?.ok_or(AccountError::Lapsed)?;
    let id = half.account;
    *whose = Some(id.clone());
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
    let shown = Shown { provider: half.provider, ..Shown::now(app, proof) };
    start(app, account, Some(attempt), shown, origin, old).await
}

/// What is stored of a recovery code.
pub(in crate::app) fn recovery_fingerprint(account: &str, code: &str) -> String {
    derived(&folded_recovery_code(code), account)
}

/// What the person showed.
#[derive(Clone, Debug)]
enum Proof {
    Password,
    Totp { step: String, used: i64 },
    Recovery { step: String, code: String },
    Passkey { step: Option<String>, used: Box<StoredPasskey>, credential: String },
    Provider,
}

/// The same, and what is known of when and where.
struct Shown {
    proof: Proof,
    provider: Option<String>,
    authenticated_us: i64,
    second_factor: bool,
}

impl Shown {
    /// Shown here, at this moment.
    fn now(app: &App, proof: Proof) -> Self {
        let second_factor = !matches!(proof, Proof::Password | Proof::Provider);
        Self { proof, provider: None, authenticated_us: app.clock.now(), second_factor }
    }
}

impl Proof {
    /// As the record calls it.
    fn name(&self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp { .. } => "authenticator app",
            Self::Recovery { .. } => "recovery code",
            Self::Passkey { .. } => "passkey",
            Self::Provider => "provider",
        }
    }

    /// Uses up what works only once.
    async fn spend(&self, tx: &mut Tx, account: &str, now: i64) -> Result<(), AccountError> {
        let (step, spent) = match self {
            Self::Password | Self::Provider => return Ok(()),
            Self::Passkey { step, used, credential } => {
                if !table::passkey_used(tx, used, credential, now).await? {
                    return Err(AccountError::Lapsed);
                }
                return match step {
                    None => Ok(()),
                    Some(step) => {
                        table::take_step(tx, step, now).await?.ok_or(AccountError::Lapsed).map(drop)
                    }
                };
            }
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
    shown: Shown,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let Shown { proof, provider, authenticated_us, second_factor } = shown;
    let (cookie, now, settings) = (fresh(app)?, app.clock.now(), &app.config.sign_in);
    let ends_us = now + micros(settings.limit);
    let session = Session {
        hash: fingerprint(&cookie),
        account: account.id.clone(),
        created_us: now,
        authenticated_us,
        second_factor,
        seen_us: now,
        expires_us: (now + micros(settings.idle)).min(ends_us),
        ends_us,
        provider,
    };
    let fresh_device = fresh(app)?;
    let device_hash = origin.device_hash();
    let mut event = app.event(Act::SignIn).detail("method", proof.name());
    event.actor = app.caller.account(&account.id, account.fhir_user.as_deref(), None);
    let (stored, old) = (session.clone(), old.map(fingerprint));
    let (new_device, username) = (derived(&fresh_device, "device"), account.username.clone());
    let work = app.noting(event, move |tx| {
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
