//! `slotwright audit`: what can be done with the audit log without a server.

use super::Failure;
use crate::audit::import::{Files, Trust};
use crate::audit::key::{Signer, Verifier};
use crate::audit::{extract, import};
use crate::clock::Clock;
use clap::Subcommand;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check an export: status 0 only when all holds; otherwise what is wrong, and where
    Verify {
        /// The directory of the export
        #[arg(value_name = "EXPORT_DIR")]
        export: PathBuf,
        /// A checkpoint that you kept: a history that was rewritten since is found out
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// A public key of the log, or of a witness, as you were given it; may be repeated
        #[arg(long, value_name = "KEY")]
        key: Vec<Verifier>,
    },
    /// Print the proof of one event of an export (C2SP tlog-proof)
    Proof {
        /// The directory of the export
        #[arg(value_name = "EXPORT_DIR")]
        export: PathBuf,
        /// The event's place in the log
        seq: u64,
    },
    /// Make a key that signs checkpoints, and print its public key
    Key {
        /// The log's name, such as clinic.example/audit
        name: String,
        /// Where to write it; it must not exist
        file: PathBuf,
    },
}

impl AuditCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Verify { export, checkpoint, key } => verify(export, checkpoint.as_deref(), &key),
            Self::Proof { export, seq } => {
                let proof = extract::proof(&Directory(export), seq)?;
                let proof = proof.ok_or_else(|| format!("the export does not prove an event at {seq}"))?;
                print!("{}", proof.text());
                Ok(())
            }
            Self::Key { name, file } => make_key(&name, &file),
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

fn verify(export: PathBuf, checkpoint: Option<&Path>, keys: &[Verifier]) -> Result<(), Failure> {
    let unusable = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    if !export.is_dir() {
        return Err(format!("{}: is not a directory", export.display()).into());
    }
    let saved = match checkpoint {
        Some(path) => Some(std::fs::read(path).map_err(|error| unusable(path, error))?),
        None => None,
    };
    let files = Directory(export.clone());
    let report = import::verify(&files, Trust { keys, saved: saved.as_deref() });
    let report = report.map_err(|error| unusable(&export, error))?;
    for finding in &report.findings {
        println!("{finding}");
    }
    if report.more > 0 {
        println!("and {} more", report.more);
    }
    if keys.is_empty() {
        println!(
            "The keys are those of the export itself: compare the file \"key\" with what you were given."
        );
    }
    let seen =
        format!("{} events, {} purged, checkpoint of {} leaves", report.events, report.purged, report.size);
    if report.holds() {
        println!("{seen}: all holds.");
        Ok(())
    } else {
        Err(format!("{seen}: {} findings.", report.findings.len() as u64 + report.more).into())
    }
}

fn make_key(name: &str, path: &Path) -> Result<(), Failure> {
    let seed = SecretBox::new(Box::new(Clock::system().random_bytes::<32>()?));
    let signer = Signer::from_seed(name, seed.expose_secret()).map_err(|error| format!("the key {error}"))?;
    let pem = SecretString::from(signer.to_pem().map_err(|error| format!("the key {error}"))?);
    let unusable = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unusable)?;
    file.write_all(pem.expose_secret().as_bytes()).map_err(unusable)?;
    file.sync_all().map_err(unusable)?;
    println!("{}", signer.verifier());
    Ok(())
}
