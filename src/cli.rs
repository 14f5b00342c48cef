//! The command line: what `main` runs. Errors are one clear message, never a backtrace.

mod user;

use crate::app::{self, App};
use crate::clock::Clock;
use crate::config::Config;
use crate::fhir::registry::resource_type;
use crate::store::Store;
use crate::{http, sandbox};
use clap::{Args, Parser, Subcommand};
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

mod audit;
mod client;
mod keys;
mod policy;
mod scim;
// What leaves no record serves nobody.
#[cfg(not(feature = "unaudited"))]
mod serve;

/// What is written down about who made a change.
const BY: &str = "command line";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A FHIR R4 scheduling server that never sells a minute twice.
#[derive(Debug, Parser)]
#[command(name = "slotwright", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the FHIR endpoint until SIGTERM or Ctrl-C
    #[cfg(not(feature = "unaudited"))]
    Serve(Settings),
    /// Serve a made-up clinic to try things with
    #[command(args_conflicts_with_subcommands = true)]
    Sandbox {
        #[command(subcommand)]
        command: Option<SandboxCommand>,
        #[command(flatten)]
        options: sandbox::Options,
        #[command(flatten)]
        settings: Settings,
    },
    /// Compare the booking ledger with the appointments, slots and history, and name every difference
    Check(Settings),
    /// Write the OpenAPI description of every route
    Openapi {
        /// Where it is kept; "-" prints it
        #[arg(value_name = "FILE", default_value = "openapi/slotwright.json")]
        file: PathBuf,
        /// Write nothing, and fail when FILE is out of date
        #[arg(long)]
        check: bool,
    },
    /// The audit log: check it or an export, export it, take a proof out of one, make a key
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Applications that may ask for access
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// The keys that sign tokens
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// The access rules: check them, or explain what they say
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Bring the tables of the database up to date, and do nothing else
    Migrate(Settings),
    /// Look after accounts and roles
    #[command(subcommand)]
    User(user::UserCommand),
}

/// What to do with a sandbox that runs.
#[derive(Debug, Subcommand)]
enum SandboxCommand {
    /// Print an access token of the running sandbox, for curl and scripts
    Token {
        #[command(flatten)]
        options: sandbox::TokenOptions,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Settings {
    /// Settings file (TOML); SLOTWRIGHT_SECTION__KEY in the environment wins over it
    #[arg(long, value_name = "FILE", env = "SLOTWRIGHT_CONFIG")]
    config: Option<PathBuf>,
}

impl Settings {
    fn load(&self) -> Result<Config, Failure> {
        // Not unicode: not ours.
        let env =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let config = Config::load(self.config.as_deref(), env)?;
        for name in &config.references.unchecked_types {
            if resource_type(name).is_none() {
                return Err(
                    format!("references.unchecked_types: \"{name}\" is not a type of this server").into()
                );
            }
        }
        Ok(config)
    }
}

impl Cli {
    /// Runs the command: 0 when it did its work, 1 when it could not (clap itself exits with 2 on misuse).
    pub async fn run(self) -> ExitCode {
        match Box::pin(self.command.run()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("slotwright: {failure}");
                ExitCode::FAILURE
            }
        }
    }
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            #[cfg(not(feature = "unaudited"))]
            Self::Serve(settings) => serve::serve(settings.load()?).await,
            Self::Sandbox { command: Some(SandboxCommand::Token { options, settings }), .. } => {
                println!("{}", Box::pin(sandbox::token(options, settings.load()?)).await?.expose_secret());
                Ok(())
            }
            Self::Sandbox { command: None, options, settings } => {
                Ok(Box::pin(sandbox::run(options, settings.load()?)).await?)
            }
            Self::Check(settings) => check(settings.load()?).await,
            Self::Audit(command) => Box::pin(command.run()).await,
            Self::Client(command) => Box::pin(command.run()).await,
            Self::Key(command) => command.run().await,
            Self::Openapi { file, check } => openapi(&file, check),
            Self::User(command) => command.run().await,
            Self::Policy(command) => command.run(),
            Self::Migrate(settings) => {
                let config = settings.load()?;
                Store::open(config.database.url.expose_secret(), &config.database).await?.close().await;
                println!("The tables are up to date.");
                Ok(())
            }
        }
    }
}

/// Writes, prints or compares the description that `openapi/` holds.
fn openapi(file: &Path, check: bool) -> Result<(), Failure> {
    let text = format!("{:#}\n", http::openapi());
    let unusable = |error: std::io::Error| format!("{}: {error}", file.display());
    if check {
        if std::fs::read_to_string(file).map_err(unusable)? != text {
            return Err(format!("{} is out of date; run: slotwright openapi", file.display()).into());
        }
    } else if file == Path::new("-") {
        print!("{text}");
    } else {
        std::fs::write(file, text).map_err(unusable)?;
    }
    Ok(())
}

async fn check(config: Config) -> Result<(), Failure> {
    let app = App::start(Arc::new(config), Clock::system()).await?;
    let report = app::check::run(&app).await?;
    app.store.close().await;
    for finding in &report.findings {
        println!("{finding}");
    }
    let seen = format!("{} appointments and {} slots", report.appointments, report.slots);
    if report.findings.is_empty() {
        println!("{seen}: no difference.");
        Ok(())
    } else {
        Err(format!("{seen}: {} differences.", report.findings.len()).into())
    }
}
