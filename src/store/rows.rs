//! Many rows by few statements.

use super::StoreError;
use super::db::{Arg, Column, Engine, Tx};
use sqlx::AssertSqlSafe;

/// How many parameters a statement of SQLite may have.
const MOST_PARAMETERS: usize = 32_000;
/// How many rows one statement lists, where each place is looked up among all the others.
const MOST_LISTED: usize = 256;

/// How many of so many rows the next statement takes: a power of two, so that few statements are prepared, and not
/// many are sent, since each is handed from thread to thread.
fn step(rows: usize, most: usize) -> usize {
    let rows = rows.clamp(1, most.max(1));
    1 << rows.ilog2()
}

/// How many of so many keys the next statement lists.
pub(super) fn listed(keys: usize) -> usize {
    step(keys, MOST_LISTED)
}

/// A SELECT cut to so many rows. The number is part of the text: for one that it does not know, PostgreSQL plans as if a
/// tenth of all rows were wanted, and reads whole tables to join them.
pub(super) fn first(select: &str, limit: i64) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("{select} LIMIT {limit}"))
}

/// Inserts rows of equal width; `head` is `INSERT INTO table (columns)`.
pub(super) async fn insert(tx: &mut Tx, head: &str, rows: Vec<Vec<Arg>>) -> Result<(), StoreError> {
    match tx.engine() {
        Engine::Sqlite => insert_values(tx, head, rows).await,
        Engine::Postgres => insert_columns(tx, head, rows).await,
    }
}

/// SQLite, where a statement costs little.
async fn insert_values(tx: &mut Tx, head: &str, rows: Vec<Vec<Arg>>) -> Result<(), StoreError> {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let width = rows.as_slice().first().map_or(0, Vec::len).max(1);
        let size = step(rows.len(), MOST_PARAMETERS / width);
        let some: Vec<Vec<Arg>> = rows.by_ref().take(size).collect();
        // A place with a number would be looked up among all of them, one after the other.
        let row = format!("({})", vec!["?"; width].join(", "));
        let text = format!("{head} VALUES {}", vec![row.as_str(); size].join(", "));
        tx.execute(AssertSqlSafe(text), some.into_iter().flatten().collect()).await?;
    }
    Ok(())
}

/// PostgreSQL, where a statement costs a round trip: one for any number of rows, a parameter for each column.
async fn insert_columns(tx: &mut Tx, head: &str, rows: Vec<Vec<Arg>>) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut columns: Vec<Column> = first.iter().map(Column::of).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value)?;
        }
    }
    let places = columns.iter().enumerate().map(|(at, column)| format!("${}::{}", at + 1, column.sql_type()));
    let text = format!("{head} SELECT * FROM unnest({})", places.collect::<Vec<_>>().join(", "));
    tx.execute_columns(text, columns).await?;
    Ok(())
}

/// Deletes the rows with these keys; `head` is `DELETE FROM table WHERE key`. Returns how many there were.
pub(super) async fn delete(tx: &mut Tx, head: &str, keys: &[i64]) -> Result<u64, StoreError> {
    if tx.engine() == Engine::Postgres {
        let keys = Column::Int(keys.iter().map(|key| Some(*key)).collect());
        return tx.execute_columns(format!("{head} = ANY($1)"), vec![keys]).await;
    }
    let (mut deleted, mut rest) = (0, keys);
    while !rest.is_empty() {
        let (some, others) = rest.split_at(step(rest.len(), MOST_PARAMETERS));
        let text = format!("{head} IN ({})", vec!["?"; some.len()].join(", "));
        deleted += tx.execute(AssertSqlSafe(text), some.iter().map(|key| Arg::from(*key)).collect()).await?;
        rest = others;
    }
    Ok(deleted)
}
