//! Many rows by few statements.

use super::StoreError;
use super::db::{Arg, Tx};
use sqlx::AssertSqlSafe;

/// How many rows a statement takes: few sizes, so that few statements are prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// How many of so many rows the next statement takes.
pub(super) fn step(rows: usize) -> usize {
    SIZES.into_iter().find(|size| *size <= rows).unwrap_or(1)
}

/// Inserts rows of equal width; `head` is `INSERT INTO table (columns)`.
pub(super) async fn insert(tx: &mut Tx, head: &str, rows: Vec<Vec<Arg>>) -> Result<(), StoreError> {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let size = step(rows.len());
        let some: Vec<Vec<Arg>> = rows.by_ref().take(size).collect();
        let width = some.first().map_or(0, Vec::len);
        let text = format!("{head} VALUES {}", places(size, width));
        tx.execute(AssertSqlSafe(text), some.into_iter().flatten().collect()).await?;
    }
    Ok(())
}

fn places(rows: usize, width: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn places_are_numbered_through() {
        assert_eq!(super::places(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
