//! Emergencies ("break-glass"): declared with password and reason, ended, reviewed.

mod declare;
mod review;

pub use crate::store::emergency::{Declared, Reviewed};
pub use declare::{Declaration, declare, end, must_sign_in_again, running};
pub use review::{Queue, State, judge, queue, reviewed, state};

use crate::app::account::AccountError;
use crate::fhir::outcome::Error;
use crate::store::{Retry, StoreError};

/// Why an emergency was not declared, ended or reviewed.
#[derive(Debug, thiserror::Error)]
pub enum EmergencyError {
    /// Whoever asks may not.
    #[error("not for this person")]
    NotAllowed,
    /// There is no such patient, or none whom this person may reach.
    #[error("there is no such patient")]
    NoPatient,
    /// Several patients have this identifier.
    #[error("several patients have this identifier")]
    SeveralPatients,
    /// The reason is too short or too long.
    #[error("the reason is too short or too long")]
    Reason,
    /// The second factor is missing or not right.
    #[error("the code is not right")]
    Code(AccountError),
    /// The password is not right, or there were too many attempts.
    #[error(transparent)]
    Password(AccountError),
    /// The sign-in is not recent enough for somebody without a password.
    #[error("the sign-in is not recent enough")]
    NotRecent,
    /// There is no such emergency, or it is reviewed already.
    #[error("there is no such emergency to review")]
    Unknown,
    /// It is still running.
    #[error("an emergency is reviewed once it is over")]
    Running,
    /// It is the reviewer's own.
    #[error("nobody reviews an emergency of their own")]
    Own,
    /// The database, or a rule that should have held.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<StoreError> for EmergencyError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Retry for EmergencyError {
    fn may_retry(&self) -> bool {
        match self {
            Self::Failed(error) => error.may_retry(),
            Self::Code(error) | Self::Password(error) => error.may_retry(),
            _ => false,
        }
    }
}
