//! `slotwright audit`: what can be done with the audit log, whether a server is running or not.

mod upkeep;

use super::{Failure, Settings};
use crate::app::audit::export::Wanted;
use crate::app::{App, audit};
use crate::audit::act::Act;
use crate::audit::event::{Actor, Event, Scene};
use crate::audit::import::{Files, Trust};
use crate::audit::key::Verifier;
use crate::audit::report::Report;
use crate::audit::{extract, import};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check an export, or the database: status 0 only when all holds; otherwise what is wrong, and where
    Verify {
        /// The directory of the export
        #[arg(value_name = "EXPORT_DIR", required_unless_present = "database")]
        export: Option<PathBuf>,
        /// The log itself, in this database; without URL that of the settings. Servers may go on writing
        #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", conflicts_with = "export")]
        database: Option<SecretString>,
        /// Checkpoints that you kept, one or many in a file: a history that was rewritten since is found out
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// A public key of the log, or of a witness, as you were given it; may be repeated
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Export the log, or the events of a patient or a period, with proofs; goes on with one that was broken off
    Export {
        /// The directory to make
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Only events about the Patient with this id
        #[arg(long, value_name = "ID")]
        patient: Option<String>,
        /// Only from events recorded at this instant on, such as 2026-03-01T00:00:00Z
        #[arg(long, value_name = "INSTANT")]
        from: Option<jiff::Timestamp>,
        /// Only up to events recorded before this instant
        #[arg(long, value_name = "INSTANT")]
        until: Option<jiff::Timestamp>,
        /// A public key of the log to put in, in place of those of audit.keys; may be repeated
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Remove the contents of events that are older than audit.retention; what goes is told by an event, the tree stays
    Purge {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Say how far the log is, and who else has which checkpoint
    Status {
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the proof of one event of an export (C2SP tlog-proof)
    Proof {
        /// The directory of the export
        #[arg(value_name = "EXPORT_DIR")]
        export: PathBuf,
        /// The event's place in the log
        seq: u64,
    },
    /// Make a key that signs checkpoints, in the directory of the settings, and print its public key
    Key {
        #[command(flatten)]
        settings: Settings,
    },
}

impl AuditCommand {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Verify { export, database, checkpoint, key, settings } => {
                let saved = checkpoint.as_deref().map(read).transpose()?;
                match (export, database) {
                    (Some(export), _) => verify(export, saved.as_deref(), &key),
                    (None, url) => verify_database(url, saved, key, settings.load()?).await,
                }
            }
            Self::Export { dir, patient, from, until, key, settings } => {
                let micros = |at: jiff::Timestamp| at.as_microsecond();
                let wanted = Wanted { patient, from: from.map(micros), until: until.map(micros) };
                export(&dir, &wanted, key, settings.load()?).await
            }
            Self::Purge { dry_run, settings } => upkeep::purge(dry_run, settings.load()?).await,
            Self::Status { settings } => upkeep::status(settings.load()?).await,
            Self::Proof { export, seq } => {
                let proof = extract::proof(&Directory(export), seq)?;
                let proof = proof.ok_or_else(|| format!("the export does not prove an event at {seq}"))?;
                print!("{}", proof.text());
                Ok(())
            }
            Self::Key { settings } => make_key(&settings.load()?),
        }
    }
}

/// An export in a directory.
struct Directory(PathBuf);

impl Files for Directory {
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn BufRead + '_>>> {
        match File::open(self.0.join(name)) {
            Ok(file) => Ok(Some(Box::new(BufReader::with_capacity(1 << 16, file)))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn unusable(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(std::fs::read(path).map_err(|error| unusable(path, error))?)
}

fn verify(export: PathBuf, saved: Option<&[u8]>, keys: &[Verifier]) -> Result<(), Failure> {
    if !export.is_dir() {
        return Err(format!("{}: is not a directory", export.display()).into());
    }
    let files = Directory(export.clone());
    let report = import::verify(&files, Trust { keys, saved, now: Clock::system().now() });
    let report = report.map_err(|error| unusable(&export, error))?;
    print_findings(&report);
    if keys.is_empty() {
        println!(
            "The keys are those of the export itself: compare the file \"key\" with what you were given."
        );
    }
    conclude(&report)
}

async fn verify_database(
    url: Option<SecretString>,
    saved: Option<Vec<u8>>,
    keys: Vec<Verifier>,
    config: Config,
) -> Result<(), Failure> {
    let own = keys.is_empty();
    let keys = public_keys(keys, &config)?;
    let url = url.filter(|url| !url.expose_secret().is_empty()).unwrap_or(config.database.url.clone());
    let store = Store::open_to_read(url.expose_secret(), &config.database).await?;
    let verified = audit::verify::verify(&store, keys, saved, Clock::system().now()).await?;
    store.close().await;
    print_findings(&verified.report);
    if own {
        println!("The keys are those of this machine (audit.keys): compare them with what you were given.");
    }
    if verified.waiting > 0 {
        println!("{} events wait for their place; nothing vouches for them yet.", verified.waiting);
    }
    conclude(&verified.report)
}

async fn export(dir: &Path, wanted: &Wanted, keys: Vec<Verifier>, config: Config) -> Result<(), Failure> {
    let keys = public_keys(keys, &config)?;
    let app = App::start(Arc::new(config), Clock::system()).await?;
    // That the record leaves the house is on the record first.
    app.recorder.record(vec![audit::record(&app, &taken(&app, wanted))?]).await?;
    let exported = audit::export::export(&app.store, dir, wanted, &keys).await;
    app.store.close().await;
    let manifest = exported?;
    println!("{}: {} events. Check it with: slotwright audit verify", dir.display(), manifest.events);
    Ok(())
}

fn taken(app: &App, wanted: &Wanted) -> Event {
    let actor = Actor { work: Some(super::BY), ..Actor::default() };
    let scene = Scene {
        address: None,
        server: app.config.server.public_base_url.clone().unwrap_or_else(|| audit::keys::origin(&app.config)),
        request_id: app.clock.new_id(),
    };
    let mut event = Event::new(Act::Export, actor, scene);
    event.patient.clone_from(&wanted.patient);
    for (name, at) in [("from", wanted.from), ("until", wanted.until)] {
        event.details.extend(at.map(|at| (name, crate::clock::instant_text(at))));
    }
    event
}

/// The keys as they were given, or those that belong to the keys that sign here, and those of the witnesses.
fn public_keys(given: Vec<Verifier>, config: &Config) -> Result<Vec<Verifier>, Failure> {
    if !given.is_empty() {
        return Ok(given);
    }
    let signers = audit::keys::load(config)?;
    let own = signers.iter().map(|signer| signer.verifier().clone());
    Ok(own.chain(audit::witness_keys(config)?).collect())
}

fn print_findings(report: &Report) {
    for finding in &report.findings {
        println!("{finding}");
    }
    if report.more > 0 {
        println!("and {} more", report.more);
    }
    if report.purged > 0 {
        println!("{} events: content lawfully purged.", report.purged);
    }
}

fn conclude(report: &Report) -> Result<(), Failure> {
    let seen =
        format!("{} events, {} purged, checkpoint of {} leaves", report.events, report.purged, report.size);
    if report.holds() {
        println!("{seen}: all holds.");
        Ok(())
    } else {
        Err(format!("{seen}: {} findings.", report.findings.len() as u64 + report.more).into())
    }
}

fn make_key(config: &Config) -> Result<(), Failure> {
    let seed = SecretBox::new(Box::new(Clock::system().random_bytes::<32>()?));
    let name = audit::keys::origin(config);
    let (path, signer) = audit::keys::create(&config.audit.keys, &name, seed.expose_secret())?;
    eprintln!(
        "{} signs from the next start on. Its public key, for whoever is to check the log:",
        path.display()
    );
    println!("{}", signer.verifier());
    Ok(())
}
