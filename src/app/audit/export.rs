//! Exports the log from the database into a directory: what [`crate::audit::export`] describes.
//!
//! What is exported is settled at the beginning, by a checkpoint and a list of places, both of which a log that only
//! grows has again later. So an export that was broken off is gone on with where its last whole line ends.

pub(in crate::app) use super::nodes::Nodes;
use super::shown;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::export::{self, Bound, Coverage, Line, Manifest};
use crate::audit::key::Verifier;
use crate::audit::leaf::{Leaf, Salt};
use crate::audit::purge::purged;
use crate::audit::terms;
use crate::audit::tiles::{Builder, File as TileFile};
use crate::audit::tree::Hash;
use crate::clock::Micros;
use crate::store::audit::log::{self, Stored};
use crate::store::audit::{postings, purge};
use crate::store::{Store, StoreError, Tx};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Leaves that are read at once.
pub(super) const PAGE: i64 = 1024;
/// Says, for as long as an export is not complete, what it is to be.
const UNFINISHED: &str = "unfinished.json";
const EVENTS: &str = "events.ndjson";
pub(in crate::app) const PURGES: &str = "purges.ndjson";

/// What is to be exported; everything, when nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Events about the Patient with this logical id.
    pub patient: Option<String>,
    /// Recorded at this time or later.
    pub from: Option<Micros>,
    /// Recorded before this time.
    pub until: Option<Micros>,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file can't be written or read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It would not be what was asked for.
    #[error("{0}")]
    Refused(String),
}

fn refused<T>(text: impl Into<String>) -> Result<T, ExportError> {
    Err(ExportError::Refused(text.into()))
}

/// Exports into `dir`, which is made, or gone on with when this very export was broken off in it.
///
/// # Errors
/// When the directory holds anything else, the log has no checkpoint yet, or it is damaged.
pub async fn export(
    store: &Store,
    dir: &Path,
    wanted: &Wanted,
    keys: &[Verifier],
) -> Result<Manifest, ExportError> {
    let target = Target(dir.to_owned());
    let begun = target.begin(wanted)?;
    let mut tx = store.snapshot().await?;
    let note = settle(&mut tx, &target, begun).await?;
    let size = note.checkpoint.size;
    target.write("key", export::keys(keys).as_bytes())?;
    target.write("README.txt", export::README.as_bytes())?;
    let period = (wanted.from.unwrap_or(i64::MIN), wanted.until.unwrap_or(i64::MAX));
    let manifest = match &wanted.patient {
        None if *wanted == Wanted::default() => whole(&mut tx, &target, size).await?,
        None => {
            let span = log::span(&mut tx, period, number(size)).await?;
            let places: Vec<i64> = span.map(|(first, last)| (first..=last).collect()).unwrap_or_default();
            part(&mut tx, &target, Coverage::Range, &places, size).await?
        }
        Some(patient) => {
            let word = terms::reference("Patient", patient);
            let places = postings::places_of(&mut tx, &word, period, number(size)).await?;
            part(&mut tx, &target, Coverage::Selection, &places, size).await?
        }
    };
    target.write("export.json", manifest.text().as_bytes())?;
    target.remove(UNFINISHED)?;
    Ok(manifest)
}

/// The checkpoint that all leads to: that with which the export was begun, or the newest.
async fn settle(tx: &mut Tx, target: &Target, begun: bool) -> Result<SignedCheckpoint, ExportError> {
    let kept = if begun { target.read("checkpoint")? } else { None };
    let note = match kept {
        Some(note) => {
            let size = SignedCheckpoint::parse(note.as_bytes()).map(|note| note.checkpoint.size);
            let size = number(size.unwrap_or_default());
            let ours = log::checkpoints(tx, size, size + 1, 1).await?;
            if ours.first().is_none_or(|ours| !note.starts_with(&ours.note)) {
                return refused("the export was begun with a checkpoint that this log does not have");
            }
            if purge::last(tx).await?.is_some_and(|place| place >= size) {
                return refused(
                    "contents were purged since the export was begun: begin it in another directory",
                );
            }
            note
        }
        None => match shown(tx).await? {
            Some(shown) => shown.note,
            None => return refused("the log has no checkpoint yet; a running server makes the first"),
        },
    };
    target.write("checkpoint", note.as_bytes())?;
    SignedCheckpoint::parse(note.as_bytes())
        .or_else(|error| refused(format!("the newest checkpoint {error}; run: slotwright audit verify")))
}

