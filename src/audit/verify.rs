//! The verifier: takes a log entry by entry, from an export or a database, and says what is wrong with it.
//!
//! It is told of entries in the order of their places, and of checkpoints and stored nodes before the entry
//! that completes them, so that a log of any length passes through little memory. It never stops at the first
//! thing that is wrong.

use super::checkpoint::{Checkpoint, SignedCheckpoint};
use super::key::Verifier as Key;
use super::leaf::{Leaf, Salt, content_hash, recorded_text};
use super::note::NoteError;
use super::purge;
use super::report::Report;
use super::terms::Named;
use super::tree::{Frontier, Hash, Node, NodeId};
use crate::clock::Micros;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The content of an event that was not purged, hashed and read: nothing of it depends on its leaf, so that many can be
/// made at once.
#[derive(Debug)]
pub struct Content<'a> {
    body: &'a str,
    hash: Hash,
    named: Option<Named<'a>>,
}

impl<'a> Content<'a> {
    /// Of the AuditEvent `body` as it was hashed, with the salt under its hash.
    pub fn of(salt: &Salt, body: &'a str) -> Self {
        Self { body, hash: content_hash(salt, body.as_bytes()), named: Named::read(body) }
    }

    /// What it says; none when it is no AuditEvent.
    pub fn named(&self) -> Option<&Named<'a>> {
        self.named.as_ref()
    }
}

/// What is stored for one place of the log.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The place.
    pub seq: u64,
    /// Its leaf, when there is one that can be read.
    pub leaf: Option<&'a Leaf>,
    /// The leaf's hash as it is stored, when it is.
    pub hash: Option<Hash>,
    /// The event; `None` when it was purged or is missing.
    pub content: Option<&'a Content<'a>>,
}

/// A hash that is not what the log says, to tell an exchange from an edit.
struct Mismatch {
    seq: u64,
    id: String,
    expected: Hash,
    found: Hash,
}

/// Takes a log in, and says what is wrong with it.
pub struct Verifier<'k> {
    keys: &'k [Key],
    report: Report,
    tree: Frontier,
    next: u64,
    /// Set once a leaf's hash is not known: from there on no root can be computed.
    broken: Option<u64>,
    /// Checkpoints that are not reached yet: their name, size and root.
    checkpoints: BTreeMap<u64, Vec<(String, Hash)>>,
    /// The size of the last checkpoint whose root was right.
    confirmed: u64,
    /// The largest size that a believed checkpoint covers.
    covered: u64,
    nodes: HashMap<NodeId, Hash>,
    nodes_expected: bool,
    /// Nodes that are wrong: those above them are so too, which needs no saying.
    wrong: HashSet<NodeId>,
    mismatches: Vec<Mismatch>,
    gone: purge::Gone,
}

/// The checkpoint in a note that one of the log's `keys` signed.
pub(super) fn believed(note: &[u8], keys: &[Key]) -> Result<Checkpoint, NoteError> {
    let signed = SignedCheckpoint::parse(note)?;
    signed.verify(keys)?;
    Ok(signed.checkpoint)
}

/// Whether an AuditEvent has the id and time of its `leaf`; what differs is a finding.
pub(super) fn same_event(leaf: &Leaf, named: Option<&Named<'_>>, report: &mut Report) {
    let (seq, id) = (leaf.seq, &leaf.id);
    let Some((own, told)) = named.and_then(|own| own.id.as_ref().zip(own.recorded.as_ref())) else {
        report.found(seq, format!("event {seq} ({id}): is not an AuditEvent"));
        return;
    };
    if own != id {
        report.found(seq, format!("event {seq} ({id}): calls itself {own} (exchanged)"));
    }
    let recorded = recorded_text(leaf.recorded);
    if *told != recorded {
        let text = format!("event {seq} ({id}): says that it was recorded {told}, its leaf {recorded}");
        report.found(seq, text);
    }
}

