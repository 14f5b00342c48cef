//! Who makes a request, as far as it was proved.

use super::emergency::Emergency;
use super::scope::Scopes;

/// A role of the access rules (`policies.cedar`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Someone whose own record this is.
    Patient,
    /// Front desk and home-visit coordination.
    Scheduler,
    /// Someone who treats patients.
    Clinician,
    /// Reads the audit trail, never a clinical record.
    Compliance,
    /// A machine that acts for itself, as far as its registration says.
    System,
    /// Looks after clients, keys and accounts, never reads a record.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Patient,
        Self::Scheduler,
        Self::Clinician,
        Self::Compliance,
        Self::System,
        Self::Administrator,
    ];

    /// As policies, tokens and the command line write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Scheduler => "scheduler",
            Self::Clinician => "clinician",
            Self::Compliance => "compliance",
            Self::System => "system",
            Self::Administrator => "administrator",
        }
    }

    /// The role with this [`Role::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// A role, in one organisation or in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleGrant {
    /// The role.
    pub role: Role,
    /// Logical id of the Organization that it is limited to.
    pub organization: Option<String>,
}

/// What a request was proved to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person who signed in, by account id.
    Account(String),
    /// A client that acts for itself.
    Client,
    /// This server's own work, by its name, such as `worker`.
    Server(&'static str),
    /// The sandbox without sign-in; never in production.
    Sandbox,
}

/// Who makes a request, and what they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who it is.
    pub who: Who,
    /// The client through which they come; none for this server's own pages.
    pub client: Option<String>,
    /// Their roles.
    pub roles: Vec<RoleGrant>,
    /// `fhirUser`: type and logical id of the resource that stands for the person.
    pub fhir_user: Option<(String, String)>,
    /// Logical id of the Patient in context, which `patient/` scopes are about.
    pub patient: Option<String>,
    /// SMART scopes of the token; none: not limited by scopes (our own pages and work).
    pub scopes: Option<Scopes>,
    /// `jti` of the token.
    pub token: Option<String>,
    /// The authorization that the token comes from, when a person gave it.
    pub grant: Option<String>,
    /// The emergency that counts now ([`Emergency::counting`]); its purpose is the purpose of use of all they do.
    pub emergency: Option<Emergency>,
}

impl Principal {
    /// This server's own work, by its name.
    pub fn server(name: &'static str) -> Self {
        Self {
            who: Who::Server(name),
            roles: vec![RoleGrant { role: Role::System, organization: None }],
            scopes: None,
            ..Self::default()
        }
    }

    /// Whoever uses the sandbox without an access token.
    pub fn sandbox() -> Self {
        Self { who: Who::Sandbox, ..Self::server("sandbox") }
    }
}

impl Default for Principal {
    /// Nobody: no role and no scope.
    fn default() -> Self {
        Self {
            who: Who::Client,
            client: None,
            roles: Vec::new(),
            fhir_user: None,
            patient: None,
            scopes: Some(Scopes::default()),
            token: None,
            grant: None,
            emergency: None,
        }
    }
}
