//! Verifies the log in the database itself, in one state of it, whether servers are writing or not.
//!
//! Two halves, so that reading and hashing go on at the same time: this one reads page by page, and
//! `super::judge` holds what was read against the log's own rules.

use super::judge::{self, Page, Term};
use crate::audit::key::Verifier as Key;
use crate::audit::posting;
use crate::audit::report::Report;
use crate::audit::tree::{Hash, edge};
use crate::clock::Micros;
use crate::store::audit::log::{self, Stored};
use crate::store::audit::scan;
use crate::store::{Store, StoreError, Tx};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Rows of a page.
const PAGE: i64 = 2048;
/// Pages of the index that are read for each of leaves, as far as there are any. Where few events share a moment, each
/// has about ten rows there.
const BESIDE: usize = 3;
/// What is read ahead, page by page: that of about four pages of leaves, since nodes come level by level.
const AHEAD: usize = 64;
/// Levels above the leaves that a tree can have.
const LEVELS: i64 = 62;

/// What a verification of the database came to.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What was found.
    pub report: Report,
    /// Events that are recorded and have no place yet: nothing vouches for them so far.
    pub waiting: i64,
}

/// Verifies the log against its `keys` and, when some were kept, `saved` checkpoints, at `now`.
///
/// # Errors
/// When the database can't be read. What is wrong with what is in it is in the report.
pub async fn verify(
    store: &Store,
    keys: Vec<Key>,
    saved: Option<Vec<u8>>,
    now: Micros,
) -> Result<Verified, StoreError> {
    let (pages, taken) = mpsc::channel(AHEAD);
    let judged = tokio::task::spawn_blocking(move || judge::run(&keys, saved.as_deref(), now, taken));
    let mut tx = store.snapshot().await?;
    let read = Reader { tx: &mut tx, pages, next: 0, gap: false, postings: None }.read().await;
    // Without its sender the judge comes to its end, also when the reading failed.
    let report = judged.await.map_err(|error| StoreError::Other(error.to_string()))?;
    Ok(Verified { waiting: read?, report })
}

struct Reader<'t> {
    tx: &'t mut Tx,
    pages: mpsc::Sender<Page>,
    /// The place behind the last leaf that was read.
    next: i64,
    /// Whether a leaf is missing: the nodes behind it can't be compared.
    gap: bool,
    /// Where reading the index goes on; none when there is no more of it.
    postings: Option<scan::Onward>,
}

