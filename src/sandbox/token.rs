//! `slotwright sandbox token`: an access token of the running sandbox, for curl and scripts.
//!
//! It goes the way of every token: an authorization request, a person's approval, a code, an exchange. So it
//! carries what any token of that role carries, and what is withdrawn ends it.

use super::clients::{PEOPLE, REDIRECT, SYSTEM, SYSTEM_SCOPE};
use super::running::Running;
use super::{Error, accounts, load};
use crate::app::App;
use crate::app::account;
use crate::app::oauth::authorize::{Begun, begin};
use crate::app::oauth::pending::{self, Approval};
use crate::app::oauth::tokens::{self, Subject};
use crate::app::oauth::{Credentials, clients, exchange};
use crate::auth::error::OAuthError;
use crate::auth::params::Params;
use crate::auth::principal::Role;
use crate::auth::scope::Scopes;
use crate::auth::{jws, pkce};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::sandbox::marked;
use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line says.
#[derive(Debug, Args)]
pub struct TokenOptions {
    /// Whose token it is
    #[arg(long, value_enum)]
    role: TokenRole,
    /// Directory of the running sandbox
    #[arg(long, value_name = "DIRECTORY", default_value = super::command::DATA)]
    data: PathBuf,
}

/// A role of the sandbox's people and applications.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TokenRole {
    /// An application that acts for itself
    System,
    /// The front desk
    Scheduler,
    /// Dr. Okafor
    Clinician,
    /// The patient pat-001
    Patient,
    /// A compliance officer
    Compliance,
    /// An administrator, who reads no record
    #[value(alias = "administrator")]
    Admin,
}

impl TokenRole {
    fn role(self) -> Role {
        match self {
            Self::System => Role::System,
            Self::Scheduler => Role::Scheduler,
            Self::Clinician => Role::Clinician,
            Self::Patient => Role::Patient,
            Self::Compliance => Role::Compliance,
            Self::Admin => Role::Administrator,
        }
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing runs there.
    #[error("no sandbox is running from {}; start one (slotwright sandbox), or name its --data", .0.display())]
    NotRunning(PathBuf),
    /// The sandbox's own client or account was changed or switched off.
    #[error("the sandbox gives no token: {}", .0.description)]
    Refused(OAuthError),
    /// There is no account of that role any more.
    #[error("the sandbox has nobody of that role")]
    Nobody,
    /// No randomness.
    #[error("no randomness")]
    Randomness,
}

/// An access token of the sandbox that runs from the directory. `config` gives what the command line does not.
///
/// # Errors
/// When no sandbox runs from there, its database is not a sandbox's, or its client or account was switched off.
pub async fn token(options: TokenOptions, mut config: Config) -> Result<SecretString, Error> {
    let running = Running::find(&options.data).await?;
    let running = running.ok_or_else(|| TokenError::NotRunning(options.data.clone()))?;
    if !marked(running.database.expose_secret(), load::SANDBOX).await? {
        return Err(Error::NotASandbox);
    }
    config.server.listen = running.listens;
    config.database.url = running.database;
    config.auth.keys = options.data.join("keys");
    let app = App::start(Arc::new(config), Clock::system()).await?;
    let base = format!("http://{}/fhir", running.listens);
    let made = match options.role.role() {
        Role::System => of_system(&app, &base).await,
        role => of_person(&app, base, role).await,
    };
    app.store.close().await;
    made
}

/// The client that acts for itself.
async fn of_system(app: &App, base: &str) -> Result<SecretString, Error> {
    let client = clients::find(app, SYSTEM).await?.filter(|client| !client.disabled);
    let client = client.ok_or(TokenError::Nobody)?;
    let scope = Scopes::parse(SYSTEM_SCOPE).narrowed_to(&client.scopes).to_string();
    let subject = Subject { subject: client.id.clone(), client: client.id, scope, ..Subject::default() };
    let issued = tokens::issue(app, base, subject, app.config.auth.system_lifetime).await;
    Ok(issued.map_err(TokenError::Refused)?.token.into())
}

/// The account of that role, as if its owner had approved what the client asks for.
async fn of_person(app: &App, base: String, role: Role) -> Result<SecretString, Error> {
    let person = accounts::PEOPLE.into_iter().find(|person| person.role == role).ok_or(TokenError::Nobody)?;
    let (account, _) = account::get(app, person.username).await?;
    let patient = person.fhir_user.and_then(|user| user.strip_prefix("Patient/"));
    let scope = if patient.is_some() {
        "openid fhirUser launch/patient patient/*.cruds"
    } else {
        "openid fhirUser user/*.cruds"
    };
    let random = app.clock.random_bytes::<32>().map_err(|_| TokenError::Randomness)?;
    let verifier = jws::base64url(&random);
    let bases = [base];
    let [base] = &bases;
    let query = form(&[
        ("response_type", "code"),
        ("client_id", PEOPLE),
        ("redirect_uri", REDIRECT),
        ("scope", scope),
        ("state", "sandbox"),
        ("aud", base),
        ("code_challenge", &pkce::challenge(&verifier)),
        ("code_challenge_method", "S256"),
    ]);
    let refused = |description| TokenError::Refused(OAuthError::internal(description));
    let id = match begin(app, &bases, &Params::parse(&query)).await.map_err(TokenError::Refused)? {
        Begun::Waits { id, .. } => id,
        Begun::Refused(_) => return Err(refused("the request was refused").into()),
    };
    let approval = Approval {
        account: account.id,
        session: String::new(),
        auth_time_us: app.clock.now(),
        scopes: Scopes::parse(scope),
        patient: patient.map(str::to_owned),
        encounter: None,
    };
    let sent_to = pending::approve(app, &id, approval).await?.ok_or(TokenError::Nobody)?;
    let answer = Params::parse(sent_to.split_once('?').map(|(_, query)| query).unwrap_or_default());
    let code = answer.only("code").ok_or(TokenError::Nobody)?;
    let query = form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", &verifier),
    ]);
    let credentials = Ok(Credentials::Public(PEOPLE.to_owned()));
    let answer = exchange(app, &bases, &[], &Params::parse(&query), credentials).await;
    let answer = answer.map_err(TokenError::Refused)?;
    let token = answer.get("access_token").and_then(serde_json::Value::as_str);
    Ok(token.ok_or(TokenError::Nobody)?.to_owned().into())
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
