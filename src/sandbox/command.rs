//! `slotwright sandbox`: make the clinic if need be, serve it, say what to try.

use clap::Args;
use secrecy::SecretString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::running::Running;
use super::{Error, accounts, banner, clients, fill, reset};
use crate::app::App;
use crate::app::audit::keys::AuditKeyError;
use crate::app::audit::{self, Sequencer};
use crate::app::oauth::keys;
use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::{http, telemetry, worker};

/// Where a sandbox keeps its data unless told otherwise.
pub(super) const DATA: &str = "./data/sandbox";

/// What the command line says.
#[derive(Debug, Args)]
pub struct Options {
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Directory of the SQLite database
    #[arg(long, value_name = "DIRECTORY", default_value = DATA)]
    data: PathBuf,
    /// A PostgreSQL database to use instead: postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Delete what the sandbox holds and start afresh
    #[arg(long)]
    reset: bool,
}

/// Runs the sandbox until SIGTERM or Ctrl-C. `config` gives everything that the command line does not.
///
/// # Errors
/// When the address or the database can't be used.
pub async fn run(options: Options, mut config: Config) -> Result<(), Error> {
    // Other commands may look for it from elsewhere.
    let data = std::path::absolute(&options.data)?;
    let url = match options.database {
        Some(url) => url,
        None => sqlite_url(&data)?,
    };
    if options.reset {
        reset(&url).await?;
    }
    config.server.listen = options.listen;
    // Sandboxes run side by side; a metrics port of each would collide.
    config.server.metrics_listen = None;
    // Plain http, on loopback only; who has the machine may use all of it.
    config.tls.certificate = None;
    config.tls.key = None;
    config.tls.terminated_upstream = false;
    config.limits = Limits::none();
    // Apps that are tried out here publish their keys from this machine.
    let here = ["localhost", "127.0.0.1", "[::1]"];
    config.outbound.allow.extend(here.map(str::to_owned));
    config.subscriptions.allow.extend(here.map(str::to_owned));
    config.database.url = SecretString::from(url);
    if config.database.engine().is_none() {
        return Err(Error::Url);
    }
    telemetry::start(&config.log).map_err(|error| Error::Io(io::Error::other(error.to_string())))?;
    // First of all the port: nobody wants to hear that it is taken after a long load.
    let listener = http::bind_loopback(config.server.listen).await?;
    config.server.listen = listener.local_addr()?;
    let origin = format!("http://{}", config.server.listen);
    let running = Running { listens: config.server.listen, database: config.database.url.clone() };
    config.auth.keys = data.join("keys");
    let clock = Clock::system();
    if keys::list(&config.auth.keys, clock.now())?.is_empty() {
        keys::create(&config.auth.keys, clock.now())?;
    }
    config.audit.keys = data.join("audit-keys");
    if matches!(audit::keys::load(&config), Err(AuditKeyError::None(_))) {
        let seed = clock.random_bytes().map_err(|error| Error::Io(io::Error::other(error.to_string())))?;
        audit::keys::create(&config.audit.keys, &audit::keys::origin(&config), &seed)?;
    }
    let signers = audit::keys::load(&config)?;
    let app = App::start(Arc::new(config), clock).await?.as_sandbox();
    app.keys.check()?;
    let filled = fill(&app).await?;
    accounts::make(&app).await?;
    clients::make(&app).await?;
    let _notice = running.announce(&data)?;
    println!("{}", banner(&app, &origin, filled).await?);
    let sequencer = Sequencer::new(app.clone(), signers);
    let worker = tokio::spawn(worker::run(app.clone(), sequencer));
    let served = http::serve(app, listener, http::interrupted()).await;
    worker.abort();
    served?;
    Ok(())
}

/// Makes the directory and names the database in it.
fn sqlite_url(directory: &Path) -> Result<String, Error> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join("slotwright.db");
    // In a URL these two would mean something else.
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F");
    Ok(format!("sqlite:{path}"))
}
