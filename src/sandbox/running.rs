//! Where a running sandbox is found by other commands: a file beside its keys, readable by its owner alone.

use super::Error;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tokio::net::TcpStream;

/// Its name in the sandbox's directory.
const FILE: &str = "running.json";

/// A sandbox that was started.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Where it listens.
    pub(super) listens: SocketAddr,
    /// Its database, which may hold a password.
    pub(super) database: SecretString,
}

#[derive(Deserialize, Serialize)]
struct Written {
    listens: SocketAddr,
    database: String,
}

/// The file, which is removed with this value.
#[derive(Debug)]
pub(super) struct Notice(PathBuf);

impl Drop for Notice {
    fn drop(&mut self) {
        // One that stays is found out by nobody listening there.
        let _ = fs::remove_file(&self.0);
    }
}

impl Running {
    /// Says so in `directory` until the notice is dropped.
    pub(super) fn announce(&self, directory: &Path) -> Result<Notice, Error> {
        let written = Written { listens: self.listens, database: self.database.expose_secret().to_owned() };
        let text = serde_json::to_vec(&written).map_err(std::io::Error::other)?;
        fs::create_dir_all(directory)?;
        let path = directory.join(FILE);
        // Under another name first, so that nobody reads half of it.
        let draft = directory.join(format!(".{FILE}.new"));
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&text)?;
        fs::rename(&draft, &path)?;
        Ok(Notice(path))
    }

    /// The sandbox that runs from `directory`; none when none does.
    pub(super) async fn find(directory: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read(directory.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Written { listens, database } = serde_json::from_slice(&text).map_err(std::io::Error::other)?;
        let is_there = TcpStream::connect(listens).await.is_ok();
        Ok(is_there.then(|| Self { listens, database: database.into() }))
    }
}
