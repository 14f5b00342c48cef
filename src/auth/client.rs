//! Registered applications.

use super::scope::Scopes;
use serde_json::Value;

/// How a client proves who it is at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It can't: a public client.
    None,
    /// A secret that it shares with us.
    Secret,
    /// A signed assertion (`private_key_jwt`).
    Key,
}

impl Proof {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::None, Self::Secret, Self::Key];

    /// As the database and the command line write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret => "secret",
            Self::Key => "key",
        }
    }

    /// The kind with this [`Proof::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.code() == code)
    }
}

/// A client's public keys.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientKeys {
    /// A JWK Set by value.
    Set(Value),
    /// Where it publishes one.
    Url(String),
}

/// A registered application.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// `client_id`
    pub id: String,
    /// What people are shown.
    pub name: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// Whether it acts for itself; otherwise for people.
    pub system: bool,
    /// The most that it may be given.
    pub scopes: Scopes,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// Where an EHR starts it.
    pub launch_uri: Option<String>,
    /// Its public keys, when it proves itself by one.
    pub keys: Option<ClientKeys>,
    /// Whether it may ask what tokens of others mean.
    pub may_introspect: bool,
    /// Whether it may make launch contexts.
    pub may_launch: bool,
    /// Whether it is switched off.
    pub disabled: bool,
}

impl Client {
    /// Whether `uri` is one of the registered ones, to the byte: every looser comparison is an open redirector
    /// (RFC 9700 §2.1).
    pub fn has_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered == uri)
    }
}
