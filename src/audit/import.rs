//! Checks an export: reads it line by line and lets the [`Verifier`] judge, or, for a part of the log, judges
//! each line by its own proof.

use super::checkpoint::{hash, kept};
use super::export::{Coverage, Manifest};
use super::key::Verifier as Key;
use super::leaf::{Leaf, Salt, content_hash, recorded_text};
use super::part::Part;
use super::report::Report;
use super::tiles::{self, WIDTH};
use super::tree::{Hash, Node};
use super::verify::{Content, Entry, Verifier};
use crate::clock::Micros;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io::{BufRead, Read};

/// The longest line and the largest small file that is read.
const LONGEST: u64 = 64 << 20;
/// The largest place: JSON readers keep no more.
const LAST: u64 = 1 << 53;

/// The files of an export.
pub trait Files {
    /// Opens the file of this name, a relative path; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn BufRead + '_>>>;
}

/// What to hold an export against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trust<'a> {
    /// The log's keys, and those of witnesses; when there are none, those of the export itself are believed.
    pub keys: &'a [Key],
    /// Checkpoints that were kept: notes, one behind the other.
    pub saved: Option<&'a [u8]>,
    /// The time, which no event can be ahead of.
    pub now: Micros,
}

/// A line of `events.ndjson`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'a> {
    seq: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    recorded: Cow<'a, str>,
    #[serde(borrow, default)]
    salt: Option<Cow<'a, str>>,
    #[serde(default)]
    purged: bool,
    #[serde(borrow, default)]
    h: Option<Cow<'a, str>>,
    #[serde(default)]
    after: Option<u64>,
    #[serde(borrow, default)]
    proof: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let row: Self = serde_json::from_str(line).ok()?;
        let whole = row.purged == row.event.is_none() && row.salt.is_some() == row.event.is_some();
        (whole && row.purged == row.h.is_some() && row.seq < LAST).then_some(row)
    }

    fn salt(&self) -> Option<Salt> {
        STANDARD.decode(self.salt.as_deref()?).ok()?.try_into().ok()
    }

    fn proof(&self) -> Option<Vec<Hash>> {
        self.proof.as_ref()?.iter().map(|text| hash(text)).collect()
    }

    /// The leaf that the line stands for.
    fn leaf(&self) -> Option<Leaf> {
        let content = match self.event {
            Some(event) => content_hash(&self.salt()?, event.get().as_bytes()),
            None => hash(self.h.as_deref()?)?,
        };
        let recorded: jiff::Timestamp = self.recorded.parse().ok()?;
        let recorded = recorded.as_microsecond();
        let leaf = Leaf { seq: self.seq, id: self.id.to_string(), recorded, content };
        (recorded_text(recorded) == self.recorded).then_some(leaf)
    }
}

/// Reads lines without their ends; a line that is too long, or not UTF-8, is an error.
struct Lines<'f> {
    from: Option<Box<dyn BufRead + 'f>>,
    line: String,
    number: u64,
}

impl Lines<'_> {
    fn next(&mut self) -> std::io::Result<Option<&str>> {
        self.line.clear();
        self.number += 1;
        let Some(from) = &mut self.from else { return Ok(None) };
        let read = from.by_ref().take(LONGEST).read_line(&mut self.line)?;
        Ok((read > 0).then(|| self.line.trim_end_matches('\n')))
    }
}

/// Checks the export in `files`.
///
/// # Errors
/// When a file can't be read. What is wrong with what is in them is in the report.
pub fn verify(files: &dyn Files, trust: Trust<'_>) -> std::io::Result<Report> {
    let mut own = Vec::new();
    let mut early = Vec::new();
    if trust.keys.is_empty() {
        let text = small(files, "key")?.unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            match line.parse::<Key>() {
                Ok(key) => own.push(key),
                Err(error) => early.push(format!("key: a line {error}")),
            }
        }
    }
    let keys = if trust.keys.is_empty() { own.as_slice() } else { trust.keys };
    let manifest =
        small(files, "export.json")?.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
    let Some(manifest) = manifest.filter(|manifest| manifest.v == 1) else {
        let mut report = Report::default();
        report.found(None, "export.json: does not say what the export covers".to_owned());
        return Ok(report);
    };
    let note = small(files, "checkpoint")?.unwrap_or_default();
    let mut report = match manifest.covers {
        Coverage::Log => whole(files, manifest, &note, Trust { keys, ..trust })?,
        Coverage::Range | Coverage::Selection => part(files, manifest, &note, Trust { keys, ..trust })?,
    };
    for text in early {
        report.found(None, text);
    }
    Ok(report)
}

