//! Many rows in one text: a row that is handed over by itself costs several times what finding it does.

use super::StoreError;
use super::db::{Arg, Row, Tx};
use super::dialect;
use data_encoding::HEXUPPER_PERMISSIVE as HEX;
use sqlx::AssertSqlSafe;

/// What stands between columns, between rows, and for NULL.
const COLUMN: char = '\u{1f}';
const ROW: char = '\u{1e}';
const NULL: &str = "\u{1a}";

/// A column of a SELECT, by its name there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// TEXT or BIGINT
    Value(&'static str),
    /// The same or NULL
    OptValue(&'static str),
    /// BYTEA / BLOB, or NULL
    Bytes(&'static str),
}

/// The rows of a SELECT with `N` columns, in its order.
#[derive(Debug)]
pub(super) struct Gathered<const N: usize> {
    /// All of them.
    text: Option<String>,
    /// Each by itself, when one of them holds what stands between them.
    each: Vec<[String; N]>,
}

/// Reads the rows of `select`.
pub(super) async fn gather<const N: usize>(
    tx: &mut Tx,
    select: &str,
    columns: [Column; N],
    args: Vec<Arg>,
) -> Result<Gathered<N>, StoreError> {
    let text = |column| match column {
        Column::Value(name) | Column::OptValue(name) => format!("coalesce(CAST({name} AS TEXT), '{NULL}')"),
        Column::Bytes(name) => format!("coalesce({}, '{NULL}')", dialect::hex(tx.engine(), name)),
    };
    // What is never NULL need not become a text before the others do.
    let short = |column| match column {
        Column::Value(name) => name.to_owned(),
        other => text(other),
    };
    let (texts, shorts) = (columns.map(text).join(", "), columns.map(short).join(", "));
    let all =
        format!("SELECT string_agg(concat_ws('{COLUMN}', {shorts}), '{ROW}'), COUNT(*) FROM ({select}) g");
    let row = tx.one(AssertSqlSafe(all), args.clone()).await?;
    let (text, count) = (row.opt_text(0)?, row.int(1)?);
    if text.as_deref().is_none_or(|text| is_split::<N>(text, count)) {
        return Ok(Gathered { text, each: Vec::new() });
    }
    let rows = tx.all(AssertSqlSafe(format!("SELECT {texts} FROM ({select}) g")), args).await?;
    Ok(Gathered { text: None, each: rows.iter().map(read).collect::<Result<_, _>>()? })
}

/// Whether these are so many rows of `N` columns, none of which holds what stands between them.
fn is_split<const N: usize>(text: &str, rows: i64) -> bool {
    let (mut ended, mut columns) = (0, 1);
    for at in memchr::memchr2_iter(COLUMN as u8, ROW as u8, text.as_bytes()) {
        if text.as_bytes().get(at).copied() == Some(COLUMN as u8) {
            columns += 1;
        } else if columns == N {
            (ended, columns) = (ended + 1, 1);
        } else {
            return false;
        }
    }
    columns == N && ended + 1 == rows
}

fn read<const N: usize>(row: &Row) -> Result<[String; N], StoreError> {
    let mut texts = [const { String::new() }; N];
    for (at, text) in texts.iter_mut().enumerate() {
        *text = row.text(at)?;
    }
    Ok(texts)
}

impl<const N: usize> Gathered<N> {
    /// Each row's columns, to be read by [`opt`], [`int`] and [`bytes`].
    pub(super) fn rows(&self) -> impl Iterator<Item = [&str; N]> {
        let split = self.text.iter().flat_map(|text| cut(text));
        split.chain(self.each.iter().map(|row| row.each_ref().map(String::as_str)))
    }

    /// The last row's columns.
    pub(super) fn last(&self) -> Option<[&str; N]> {
        let last = self.text.as_ref().and_then(|text| cut(text.rsplit(ROW).next()?).next());
        last.or_else(|| self.each.last().map(|row| row.each_ref().map(String::as_str)))
    }
}

/// The rows of what [`is_split`].
fn cut<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    let mut ends = memchr::memchr2_iter(COLUMN as u8, ROW as u8, text.as_bytes()).chain([text.len()]);
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut columns = [""; N];
        for column in &mut columns {
            let end = ends.next()?;
            *column = text.get(start..end)?;
            start = end + 1;
        }
        Some(columns)
    })
}

/// A value that may be NULL.
pub(super) fn opt(column: &str) -> Option<&str> {
    (column != NULL).then_some(column)
}

/// BIGINT
pub(super) fn int(column: &str) -> Result<i64, StoreError> {
    column.parse().map_err(|_| StoreError::Other(format!("{column:?} is stored, which is no number")))
}

/// BYTEA / BLOB
pub(super) fn bytes(column: &str) -> Result<Vec<u8>, StoreError> {
    HEX.decode(column.as_bytes()).map_err(|error| StoreError::Other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_only_where_it_was_put_together() {
        let text = "1\u{1f}a\u{1e}2\u{1f}\u{1a}";
        assert!(is_split::<2>(text, 2));
        assert!(!is_split::<2>(text, 1) && !is_split::<2>(text, 3) && !is_split::<3>(text, 2));
        assert!(!is_split::<2>("1\u{1f}a\u{1e}b\u{1e}2\u{1f}c", 2));
        assert!(!is_split::<2>("1\u{1f}a\u{1f}b\u{1e}2\u{1f}c", 2));
        assert!(!is_split::<2>("1\u{1f}a\u{1f}b\u{1e}2", 2) && !is_split::<2>("1\u{1e}2\u{1f}a\u{1f}b", 2));
        let gathered = Gathered::<2> { text: Some(text.to_owned()), each: Vec::new() };
        let rows: Vec<_> = gathered.rows().map(|[number, text]| (int(number).unwrap(), opt(text))).collect();
        assert_eq!(rows, [(1, Some("a")), (2, None)]);
        assert_eq!(gathered.last(), Some(["2", NULL]));
        assert_eq!(
            (bytes("00fF").unwrap(), bytes("0").is_err(), int("x").is_err()),
            (vec![0, 255], true, true)
        );
    }
}
