//! The keys that sign the log's checkpoints: files outside the database.

use crate::audit::key::{KeyError, Signer};
use crate::config::Config;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditKeyError {
    /// There is none.
    #[error("audit.keys: {} holds no key; make one with: slotwright audit key", .0.display())]
    None(PathBuf),
    /// Others may read it.
    #[error("audit.keys: {} can be read by others (mode {mode:o}); run: chmod 600 {}", .path.display(), .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no such key.
    #[error("audit.keys: {} {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What it is not.
        source: KeyError,
    },
    /// It can't be read or written.
    #[error("audit.keys: {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The name of the log: the setting, or one made from what clients call this server.
pub fn origin(config: &Config) -> String {
    if let Some(origin) = &config.audit.origin {
        return origin.clone();
    }
    let host = config.server.public_base_url.as_deref().and_then(|url| url.split("://").nth(1));
    format!("{}/audit", host.unwrap_or("localhost"))
}

/// Every key that signs.
///
/// # Errors
/// When there is none, or one can't be used.
pub fn load(config: &Config) -> Result<Vec<Signer>, AuditKeyError> {
    let dir = &config.audit.keys;
    let name = origin(config);
    let mut files = files(dir)?;
    files.sort();
    if files.is_empty() {
        return Err(AuditKeyError::None(dir.clone()));
    }
    files.iter().map(|path| read(path, &name)).collect()
}

fn read(path: &Path, name: &str) -> Result<Signer, AuditKeyError> {
    let failed = |source| AuditKeyError::Io { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(AuditKeyError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Signer::from_text(name, &text).map_err(|source| AuditKeyError::Key { path: path.to_owned(), source })
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, AuditKeyError> {
    let failed = |source| AuditKeyError::Io { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
    Ok(paths)
}

/// Makes a key from a seed, in a file of its own that only its owner can read.
///
/// # Errors
/// When it can't be written.
pub fn create(dir: &Path, name: &str, seed: &[u8; 32]) -> Result<(PathBuf, Signer), AuditKeyError> {
    let signer = Signer::from_seed(name, seed)
        .map_err(|source| AuditKeyError::Key { path: dir.to_owned(), source })?;
    let path = dir.join(format!("{:08x}.pem", signer.verifier().id()));
    let failed = |source| AuditKeyError::Io { path: path.clone(), source };
    let pem = signer.to_pem().map_err(|source| AuditKeyError::Key { path: path.clone(), source })?;
    fs::create_dir_all(dir).map_err(failed)?;
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok((path, signer))
}
