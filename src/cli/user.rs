//! `slotwright user`: accounts and roles from the command line, for the first administrator and for emergencies.

use super::{BY, Failure, Settings};
use crate::app::App;
use crate::app::account::{self, NewAccount};
use crate::app::audit::Caller;
use crate::auth::principal::{Role, RoleGrant};
use crate::clock::{Clock, Micros, instant_text};
use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use std::io::Read as _;
use std::str::FromStr;
use std::sync::Arc;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make an account, and print a password for it unless one comes on standard input
    Add {
        /// What the person types to sign in
        username: String,
        /// The person's name
        #[arg(long)]
        name: String,
        /// A role, in all organisations or in one: scheduler, clinician@ORGANIZATION-ID; repeatable
        #[arg(long = "role", value_name = "ROLE[@ORGANIZATION]")]
        roles: Vec<RoleName>,
        /// The resource that stands for the person, such as Practitioner/dr-a
        #[arg(long, value_name = "TYPE/ID")]
        fhir_user: Option<String>,
        /// Language of the pages: en or es
        #[arg(long)]
        locale: Option<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Give or take roles
    Role {
        /// Username or id
        account: String,
        /// A role to give; repeatable
        #[arg(long, value_name = "ROLE[@ORGANIZATION]")]
        add: Vec<RoleName>,
        /// A role to take; repeatable
        #[arg(long, value_name = "ROLE[@ORGANIZATION]")]
        remove: Vec<RoleName>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Set a new password; every session of the account ends
    Password {
        /// Username or id
        account: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
        /// Stop asking for the authenticator app too, for somebody who lost it
        #[arg(long)]
        forget_second_factor: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Take an account out of use, at once
    Disable {
        /// Username or id
        account: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Let an account be used again
    Enable {
        /// Username or id
        account: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print who has which role, since when and by whom, and when it was last used
    Review {
        /// How
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
        #[command(flatten)]
        settings: Settings,
    },
}

/// A form of the review.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// For a spreadsheet
    Csv,
    /// For a program
    Json,
}

/// `ROLE` or `ROLE@ORGANIZATION`.
#[derive(Clone, Debug)]
pub(super) struct RoleName(RoleGrant);

impl FromStr for RoleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, organization) = match text.split_once('@') {
            Some((name, organization)) => (name, Some(organization.to_owned())),
            None => (text, None),
        };
        let known = || {
            let people = Role::ALL.into_iter().filter(|role| *role != Role::System);
            people.map(Role::code).collect::<Vec<_>>().join(", ")
        };
        match Role::from_code(name) {
            Some(role) if role != Role::System => Ok(Self(RoleGrant { role, organization })),
            _ => Err(format!("a role is one of {}", known())),
        }
    }
}

impl UserCommand {
    fn settings(&self) -> &Settings {
        match self {
            Self::Add { settings, .. }
            | Self::List { settings }
            | Self::Role { settings, .. }
            | Self::Password { settings, .. }
            | Self::Disable { settings, .. }
            | Self::Enable { settings, .. }
            | Self::Review { settings, .. } => settings,
        }
    }

    /// Carries it out.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = self.settings().load()?;
        let app = App::start(Arc::new(config), Clock::system()).await?;
        let app = app.called_by(Caller::of_work(BY));
        let done = self.carry_out(&app).await;
        app.store.close().await;
        done
    }

    async fn carry_out(self, app: &App) -> Result<(), Failure> {
        match self {
            Self::Add { username, name, roles, fhir_user, locale, password_stdin, .. } => {
                let (password, told) = password(app, password_stdin)?;
                let roles = roles.into_iter().map(|role| role.0).collect();
                let new = NewAccount { username, name, password: Some(password), fhir_user, locale, roles };
                let account = account::create(app, new, BY).await?;
                println!("{}  {}", account.id, account.username);
                tell(told);
            }
            Self::List { .. } => {
                app.note(app.administration("list accounts", "")).await?;
                list(app).await?;
            }
            Self::Role { account, add, remove, .. } => {
                let (account, _) = account::get(app, &account).await?;
                for role in add {
                    account::give_role(app, &account.id, &role.0, BY).await?;
                }
                for role in remove {
                    account::take_role(app, &account.id, &role.0).await?;
                }
                let (_, roles) = account::get(app, &account.id).await?;
                println!("{}  {}", account.username, roles_text(&roles));
            }
            Self::Password { account, password_stdin, forget_second_factor, .. } => {
                let (account, _) = account::get(app, &account).await?;
                let (password, told) = password(app, password_stdin)?;
                account::set_password(app, &account.id, &password).await?;
                if forget_second_factor {
                    account::remove(app, &account.id).await?;
                }
                tell(told);
            }
            Self::Disable { account, .. } => {
                let (account, _) = account::get(app, &account).await?;
                account::disable(app, &account.id).await?;
            }
            Self::Enable { account, .. } => {
                let (account, _) = account::get(app, &account).await?;
                account::enable(app, &account.id).await?;
            }
            Self::Review { format, .. } => {
                app.note(app.administration("review who has which role", "")).await?;
                let rows = account::review(app).await?;
                match format {
                    Format::Csv => print!("{}", account::csv(&rows)),
                    Format::Json => println!("{:#}", account::json(&rows)),
                }
            }
        }
        Ok(())
    }
}

/// The password to set and, when it was made here, what to tell the person.
fn password(app: &App, stdin: bool) -> Result<(SecretString, Option<SecretString>), Failure> {
    if !stdin {
        let made = SecretString::from(account::generated_password(app)?);
        return Ok((made.clone(), Some(made)));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok((SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()), None))
}

fn tell(password: Option<SecretString>) {
    if let Some(password) = password {
        println!(
            "Password: {} (not shown again; the person changes it on /account)",
            password.expose_secret()
        );
    }
}

async fn list(app: &App) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let page = account::list(app, &after, 500).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.username);
        for found in page {
            let (found, roles) = account::get(app, &found.id).await?;
            let time = |at: Option<Micros>| at.map_or_else(|| "never".to_owned(), instant_text);
            let state = if found.disabled_us.is_some() { "disabled" } else { "enabled" };
            println!(
                "{}  {}  {state}  last sign-in {}  {}",
                found.username,
                found.name,
                time(found.last_sign_in_us),
                roles_text(&roles)
            );
        }
    }
}

fn roles_text(roles: &[crate::store::account::Grant]) -> String {
    let text = |grant: &crate::store::account::Grant| {
        if grant.organization.is_empty() {
            grant.role.clone()
        } else {
            format!("{}@{}", grant.role, grant.organization)
        }
    };
    if roles.is_empty() { "no role".to_owned() } else { roles.iter().map(text).collect::<Vec<_>>().join(" ") }
}
