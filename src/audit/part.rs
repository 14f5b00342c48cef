//! Checks the export of a part of the log, where each event comes with its own inclusion proof.

use super::checkpoint::{Checkpoint, SignedCheckpoint, hash};
use super::export::{Coverage, Manifest};
use super::key::Verifier as Key;
use super::leaf::Leaf;
use super::path::{verify_consistency, verify_inclusion};
use super::purge::Gone;
use super::report::Report;
use super::terms::Named;
use super::tree::Hash;
use super::verify::{believed, same_event};
use crate::clock::Micros;

/// Takes in the lines of an export in their order.
pub(super) struct Part<'k> {
    manifest: Manifest,
    keys: &'k [Key],
    tree: Option<Checkpoint>,
    report: Report,
    lines: u64,
    /// The place of the line before.
    last: Option<u64>,
    gone: Gone,
}

impl<'k> Part<'k> {
    pub(super) fn new(manifest: Manifest, note: &[u8], keys: &'k [Key], now: Micros) -> Self {
        let mut report = Report::default();
        let tree = believed(note, keys);
        match &tree {
            Ok(tree) => (report.checkpoints, report.size) = (1, tree.size),
            Err(error) => report.found(None, format!("checkpoint: {error}")),
        }
        Self { manifest, keys, tree: tree.ok(), report, lines: 0, last: None, gone: Gone::new(now) }
    }

    /// Compares with older checkpoints: that of the `consistency` file, and those that were kept, of which one must be
    /// proved to lead here.
    pub(super) fn older(&mut self, consistency: Option<&[u8]>, saved: &[&[u8]]) {
        let Some(newest) = self.tree.clone() else { return };
        let mut proved = vec![newest.clone()];
        match consistency.map(|content| consistent(content, &newest, self.keys)) {
            Some(Ok(older)) => {
                self.report.checkpoints += 1;
                proved.push(older);
            }
            Some(Err(error)) => self.report.found(None, format!("consistency: {error}")),
            None => {}
        }
        let (mut compared, mut open) = (0, None);
        for note in saved {
            match believed(note, self.keys) {
                Err(error) => self.report.found(None, format!("the saved checkpoint: {error}")),
                Ok(saved) if saved.size > newest.size => {
                    let text = format!(
                        "the saved checkpoint: was signed over {} leaves, but the log has {}; leaves {} to {} \
                         are missing (truncated)",
                        saved.size,
                        newest.size,
                        newest.size,
                        saved.size - 1
                    );
                    self.report.found(newest.size, text);
                    compared += 1;
                }
                Ok(saved) => match proved.iter().find(|one| one.size == saved.size) {
                    Some(one) if one.root == saved.root => {
                        self.report.checkpoints += 1;
                        compared += 1;
                    }
                    Some(_) => {
                        let text = format!(
                            "the saved checkpoint: was signed over other leaves than the first {} of this log \
                             (rewritten)",
                            saved.size
                        );
                        self.report.found(None, text);
                        compared += 1;
                    }
                    None => open = Some(saved.size),
                },
            }
        }
        if let Some(size) = open.filter(|_| compared == 0) {
            let text = format!(
                "the saved checkpoint: this export does not prove that it goes on from {size} leaves; ask for \
                 one with a consistency proof from that size"
            );
            self.report.found(None, text);
        }
    }

    /// Adds what is wrong beside the lines.
    pub(super) fn found(&mut self, text: String) {
        self.report.found(None, text);
    }

    /// A line that is no event.
    pub(super) fn unreadable(&mut self) {
        self.lines += 1;
        self.report.found(None, format!("events.ndjson, line {}: is not an event", self.lines));
    }