impl<'k> Verifier<'k> {
    /// A verifier that believes checkpoints by `keys`, at `now`. With `nodes_expected` every complete node above the
    /// leaves must be told ([`Verifier::node`]).
    pub fn new(keys: &'k [Key], nodes_expected: bool, now: Micros) -> Self {
        Self {
            keys,
            report: Report::default(),
            tree: Frontier::new(),
            next: 0,
            broken: None,
            checkpoints: BTreeMap::new(),
            confirmed: 0,
            covered: 0,
            nodes: HashMap::new(),
            nodes_expected,
            wrong: HashSet::new(),
            mismatches: Vec::new(),
            gone: purge::Gone::new(now),
        }
    }

    /// Adds what the source itself found wrong.
    pub fn found(&mut self, seq: impl Into<Option<u64>>, text: String) {
        self.report.found(seq, text);
    }

    /// A checkpoint under a `name` for findings, before the entry that it ends with. What cannot be believed is
    /// a finding; what can is given back, to be compared with what else is stored of it.
    pub fn checkpoint(&mut self, name: &str, note: &[u8]) -> Option<Checkpoint> {
        match believed(note, self.keys) {
            Ok(checkpoint) => {
                self.report.checkpoints += 1;
                self.covered = self.covered.max(checkpoint.size);
                self.report.size = self.covered;
                let (size, root) = (checkpoint.size, checkpoint.root);
                if size < self.tree.size() {
                    let text = format!("{name}: told after its entries, so that its root was not compared");
                    self.report.found(None, text);
                } else if size == self.tree.size() && self.broken.is_none() {
                    self.compare(name, size, root);
                } else {
                    self.checkpoints.entry(size).or_default().push((name.to_owned(), root));
                }
                Some(checkpoint)
            }
            Err(error) => {
                self.report.found(None, format!("{name}: {error}"));
                None
            }
        }
    }

    /// A stored node above the leaves, before the entry that completes it.
    pub fn node(&mut self, node: Node) {
        self.nodes.insert(node.id, node.hash);
    }

    /// An event that is stored without a place in the log, although it should have one.
    pub fn stray(&mut self, id: &str) {
        self.report
            .found(None, format!("event {id} is stored, but no leaf of the log is about it (inserted)"));
    }

    /// The next entry.
    pub fn entry(&mut self, entry: Entry<'_>) {
        let seq = entry.seq;
        if seq < self.next {
            let id = entry.leaf.map_or("", |leaf| leaf.id.as_str());
            self.report.found(seq, format!("leaf {seq} ({id}): its place is taken (inserted)"));
            return;
        }
        if seq > self.next {
            let last = seq - 1;
            let text = match self.next {
                first if first == last => format!("leaf {first} is missing (deleted)"),
                first => format!("leaves {first} to {last} are missing (deleted)"),
            };
            self.report.found(self.next, text);
            self.broken.get_or_insert(self.next);
        }
        self.next = seq + 1;
        let computed = entry.leaf.map(|leaf| self.leaf(&entry, leaf));
        if entry.leaf.is_none() {
            let what = if entry.content.is_some() { "event" } else { "place" };
            self.report
                .found(seq, format!("leaf {seq} is missing: nothing vouches for this {what} (deleted)"));
        }
        // The stored hash, so that one leaf that was edited does not make every later root wrong.
        match entry.hash.or(computed) {
            Some(hash) if self.broken.is_none() => self.append(hash),
            _ => {
                self.broken.get_or_insert(seq);
            }
        }
    }

    /// Compares the leaf with its place, its hash and its event; gives the hash that it should have.
    fn leaf(&mut self, entry: &Entry<'_>, leaf: &Leaf) -> Hash {
        let (seq, id) = (entry.seq, &leaf.id);
        if leaf.seq != seq {
            self.report.found(seq, format!("leaf {seq} ({id}): says that its place is {} (moved)", leaf.seq));
        }
        let hash = leaf.hash();
        if entry.hash.is_some_and(|stored| stored != hash) {
            self.report.found(seq, format!("leaf {seq} ({id}): is not what was hashed (edited)"));
        }
        match entry.content {
            Some(content) => self.content(seq, leaf, content),
            None => self.gone.missing(seq, leaf.recorded),
        }
        hash
    }

