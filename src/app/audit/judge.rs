//! The half of a verification that judges what was read from the database.

use crate::audit::checkpoint::kept;
use crate::audit::key::Verifier as Key;
use crate::audit::leaf::{Leaf, Salt};
use crate::audit::note::{Note, NoteError};
use crate::audit::posting::{self, Place};
use crate::audit::report::Report;
use crate::audit::terms::Terms;
use crate::audit::tree::Hash;
use crate::audit::verify::{Content, Entry, Verifier};
use crate::clock::Micros;
use crate::store::audit::log::{Cosignature, Facts, Posting, Postings, Stored, StoredNode, node};
use crate::store::audit::sequence::Published;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use tokio::sync::{mpsc, oneshot};

/// Leaves whose terms are compared as one.
const BLOCK: i64 = 256;
/// The most blocks that are looked at again, term by term.
const BLOCKS: usize = 16;

/// A term and an event that has it.
pub(super) type Term = (String, Place);

/// Something that was read.
pub(super) enum Page {
    /// Checkpoints, before the leaves that they end with.
    Checkpoints(Vec<Published>),
    /// Nodes, before the leaves that complete them.
    Nodes(Vec<StoredNode>),
    /// What witnesses signed.
    Cosignatures(Vec<Cosignature>),
    /// Leaves with their events, in order.
    Entries(Vec<Stored>),
    /// Ids of events that have no leaf and should have one.
    Strays(Vec<String>),
    /// What the reader itself found.
    Found(Option<u64>, String),
    /// What the index finds events by, after all leaves.
    Postings(Postings),
    /// Asks, after all terms, for the places whose terms differ: the first and the one behind the last.
    Suspects(oneshot::Sender<Vec<Range<i64>>>),
    /// Such places, with all terms that are stored for them.
    Suspect(Vec<Stored>, BTreeSet<Term>),
}

/// Judges until the reader has told all.
pub(super) fn run(
    keys: &[Key],
    saved: Option<&[u8]>,
    now: Micros,
    mut pages: mpsc::Receiver<Page>,
) -> Report {
    let mut verifier = Verifier::new(keys, true, now);
    for saved in saved.map(kept).unwrap_or_default() {
        verifier.checkpoint("the saved checkpoint", saved);
    }
    let mut index = Index::default();
    while let Some(page) = pages.blocking_recv() {
        match page {
            Page::Checkpoints(some) => some.iter().for_each(|one| checkpoint(one, &mut verifier)),
            Page::Nodes(nodes) => {
                for (level, at, hash) in nodes {
                    match node(level, at, &hash) {
                        Some(node) => verifier.node(node),
                        None => verifier.found(None, format!("node {level}/{at}: is no hash (edited)")),
                    }
                }
            }
            Page::Cosignatures(some) => some.iter().for_each(|one| cosignature(one, keys, &mut verifier)),
            Page::Entries(rows) => {
                for row in &rows {
                    let terms = entry(row, &mut verifier).or_else(|| terms(row));
                    index.expect(row, terms, &mut verifier);
                }
            }
            Page::Strays(ids) => ids.iter().for_each(|id| verifier.stray(id)),
            Page::Found(seq, text) => verifier.found(seq, text),
            Page::Postings(rows) => rows.each(|row| match row {
                Ok(row) => index.take(row, &mut verifier),
                Err(text) => verifier.found(None, unreadable(text)),
            }),
            Page::Suspects(answer) => {
                // A reader that went away has its own error.
                let _ = answer.send(index.suspects(&mut verifier));
            }
            Page::Suspect(rows, terms) => index.compare(&rows, terms, &mut verifier),
        }
    }
    verifier.finish()
}

fn checkpoint(stored: &Published, verifier: &mut Verifier<'_>) {
    let size = stored.size;
    let Some(signed) = verifier.checkpoint(&format!("checkpoint {size}"), stored.note.as_bytes()) else {
        return;
    };
    if i64::try_from(signed.size).ok() != Some(size) || signed.root.as_slice() != stored.root {
        verifier
            .found(None, format!("checkpoint {size}: its row says something else than its note (edited)"));
    }
}