    /// The next line: its leaf, the place that it says is before it, its proof and its event.
    pub(super) fn line(
        &mut self,
        leaf: &Leaf,
        after: Option<u64>,
        proof: Option<&[Hash]>,
        body: Option<&str>,
    ) {
        self.lines += 1;
        let (seq, id) = (leaf.seq, &leaf.id);
        if self.last.is_some_and(|last| last >= seq) {
            let text = format!("event {seq} ({id}): is not in its place (inserted)");
            self.report.found(seq, text);
        } else if after != self.last {
            let text = match (self.last, after) {
                (last, Some(after)) if Some(after) > last => {
                    format!("event {after} is missing before event {seq} (deleted)")
                }
                _ => format!("event {seq} ({id}): does not follow the line before it (inserted)"),
            };
            self.report.found(seq, text);
        } else if self.manifest.covers == Coverage::Range && self.last.is_some_and(|last| last + 1 != seq) {
            let text =
                format!("events between {} and {seq} are missing (deleted)", after.unwrap_or_default());
            self.report.found(seq, text);
        }
        self.last = Some(self.last.map_or(seq, |last| last.max(seq)));
        let Some(tree) = &self.tree else { return };
        let included = proof
            .is_some_and(|proof| verify_inclusion(seq, tree.size, &leaf.hash(), proof, &tree.root).is_ok());
        match body {
            Some(_) => self.report.events += 1,
            None => self.gone.missing(seq, leaf.recorded),
        }
        if !included {
            self.report.found(seq, format!("event {seq} ({id}): is not what was logged (edited)"));
        } else if let Some(body) = body {
            self.gone.read(body, leaf.recorded, &mut self.report);
            same_event(leaf, Named::read(body).as_ref(), &mut self.report);
        }
    }

    /// A purge event that is beside the export, since it is not one of the events that were asked for.
    pub(super) fn beside(&mut self, leaf: &Leaf, proof: Option<&[Hash]>, body: Option<&str>) {
        let (Some(tree), Some(body)) = (&self.tree, body) else { return };
        let (seq, size) = (leaf.seq, tree.size);
        let included =
            proof.is_some_and(|proof| verify_inclusion(seq, size, &leaf.hash(), proof, &tree.root).is_ok());
        if included {
            self.gone.read(body, leaf.recorded, &mut self.report);
            same_event(leaf, Named::read(body).as_ref(), &mut self.report);
        } else {
            let text = format!("purges.ndjson: event {seq} ({}) is not what was logged (edited)", leaf.id);
            self.report.found(seq, text);
        }
    }

    /// All lines were told.
    pub(super) fn finish(mut self) -> Report {
        self.gone.finish(&mut self.report);
        if self.lines != self.manifest.events || self.last != self.manifest.last {
            let last = self.manifest.last.map_or_else(|| "none".to_owned(), |last| last.to_string());
            let text = format!(
                "events.ndjson has {} events, but the export was made with {}, the last at {last} (truncated)",
                self.lines, self.manifest.events
            );
            self.report.found(None, text);
        }
        self.report.sort();
        self.report
    }
}

/// The older checkpoint of a `consistency` file, when its proof holds.
fn consistent(content: &[u8], newest: &Checkpoint, keys: &[Key]) -> Result<Checkpoint, String> {
    let text = std::str::from_utf8(content).map_err(|_| "is not text".to_owned())?;
    // From the same tree, or the empty one, the proof has no hashes.
    let (hashes, note) = match text.strip_prefix('\n') {
        Some(note) => ("", note),
        None => text.split_once("\n\n").ok_or_else(|| "has no empty line".to_owned())?,
    };
    let proof: Option<Vec<Hash>> = hashes.lines().map(hash).collect();
    let proof = proof.ok_or_else(|| "has a line that is not a hash".to_owned())?;
    let older = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
    older.verify(keys).map_err(|error| error.to_string())?;
    let older = older.checkpoint;
    verify_consistency((older.size, &older.root), (newest.size, &newest.root), &proof)
        .map_err(|error| format!("{error}: the log was rewritten since {} leaves (rewritten)", older.size))?;
    Ok(older)
}
