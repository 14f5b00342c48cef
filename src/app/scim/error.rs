//! Why a SCIM request is refused (RFC 7644 §3.12).

use crate::app::account::AccountError;
use crate::store::{Retry, StoreError};

/// `scimType` of an error, each with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is not what the operation takes.
    InvalidSyntax,
    /// The filter can't be read, or asks for what has no index.
    InvalidFilter,
    /// A path that names nothing.
    InvalidPath,
    /// A value that can't be taken.
    InvalidValue,
    /// Nothing matches the path of a change.
    NoTarget,
    /// Something that can't be changed.
    Mutability,
    /// Something that is there once only.
    Uniqueness,
    /// No token, or none of ours.
    Unauthorized,
    /// The client may not do this.
    Forbidden,
    /// Not there.
    NotFound,
    /// The path has no such method.
    NotAllowed,
    /// The version is another.
    Precondition,
    /// The body is too long.
    TooLarge,
    /// Not offered.
    NotImplemented,
    /// Busy.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Kind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidSyntax
            | Self::InvalidFilter
            | Self::InvalidPath
            | Self::InvalidValue
            | Self::NoTarget
            | Self::Mutability => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::NotAllowed => 405,
            Self::Uniqueness => 409,
            Self::Precondition => 412,
            Self::TooLarge => 413,
            Self::Internal => 500,
            Self::NotImplemented => 501,
            Self::Unavailable => 503,
        }
    }

    /// `scimType`, where the RFC has one.
    pub fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidPath => "invalidPath",
            Self::InvalidValue => "invalidValue",
            Self::NoTarget => "noTarget",
            Self::Mutability => "mutability",
            Self::Uniqueness => "uniqueness",
            _ => return None,
        })
    }
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Row of the table.
    pub kind: Kind,
    /// What the client's operator reads.
    pub told: String,
    /// Internal cause for the log; never sent.
    pub detail: Option<String>,
    /// The transaction lost a race and may be run again as it is.
    pub retry: bool,
}

impl Error {
    /// An error that the client is told.
    pub fn new(kind: Kind, told: impl Into<String>) -> Self {
        Self { kind, told: told.into(), detail: None, retry: false }
    }

    /// Our fault; `detail` goes to the log alone.
    pub fn internal(detail: impl Into<String>) -> Self {
        let told = "The server could not complete the request";
        Self { detail: Some(detail.into()), ..Self::new(Kind::Internal, told) }
    }

    pub(super) fn value(told: impl Into<String>) -> Self {
        Self::new(Kind::InvalidValue, told)
    }

    pub(super) fn not_found() -> Self {
        Self::new(Kind::NotFound, "There is no such resource")
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.told)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl std::error::Error for Error {}

impl Retry for Error {
    fn may_retry(&self) -> bool {
        self.retry
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let busy = |detail| Self { detail: Some(detail), ..Self::new(Kind::Unavailable, "Please try again") };
        match error {
            StoreError::Contended(detail) => Self { retry: true, ..busy(detail) },
            StoreError::Unavailable(detail) => busy(detail),
            StoreError::Taken(detail) => {
                let told = "Another resource has this userName or externalId";
                Self { detail: Some(detail), ..Self::new(Kind::Uniqueness, told) }
            }
            StoreError::Other(detail) => Self::internal(detail),
        }
    }
}

impl From<AccountError> for Error {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            AccountError::Unknown => Self::not_found(),
            AccountError::Taken => Self::new(Kind::Uniqueness, "The userName is taken"),
            other => Self::value(other.to_string()),
        }
    }
}
