//! Standing reports: the log is followed event by event, and what is worth a look is written down.
//!
//! One process reads at a time, until its lease ends. Its findings and how far it has come are one transaction, so
//! every event is taken in exactly once, whoever reads and whatever crashes.

use super::kin::Families;
use super::watch::{Kin, LOOKS_BACK, Seen, Watch, joined};
use crate::app::App;
use crate::app::account::cell;
use crate::audit::facts::Facts;
use crate::clock::{Micros, instant_text};
use crate::store::audit::event::{Entry, entries};
use crate::store::audit::finding::{self, Sighting, follow, followed, grow};
use crate::store::audit::{log, page};
use crate::store::{Intent, StoreError, Tx};
use memchr::memmem;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

pub use crate::store::audit::finding::{Finding, Wanted};

/// Events that are taken in by one transaction.
const BATCH: i64 = 2048;
/// How long one process reads alone without a sign of life.
const LEASE: Micros = 30 * 1_000_000;

/// One process's part in the reports.
pub struct Follower {
    app: App,
    holder: Arc<str>,
    /// Where it reads on, and what it remembers; nothing while another process reads.
    at: Option<i64>,
    watch: Watch,
    families: Families,
}

impl Follower {
    /// Follows the log of an app.
    pub fn new(app: App) -> Self {
        let holder = app.clock.new_id().into();
        Self { app, holder, at: None, watch: Watch::default(), families: Families::default() }
    }

    /// Takes in every event that has its place and was not taken in, unless another process does.
    ///
    /// # Errors
    /// When the database fails; what was not taken in goes on waiting.
    pub async fn run(&mut self) -> Result<(), StoreError> {
        loop {
            let Some(at) = self.place().await? else { return Ok(()) };
            let mut tx = self.app.store.reader().await?;
            let some = entries(&mut tx, at, BATCH).await?;
            let Some(last) = some.last() else { return Ok(()) };
            let next = i64::try_from(last.leaf.seq).unwrap_or(i64::MAX) + 1;
            let seen = self.see(&mut tx, &some).await?;
            drop(tx);
            self.watch.forget(last.leaf.recorded);
            let full = some.len() as i64 == BATCH;
            if !self.keep(at, next, joined(seen)).await? {
                self.at = None;
                return Ok(());
            }
            self.at = Some(next);
            if !full {
                return Ok(());
            }
        }
    }

    /// Where to read on; none while it is for another process to read.
    async fn place(&mut self) -> Result<Option<i64>, StoreError> {
        let mut tx = self.app.store.reader().await?;
        let come = followed(&mut tx).await?;
        if come.holder != *self.holder && come.until_us >= self.app.clock.now() {
            self.at = None;
            return Ok(None);
        }
        if self.at != Some(come.seq) {
            self.remember(&mut tx, come.seq).await?;
            self.at = Some(come.seq);
        }
        Ok(self.at)
    }

    /// Reads again what was taken in within the time that reports look back.
    async fn remember(&mut self, tx: &mut Tx, until: i64) -> Result<(), StoreError> {
        self.watch = Watch::default();
        let Some(last) = page::recorded(tx, until - 1).await? else { return Ok(()) };
        let span = log::span(tx, (last - LOOKS_BACK, last + 1), until).await?;
        let mut at = span.map_or(until, |(first, _)| first);
        while at < until {
            let some = entries(tx, at, BATCH.min(until - at)).await?;
            let Some(last) = some.last() else { return Ok(()) };
            at = i64::try_from(last.leaf.seq).unwrap_or(i64::MAX) + 1;
            let _ = self.see(tx, &some).await?;
        }
        Ok(())
    }

    async fn see(&mut self, tx: &mut Tx, some: &[Entry]) -> Result<Vec<Sighting>, StoreError> {
        let rules = &self.app.config.audit.reports;
        let mut seen = Vec::new();
        for entry in some {
            let Some((_, body)) = entry.event.as_ref().filter(|(_, body)| may_matter(body)) else { continue };
            // What can't be read is the verifier's to find.
            let Ok(event) = serde_json::from_slice::<Value>(body) else { continue };
            let facts = Facts::of(&event);
            let kin = match (facts.person(), facts.patient.as_deref()) {
                (Some(person), Some(patient)) if facts.ours && facts.by_staff() && facts.succeeded() => {
                    self.families.kin(&self.app, tx, person, patient).await?
                }
                _ => Kin::default(),
            };
            let seq = i64::try_from(entry.leaf.seq).unwrap_or(i64::MAX);
            let one = Seen { seq, at: entry.leaf.recorded, facts: &facts, kin };
            seen.extend(self.watch.see(rules, one));
        }
        Ok(seen)
    }

