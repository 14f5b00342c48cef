//! People's accounts: making them, signing in and out, their roles, the review of who may what.

mod apps;
pub(in crate::app) mod attempt;
mod manage;
mod passkey;
pub(in crate::app) mod password;
mod provided;
mod review;
mod second_factor;
mod session;
mod sign_in;

pub use crate::store::account::{Account, Grant, StoredPasskey};
pub use apps::{AuthorisedApp, apps, revoke};
pub use attempt::Origin;
pub use manage::{
    Change, NewAccount, change, create, disable, enable, generated_password, get, give_role, list,
    set_locale, set_password, take_role,
};
pub(in crate::app) use manage::{checked, checked_username};
pub use passkey::{
    Challenge, MOST_PASSKEYS, Response, are_possible, begin_passkey_sign_in, begin_passkey_step,
    begin_registration, can_complete, finish_passkey_step, finish_registration, passkeys, remove_passkey,
    sign_in_by_passkey,
};
pub use password::change as change_password;
pub(in crate::app) use provided::{Arrived, Vouched, arrive};
pub use review::{Reviewed, cell, csv, json, review};
pub use second_factor::{Enrolment, confirm, enrol, recovery_codes_left, remove, renew_recovery_codes};
pub(in crate::app) use session::role_grant;
pub use session::{Live, principal, session_of, sign_out};
pub(in crate::app) use sign_in::recovery_fingerprint;
pub(in crate::app) use sign_in::{AtProvider, by_provider};
pub use sign_in::{NewSession, SignedIn, sign_in, verify_second_factor};

use crate::app::App;
use crate::audit::act::Act;
use crate::audit::event::Actor;
use crate::auth::lockout;
use crate::auth::password::Weakness;
use crate::clock::Micros;
use crate::store::account as table;
use crate::store::{Intent, Retry, StoreError};
use unicode_normalization::UnicodeNormalization;

/// Longest username and name, in characters.
const LONGEST_NAME: usize = 128;
/// How long a sign-in may wait for its second factor.
const STEP: Micros = 10 * 60 * 1_000_000;

/// Why something about an account was refused.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Username, password or code: which, nobody is told.
    #[error("the sign-in is not right")]
    Wrong,
    /// Too many attempts.
    #[error("too many attempts")]
    Wait {
        /// When the next one is taken.
        until: Micros,
    },
    /// The sign-in took too long, or was completed already.
    #[error("the sign-in has lapsed")]
    Lapsed,
    /// A passkey whose counter went back: somebody may have copied it.
    #[error("the passkey may have been copied")]
    Cloned,
    /// The password can't be chosen.
    #[error("{0}")]
    Weak(Weakness),
    /// The username is in use.
    #[error("the username is taken")]
    Taken,
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// A value that can't be taken; says which, and what would be right.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retry for AccountError {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Store(error) if error.may_retry())
    }
}

impl AccountError {
    /// Something of ours is broken; the text is for the log.
    pub(in crate::app) fn broken(reason: impl std::fmt::Display) -> Self {
        Self::Store(StoreError::Other(reason.to_string()))
    }
}

/// Puts a sign-in that came to nothing on the record. What was typed as username is not: it may be a password.
async fn note_failure<T>(
    app: &App,
    method: &'static str,
    account: Option<&str>,
    done: Result<T, AccountError>,
) -> Result<T, AccountError> {
    match &done {
        Err(AccountError::Store(_)) | Ok(_) => {}
        Err(error) => {
            let mut event = app.event(Act::SignIn).detail("method", method).denied(error.to_string());
            event.actor = account.map_or_else(Actor::default, |id| app.caller.account(id, None, None));
            app.note(event).await?;
        }
    }
    done
}

/// A username as it is stored and compared: two that look alike to a reader are one.
pub fn folded(username: &str) -> String {
    username.trim().nfkc().collect::<String>().to_lowercase()
}

/// A fresh secret of 256 bits, written for a cookie.
pub(in crate::app) fn fresh(app: &App) -> Result<String, AccountError> {
    let random = app.clock.random_bytes::<32>().map_err(AccountError::broken)?;
    Ok(crate::auth::secret::written(&random))
}

/// Forgets what no longer matters: old failures, half sign-ins, sessions that ended long ago.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(app: &App) -> Result<(), AccountError> {
    let now = app.clock.now();
    // A session stays some days longer, for those who ask what it did.
    let (failures, steps, sessions) = (now - lockout::FORGET, now, now - 7 * lockout::FORGET);
    if !table::any_old(&mut app.store.reader().await?, failures, steps, sessions).await? {
        return Ok(());
    }
    let work = app.store.write(Intent::Upsert, move |tx| {
        Box::pin(
            async move { Ok::<_, AccountError>(table::forget_old(tx, failures, steps, sessions).await?) },
        )
    });
    work.await
}
