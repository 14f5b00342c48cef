//! The sandbox: a sample clinic and what to try with it.
//!
//! `sandbox/clinic/*.json` says what the clinic is made of; [`clinic`] turns it into FHIR resources, [`fill`]
//! stores them, [`banner`] says what to do next.

mod accounts;
mod banner;
mod calendar;
mod clients;
mod clinic;
mod command;
mod data;
mod dice;
mod load;
mod people;
mod record;
mod running;
mod staff;
#[cfg(test)]
mod tests;
mod token;

pub use accounts::{PASSWORD, PEOPLE, Person};
pub use banner::banner;
pub use clinic::{clinic, zone};
pub use command::{Options, run};
pub use load::{Filled, fill};
pub use token::{TokenError, TokenOptions, token};

use crate::store::StoreError;
use crate::store::sandbox::{Wiped, wipe};

/// Why the sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of `sandbox/clinic/` can't be read.
    #[error("sandbox/clinic/{file}: {reason}")]
    Data {
        /// The file's name.
        file: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A file of `sandbox/clinic/` names something that is not there.
    #[error("sandbox/clinic: no {what} called {name}")]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A date, time or zone that does not exist.
    #[error("sandbox/clinic: {0}")]
    Calendar(String),
    /// The database holds data that the sandbox did not put there.
    #[error(
        "this database is not a sandbox's: the sample clinic goes only into an empty one, and --reset removes only what it made"
    )]
    NotASandbox,
    /// `--database` names neither engine.
    #[error("--database takes postgres://USER:PASSWORD@HOST/DATABASE or sqlite:PATH")]
    Url,
    /// A directory or a socket can't be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The server's own rules refused the sample clinic.
    #[error("the sample clinic was refused: {0}")]
    Refused(#[from] crate::fhir::outcome::Error),
    /// The keys of the audit log can't be used.
    #[error(transparent)]
    AuditKeys(#[from] crate::app::audit::keys::AuditKeyError),
    /// The keys that sign tokens can't be used.
    #[error(transparent)]
    Keys(#[from] crate::app::oauth::keys::KeyringError),
    /// An account of the sandbox can't be made.
    #[error("the sandbox's accounts: {0}")]
    Account(#[from] crate::app::account::AccountError),
    /// There is no token to give.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The database failed.
    #[error("database: {0}")]
    Store(#[from] StoreError),
}

impl Error {
    fn unknown(what: &'static str, name: &str) -> Self {
        Self::Unknown { what, name: name.to_owned() }
    }

    fn calendar(error: jiff::Error) -> Self {
        Self::Calendar(error.to_string())
    }
}

/// Removes the sandbox at `url` (`sqlite:PATH` or `postgres://…`) with all that it holds. No server may be
/// using it.
///
/// # Errors
/// When the database is not a sandbox's, or can't be removed.
pub async fn reset(url: &str) -> Result<(), Error> {
    match wipe(url, load::SANDBOX).await? {
        Wiped::Nothing | Wiped::All => Ok(()),
        Wiped::Refused => Err(Error::NotASandbox),
    }
}