    /// Writes down what was seen between two places; `false` when another process did.
    async fn keep(&self, from: i64, to: i64, seen: Vec<Sighting>) -> Result<bool, StoreError> {
        let ids: Vec<String> = seen.iter().map(|_| self.app.clock.new_id()).collect();
        let shared = Arc::new((seen, ids));
        let (holder, now) = (Arc::clone(&self.holder), self.app.clock.now());
        let work = self.app.store.write(Intent::Upsert, move |tx| {
            let (shared, holder) = (Arc::clone(&shared), Arc::clone(&holder));
            Box::pin(async move {
                if !follow(tx, &holder, (from, to), (now, now + LEASE)).await? {
                    return Ok(false);
                }
                let (seen, ids) = shared.as_ref();
                for (one, id) in seen.iter().zip(ids) {
                    grow(tx, id, one).await?;
                }
                Ok::<_, StoreError>(true)
            })
        });
        work.await
    }
}

/// Whether any report could have a use for an event, told from its bytes: most are not worth parsing.
fn may_matter(body: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(body, needle).is_some();
    has(b"\"outcome\":\"8\"") || (has(b"v3-ParticipationType") && has(b"Patient/"))
}

/// A page of findings, the newest first, behind the one with this id.
///
/// # Errors
/// When the database fails.
pub async fn findings(
    app: &App,
    wanted: &Wanted,
    behind: Option<&str>,
    limit: usize,
) -> Result<Vec<Finding>, StoreError> {
    let mut tx = app.store.snapshot().await?;
    let last = match behind {
        Some(id) => finding::find(&mut tx, id).await?,
        None => None,
    };
    let before = last.as_ref().map_or((Micros::MAX, ""), |last| (last.first_us, last.id.as_str()));
    finding::page(&mut tx, wanted, before, limit).await
}

/// One finding.
///
/// # Errors
/// When the database fails.
pub async fn found(app: &App, id: &str) -> Result<Option<Finding>, StoreError> {
    finding::find(&mut app.store.reader().await?, id).await
}

/// Columns of a download, in this order.
const COLUMNS: [&str; 11] = [
    "id",
    "report",
    "who",
    "patient",
    "count",
    "firstEvent",
    "lastEvent",
    "firstRecorded",
    "lastRecorded",
    "state",
    "review",
];

/// Who it is about, without what kind of word it is.
fn who(finding: &Finding) -> &str {
    finding.who.split_once(':').map_or(finding.who.as_str(), |(_, who)| who)
}

fn values(finding: &Finding) -> [String; 11] {
    [
        finding.id.clone(),
        finding.kind.clone(),
        who(finding).to_owned(),
        finding.patient.clone(),
        finding.count.to_string(),
        finding.first_seq.to_string(),
        finding.last_seq.to_string(),
        instant_text(finding.first_us),
        instant_text(finding.last_us),
        if finding.review.is_some() { "reviewed" } else { "open" }.to_owned(),
        finding.review.clone().unwrap_or_default(),
    ]
}

/// Findings as CSV (RFC 4180) that a spreadsheet opens without running anything.
pub fn csv(findings: &[Finding]) -> String {
    let mut out = format!("{}\r\n", COLUMNS.join(","));
    for finding in findings {
        let cells: Vec<String> = values(finding).iter().map(|value| cell(value)).collect();
        // Writing to a String can't fail.
        let _ = write!(out, "{}\r\n", cells.join(","));
    }
    out
}

/// Findings as JSON: an array of objects.
pub fn json(findings: &[Finding]) -> Value {
    let object = |finding: &Finding| {
        json!({
            "id": finding.id,
            "report": finding.kind,
            "who": who(finding),
            "patient": Some(&finding.patient).filter(|patient| !patient.is_empty()),
            "count": finding.count,
            "firstEvent": finding.first_seq,
            "lastEvent": finding.last_seq,
            "firstRecorded": instant_text(finding.first_us),
            "lastRecorded": instant_text(finding.last_us),
            "review": finding.review,
        })
    };
    findings.iter().map(object).collect()
}
