//! The words of the access rules: actions, areas, and the obligations that a rule carries.

use super::principal::Role;
use super::scope::Right;

/// Something that rules speak of doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Store a new resource.
    Create,
    /// Read one resource, its versions and its history.
    Read,
    /// Change a resource.
    Update,
    /// Delete a resource.
    Delete,
    /// Search, and read the history of a type.
    Search,
    /// Book over time that is taken.
    Override,
    /// Export the audit trail and verify that it is whole.
    Audit,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search, Self::Override, Self::Audit];

    /// As policies and the command line write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Search => "search",
            Self::Override => "override",
            Self::Audit => "audit",
        }
    }

    /// The act with this [`Act::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.code() == code)
    }
}

impl From<Right> for Act {
    fn from(right: Right) -> Self {
        match right {
            Right::Create => Self::Create,
            Right::Read => Self::Read,
            Right::Update => Self::Update,
            Right::Delete => Self::Delete,
            Right::Search => Self::Search,
        }
    }
}

/// What this server keeps besides resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Registered clients.
    Clients,
    /// Signing keys.
    Keys,
    /// Accounts and their roles.
    Users,
    /// Declared emergencies and their review.
    Emergencies,
    /// Notifications on their way to subscribers.
    Deliveries,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 5] = [Self::Clients, Self::Keys, Self::Users, Self::Emergencies, Self::Deliveries];

    /// As policies write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Keys => "keys",
            Self::Users => "users",
            Self::Emergencies => "emergencies",
            Self::Deliveries => "deliveries",
        }
    }
}

/// Of whom a rule speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Whoever has a role.
    Role(Role),
    /// Whoever uses a scope of one patient.
    PatientScopes,
}

impl Subject {
    /// Every subject: the roles, then the scopes.
    pub fn all() -> impl Iterator<Item = Self> {
        Role::ALL.into_iter().map(Self::Role).chain([Self::PatientScopes])
    }

    /// As the command line writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Role(role) => role.code(),
            Self::PatientScopes => "patient-scopes",
        }
    }

    /// The subject with this [`Subject::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|subject| subject.code() == code)
    }
}

/// `@filter`: which resources of a type a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterKind {
    /// In the compartment of the patient who signed in.
    Own,
    /// The same, and no other patient takes part.
    OwnAlone,
    /// Of patients whom the clinician treats, or in which the clinician takes part.
    Treated,
    /// Calendars of staff, rooms and services that are in use.
    Public,
    /// Of the organisation that the role was given for.
    Organization,
    /// In the compartment of the patient in context.
    InContext,
    /// Of the patient of the emergency that is running.
    Emergency,
    /// Set up by whoever asks, through the same client.
    Subscriber,
}

impl FilterKind {
    /// Every filter.
    pub const ALL: [Self; 8] = [
        Self::Own,
        Self::OwnAlone,
        Self::Treated,
        Self::Public,
        Self::Organization,
        Self::InContext,
        Self::Emergency,
        Self::Subscriber,
    ];

    /// As policies write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::OwnAlone => "own-alone",
            Self::Treated => "treated",
            Self::Public => "public",
            Self::Organization => "organization",
            Self::InContext => "in-context",
            Self::Emergency => "emergency",
            Self::Subscriber => "subscriber",
        }
    }

    /// The filter with this [`FilterKind::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// `@view`: which part of a resource a rule shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// When there is free time.
    FreeBusy,
    /// Who a patient is and how to reach them.
    Demographics,
    /// Whether a patient consents.
    Decision,
    /// Who looked at a record, and when.
    Redacted,
    /// What is subscribed to, without where it is sent.
    Settings,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 5] =
        [Self::FreeBusy, Self::Demographics, Self::Decision, Self::Redacted, Self::Settings];

    /// As policies write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::FreeBusy => "free-busy",
            Self::Demographics => "demographics",
            Self::Decision => "decision",
            Self::Redacted => "redacted",
            Self::Settings => "settings",
        }
    }

    /// The view with this [`View::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.code() == code)
    }
}
