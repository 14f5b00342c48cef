//! Running a search: a [`SearchQuery`] becomes one statement for a page of matches, one for a total, and one
//! for each include.
//!
//! Pages are cut by the values of the last match (keyset), so a resource that matches all the time is seen
//! exactly once, whatever else comes and goes.

mod condition;
mod driver;
mod gather;
mod include;
mod order;
mod sql;
mod value;

pub use include::{Limits, included};

use super::{Arg, StoreError, Tx};
use crate::clock::Micros;
use crate::fhir::search::SearchQuery;
use crate::fhir::search::cursor::Position;
use bytes::Bytes;
use condition::Compiler;
use order::Order;
use sql::Sql;
use sqlx::AssertSqlSafe;

/// A resource found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Internal key.
    pub rid: i64,
    /// Its type.
    pub rtype: String,
    /// Its logical id.
    pub id: String,
    /// Its version.
    pub vid: i64,
    /// Canonical JSON.
    pub body: Bytes,
}

/// A page of matches.
#[derive(Debug)]
pub struct Page {
    /// In order.
    pub matches: Vec<Found>,
    /// Where the next page begins, if there is one.
    pub next: Option<Position>,
    /// When the next hold of any appointment lapses, in the state that was read.
    pub next_lapse: Option<Micros>,
}

/// A page of matches behind `after`; `now` is for `ap`.
pub async fn page(
    tx: &mut Tx,
    query: &SearchQuery,
    after: Option<&Position>,
    now: Micros,
) -> Result<Page, StoreError> {
    let order = Order::of(query);
    let (inner, args) = statement(query, &order, after, now);
    let mut gathered = gather::gather(tx, &inner, args, &order).await?;
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let more = gathered.found.len() > count;
    gathered.found.truncate(count);
    gathered.positions.truncate(count);
    let next = gathered.positions.pop().filter(|_| more);
    Ok(Page { matches: gathered.found, next, next_lapse: gathered.next_lapse })
}

/// The statement of a page; it reads one match more, to know whether there is a next page.
fn statement(
    query: &SearchQuery,
    order: &Order,
    after: Option<&Position>,
    now: Micros,
) -> (String, Vec<Arg>) {
    let mut compiler = Compiler { sql: Sql::default(), now };
    let selection = compiler.select(&query.types, &query.conditions, order.needs_typed());
    let keys = order.expressions(&selection.about);
    let mut filter = selection.filter;
    if let Some(after) = after {
        filter.push_str(" AND ");
        filter.push_str(&order.behind(&mut compiler.sql, &selection.about, &keys, after));
    }
    let named = keys.iter().enumerate().map(|(i, key)| format!("{key} AS k{}", i + 1));
    let list: Vec<String> = std::iter::once(gather::columns(&selection.about.alias)).chain(named).collect();
    let text = format!(
        "SELECT {} FROM {} WHERE {filter} ORDER BY {} LIMIT {}",
        list.join(", "),
        selection.from,
        order.by(&selection.about, gather::COLUMNS),
        u64::from(query.count) + 1
    );
    (text, compiler.sql.into_args())
}

/// How many resources match, and when the next hold lapses in the state that was read.
pub async fn count(
    tx: &mut Tx,
    query: &SearchQuery,
    now: Micros,
) -> Result<(i64, Option<Micros>), StoreError> {
    let mut compiler = Compiler { sql: Sql::default(), now };
    let selection = compiler.select(&query.types, &query.conditions, false);
    let text = format!(
        "SELECT COUNT(*), (SELECT MIN(held_until_us) FROM appointment WHERE held_until_us IS NOT NULL) \
         FROM {} WHERE {}",
        selection.from, selection.filter
    );
    let row = tx.one(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    Ok((row.int(0)?, row.opt_int(1)?))
}

/// The logical ids of the first `limit` matches, in order of creation; for conditional interactions.
pub async fn matching(
    tx: &mut Tx,
    query: &SearchQuery,
    limit: usize,
    now: Micros,
) -> Result<Vec<String>, StoreError> {
    let mut compiler = Compiler { sql: Sql::default(), now };
    let selection = compiler.select(&query.types, &query.conditions, false);
    let r = &selection.about.alias;
    let text = format!(
        "SELECT {r}.id FROM {} WHERE {} ORDER BY {r}.rid LIMIT {limit}",
        selection.from, selection.filter
    );
    let rows = tx.all(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    rows.iter().map(|row| row.text(0)).collect()
}
