//! Telling others of checkpoints: places that keep them, out of reach of whoever has the database, and witnesses that
//! sign them.
//!
//! Each has a row that says how far it was told. Whichever process finds that it is due takes it for a while, sends the
//! newest checkpoint, and writes down how it went; so nothing is sent twice at a time or in the wrong order, and
//! nothing here is in the way of the sequencer. What arrived may arrive again after a crash.

use super::syslog::Syslog;
use super::witness::Witness;
use crate::app::App;
use crate::clock::Micros;
use crate::config::{Config, Keeper};
use crate::store::audit::sequence::{self, Published};
use crate::store::audit::told::{self, Told};
use crate::store::{Intent, StoreError};
use http::header::CONTENT_TYPE;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one process may take for one try; longer than any try lasts.
const LEASE: Duration = Duration::from_mins(1);
/// The first pause after a failure, which doubles up to the last.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

const BEHIND: &str = "audit_checkpoint_behind_seconds";
const FAILURES: &str = "audit_checkpoint_failures_total";

/// Somebody who is told of checkpoints.
#[derive(Debug)]
pub struct Listener {
    name: String,
    every: Duration,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File(PathBuf),
    Https(String),
    Syslog(Syslog),
    Witness(Box<Witness>),
}

/// Everybody whom the settings name.
///
/// # Errors
/// Names the setting that can't be used.
pub fn listeners(config: &Config) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for keeper in &config.audit.checkpoints {
        let kind = match keeper {
            Keeper::File(path) => Kind::File(path.clone()),
            Keeper::Https(url) => Kind::Https(url.clone()),
            Keeper::SyslogLocal(_) | Keeper::Syslog(..) => {
                Kind::Syslog(Syslog::new(keeper, &config.outbound)?)
            }
        };
        listeners.push(Listener { name: keeper.to_string(), every: config.audit.checkpoints_every, kind });
    }
    for witness in &config.audit.witnesses {
        let witness = Witness::new(witness)?;
        let (name, every) = (format!("witness:{}", witness.name()), config.audit.witnesses_every);
        if listeners.iter().any(|other| other.name == name) {
            return Err(format!("audit.witnesses: names {name} twice"));
        }
        listeners.push(Listener { name, every, kind: Kind::Witness(Box::new(witness)) });
    }
    Ok(listeners)
}

/// How far somebody is told, for whoever looks after the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Who.
    pub name: String,
    /// Leaves of the last checkpoint that arrived.
    pub size: i64,
    /// When it arrived; none: none did.
    pub told_us: Option<Micros>,
    /// When tries began to fail; none: they don't.
    pub failing_us: Option<Micros>,
}

/// How far everybody is told.
///
/// # Errors
/// When the database does not answer.
pub async fn progress(app: &App, listeners: &[Listener]) -> Result<Vec<Progress>, StoreError> {
    let mut tx = app.store.reader().await?;
    let mut all = Vec::with_capacity(listeners.len());
    for Listener { name, .. } in listeners {
        let told = told::state(&mut tx, name).await?;
        let since = |at: Micros| Some(at).filter(|at| *at > 0);
        all.push(Progress {
            name: name.clone(),
            size: told.map_or(0, |told| told.size),
            told_us: told.and_then(|told| since(told.told_us)),
            failing_us: told.and_then(|told| since(told.failing_us)),
        });
    }
    Ok(all)
}

impl Listener {
    /// Who it is, fit for the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends the newest checkpoint, if there is one that did not arrive yet and it is due.
    ///
    /// # Errors
    /// When the database does not do its part. A checkpoint that did not arrive is no error: it is tried again.
    pub async fn turn(&self, app: &App) -> Result<(), StoreError> {
        let mut tx = app.store.reader().await?;
        let Some(newest) = sequence::latest(&mut tx).await? else { return Ok(()) };
        let state = told::state(&mut tx, &self.name).await?;
        drop(tx);
        let now = app.clock.now();
        self.show(state, now);
        if state.is_some_and(|told| told.size >= newest.size || told.due_us > now) {
            return Ok(());
        }
        let (name, lease) = (self.name.clone(), now + micros(LEASE));
        let claimed = app.store.write(Intent::Upsert, move |tx| {
            let name = name.clone();
            Box::pin(async move { told::claim(tx, &name, now, lease).await })
        });
        let Some(told) = claimed.await? else { return Ok(()) };
        let sent = self.send(app, &newest, &told).await;
        let now = app.clock.now();
        let (name, fence) = (self.name.clone(), told.fence);
        match sent {
            Ok(()) => {
                let (size, due) = (newest.size, now + micros(self.every));
                let written = app.store.write(Intent::Upsert, move |tx| {
                    let name = name.clone();
                    Box::pin(async move { told::told(tx, &name, fence, size, (now, due)).await })
                });
                written.await
            }
            Err(reason) => {
                metrics::counter!(FAILURES, "to" => self.name.clone()).increment(1);
                let failing = if told.failing_us == 0 { 0 } else { (now - told.failing_us) / 1_000_000 };
                tracing::warn!(
                    to = self.name,
                    reason,
                    failing_for_seconds = failing,
                    "a checkpoint did not arrive; trying again"
                );
                let due = now + micros(pause(told.failures));
                let written = app.store.write(Intent::Upsert, move |tx| {
                    let name = name.clone();
                    Box::pin(async move { told::failed(tx, &name, fence, (now, due)).await })
                });
                written.await
            }
        }
    }

    fn show(&self, told: Option<Told>, now: Micros) {
        let failing = told.map_or(0, |told| told.failing_us);
        let behind = if failing == 0 { 0 } else { (now - failing).max(0) };
        metrics::gauge!(BEHIND, "to" => self.name.clone()).set(behind as f64 / 1e6);
    }

    async fn send(&self, app: &App, newest: &Published, told: &Told) -> Result<(), String> {
        match &self.kind {
            Kind::File(path) => {
                let (path, note) = (path.clone(), newest.note.clone());
                let appended = tokio::task::spawn_blocking(move || append(&path, &note)).await;
                let appended = appended.map_err(|error| error.to_string())?;
                appended.map_err(|error| error.to_string())
            }
            Kind::Https(url) => post(app, url, &newest.note).await,
            Kind::Syslog(syslog) => syslog.send(app, newest).await,
            Kind::Witness(witness) => witness.ask(app, newest, told.size).await,
        }
    }
}

/// Appends a note, and waits until it is on the disk.
fn append(path: &Path, note: &str) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let mut file = std::fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut text = String::new();
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            // A crash cut the last one short; an empty line keeps this one apart from it.
            text.push_str("\n\n");
        }
    }
    text.push_str(note);
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

async fn post(app: &App, url: &str, note: &str) -> Result<(), String> {
    let request = http::Request::post(url)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(note.as_bytes().to_vec())
        .map_err(|error| error.to_string())?;
    let answer = app.outbound.send(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the answer was {}", status.as_u16())) }
}

fn pause(failures: i64) -> Duration {
    let doubled = u32::try_from(failures).unwrap_or(u32::MAX).min(16);
    PAUSE.saturating_mul(1 << doubled).min(LONGEST_PAUSE)
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let seconds: Vec<u64> = (0..11).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(i64::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn a_note_that_was_cut_short_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept");
        append(&path, "a\n").unwrap();
        append(&path, "b\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\n");
        std::fs::write(&path, "a\nhal").unwrap();
        append(&path, "c\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nhal\n\nc\n");
    }
}
