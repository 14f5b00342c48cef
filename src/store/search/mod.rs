//! Running a search: a [`SearchQuery`] becomes one statement for a page of matches, one for a total, and one
//! for each include.
//!
//! Pages are cut by the values of the last match (keyset), so a resource that matches all the time is seen
//! exactly once, whatever else comes and goes.

mod as_of;
mod condition;
mod driver;
mod gather;
mod guard;
mod include;
mod order;
mod sql;
mod value;

pub(in crate::store) use as_of::keeps;
pub use as_of::{Found as Past, Slice, as_of};
pub use include::{Limits, included};

pub(crate) use as_of::STATEMENTS;

use super::state::{self, State};
use super::{Arg, Engine, StoreError, Tx};
use crate::auth::SearchPermit;
use crate::clock::Micros;
use crate::fhir::registry::ResourceType;
use crate::fhir::search::cursor::Position;
use crate::fhir::search::{Condition, SearchQuery};
use bytes::Bytes;
use condition::Compiler;
use order::Order;
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
    /// The state that was read.
    pub state: State,
}

/// A page of matches that may be found, behind `after`; `now` is for `ap`.
pub async fn page(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    after: Option<&Position>,
    now: Micros,
) -> Result<Page, StoreError> {
    let order = Order::of(query);
    let (inner, args) = statement(tx.engine(), permits, query, &order, after, now);
    let mut gathered = gather::gather(tx, &inner, args, &order).await?;
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let more = gathered.found.len() > count;
    gathered.found.truncate(count);
    gathered.positions.truncate(count);
    let next = gathered.positions.pop().filter(|_| more);
    show(permits, &mut gathered.found)?;
    Ok(Page { matches: gathered.found, next, state: gathered.state })
}

/// The statement of a page; it reads one match more, to know whether there is a next page.
fn statement(
    engine: Engine,
    permits: &SearchPermit,
    query: &SearchQuery,
    order: &Order,
    after: Option<&Position>,
    now: Micros,
) -> (String, Vec<Arg>) {
    let mut compiler = Compiler::new(engine, permits, now);
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

/// How many resources match and may be found, and the state that was read.
pub async fn count(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    now: Micros,
) -> Result<(i64, State), StoreError> {
    let mut compiler = Compiler::new(tx.engine(), permits, now);
    let selection = compiler.select(&query.types, &query.conditions, false);
    let text =
        format!("SELECT COUNT(*), {} FROM {} WHERE {}", state::COLUMNS, selection.from, selection.filter);
    let row = tx.one(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    Ok((row.int(0)?, State { next_lapse: row.opt_int(1)?, access: row.int(2)? }))
}

/// The logical ids of the first `limit` matches that may be found, in order of creation; for conditional interactions.
pub async fn matching(
    tx: &mut Tx,
    permits: &SearchPermit,
    query: &SearchQuery,
    limit: usize,
    now: Micros,
) -> Result<Vec<String>, StoreError> {
    let mut compiler = Compiler::new(tx.engine(), permits, now);
    let selection = compiler.select(&query.types, &query.conditions, false);
    let r = &selection.about.alias;
    let text = format!(
        "SELECT {r}.id FROM {} WHERE {} ORDER BY {r}.rid LIMIT {limit}",
        selection.from, selection.filter
    );
    let rows = tx.all(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Leaves of what was found what is shown.
fn show(permits: &SearchPermit, found: &mut [Found]) -> Result<(), StoreError> {
    for one in found {
        let body = std::mem::take(&mut one.body);
        one.body = permits.show(&one.rtype, body).map_err(|e| StoreError::Other(e.to_string()))?;
    }
    Ok(())
}

/// The version of a resource that satisfies a condition now; none when it does not, or is deleted. For
/// conditions that depend on other resources.
pub(super) async fn satisfies(
    tx: &mut Tx,
    rtype: &'static ResourceType,
    rid: i64,
    condition: &Condition,
) -> Result<Option<i64>, StoreError> {
    let permits = SearchPermit::of_server("judging a resource");
    let mut compiler = Compiler::new(tx.engine(), &permits, 0);
    let selection = compiler.select(&[rtype], std::slice::from_ref(condition), false);
    let (r, mark) = (&selection.about.alias, compiler.sql.bind(rid));
    let text =
        format!("SELECT {r}.vid FROM {} WHERE {} AND {r}.rid = {mark}", selection.from, selection.filter);
    let row = tx.optional(AssertSqlSafe(text), compiler.sql.into_args()).await?;
    row.map(|row| row.int(0)).transpose()
}

/// Whether an id names a live resource of a type that satisfies a condition.
pub(super) async fn finds(
    tx: &mut Tx,
    rtype: &'static ResourceType,
    id: &str,
    condition: &Condition,
) -> Result<bool, StoreError> {
    let permits = SearchPermit::of_server("judging a reference");
    let mut compiler = Compiler::new(tx.engine(), &permits, 0);
    let selection = compiler.select(&[rtype], std::slice::from_ref(condition), false);
    let (r, mark) = (&selection.about.alias, compiler.sql.bind(id));
    let text =
        format!("SELECT {r}.rid FROM {} WHERE {} AND {r}.id = {mark}", selection.from, selection.filter);
    Ok(tx.optional(AssertSqlSafe(text), compiler.sql.into_args()).await?.is_some())
}
