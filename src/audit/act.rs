//! What can go on the record, and the codes that say so (DICOM PS3.15, R4 `restful-interaction`, IHE BALP 1.1.4).

use crate::fhir::interaction::Interaction;

/// A code of a code system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// URI of the code system.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
}

/// DICOM's codes.
pub const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// R4 `restful-interaction`.
pub const REST: &str = "http://hl7.org/fhir/restful-interaction";
/// Codes of ours, for what no other code system names.
pub const OURS: &str = "https://slotwright.org/fhir/CodeSystem/audit-event";
const TYPES: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const IHE_EVENTS: &str = "urn:ihe:event-type-code";
const AUTHZ: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";

const fn dcm(code: &'static str) -> Code {
    Code { system: DCM, code }
}

/// Which way data went: it decides the codes of the agents (BALP, Create to Query).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to this server.
    In,
    /// From this server to the client.
    Out,
    /// A query: the client is the source of the question.
    Asked,
    /// A deletion.
    Gone,
    /// Nothing of the record moved: sign-ins, tokens, administration.
    None,
}

/// Something that goes on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A resource came into being.
    Create,
    /// A current resource was read.
    Read,
    /// A certain version was read.
    VersionRead,
    /// A resource was changed by a new version of it.
    Update,
    /// A resource was changed by a patch.
    Patch,
    /// A resource was deleted.
    Delete,
    /// Resources were searched for.
    Search,
    /// History was read.
    History,
    /// A Bundle of independent requests.
    Batch,
    /// A Bundle of requests that succeed together.
    Transaction,
    /// An operation.
    Operation,
    /// What the server can do was read.
    Capabilities,
    /// A token was asked for (ITI-71).
    Token,
    /// A token, or what it came from, was withdrawn.
    TokenRevoked,
    /// Somebody asked what a token means.
    TokenInspected,
    /// A person signed in, or tried to.
    SignIn,
    /// A person signed out.
    SignOut,
    /// A person proved a first part of who they are, or went to a provider to prove it.
    SignInBegun,
    /// An application asked for access.
    AccessRequested,
    /// A person let an application have access, or did not.
    Authorized,
    /// A consent decided about an access.
    ConsentDecision,
    /// An emergency was declared.
    EmergencyStarted,
    /// An emergency ended.
    EmergencyEnded,
    /// Accounts, roles, clients, keys or settings were changed.
    Administration,
    /// The audit log was read.
    AuditRead,
    /// Data left in bulk.
    Export,
    /// Old contents of this log were deleted after their retention.
    Purge,
    /// An officer marked something as reviewed.
    Review,
    /// A notification was delivered to a subscriber, or not.
    Delivery,
    /// A process of this server began.
    Started,
    /// A process of this server ended.
    Stopped,
    /// Too many requests came.
    Limited,
}

impl Act {
    /// The act that a FHIR interaction is.
    pub fn of(interaction: &Interaction) -> Self {
        match interaction {
            Interaction::Capabilities => Self::Capabilities,
            Interaction::Read(..) => Self::Read,
            Interaction::VersionRead(..) => Self::VersionRead,
            Interaction::Search(_) => Self::Search,
            Interaction::History { .. } => Self::History,
            Interaction::Create { .. } => Self::Create,
            Interaction::Update(..) => Self::Update,
            Interaction::Patch(..) => Self::Patch,
            Interaction::Delete(..) => Self::Delete,
            Interaction::Bundle => Self::Transaction,
            Interaction::Operation { .. } => Self::Operation,
        }
    }

    /// `AuditEvent.type`.
    pub fn kind(self) -> Code {
        match self {
            Self::Token
            | Self::TokenRevoked
            | Self::TokenInspected
            | Self::SignIn
            | Self::SignInBegun
            | Self::SignOut
            | Self::AccessRequested
            | Self::Authorized => dcm("110114"),
            Self::ConsentDecision
            | Self::EmergencyStarted
            | Self::EmergencyEnded
            | Self::Administration
            | Self::Purge
            | Self::Review
            | Self::Limited => dcm("110113"),
            Self::AuditRead => dcm("110101"),
            Self::Export => dcm("110106"),
            Self::Delivery => Code { system: TYPES, code: "transmit" },
            Self::Started | Self::Stopped => dcm("110100"),
            _ => Code { system: TYPES, code: "rest" },
        }
    }

    /// `AuditEvent.subtype`.
    pub fn subtype(self) -> Code {
        let rest = |code| Code { system: REST, code };
        let ours = |code| Code { system: OURS, code };
        match self {
            Self::Create => rest("create"),
            Self::Read => rest("read"),
            Self::VersionRead => rest("vread"),
            Self::Update => rest("update"),
            Self::Patch => rest("patch"),
            Self::Delete => rest("delete"),
            Self::Search => rest("search"),
            Self::History => rest("history"),
            Self::Batch => rest("batch"),
            Self::Transaction => rest("transaction"),
            Self::Operation => rest("operation"),
            Self::Capabilities => rest("capabilities"),
            Self::Token => Code { system: IHE_EVENTS, code: "ITI-71" },
            Self::TokenRevoked => ours("token-revoked"),
            Self::TokenInspected => Code { system: IHE_EVENTS, code: "ITI-102" },
            Self::SignIn => dcm("110122"),
            Self::SignInBegun => ours("sign-in-begun"),
            Self::SignOut => dcm("110123"),
            Self::AccessRequested => ours("access-requested"),
            Self::Authorized => ours("authorized"),
            Self::ConsentDecision => Code { system: AUTHZ, code: "AuthZ-Consent" },
            Self::EmergencyStarted => dcm("110127"),
            Self::EmergencyEnded => dcm("110138"),
            Self::Administration => dcm("110129"),
            Self::AuditRead => ours("audit-read"),
            Self::Export => ours("export"),
            Self::Purge => Code { system: super::purge::SYSTEM, code: super::purge::CODE },
            Self::Review => ours("review"),
            Self::Delivery => ours("notification"),
            Self::Started => dcm("110120"),
            Self::Stopped => dcm("110121"),
            Self::Limited => ours("limited"),
        }
    }

    /// `AuditEvent.action`.
    pub fn action(self) -> &'static str {
        match self {
            Self::Create => "C",
            Self::Read
            | Self::VersionRead
            | Self::History
            | Self::Capabilities
            | Self::AuditRead
            | Self::Export
            | Self::Delivery => "R",
            Self::Update | Self::Patch => "U",
            Self::Delete | Self::Purge => "D",
            _ => "E",
        }
    }

    /// Which way data went.
    pub fn direction(self) -> Direction {
        match self {
            Self::Create | Self::Update | Self::Patch => Direction::In,
            Self::Read
            | Self::VersionRead
            | Self::History
            | Self::Capabilities
            | Self::AuditRead
            | Self::Export
            | Self::Delivery => Direction::Out,
            Self::Search | Self::Batch | Self::Transaction | Self::Operation => Direction::Asked,
            Self::Delete => Direction::Gone,
            _ => Direction::None,
        }
    }

    /// The last part of the canonical URL of the BALP profile that a success satisfies, without and with a patient.
    pub fn profile(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Create => Some(("Create", "PatientCreate")),
            Self::Read | Self::VersionRead => Some(("Read", "PatientRead")),
            Self::Update | Self::Patch => Some(("Update", "PatientUpdate")),
            Self::Delete => Some(("Delete", "PatientDelete")),
            Self::Search => Some(("Query", "PatientQuery")),
            _ => None,
        }
    }
}
