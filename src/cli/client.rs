//! `slotwright client`: applications that may ask for access.

use super::{BY, Failure, Settings};
use crate::app::App;
use crate::app::audit::Caller;
use crate::app::oauth::clients::{self, Change, NewClient};
use crate::app::oauth::invitations::{self, Invitation};
use crate::app::oauth::register::{described, keys_reminder};
use crate::auth::client::{Client, ClientKeys, Proof};
use crate::clock::{Clock, instant_text};
use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What to do with applications.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Register an application, and print its client_id and secret
    Add(Add),
    /// Every application, one a line
    List(Settings),
    /// How an application is registered, as JSON (RFC 7591)
    Show {
        /// Its client_id
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change how an application is registered; what is not named stays
    Change(Changed),
    /// Switch an application off: its tokens end at once
    Disable {
        /// Its client_id
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Switch an application on again
    Enable {
        /// Its client_id
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make a new secret and print it
    Secret {
        /// Its client_id
        id: String,
        /// Hours for which the old secret stays good
        #[arg(long, value_name = "HOURS", default_value_t = 0)]
        keep_old: u32,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print an initial access token, by which others register applications themselves (RFC 7591)
    Invite {
        /// The most that an application registered with it may be given
        #[arg(long, value_name = "SCOPES")]
        scope: String,
        /// It may also register applications that act for themselves
        #[arg(long)]
        system: bool,
        /// How many applications
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=1000))]
        uses: i64,
        /// Hours for which it is good
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8760))]
        hours: u32,
        #[command(flatten)]
        settings: Settings,
    },
    /// Every initial access token that can still be used, one a line
    Invitations(Settings),
    /// Withdraw an initial access token
    Uninvite {
        /// Its id, as `client invitations` prints it
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Long-lived tokens for SCIM, for identity providers that can't fetch tokens themselves
    #[command(subcommand)]
    ScimToken(super::scim::ScimTokenCommand),
}

/// How an application is registered.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// What people are shown
    #[arg(long)]
    name: String,
    /// Its client_id; a new one unless given
    #[arg(long)]
    id: Option<String>,
    /// How it proves who it is
    #[arg(long, value_enum, default_value_t = Auth::None)]
    auth: Auth,
    /// It acts for itself (SMART Backend Services), not for people
    #[arg(long)]
    system: bool,
    /// The most that it may be given, such as "openid fhirUser launch/patient patient/Appointment.rs"
    #[arg(long, value_name = "SCOPES")]
    scope: String,
    /// Where answers may be sent; may be repeated
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where an EHR starts it
    #[arg(long, value_name = "URL")]
    launch_uri: Option<String>,
    /// File with its public keys (a JWK Set)
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where it publishes its public keys
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// It may ask what tokens of others mean
    #[arg(long)]
    may_introspect: bool,
    /// It may make the context that applications are started with, as an EHR does
    #[arg(long)]
    may_launch: bool,
    /// It may keep accounts and roles, as an identity provider does (SCIM)
    #[arg(long)]
    may_provision: bool,
    #[command(flatten)]
    settings: Settings,
}

/// What is changed of an application.
#[derive(Debug, Args)]
pub(super) struct Changed {
    /// Its client_id
    id: String,
    /// What people are shown
    #[arg(long)]
    name: Option<String>,
    /// The most that it may be given; what people allowed it beyond that ends
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Where answers may be sent, instead of all that were registered; may be repeated
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where an EHR starts it
    #[arg(long, value_name = "URL")]
    launch_uri: Option<String>,
    /// File with its public keys (a JWK Set)
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// Where it publishes its public keys
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Whether it may ask what tokens of others mean
    #[arg(long, value_name = "BOOL")]
    may_introspect: Option<bool>,
    /// Whether it may make the context that applications are started with
    #[arg(long, value_name = "BOOL")]
    may_launch: Option<bool>,
    /// Whether it may keep accounts and roles (SCIM)
    #[arg(long, value_name = "BOOL")]
    may_provision: Option<bool>,
    #[command(flatten)]
    settings: Settings,
}

/// How an application proves who it is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Auth {
    /// Not at all: it runs in a browser or on a phone
    None,
    /// By a secret, which is printed once
    Secret,
    /// By a key of its own (private_key_jwt)
    Key,
}