impl Reader<'_> {
    async fn read(mut self) -> Result<i64, StoreError> {
        let end = log::end(self.tx).await?;
        self.tell(Page::End(end)).await?;
        self.postings = Some(scan::beginning(self.tx).await?);
        self.leaves().await?;
        self.beyond().await?;
        self.cosignatures().await?;
        self.sequencer().await?;
        self.without_leaf().await?;
        self.index().await?;
        log::waiting(self.tx).await
    }

    async fn tell(&self, page: Page) -> Result<(), StoreError> {
        let gone = |_| StoreError::Other("the verification was broken off".to_owned());
        self.pages.send(page).await.map_err(gone)
    }

    async fn found(&self, seq: Option<i64>, text: String) -> Result<(), StoreError> {
        self.tell(Page::Found(seq.and_then(|seq| u64::try_from(seq).ok()), text)).await
    }

    /// Leaves and events, each page behind the checkpoints and nodes that are complete by it. While the database finds
    /// the next page, one is read on another thread.
    async fn leaves(&mut self) -> Result<(), StoreError> {
        let mut from = i64::MIN;
        let mut reading: Option<JoinHandle<Result<Vec<Stored>, StoreError>>> = None;
        loop {
            let page = log::unread(self.tx, from, PAGE).await?;
            if let Some(before) = reading.take() {
                self.entries(before).await?;
            }
            let places = page.places()?;
            let Some(last) = places.last() else { return Ok(()) };
            from = last.saturating_add(1);
            let until = from.max(self.next);
            self.checkpoints(self.next, until.saturating_add(1)).await?;
            self.nodes(&places).await?;
            self.next = until;
            let done = (places.len() as i64) < PAGE || from == i64::MAX;
            let read = tokio::task::spawn_blocking(move || page.read());
            if done {
                return self.entries(read).await;
            }
            reading = Some(read);
            self.postings(BESIDE).await?;
        }
    }

    /// Some pages of the index. The database has time for them while events are hashed and read.
    async fn postings(&mut self, pages: usize) -> Result<(), StoreError> {
        for _ in 0..pages {
            let Some(from) = self.postings.take() else { break };
            let Some((postings, next)) = scan::postings(self.tx, from).await? else { break };
            self.postings = Some(next);
            self.tell(Page::Postings(postings)).await?;
        }
        Ok(())
    }

    async fn entries(&self, read: JoinHandle<Result<Vec<Stored>, StoreError>>) -> Result<(), StoreError> {
        let rows = read.await.map_err(|error| StoreError::Other(error.to_string()))?;
        self.tell(Page::Entries(rows?)).await
    }

    /// Checkpoints of more than `told` leaves (the first time, of any) and fewer than `until`.
    async fn checkpoints(&mut self, told: i64, until: i64) -> Result<(), StoreError> {
        let mut from = if told == 0 { i64::MIN } else { told.saturating_add(1) };
        loop {
            let some = log::checkpoints(self.tx, from, until, PAGE).await?;
            let Some(last) = some.last() else { return Ok(()) };
            from = last.size.saturating_add(1);
            self.tell(Page::Checkpoints(some)).await?;
        }
    }

    /// The nodes that are complete by these leaves, as far as no leaf is missing.
    async fn nodes(&mut self, places: &[i64]) -> Result<(), StoreError> {
        if self.gap {
            return Ok(());
        }
        let start = self.next;
        let mut until = start;
        for place in places.iter().filter(|place| **place >= start) {
            if *place != until {
                self.gap = true;
                break;
            }
            until += 1;
        }
        for level in (1..=LEVELS).take_while(|level| until >> level > 0) {
            let (first, end) = (start >> level, until >> level);
            if first < end {
                let nodes = log::nodes(self.tx, level, first, end).await?;
                self.tell(Page::Nodes(nodes)).await?;
            }
        }
        Ok(())
    }

    /// Checkpoints and nodes that the leaves do not reach.
    async fn beyond(&mut self) -> Result<(), StoreError> {
        self.checkpoints(self.next, i64::MAX).await?;
        if !self.gap {
            for level in 1..=LEVELS {
                let nodes = log::nodes(self.tx, level, self.next >> level, i64::MAX).await?;
                if !nodes.is_empty() {
                    self.tell(Page::Nodes(nodes)).await?;
                }
            }
        }
        for (level, index, _) in log::nodes_without_level(self.tx).await? {
            self.found(None, format!("node {level}/{index}: is stored, but no tree has it (inserted)"))
                .await?;
        }
        Ok(())
    }

    async fn cosignatures(&mut self) -> Result<(), StoreError> {
        let mut after = (i64::MIN, String::new());
        loop {
            let some = log::cosignatures(self.tx, (after.0, &after.1), PAGE).await?;
            let Some(last) = some.last() else { return Ok(()) };
            after = (last.size, last.witness.clone());
            self.tell(Page::Cosignatures(some)).await?;
        }
    }

    /// The sequencer goes on from where the log ends.
    async fn sequencer(&mut self) -> Result<(), StoreError> {
        let Some((size, stored)) = log::sequencer(self.tx).await? else {
            let text = "the sequencer's row is gone: no event can get a place (deleted)";
            return self.found(None, text.to_owned()).await;
        };
        if size != self.next {
            let text = format!(
                "the sequencer gave {size} places, but the log has {} (truncated or inserted)",
                self.next
            );
            return self.found(Some(size.min(self.next)), text).await;
        }
        if self.gap {
            return Ok(());
        }
        let wanted = edge(u64::try_from(size).unwrap_or_default());
        let nodes = log::nodes_at(self.tx, &wanted).await?;
        let hashes: HashMap<_, Hash> = nodes.into_iter().map(|node| (node.id, node.hash)).collect();
        let expected: Vec<u8> = wanted.iter().filter_map(|id| hashes.get(id)).flatten().copied().collect();
        if expected != stored {
            let text =
                format!("the sequencer goes on from another tree than that of the first {size} leaves");
            self.found(None, format!("{text} (edited)")).await?;
        }
        Ok(())
    }

    /// Events that are there without a leaf, and those that are not there any more.
    async fn without_leaf(&mut self) -> Result<(), StoreError> {
        let mut after = i64::MIN;
        loop {
            let strays = log::strays(self.tx, after, PAGE).await?;
            let Some((last, _)) = strays.last() else { break };
            after = *last;
            self.tell(Page::Strays(strays.into_iter().map(|(_, id)| id).collect())).await?;
        }
        let lost = log::lost(self.tx).await?;
        if lost > 0 {
            let text = format!("{lost} events were recorded and are gone before they had a place (deleted)");
            self.found(None, text).await?;
        }
        Ok(())
    }

    /// What officers search by; where it differs is looked at again.
    async fn index(&mut self) -> Result<(), StoreError> {
        for seq in log::indexed_beyond(self.tx, PAGE).await? {
            self.found(Some(seq), format!("the index has an event {seq}, which the log does not have"))
                .await?;
        }
        self.postings(usize::MAX).await?;
        let (answer, suspects) = oneshot::channel();
        self.tell(Page::Suspects(answer)).await?;
        let suspects = suspects.await.map_err(|error| StoreError::Other(error.to_string()))?;
        let terms = self.terms(&suspects).await?;
        for (places, terms) in suspects.into_iter().zip(terms) {
            let mut entries = log::stored(self.tx, places.start, places.end - places.start).await?;
            entries.retain(|entry| entry.seq < places.end);
            self.tell(Page::Suspect(entries, terms)).await?;
        }
        Ok(())
    }

    /// All terms of these places. There is no quick way to them.
    async fn terms(&mut self, wanted: &[Range<i64>]) -> Result<Vec<BTreeSet<Term>>, StoreError> {
        let mut found = vec![BTreeSet::new(); wanted.len()];
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut from = scan::beginning(self.tx).await?;
        while let Some((postings, next)) = scan::postings(self.tx, from).await? {
            from = next;
            // What can't be read was told.
            for row in postings.each().flatten() {
                for place in posting::places(row.last, row.others).unwrap_or_default() {
                    let at = wanted.iter().position(|places| places.contains(&place.1));
                    if let Some(terms) = at.and_then(|at| found.get_mut(at)) {
                        terms.insert((row.term.to_owned(), place));
                    }
                }
            }
        }
        Ok(found)
    }
}
