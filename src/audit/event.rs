//! What happened, before it is written as an AuditEvent.

use super::act::Act;
use super::terms::Terms;
use crate::clock::Micros;

/// Something that happened, and that goes on the record.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was.
    pub act: Act,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// In what it happened.
    pub scene: Scene,
    /// Logical id of the patient whose data it touched; one event speaks of one patient at most.
    pub patient: Option<String>,
    /// What it was about: `Type/id`, or `Type/id/_history/vid` of a version.
    pub data: Vec<String>,
    /// Versions of other resources that followed from it: the slots that a booking fills.
    pub followed: Vec<String>,
    /// The request that was asked, for searches and operations. Cleaned and bounded when it is written.
    pub query: Option<String>,
    /// Names and values that tell more, such as the reason of an override.
    pub details: Vec<(&'static str, String)>,
}

impl Event {
    /// An event that succeeded and is about nothing yet.
    pub fn new(act: Act, actor: Actor, scene: Scene) -> Self {
        Self {
            act,
            outcome: Outcome::Success,
            actor,
            scene,
            patient: None,
            data: Vec::new(),
            followed: Vec::new(),
            query: None,
            details: Vec::new(),
        }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The same, about this patient.
    #[must_use]
    pub fn patient(self, id: impl Into<String>) -> Self {
        Self { patient: Some(id.into()), ..self }
    }

    /// The same, not allowed.
    #[must_use]
    pub fn denied(self, told: impl Into<String>) -> Self {
        Self { outcome: Outcome::Denied(told.into()), ..self }
    }
}

/// How it ended (R4 `audit-event-outcome`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0
    Success,
    /// 4: the caller was at fault; what was said to them.
    Refused(String),
    /// 8: it was not allowed.
    Denied(String),
    /// 12: the server failed.
    Failed(String),
}

impl Outcome {
    /// The outcome of a request that was answered with this HTTP status and message.
    pub fn of_status(status: u16, message: impl Into<String>) -> Self {
        match status {
            ..=399 => Self::Success,
            // A patient's record that is out of reach looks as if it were not there: denials hide here, too.
            401 | 403 | 429 => Self::Denied(message.into()),
            400..=499 => Self::Refused(message.into()),
            _ => Self::Failed(message.into()),
        }
    }

    /// `AuditEvent.outcome`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::Refused(_) => "4",
            Self::Denied(_) => "8",
            Self::Failed(_) => "12",
        }
    }

    /// `AuditEvent.outcomeDesc`.
    pub fn description(&self) -> Option<&str> {
        match self {
            Self::Success => None,
            Self::Refused(text) | Self::Denied(text) | Self::Failed(text) => Some(text),
        }
    }
}

/// Who did it, as far as it was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The application, by its client id.
    pub client: Option<String>,
    /// The person: who vouches for them, and the name that they have there.
    pub person: Option<Person>,
    /// Codes of their roles.
    pub roles: Vec<&'static str>,
    /// Logical ids of the organisations that roles were given for; none: for all.
    pub organizations: Vec<String>,
    /// `jti` of the access token.
    pub token: Option<String>,
    /// v3-ActReason: why it was done, such as `BTG`.
    pub purpose: Option<String>,
    /// This server's own work, by its name.
    pub work: Option<&'static str>,
}

/// A person who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The issuer that vouches for them.
    pub issuer: String,
    /// Their name there: `sub`.
    pub subject: String,
    /// `Type/id` of the resource that stands for them.
    pub fhir_user: Option<String>,
}

/// In what it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Address that the request came from.
    pub address: Option<String>,
    /// Public base of this server.
    pub server: String,
    /// `X-Request-Id`.
    pub request_id: String,
}

/// An event as it is kept.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `AuditEvent.id`.
    pub id: String,
    /// `AuditEvent.recorded`.
    pub recorded_us: Micros,
    /// Keeps the digest of the content from being guessed.
    pub salt: [u8; 32],
    /// The AuditEvent as canonical JSON (RFC 8785).
    pub body: Vec<u8>,
    /// What it is found by.
    pub terms: Terms,
}