impl ClientCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List(settings) => {
                let app = open(&settings).await?;
                app.note(app.administration("list clients", "")).await?;
                for client in clients::all(&app).await? {
                    println!("{}", line(&client));
                }
                Ok(())
            }
            Self::Show { id, settings } => {
                let app = open(&settings).await?;
                let client = clients::find(&app, &id).await?.ok_or_else(|| unknown(&id))?;
                app.note(app.administration("show a client", &id)).await?;
                println!("{:#}", Value::Object(described(&client)));
                Ok(())
            }
            Self::Change(changed) => changed.run().await,
            Self::Disable { id, settings } => switch(&id, &settings, false).await,
            Self::Enable { id, settings } => switch(&id, &settings, true).await,
            Self::Secret { id, keep_old, settings } => {
                let app = open(&settings).await?;
                let overlap = Duration::from_secs(u64::from(keep_old) * 3600);
                let secret =
                    clients::renew_secret(&app, &id, overlap, BY).await.map_err(|e| e.description)?;
                println!("{}", secret.expose_secret());
                Ok(())
            }
            Self::Invite { scope, system, uses, hours, settings } => {
                let app = open(&settings).await?;
                let lifetime = Duration::from_secs(u64::from(hours) * 3600);
                let invitation = Invitation { scope, system };
                let made = invitations::invite(&app, invitation, uses, lifetime, BY).await;
                let (_, token) = made.map_err(|error| error.description)?;
                println!("{}", token.expose_secret());
                Ok(())
            }
            Self::Invitations(settings) => {
                let app = open(&settings).await?;
                app.note(app.administration("list invitations", "")).await?;
                for open in invitations::open(&app).await? {
                    let Invitation { scope, system } = &open.invitation;
                    let kind = if *system { "system" } else { "people" };
                    let (made, until) = (instant_text(open.made_us), instant_text(open.expires_us));
                    let (id, uses, by) = (&open.id, open.uses_left, &open.made_by);
                    println!("{id}  {uses} left  {kind}  made {made} by {by}  until {until}  {scope}");
                }
                Ok(())
            }
            Self::Uninvite { id, settings } => {
                let app = open(&settings).await?;
                if invitations::withdraw(&app, &id).await? {
                    return Ok(());
                }
                Err(format!("there is no invitation {id} that can still be used").into())
            }
            Self::ScimToken(command) => command.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> Result<(), Failure> {
        let keys = keys(self.jwks.as_deref(), self.jwks_uri)?;
        let new = NewClient {
            id: self.id,
            name: self.name,
            proof: match self.auth {
                Auth::None => Proof::None,
                Auth::Secret => Proof::Secret,
                Auth::Key => Proof::Key,
            },
            system: self.system,
            scope: self.scope,
            redirect_uris: self.redirect_uris,
            launch_uri: self.launch_uri,
            keys,
            may_introspect: self.may_introspect,
            may_launch: self.may_launch,
            may_provision: self.may_provision,
        };
        let app = open(&self.settings).await?;
        let made = clients::create(&app, new, BY).await;
        let (client, secret) = made.map_err(|error| error.description)?;
        println!("client_id: {}", client.id);
        if let Some(secret) = secret {
            println!("client_secret: {}", secret.expose_secret());
        }
        remind(&client);
        Ok(())
    }
}

impl Changed {
    async fn run(self) -> Result<(), Failure> {
        let keys = keys(self.jwks.as_deref(), self.jwks_uri)?;
        let app = open(&self.settings).await?;
        let old = clients::find(&app, &self.id).await?.ok_or_else(|| unknown(&self.id))?;
        let uris = if self.redirect_uris.is_empty() { old.redirect_uris } else { self.redirect_uris };
        let change = Change {
            name: self.name.unwrap_or(old.name),
            scope: self.scope.unwrap_or_else(|| old.scopes.to_string()),
            redirect_uris: uris,
            launch_uri: self.launch_uri.or(old.launch_uri),
            keys: keys.or(old.keys),
            may_introspect: self.may_introspect.unwrap_or(old.may_introspect),
            may_launch: self.may_launch.unwrap_or(old.may_launch),
            may_provision: self.may_provision.unwrap_or(old.may_provision),
        };
        let changed = clients::change(&app, &self.id, change, BY).await.map_err(|error| error.description)?;
        println!("{:#}", Value::Object(described(&changed)));
        remind(&changed);
        Ok(())
    }
}

/// Says what whoever registered keys directly must not forget.
fn remind(client: &Client) {
    if let Some(reminder) = keys_reminder(client) {
        eprintln!("{reminder}");
    }
}

/// The public keys that are named, by value or by where they are.
fn keys(file: Option<&Path>, url: Option<String>) -> Result<Option<ClientKeys>, Failure> {
    let Some(file) = file else { return Ok(url.map(ClientKeys::Url)) };
    let unusable = |error: String| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let set = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(ClientKeys::Set(set)))
}

pub(super) async fn open(settings: &Settings) -> Result<App, Failure> {
    let app = App::start(Arc::new(settings.load()?), Clock::system()).await?;
    Ok(app.called_by(Caller::of_work(BY)))
}

async fn switch(id: &str, settings: &Settings, on: bool) -> Result<(), Failure> {
    let app = open(settings).await?;
    if clients::switch(&app, id, on, BY).await? { Ok(()) } else { Err(unknown(id)) }
}

fn unknown(id: &str) -> Failure {
    format!("there is no application {id}, or it was so already").into()
}

fn line(client: &Client) -> String {
    let state = if client.disabled { "off" } else { "on" };
    let kind = if client.system { "system" } else { "people" };
    format!("{}  {state}  {kind}  {}  {}", client.id, client.proof.code(), client.name)
}
