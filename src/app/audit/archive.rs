//! An export as one file to download: a tar of the directory that [`super::export`] writes, made while it is sent.
//!
//! A tar says how long a file is before the file. So the lines of the events are measured first, without reading what
//! the events say, and then written; should one differ then, because it was purged meanwhile, the download breaks off.

use super::export::{ExportError, PAGE, PURGES, Wanted, lines_of, number, place, purges_of};
use super::nodes::Nodes;
use super::shown;
use crate::app::App;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::export::{self, Bound, Coverage, Line, Manifest};
use crate::audit::key::Verifier;
use crate::audit::leaf::Leaf;
use crate::audit::path::Plan;
use crate::audit::terms;
use crate::audit::tree::Hash;
use crate::store::Store;
use crate::store::audit::page::{Measure, measures};
use crate::store::audit::{log, postings};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a tar is made of.
const BLOCK: usize = 512;
/// The salt of every event has this length.
const SALT: [u8; 32] = [0; 32];

/// Places of the log, in order.
#[derive(Clone, Debug)]
enum Places {
    /// All between two, both included.
    Span(i64, i64),
    /// These.
    These(Arc<Vec<i64>>),
}

impl Places {
    fn len(&self) -> u64 {
        match self {
            Self::Span(first, last) => place(last - first + 1),
            Self::These(all) => all.len() as u64,
        }
    }

    /// Those from the `at`-th on, so many as are read at once.
    fn some(&self, at: u64) -> Vec<i64> {
        let most = PAGE as usize;
        match self {
            Self::Span(first, last) => {
                let from = first.saturating_add(number(at));
                (from..=*last).take(most).collect()
            }
            Self::These(all) => {
                all.iter().skip(usize::try_from(at).unwrap_or(usize::MAX)).take(most).copied().collect()
            }
        }
    }

    /// Whether one of them is in a range.
    fn has_one_of(&self, range: &RangeInclusive<u64>) -> bool {
        match self {
            Self::Span(first, last) => place(*first) <= *range.end() && *range.start() <= place(*last),
            Self::These(all) => {
                let from = all.partition_point(|seq| place(*seq) < *range.start());
                all.get(from).is_some_and(|seq| range.contains(&place(*seq)))
            }
        }
    }

    fn ends(&self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Span(first, last) => (Some(place(*first)), Some(place(*last))),
            Self::These(all) => (all.first().map(|seq| place(*seq)), all.last().map(|seq| place(*seq))),
        }
    }
}

/// A download that is settled: what is in it, and how long it is.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Store,
    /// The name of its directory.
    name: String,
    mtime: u64,
    small: Vec<(&'static str, String)>,
    places: Places,
    size: u64,
    lines: u64,
    /// What it covers.
    pub manifest: Manifest,
}

/// Settles what a download holds; `name` is that of its directory. What is not a patient's is a period's, from the
/// beginning of the log to its end if need be.
///
/// # Errors
/// When the log has no checkpoint yet, or is damaged.
pub async fn prepare(
    app: &App,
    name: &str,
    wanted: &Wanted,
    keys: &[Verifier],
) -> Result<Archive, ExportError> {
    let mut tx = app.store.snapshot().await?;
    let Some(latest) = shown(&mut tx).await? else {
        return Err(ExportError::Refused("the log has no checkpoint yet".to_owned()));
    };
    let checkpoint = SignedCheckpoint::parse(latest.note.as_bytes())
        .map_err(|error| ExportError::Refused(format!("the newest checkpoint {error}")))?;
    let size = checkpoint.checkpoint.size;
    let period = (wanted.from.unwrap_or(i64::MIN), wanted.until.unwrap_or(i64::MAX));
    let (covers, places) = match &wanted.patient {
        Some(patient) => {
            let word = terms::reference("Patient", patient);
            let places = postings::places_of(&mut tx, &word, period, number(size)).await?;
            (Coverage::Selection, Places::These(Arc::new(places)))
        }
        None => match log::span(&mut tx, period, number(size)).await? {
            Some((first, last)) => (Coverage::Range, Places::Span(first, last)),
            None => (Coverage::Range, Places::These(Arc::default())),
        },
    };
    let purges = purges_of(&mut tx, &mut Nodes::default(), |range| places.has_one_of(range), size).await?;
    drop(tx);
    let (first, last) = places.ends();
    let manifest = Manifest::new(covers, places.len(), first, last);
    let lines = measured(&app.store, &places, size).await?;
    let mut small = vec![
        ("checkpoint", latest.note),
        ("key", export::keys(keys)),
        ("README.txt", export::README.to_owned()),
        ("export.json", manifest.text()),
    ];
    if !purges.is_empty() {
        small.push((PURGES, purges));
    }
    let mtime = u64::try_from(app.clock.now() / 1_000_000).unwrap_or_default();
    let (store, name) = (app.store.clone(), name.to_owned());
    Ok(Archive { store, name, mtime, small, places, size, lines, manifest })
}

