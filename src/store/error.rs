//! What can go wrong between us and the database.

use crate::auth::error::{Code, OAuthError};
use crate::fhir::outcome::{Error, Kind};

/// A failed statement, connection or commit. The text is for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Lost a race that the engine resolves by failing one side (serialization failure, deadlock, a row
    /// changed between read and write): running the transaction again may succeed.
    #[error("contended: {0}")]
    Contended(String),
    /// No connection, or the engine is shutting down or full.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Something that must be there once only is there already.
    #[error("taken: {0}")]
    Taken(String),
    /// A bug or a broken database.
    #[error("{0}")]
    Other(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => Self::Unavailable(text),
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Taken(text),
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available.
                // SQLite: SQLITE_BUSY and its extensions.
                Some("40001" | "40P01" | "55P03" | "5" | "261" | "517") => Self::Contended(text),
                // PostgreSQL: connection exceptions, insufficient resources, operator intervention.
                Some(code)
                    if ["08", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class)) =>
                {
                    Self::Unavailable(text)
                }
                // SQLite: FULL, IOERR, CANTOPEN.
                Some("13" | "10" | "14") => Self::Unavailable(text),
                _ => Self::Other(text),
            },
            _ => Self::Other(text),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended(detail) => Self {
                detail: Some(detail),
                retry: true,
                ..Self::new(
                    Kind::Unavailable,
                    "Too many requests want the same data at once; please try again",
                )
            },
            StoreError::Unavailable(detail) => Self {
                detail: Some(detail),
                ..Self::new(Kind::Unavailable, "The database can't be reached just now; please try again")
            },
            StoreError::Taken(detail) | StoreError::Other(detail) => Self::internal(detail),
        }
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        let unavailable =
            |detail| Self::new(Code::TemporarilyUnavailable, "please try again").because(detail);
        match error {
            StoreError::Contended(detail) => Self { retry: true, ..unavailable(detail) },
            StoreError::Unavailable(detail) => unavailable(detail),
            StoreError::Taken(detail) | StoreError::Other(detail) => Self::internal(detail),
        }
    }
}