/// A witness whose key is not known may have signed anything.
fn cosignature(kept: &Cosignature, keys: &[Key], verifier: &mut Verifier<'_>) {
    let Cosignature { size, witness, line, note } = kept;
    let Some((text, _)) = note.as_deref().and_then(|note| note.rsplit_once("\n\n")) else {
        verifier
            .found(None, format!("{witness} signed a checkpoint of {size} leaves, which is gone (deleted)"));
        return;
    };
    let signed = Note::parse(format!("{text}\n\n{line}").as_bytes());
    match signed.as_ref().map(|note| note.verify(keys)) {
        Ok(Ok(_) | Err(NoteError::Unsigned)) => {}
        Ok(Err(error)) => {
            verifier.found(None, format!("checkpoint {size}, as {witness} signed it: {error} (edited)"));
        }
        Err(error) => {
            verifier.found(None, format!("checkpoint {size}, as {witness} signed it: {error} (edited)"));
        }
    }
}

/// Judges a leaf and its event; returns what the event has to be found by, if it is the one that was logged.
fn entry(row: &Stored, verifier: &mut Verifier<'_>) -> Option<Terms> {
    let Ok(seq) = u64::try_from(row.seq) else {
        let text = format!("leaf {} ({}): the log has no such place (inserted)", row.seq, row.id);
        verifier.found(None, text);
        return None;
    };
    let hash = Hash::try_from(row.hash.as_slice()).ok();
    let content = Hash::try_from(row.content.as_slice()).ok();
    if hash.is_none() || content.is_none() {
        verifier.found(seq, format!("leaf {seq} ({}): a hash has not 32 bytes (edited)", row.id));
    }
    let leaf =
        Leaf { seq, id: row.id.clone(), recorded: row.recorded_us, content: content.unwrap_or_default() };
    let event = row.event.as_ref();
    if event.is_some_and(|event| event.id != row.id || event.recorded_us != row.recorded_us) {
        let text = format!("event {seq} ({}): its row names another event or time (edited)", row.id);
        verifier.found(seq, text);
    }
    // What has not the form of a salt or a text can't be what was hashed.
    let salt: Option<Salt> = event.map(|event| event.salt.as_slice().try_into().unwrap_or_default());
    let body = event.map(|event| match std::str::from_utf8(&event.body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(&event.body),
    });
    let content = salt.as_ref().zip(body.as_deref()).map(|(salt, body)| Content { salt, body });
    let named = verifier.entry(Entry { seq, leaf: Some(&leaf), hash, content });
    named.map(|named| named.terms())
}

/// Compares the index with what the events say, without keeping either: sums of keyed hashes over blocks of
/// leaves.
#[derive(Default)]
struct Index {
    state: RandomState,
    expected: Vec<u64>,
    found: Vec<u64>,
    /// Places whose events are not there, so that nothing can be said about their terms.
    gone: Vec<Range<i64>>,
    size: i64,
}

fn unreadable(row: &str) -> String {
    format!("the index has a row of {row:?} that can't be read (edited)")
}

/// The terms that an event has to be found by.
fn terms(row: &Stored) -> Option<Terms> {
    let event = row.event.as_ref()?;
    Some(Terms::of(&event.body))
}

fn words(row: &Stored, terms: Terms) -> impl Iterator<Item = Term> {
    let place = (row.recorded_us, row.seq);
    terms.words.into_iter().map(move |term| (term, place))
}