/// The whole log, with its tree.
async fn whole(tx: &mut Tx, target: &Target, size: u64) -> Result<Manifest, ExportError> {
    let (mut lines, have) = target.lines()?;
    let mut builder = Builder::new();
    while builder.tree().size() < size {
        let next = builder.tree().size();
        let limit = PAGE.min(number(size - next));
        let rows = log::stored(tx, number(next), limit).await?;
        if rows.is_empty() {
            return damaged(next);
        }
        for row in &rows {
            let seq = builder.tree().size();
            let leaf = leaf(row, seq)?;
            let Some(files) = builder.push(leaf.text().as_bytes(), leaf.hash()) else { return damaged(seq) };
            target.tiles(files)?;
            if seq >= have {
                lines.add(&Line { leaf: &leaf, content: content(row)?, bound: None })?;
            }
        }
    }
    target.tiles(builder.finish())?;
    lines.finish()?;
    let last = size.checked_sub(1);
    Ok(Manifest::new(Coverage::Log, size, last.map(|_| 0), last))
}

/// Some events, each with its inclusion proof.
async fn part(
    tx: &mut Tx,
    target: &Target,
    covers: Coverage,
    places: &[i64],
    size: u64,
) -> Result<Manifest, ExportError> {
    let (mut lines, have) = target.lines()?;
    let mut nodes = Nodes::default();
    let done = usize::try_from(have).unwrap_or(usize::MAX);
    let Some((written, rest)) = places.split_at_checked(done) else {
        return refused("the export was begun with more events than there are");
    };
    let mut after = written.last().map(|seq| place(*seq));
    for some in rest.chunks(PAGE as usize) {
        let text = lines_of(tx, &mut nodes, some, size, &mut after).await?;
        lines.write(&text)?;
    }
    lines.finish()?;
    purges(tx, target, &mut nodes, places, size).await?;
    let (first, last) = (places.first().map(|seq| place(*seq)), places.last().map(|seq| place(*seq)));
    Ok(Manifest::new(covers, places.len() as u64, first, last))
}

/// Puts the events beside a part that say why contents of it are gone.
async fn purges(
    tx: &mut Tx,
    target: &Target,
    nodes: &mut Nodes,
    places: &[i64],
    size: u64,
) -> Result<(), ExportError> {
    let concerns = |range: &RangeInclusive<u64>| {
        let from = places.partition_point(|seq| place(*seq) < *range.start());
        places.get(from).is_some_and(|seq| range.contains(&place(*seq)))
    };
    let text = purges_of(tx, nodes, concerns, size).await?;
    if text.is_empty() { Ok(()) } else { target.write(PURGES, text.as_bytes()) }
}

/// The lines of the events that say why contents are gone at places which concern a part.
pub(in crate::app) async fn purges_of(
    tx: &mut Tx,
    nodes: &mut Nodes,
    concerns: impl Fn(&RangeInclusive<u64>) -> bool,
    size: u64,
) -> Result<String, ExportError> {
    let word = terms::subtype(crate::audit::purge::CODE);
    let told = postings::places_of(tx, &word, (i64::MIN, i64::MAX), number(size)).await?;
    let mut text = String::new();
    for some in told.chunks(PAGE as usize) {
        let rows = at(tx, some).await?;
        let leaves: Vec<u64> = some.iter().map(|seq| place(*seq)).collect();
        let proofs = nodes.inclusion(tx, &leaves, size).await?;
        for ((row, seq), proof) in rows.iter().zip(leaves).zip(proofs) {
            let Some((salt, body)) = content(row)? else { return damaged(seq) };
            if purged(body).iter().any(&concerns) {
                let Some(proof) = proof else { return damaged(seq) };
                let bound = Some(Bound { after: None, proof: &proof });
                text += &Line { leaf: &leaf(row, seq)?, content: Some((salt, body)), bound }.text();
            }
        }
    }
    Ok(text)
}

/// The lines of the events at these places, each with its proof; `after` is the place before, and then the last.
pub(in crate::app) async fn lines_of(
    tx: &mut Tx,
    nodes: &mut Nodes,
    some: &[i64],
    size: u64,
    after: &mut Option<u64>,
) -> Result<String, ExportError> {
    let rows = at(tx, some).await?;
    let leaves: Vec<u64> = some.iter().map(|seq| place(*seq)).collect();
    let proofs = nodes.inclusion(tx, &leaves, size).await?;
    let mut text = String::new();
    for ((row, seq), proof) in rows.iter().zip(leaves).zip(proofs) {
        let Some(proof) = proof else { return damaged(seq) };
        let leaf = leaf(row, seq)?;
        let bound = Some(Bound { after: *after, proof: &proof });
        text.push_str(&Line { leaf: &leaf, content: content(row)?, bound }.text());
        *after = Some(seq);
    }
    Ok(text)
}

/// The events at these places as FHIR resources, one a line; what was purged is left out.
pub(in crate::app) async fn bodies(tx: &mut Tx, places: &[i64]) -> Result<Vec<u8>, ExportError> {
    let mut lines = Vec::new();
    for row in at(tx, places).await? {
        if let Some(event) = row.event {
            lines.extend_from_slice(&event.body);
            lines.push(b'\n');
        }
    }
    Ok(lines)
}

