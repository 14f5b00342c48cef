//! People of the sample clinic who can sign in. Nobody else makes them, and no server but the sandbox starts
//! on a database that holds them.

use super::Error;
use crate::app::App;
use crate::app::account::{self, AccountError, NewAccount};
use crate::auth::principal::{Role, RoleGrant};
use secrecy::SecretString;

/// The password of every account of the sandbox: made-up people guard nothing.
pub const PASSWORD: &str = "quiet harbor lantern";

/// Somebody who can sign in.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// What is typed at the sign-in.
    pub username: &'static str,
    /// As people call them.
    name: &'static str,
    /// Their role.
    pub role: Role,
    /// The resource that stands for them.
    pub fhir_user: Option<&'static str>,
}

/// One person of each role.
pub const PEOPLE: [Person; 5] = [
    Person { username: "scheduler", name: "Sam Rivers", role: Role::Scheduler, fhir_user: None },
    Person {
        username: "clinician",
        name: "Dr. Okafor",
        role: Role::Clinician,
        fhir_user: Some("Practitioner/dr-okafor"),
    },
    Person {
        username: "patient",
        name: "Patient pat-001",
        role: Role::Patient,
        fhir_user: Some("Patient/pat-001"),
    },
    Person { username: "compliance", name: "Carla Osei", role: Role::Compliance, fhir_user: None },
    Person { username: "administrator", name: "Ada Novak", role: Role::Administrator, fhir_user: None },
];

/// Makes the accounts that are not there.
pub(super) async fn make(app: &App) -> Result<(), Error> {
    for person in PEOPLE {
        match account::get(app, person.username).await {
            Err(AccountError::Unknown) => {}
            known => {
                known?;
                continue;
            }
        }
        let new = NewAccount {
            username: person.username.to_owned(),
            name: person.name.to_owned(),
            password: Some(SecretString::from(PASSWORD)),
            fhir_user: person.fhir_user.map(str::to_owned),
            locale: None,
            roles: vec![RoleGrant { role: person.role, organization: None }],
        };
        account::create(app, new, "sandbox").await?;
    }
    Ok(())
}
