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
use crate::store::audit::log::{Cosignature, Facts, Stored, StoredNode, node};
use crate::store::audit::scan::{Posting, Postings};
use crate::store::audit::sequence::Published;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
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
    /// The place behind the last leaf, before anything of the index.
    End(i64),
    /// Leaves with their events, in order.
    Entries(Vec<Stored>),
    /// Ids of events that have no leaf and should have one.
    Strays(Vec<String>),
    /// What the reader itself found.
    Found(Option<u64>, String),
    /// What the index finds events by.
    Postings(Postings),
    /// Asks, after all leaves and terms, for the places whose terms differ: the first and the one behind the last.
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
            Page::End(end) => index.end = end,
            Page::Entries(rows) => {
                let events: Vec<_> = rows.par_iter().map(|row| index.examine(row)).collect();
                for (row, event) in rows.iter().zip(events) {
                    entry(row, event.as_ref().map(|event| &event.content), &mut verifier);
                    index.expect(row, event, &mut verifier);
                }
            }
            Page::Strays(ids) => ids.iter().for_each(|id| verifier.stray(id)),
            Page::Found(seq, text) => verifier.found(seq, text),
            Page::Postings(rows) => {
                for row in rows.each() {
                    match row {
                        Ok(row) => index.take(row, &mut verifier),
                        Err(term) => verifier.found(None, unreadable(term)),
                    }
                }
            }
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

/// Judges a leaf and its event.
fn entry(row: &Stored, content: Option<&Content<'_>>, verifier: &mut Verifier<'_>) {
    let Ok(seq) = u64::try_from(row.seq) else {
        let text = format!("leaf {} ({}): the log has no such place (inserted)", row.seq, row.id);
        verifier.found(None, text);
        return;
    };
    let hash = Hash::try_from(row.hash.as_slice()).ok();
    let logged = Hash::try_from(row.content.as_slice()).ok();
    if hash.is_none() || logged.is_none() {
        verifier.found(seq, format!("leaf {seq} ({}): a hash has not 32 bytes (edited)", row.id));
    }
    let leaf =
        Leaf { seq, id: row.id.clone(), recorded: row.recorded_us, content: logged.unwrap_or_default() };
    let event = row.event.as_ref();
    if event.is_some_and(|event| event.id != row.id || event.recorded_us != row.recorded_us) {
        let text = format!("event {seq} ({}): its row names another event or time (edited)", row.id);
        verifier.found(seq, text);
    }
    verifier.entry(Entry { seq, leaf: Some(&leaf), hash, content });
}

/// An event that was read.
struct Examined<'r> {
    content: Content<'r>,
    /// Of the terms that it has to be found by, see [`Index`].
    sum: u64,
}

impl Examined<'_> {
    /// Whether the index says of it what it says itself.
    fn is_as(&self, row: &Stored, index: &Facts) -> bool {
        let said = self.content.named().map(|named| (named.kind(), named.action(), named.outcome()));
        (index.recorded_us, (index.kind.as_str(), index.action.as_str(), index.outcome))
            == (row.recorded_us, said.unwrap_or_default())
    }
}

/// Compares the index with what the events say, without keeping either: sums of keyed hashes over blocks of
/// leaves.
#[derive(Default)]
struct Index {
    state: RandomState,
    /// By the block, since somebody may have written any place.
    expected: HashMap<i64, u64>,
    found: HashMap<i64, u64>,
    /// Places whose events are not there, so that nothing can be said about terms that still have them.
    gone: Vec<Range<i64>>,
    /// The place behind the last leaf.
    end: i64,
}

fn unreadable(term: &str) -> String {
    format!("the index has a row of {term:?} that can't be read (edited)")
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
    /// Reads an event; none when it is not there.
    fn examine<'r>(&self, row: &'r Stored) -> Option<Examined<'r>> {
        let event = row.event.as_ref()?;
        // What has not the form of a salt or a text can't be what was hashed.
        let salt: Salt = event.salt.as_slice().try_into().unwrap_or_default();
        let content = Content::of(&salt, std::str::from_utf8(&event.body).unwrap_or_default());
        let mut words = Vec::with_capacity(16);
        if let Some(named) = content.named() {
            named.each_word(|word| words.push(self.state.hash_one(word)));
        }
        words.sort_unstable();
        words.dedup();
        let place = (row.recorded_us, row.seq);
        let sum = words.into_iter().map(|word| self.sum(word, place)).fold(0, u64::wrapping_add);
        Some(Examined { content, sum })
    }

    /// Takes in what a leaf's event should be found by, and compares its facts.
    fn expect(&mut self, row: &Stored, event: Option<Examined<'_>>, verifier: &mut Verifier<'_>) {
        let Some(block) = block(row.seq) else { return };
        let Some(event) = event else {
            match self.gone.last_mut() {
                Some(range) if range.end == row.seq => range.end = row.seq.saturating_add(1),
                _ => self.gone.push(row.seq..row.seq.saturating_add(1)),
            }
            return;
        };
        let wrong = match &row.index {
            Some(index) if event.is_as(row, index) => None,
            Some(_) => Some("the index says something else about it"),
            None => Some("the index does not have it"),
        };
        if let Some(wrong) = wrong {
            verifier.found(u64::try_from(row.seq).ok(), format!("event {} ({}): {wrong}", row.seq, row.id));
        }
        add(&mut self.expected, block, event.sum);
    }

    /// Takes in a row of what events are found by.
    fn take(&mut self, row: Posting<'_>, verifier: &mut Verifier<'_>) {
        let term = self.state.hash_one(row.term);
        let read = posting::each(row.last, row.others, |place| {
            let seq = place.1;
            match block(seq) {
                Some(block) if seq < self.end => {
                    let sum = self.sum(term, place);
                    add(&mut self.found, block, sum);
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
    fn suspects(&self, verifier: &mut Verifier<'_>) -> Vec<Range<i64>> {
        let blocks: BTreeSet<i64> = self.expected.keys().chain(self.found.keys()).copied().collect();
        let differs = |block: &i64| {
            let [expected, found] =
                [&self.expected, &self.found].map(|sums| sums.get(block).copied().unwrap_or_default());
            expected != found
        };
        let places = |block: i64| block * BLOCK..(block + 1).saturating_mul(BLOCK);
        let mut suspects: Vec<_> = blocks.into_iter().filter(differs).map(places).collect();
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
fn block(seq: i64) -> Option<i64> {
    (seq >= 0).then_some(seq / BLOCK)
}

fn add(sums: &mut HashMap<i64, u64>, block: i64, sum: u64) {
    let total = sums.entry(block).or_default();
    *total = total.wrapping_add(sum);
}