    fn content(&mut self, seq: u64, leaf: &Leaf, content: &Content<'_>) {
        self.report.events += 1;
        if content.hash != leaf.content {
            let id = leaf.id.clone();
            self.mismatches.push(Mismatch { seq, id, expected: leaf.content, found: content.hash });
            return;
        }
        let named = content.named();
        same_event(leaf, named, &mut self.report);
        if named.is_some_and(|named| named.has_subtype(purge::CODE)) {
            self.gone.read(content.body, leaf.recorded, &mut self.report);
        }
    }

    fn append(&mut self, hash: Hash) {
        for Node { id, hash } in self.tree.append(hash) {
            let (first, last) = (id.index << id.level, ((id.index + 1) << id.level) - 1);
            let wrong = match self.nodes.remove(&id) {
                Some(stored) if stored != hash => "is not that of the leaves below it",
                None if self.nodes_expected => "is missing",
                _ => continue,
            };
            let child = |index| NodeId { level: id.level - 1, index };
            self.wrong.insert(id);
            if [id.index * 2, id.index * 2 + 1].iter().any(|index| self.wrong.contains(&child(*index))) {
                continue;
            }
            let text = format!("node {}/{}, over leaves {first} to {last}: {wrong}", id.level, id.index);
            self.report.found(first, text);
        }
        let size = self.tree.size();
        while let Some(first) = self.checkpoints.first_entry().filter(|first| *first.key() <= size) {
            for (name, root) in first.remove() {
                self.compare(&name, size, root);
            }
        }
    }

    /// Compares a checkpoint's root with that of the tree as it is.
    fn compare(&mut self, name: &str, size: u64, root: Hash) {
        if self.tree.root() == root {
            self.confirmed = self.confirmed.max(size);
        } else {
            let text = format!(
                "{name}: was signed over other leaves than the first {size} of this log; they were changed \
                 from leaf {} on (rewritten)",
                self.confirmed
            );
            self.report.found(None, text);
        }
    }

    /// All was told.
    pub fn finish(mut self) -> Report {
        self.exchanged_or_edited();
        self.gone.finish(&mut self.report);
        let size = self.next;
        if let Some(broken) = self.broken {
            let open: usize = self.checkpoints.values().map(Vec::len).sum();
            let text = format!(
                "{open} checkpoints can't be compared, because the hash of leaf {broken} is not known"
            );
            self.report.found(None, text);
        }
        let broken = self.broken.is_some();
        for (covered, names) in std::mem::take(&mut self.checkpoints) {
            for (name, _) in names.into_iter().filter(|_| covered > size || !broken) {
                let text = format!(
                    "{name}: was signed over {covered} leaves, but the log has {size}; leaves {size} to {} \
                     are missing (truncated)",
                    covered - 1
                );
                self.report.found(size, text);
            }
        }
        if self.report.checkpoints == 0 {
            self.report.found(None, "there is no checkpoint that can be believed".to_owned());
        } else if size > self.covered {
            let text =
                format!("leaves {} to {} are covered by no checkpoint (inserted)", self.covered, size - 1);
            self.report.found(self.covered, text);
        }
        // Behind a leaf that is not known nothing is compared.
        let mut extra: Vec<_> = self.nodes.keys().filter(|_| !broken).collect();
        extra.sort();
        for id in extra {
            let text = format!("node {}/{}: is stored, but the log does not reach it", id.level, id.index);
            self.report.found(None, text);
        }
        self.report.sort();
        self.report
    }

    fn exchanged_or_edited(&mut self) {
        let by_expected: HashMap<Hash, u64> =
            self.mismatches.iter().map(|mismatch| (mismatch.expected, mismatch.seq)).collect();
        for Mismatch { seq, id, found, .. } in &self.mismatches {
            let text = match by_expected.get(found) {
                Some(other) => format!("event {seq} ({id}): is that of leaf {other} (exchanged)"),
                None => format!("event {seq} ({id}): its content is not what was logged (edited)"),
            };
            self.report.found(*seq, text);
        }
    }
}