/// How many bytes the lines of the events have.
async fn measured(store: &Store, places: &Places, size: u64) -> Result<u64, ExportError> {
    let (mut at, mut after, mut bytes) = (0, None, 0);
    loop {
        let some = places.some(at);
        if some.is_empty() {
            return Ok(bytes);
        }
        let rows = measures(&mut store.reader().await?, &some).await?;
        if rows.len() != some.len() {
            return Err(ExportError::Refused("the log is damaged".to_owned()));
        }
        for row in &rows {
            bytes += measure(row, after, size);
            after = Some(place(row.seq));
        }
        at += some.len() as u64;
    }
}

/// How long the line of an event is: all of it is known but the event, whose length is.
fn measure(row: &Measure, after: Option<u64>, size: u64) -> u64 {
    let seq = place(row.seq);
    let leaf = Leaf { seq, id: row.id.clone(), recorded: row.recorded_us, content: Hash::default() };
    let proof = vec![Hash::default(); Plan::inclusion(seq, size).map_or(0, |plan| plan.len())];
    let content = row.body.map(|_| (&SALT, ""));
    let line = Line { leaf: &leaf, content, bound: Some(Bound { after, proof: &proof }) }.text();
    line.len() as u64 + place(row.body.unwrap_or_default())
}

impl Archive {
    /// The file, piece by piece.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, ExportError>> + Send {
        let state = State { archive: self, part: Part::Begin, nodes: Nodes::default() };
        stream::try_unfold(state, |mut state| async move {
            let piece = state.next().await?;
            Ok(piece.map(|piece| (piece, state)))
        })
    }

    /// What stands before a file of so many bytes.
    fn head(&self, file: &str, bytes: u64) -> Result<Vec<u8>, ExportError> {
        let mut header = tar::Header::new_gnu();
        let path = format!("{}/{file}", self.name);
        header.set_path(&path).map_err(|source| ExportError::Io { path: path.into(), source })?;
        header.set_mode(0o644);
        header.set_mtime(self.mtime);
        header.set_size(bytes);
        header.set_cksum();
        Ok(header.as_bytes().to_vec())
    }
}

/// Fills the last block of a file.
fn padding(bytes: u64) -> Vec<u8> {
    let over = usize::try_from(bytes % BLOCK as u64).unwrap_or_default();
    vec![0; (BLOCK - over) % BLOCK]
}

/// How far a download has come.
struct State {
    archive: Archive,
    part: Part,
    nodes: Nodes,
}

enum Part {
    Begin,
    Events { at: u64, after: Option<u64>, bytes: u64 },
    End,
}

impl State {
    async fn next(&mut self) -> Result<Option<Bytes>, ExportError> {
        match self.part {
            Part::Begin => {
                let mut out = Vec::new();
                for (name, content) in &self.archive.small {
                    let bytes = content.len() as u64;
                    out.extend(self.archive.head(name, bytes)?);
                    out.extend(content.as_bytes());
                    out.extend(padding(bytes));
                }
                out.extend(self.archive.head("events.ndjson", self.archive.lines)?);
                self.part = Part::Events { at: 0, after: None, bytes: 0 };
                Ok(Some(out.into()))
            }
            Part::Events { at, mut after, bytes } => {
                let some = self.archive.places.some(at);
                if some.is_empty() {
                    if bytes != self.archive.lines {
                        return Err(changed());
                    }
                    self.part = Part::End;
                    // Two empty blocks end a tar.
                    let mut out = padding(bytes);
                    out.resize(out.len() + 2 * BLOCK, 0);
                    return Ok(Some(out.into()));
                }
                let mut tx = self.archive.store.reader().await?;
                let lines = lines_of(&mut tx, &mut self.nodes, &some, self.archive.size, &mut after).await?;
                let bytes = bytes + lines.len() as u64;
                if bytes > self.archive.lines {
                    return Err(changed());
                }
                self.part = Part::Events { at: at + some.len() as u64, after, bytes };
                Ok(Some(lines.into()))
            }
            Part::End => Ok(None),
        }
    }
}

fn changed() -> ExportError {
    ExportError::Refused("events were purged while they were downloaded; begin again".to_owned())
}
