//! The errors of OAuth endpoints, which are none of FHIR's (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core
//! §3.1.2.6, RFC 7591 §3.2.2).

use std::fmt;

/// `error`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Something is missing, repeated or malformed.
    InvalidRequest,
    /// The client did not prove who it is.
    InvalidClient,
    /// The code, refresh token or assertion is not valid (any more), or not this client's.
    InvalidGrant,
    /// The client may not use this way of asking.
    UnauthorizedClient,
    /// No such way of asking.
    UnsupportedGrantType,
    /// Nothing but `code` is answered.
    UnsupportedResponseType,
    /// More than may be had.
    InvalidScope,
    /// The person said no.
    AccessDenied,
    /// The person must sign in, and `prompt` forbids to ask.
    LoginRequired,
    /// The person must decide, and `prompt` forbids to ask.
    InteractionRequired,
    /// The bearer token is not valid.
    InvalidToken,
    /// The bearer token does not allow this.
    InsufficientScope,
    /// A redirect URI can't be registered.
    InvalidRedirectUri,
    /// What is to be registered makes no sense.
    InvalidClientMetadata,
    /// Our fault.
    ServerError,
    /// Try again later.
    TemporarilyUnavailable,
}

impl Code {
    /// As it is written.
    pub fn text(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status at an endpoint that answers in JSON.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// Row of the table.
    pub code: Code,
    /// What the client's developer reads: `error_description`, in ASCII without quotes (RFC 6749 §5.2).
    pub description: &'static str,
    /// The member of what was sent that is at fault, where one is.
    pub field: Option<&'static str>,
    /// Internal cause for the log; never sent.
    pub detail: Option<String>,
    /// The transaction lost a race inside the database and may be run again as it is.
    pub retry: bool,
}

impl OAuthError {
    /// An error that the client is told.
    pub fn new(code: Code, description: &'static str) -> Self {
        Self { code, description, field: None, detail: None, retry: false }
    }

    /// Our fault; `detail` goes to the log alone.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(Code::ServerError, "the server could not complete the request")
        }
    }

    /// Says which member is at fault.
    #[must_use]
    pub fn about(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// Adds what only the log reads.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.text(), self.description)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OAuthError {}