/// What is stored at these places, in their order.
async fn at(tx: &mut Tx, places: &[i64]) -> Result<Vec<Stored>, ExportError> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(Vec::new()) };
    let mut rows = Vec::with_capacity(places.len());
    if last - first + 1 == places.len() as i64 {
        rows = log::stored(tx, *first, places.len() as i64).await?;
    } else {
        for seq in places {
            rows.extend(log::stored(tx, *seq, 1).await?);
        }
    }
    if rows.len() == places.len() { Ok(rows) } else { damaged(place(*first)) }
}

fn damaged<T>(seq: u64) -> Result<T, ExportError> {
    refused(format!("the log is damaged at {seq} or behind it; run: slotwright audit verify --database"))
}

/// The leaf as it was hashed.
fn leaf(row: &Stored, seq: u64) -> Result<Leaf, ExportError> {
    let content = Hash::try_from(row.content.as_slice()).ok();
    let Some(content) = content.filter(|_| row.seq == number(seq)) else { return damaged(seq) };
    let leaf = Leaf { seq, id: row.id.clone(), recorded: row.recorded_us, content };
    if leaf.hash().as_slice() == row.hash { Ok(leaf) } else { damaged(seq) }
}

fn content(row: &Stored) -> Result<Option<(&Salt, &str)>, ExportError> {
    let Some(event) = &row.event else { return Ok(None) };
    let salt = <&Salt>::try_from(event.salt.as_slice()).ok();
    match salt.zip(std::str::from_utf8(&event.body).ok()) {
        Some(content) => Ok(Some(content)),
        None => damaged(place(row.seq)),
    }
}

pub(super) fn place(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

pub(super) fn number(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The directory of an export.
struct Target(PathBuf);

impl Target {
    /// Whether this export was begun before; refused when the directory holds anything else.
    fn begin(&self, wanted: &Wanted) -> Result<bool, ExportError> {
        let dir = self.0.display();
        self.on("", fs::create_dir_all(&self.0))?;
        if let Some(begun) = self.read(UNFINISHED)? {
            return match serde_json::from_str::<Wanted>(&begun) {
                Ok(begun) if begun == *wanted => Ok(true),
                _ => refused(format!(
                    "{dir} holds an unfinished export of other events: ask for the same ones, or name \
                     another directory"
                )),
            };
        }
        if self.on("", fs::read_dir(&self.0))?.next().is_some() {
            return refused(format!("{dir} is not empty: name a directory that does not exist yet"));
        }
        let wanted = serde_json::to_string(wanted).unwrap_or_default();
        self.write(UNFINISHED, wanted.as_bytes())?;
        Ok(false)
    }

    fn on<T>(&self, name: &str, result: io::Result<T>) -> Result<T, ExportError> {
        result.map_err(|source| ExportError::Io { path: self.0.join(name), source })
    }

    fn read(&self, name: &str) -> Result<Option<String>, ExportError> {
        match fs::read_to_string(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => self.on(name, read).map(Some),
        }
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let path = self.0.join(name);
        let beside = self.0.join(format!("{name}.new"));
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
        self.on(name, written.and_then(|()| fs::rename(&beside, path)))
    }

    fn remove(&self, name: &str) -> Result<(), ExportError> {
        self.on(name, fs::remove_file(self.0.join(name)))
    }

    fn tiles(&self, files: Vec<TileFile>) -> Result<(), ExportError> {
        for file in files {
            let path = self.0.join(&file.path);
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            self.on(&file.path, made.and_then(|()| fs::write(&path, &file.content)))?;
        }
        Ok(())
    }

    /// The file of the events, to go on behind its last whole line, and the number of its lines.
    fn lines(&self) -> Result<(Lines<'_>, u64), ExportError> {
        let opened = (|| {
            let path = self.0.join(EVENTS);
            let mut options = OpenOptions::new();
            let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
            let (mut have, mut whole) = (0, 0);
            let mut reader = BufReader::new(&file);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
                have += 1;
                whole += line.len() as u64;
                line.clear();
            }
            file.set_len(whole)?;
            file.seek(io::SeekFrom::End(0))?;
            Ok((BufWriter::with_capacity(1 << 16, file), have))
        })();
        let (file, have) = self.on(EVENTS, opened)?;
        Ok((Lines { target: self, file }, have))
    }
}

/// The events as they are written.
struct Lines<'t> {
    target: &'t Target,
    file: BufWriter<File>,
}

impl Lines<'_> {
    fn add(&mut self, line: &Line<'_>) -> Result<(), ExportError> {
        self.write(&line.text())
    }

    fn write(&mut self, text: &str) -> Result<(), ExportError> {
        let written = self.file.write_all(text.as_bytes());
        self.target.on(EVENTS, written)
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        self.target.on(EVENTS, written)
    }
}