pub(super) fn small(files: &dyn Files, name: &str) -> std::io::Result<Option<Vec<u8>>> {
    let Some(file) = files.open(name)? else { return Ok(None) };
    let mut content = Vec::new();
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// The whole log: leaves and hashes from the tiles, events beside them.
fn whole(files: &dyn Files, manifest: Manifest, note: &[u8], trust: Trust<'_>) -> std::io::Result<Report> {
    let mut verifier = Verifier::new(trust.keys, false, trust.now);
    let newest = verifier.checkpoint("checkpoint", note);
    for saved in trust.saved.map(kept).unwrap_or_default() {
        verifier.checkpoint("the saved checkpoint", saved);
    }
    // Without a checkpoint that can be believed its events are compared with their leaves all the same.
    let size = newest.map_or(manifest.events, |checkpoint| checkpoint.size);
    for tile in tiles::tiles(size).filter(|tile| tile.level > 0) {
        let content = small(files, &tile.path())?;
        let hashes = content.as_deref().and_then(tiles::hashes).filter(|all| all.len() as u64 == tile.width);
        match hashes {
            Some(hashes) => {
                for (id, hash) in tile.nodes().zip(hashes) {
                    verifier.node(Node { id, hash: *hash });
                }
            }
            None => verifier.found(None, format!("{}: is missing or not of its length", tile.path())),
        }
    }
    let mut lines = Lines { from: files.open("events.ndjson")?, line: String::new(), number: 0 };
    let mut ahead: Option<String> = None;
    for index in 0..size.div_ceil(WIDTH) {
        let width = (size - index * WIDTH).min(WIDTH);
        let bundle = small(files, &tiles::entries_path(index, width))?.unwrap_or_default();
        let leaves = tiles::leaves(&bundle).unwrap_or_default();
        let tile = tiles::Tile { level: 0, index, width };
        let tile = small(files, &tile.path())?.unwrap_or_default();
        let hashes = tiles::hashes(&tile).unwrap_or_default();
        for at in 0..width {
            let seq = index * WIDTH + at;
            let line = line_of(seq, &mut lines, &mut ahead, &mut verifier)?;
            let row = line.as_deref().and_then(Row::read);
            let leaf = leaves.get(at as usize).and_then(|leaf| Leaf::parse(leaf).ok());
            let salt = row.as_ref().and_then(Row::salt);
            let content = row.as_ref().and_then(|row| row.event).zip(salt.as_ref());
            let content = content.map(|(event, salt)| Content::of(salt, event.get()));
            if let (Some(row), Some(leaf)) = (&row, &leaf) {
                differs(row, leaf, &mut verifier);
            }
            verifier.entry(Entry {
                seq,
                leaf: leaf.as_ref(),
                hash: hashes.get(at as usize).copied(),
                content: content.as_ref(),
            });
        }
    }
    while let Some(line) = next_line(&mut lines, &mut ahead)? {
        beyond(&line, &mut verifier);
    }
    Ok(verifier.finish())
}

/// The line of the event at `seq`, if it is the next; lines before it have no place and are findings.
fn line_of(
    seq: u64,
    lines: &mut Lines<'_>,
    ahead: &mut Option<String>,
    verifier: &mut Verifier<'_>,
) -> std::io::Result<Option<String>> {
    while let Some(line) = next_line(lines, ahead)? {
        match place(&line) {
            Some(found) if found == seq => return Ok(Some(line)),
            Some(found) if found > seq => {
                *ahead = Some(line);
                return Ok(None);
            }
            Some(_) => beyond(&line, verifier),
            None => verifier.found(None, format!("events.ndjson, line {}: is not an event", lines.number)),
        }
    }
    Ok(None)
}

/// The place that a line names.
fn place(line: &str) -> Option<u64> {
    // It is the first member of each line that we wrote, so that the rest need not be read for it.
    let first = line.strip_prefix(r#"{"seq":"#).and_then(|rest| rest.split_once(','));
    let seq = first.and_then(|(seq, _)| seq.parse().ok()).or_else(|| Row::read(line).map(|row| row.seq));
    seq.filter(|seq| *seq < LAST)
}

fn next_line(lines: &mut Lines<'_>, ahead: &mut Option<String>) -> std::io::Result<Option<String>> {
    match ahead.take() {
        Some(line) => Ok(Some(line)),
        None => Ok(lines.next()?.map(str::to_owned)),
    }
}

/// An event for which the log has no place.
fn beyond(line: &str, verifier: &mut Verifier<'_>) {
    match Row::read(line) {
        Some(row) => {
            let text = format!("event {} ({}): the log has no such place for it (inserted)", row.seq, row.id);
            verifier.found(row.seq, text);
        }
        None => verifier.found(None, "events.ndjson: a line after the last event is no event".to_owned()),
    }
}

/// What a line says beside its event, against its leaf.
fn differs(row: &Row<'_>, leaf: &Leaf, verifier: &mut Verifier<'_>) {
    let (seq, id) = (leaf.seq, &leaf.id);
    if row.id != *id || row.recorded != recorded_text(leaf.recorded) {
        let text = format!("event {seq} ({id}): its line names another event or time (edited)");
        verifier.found(seq, text);
    }
    if row.purged && row.h.as_deref().and_then(hash) != Some(leaf.content) {
        verifier.found(seq, format!("event {seq} ({id}): its hash is not that of its leaf (edited)"));
    }
}

/// A part of the log: each line proves itself.
fn part(files: &dyn Files, manifest: Manifest, note: &[u8], trust: Trust<'_>) -> std::io::Result<Report> {
    let mut verifier = Part::new(manifest, note, trust.keys, trust.now);
    let saved = trust.saved.map(kept).unwrap_or_default();
    verifier.older(small(files, "consistency")?.as_deref(), &saved);
    let mut lines = Lines { from: files.open("events.ndjson")?, line: String::new(), number: 0 };
    while let Some(line) = lines.next()? {
        let row = Row::read(line);
        let leaf = row.as_ref().and_then(Row::leaf);
        match row.as_ref().zip(leaf.as_ref()) {
            None => verifier.unreadable(),
            Some((row, leaf)) => {
                let proof = row.proof();
                verifier.line(leaf, row.after, proof.as_deref(), row.event.map(RawValue::get));
            }
        }
    }
    let mut beside = Lines { from: files.open("purges.ndjson")?, line: String::new(), number: 0 };
    while let Some(line) = beside.next()? {
        let row = Row::read(line);
        let leaf = row.as_ref().and_then(Row::leaf);
        match row.as_ref().zip(leaf.as_ref()) {
            None => verifier.found("purges.ndjson: a line is not an event".to_owned()),
            Some((row, leaf)) => verifier.beside(leaf, row.proof().as_deref(), row.event.map(RawValue::get)),
        }
    }
    Ok(verifier.finish())
}

/// The inclusion proof in the line of the event at `seq`, in the export of a part.
pub(super) fn part_proof(files: &dyn Files, seq: u64) -> std::io::Result<Option<Vec<Hash>>> {
    let mut lines = Lines { from: files.open("events.ndjson")?, line: String::new(), number: 0 };
    while let Some(line) = lines.next()? {
        if place(line) == Some(seq) {
            return Ok(Row::read(line).and_then(|row| row.proof()));
        }
    }
    Ok(None)
}
