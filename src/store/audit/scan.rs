//! All rows by which events are found, for the verifier: from one end to the other, as an engine keeps them.

use crate::args;
use crate::audit::posting::Place;
use crate::store::StoreError;
use crate::store::db::{Engine, Tx, statements};
use crate::store::dialect;
use crate::store::gather::{Column, Gathered, gather, int};

statements! {
    BEHIND = "SELECT term, recorded_us, seq, others FROM audit_term WHERE (term, recorded_us, seq) > ($1, $2, $3) \
        ORDER BY term, recorded_us, seq LIMIT 8192";
}

/// Blocks that are read at once: about as many rows as [`BEHIND`] has.
const BLOCKS: i64 = 128;

/// Where reading goes on.
#[derive(Clone, Debug)]
pub enum Onward {
    /// SQLite: behind this key.
    Behind(String, Place),
    /// PostgreSQL, which keeps rows where they were written, so that each would be read from a block of its own in the
    /// order of keys: with this block, and before that.
    Block(i64, i64),
}

/// A row, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'a> {
    /// See [`crate::audit::terms`].
    pub term: &'a str,
    /// The last of its events.
    pub last: Place,
    /// The others, see [`crate::audit::posting`].
    pub others: &'a str,
}

/// Some rows.
#[derive(Debug)]
pub struct Postings(Gathered<4>);

impl Postings {
    /// Each of them, or its term when it can't be read.
    pub fn each(&self) -> impl Iterator<Item = Result<Posting<'_>, &str>> {
        self.0.rows().map(|columns| read(columns).map_err(|_| columns[0]))
    }
}

fn read([term, recorded_us, seq, others]: [&str; 4]) -> Result<Posting<'_>, StoreError> {
    Ok(Posting { term, last: (int(recorded_us)?, int(seq)?), others })
}

/// Where reading begins.
pub async fn beginning(tx: &mut Tx) -> Result<Onward, StoreError> {
    match tx.engine() {
        Engine::Sqlite => Ok(Onward::Behind(String::new(), (i64::MIN, i64::MIN))),
        Engine::Postgres => Ok(Onward::Block(0, dialect::blocks(tx, "audit_term").await?)),
    }
}

/// Some rows, and where to go on; none when there are no more.
pub async fn postings(tx: &mut Tx, from: Onward) -> Result<Option<(Postings, Onward)>, StoreError> {
    let columns = ["term", "recorded_us", "seq", "others"].map(Column::Value);
    match from {
        Onward::Behind(term, place) => {
            let rows = gather(tx, BEHIND, columns, args![term, place.0, place.1]).await?;
            let last = rows.last().map(read).transpose()?;
            let onward = last.map(|last| Onward::Behind(last.term.to_owned(), last.last));
            Ok(onward.map(|onward| (Postings(rows), onward)))
        }
        Onward::Block(first, end) if first < end => {
            let next = first + BLOCKS;
            let rows = gather(tx, dialect::POSTINGS_OF_BLOCKS, columns, args![first, next]).await?;
            Ok(Some((Postings(rows), Onward::Block(next, end))))
        }
        Onward::Block(..) => Ok(None),
    }
}