impl Index {
    /// Takes in what a leaf's event should be found by, and compares its facts.
    fn expect(&mut self, row: &Stored, terms: Option<Terms>, verifier: &mut Verifier<'_>) {
        let Some(block) = block(row.seq) else { return };
        self.size = row.seq + 1;
        let Some(terms) = terms else {
            match self.gone.last_mut() {
                Some(range) if range.end == row.seq => range.end += 1,
                _ => self.gone.push(row.seq..row.seq + 1),
            }
            return;
        };
        let facts = Facts {
            recorded_us: row.recorded_us,
            kind: terms.kind.clone(),
            action: terms.action.clone(),
            outcome: terms.outcome,
        };
        let wrong = match &row.index {
            Some(index) if *index == facts => None,
            Some(_) => Some("the index says something else about it"),
            None => Some("the index does not have it"),
        };
        if let Some(wrong) = wrong {
            verifier.found(u64::try_from(row.seq).ok(), format!("event {} ({}): {wrong}", row.seq, row.id));
        }
        for word in &terms.words {
            let sum = self.sum(self.state.hash_one(word.as_str()), (row.recorded_us, row.seq));
            add(&mut self.expected, block, sum);
        }
    }

    /// Takes in a row of what events are found by.
    fn take(&mut self, row: Posting<'_>, verifier: &mut Verifier<'_>) {
        let term = self.state.hash_one(row.term);
        let read = posting::each(row.last, row.others, |place| {
            let seq = place.1;
            match block(seq) {
                Some(block) if seq < self.size => {
                    if !self.is_gone(seq) {
                        let sum = self.sum(term, place);
                        add(&mut self.found, block, sum);
                    }
                }
                _ => {
                    let text = format!(
                        "the index finds an event {seq} by {:?}, which the log does not have",
                        row.term
                    );
                    verifier.found(u64::try_from(seq).ok(), text);
                }
            }
        });
        if read.is_none() {
            verifier.found(u64::try_from(row.last.1).ok(), unreadable(row.term));
        }
    }

    fn sum(&self, term: u64, place: Place) -> u64 {
        self.state.hash_one((term, place))
    }

    fn is_gone(&self, seq: i64) -> bool {
        let at = self.gone.partition_point(|range| range.end <= seq);
        self.gone.get(at).is_some_and(|range| range.contains(&seq))
    }

    /// The places whose terms differ, a few blocks at most.
    fn suspects(&mut self, verifier: &mut Verifier<'_>) -> Vec<Range<i64>> {
        let blocks = self.expected.len().max(self.found.len());
        self.expected.resize(blocks, 0);
        self.found.resize(blocks, 0);
        let sums = self.expected.iter().zip(&self.found);
        let differ = (0i64..).zip(sums).filter(|(_, (expected, found))| expected != found);
        let mut suspects: Vec<_> = differ.map(|(at, _)| at * BLOCK..(at + 1) * BLOCK).collect();
        for Range { start, end } in suspects.iter().skip(BLOCKS) {
            let text = format!("the index differs from the events between {start} and {}", end - 1);
            verifier.found(u64::try_from(*start).ok(), text);
        }
        suspects.truncate(BLOCKS);
        suspects
    }

    /// Names the terms that differ.
    fn compare(&self, rows: &[Stored], mut found: BTreeSet<Term>, verifier: &mut Verifier<'_>) {
        let expected: BTreeSet<Term> =
            rows.iter().filter_map(|row| Some(words(row, terms(row)?))).flatten().collect();
        found.retain(|(_, (_, seq))| !self.is_gone(*seq));
        let mut differs = |(term, (_, seq)): &Term, how: &str| {
            let text = format!("event {seq}: the index {how} {term:?}");
            verifier.found(u64::try_from(*seq).ok(), text);
        };
        expected.difference(&found).for_each(|term| differs(term, "does not find it by its term"));
        found.difference(&expected).for_each(|term| differs(term, "finds it by a term that is not its own:"));
    }
}

/// The block of a place.
fn block(seq: i64) -> Option<usize> {
    usize::try_from(seq.div_euclid(BLOCK)).ok()
}

fn add(sums: &mut Vec<u64>, block: usize, sum: u64) {
    if sums.len() <= block {
        sums.resize(block + 1, 0);
    }
    if let Some(total) = sums.get_mut(block) {
        *total = total.wrapping_add(sum);
    }
}
