//! A page as one row: every match's fields in one text.
//!
//! Rows are handed over one at a time, from SQLite's thread or from PostgreSQL's socket, and for thirty small
//! resources that costs several times what finding them does.

use super::Found;
use super::order::{KeyKind, Order};
use crate::fhir::search::cursor::{Key, Position};
use crate::store::state::{self, State};
use crate::store::{Arg, StoreError, Tx, dialect};
use bytes::Bytes;
use sqlx::AssertSqlSafe;

/// Between the fields of a match. No stored text holds it: R4 forbids control characters in strings, and the
/// parser refuses them.
const FIELD: char = '\u{1f}';
/// Between matches.
const MATCH: char = '\u{1e}';

/// Columns that a gathered SELECT begins with, of alias `r`; keys `k1`, `k2` and so on may follow.
pub(super) fn columns(r: &str) -> String {
    format!("{r}.rid AS rid, {r}.type AS type, {r}.id AS id, {r}.vid AS vid, {r}.body AS body")
}

/// How many [`columns`] there are.
pub(super) const COLUMNS: usize = 5;

/// What a gathered SELECT returned.
pub(super) struct Gathered {
    /// In order.
    pub(super) found: Vec<Found>,
    /// Where the match after each one begins.
    pub(super) positions: Vec<Position>,
    /// The state that was read.
    pub(super) state: State,
}

/// Runs `inner`, a SELECT of [`columns`] and of the keys of `order`.
pub(super) async fn gather(
    tx: &mut Tx,
    inner: &str,
    args: Vec<Arg>,
    order: &Order,
) -> Result<Gathered, StoreError> {
    let text = statement(tx, inner, order);
    let row = tx.one(AssertSqlSafe(text), args).await?;
    let state = State { next_lapse: row.opt_int(1)?, access: row.int(2)? };
    let text = Bytes::from(row.opt_text(0)?.unwrap_or_default());
    let (found, positions) = split(&text, order)
        .ok_or_else(|| StoreError::Other("a search returned a match that can't be taken apart".to_owned()))?;
    Ok(Gathered { found, positions, state })
}

fn statement(tx: &Tx, inner: &str, order: &Order) -> String {
    let mut fields = vec!["m.rid".to_owned(), "m.type".to_owned(), "m.id".to_owned(), "m.vid".to_owned()];
    for (i, kind) in order.kinds().enumerate() {
        let column = format!("m.k{}", i + 1);
        let text = match kind {
            KeyKind::Text => column,
            KeyKind::Int => format!("CAST({column} AS TEXT)"),
            KeyKind::Real => dialect::real_as_text(tx, &column),
        };
        // A value begins with '=', so that an empty text is not taken for a missing value.
        fields.push(format!("COALESCE('=' || {text}, '')"));
    }
    fields.push(dialect::body_as_text(tx, "m.body"));
    format!(
        "SELECT string_agg(concat_ws('{FIELD}', {}), '{MATCH}' ORDER BY {}), {} FROM ({inner}) m",
        fields.join(", "),
        order.again("m"),
        state::COLUMNS
    )
}

fn split(text: &Bytes, order: &Order) -> Option<(Vec<Found>, Vec<Position>)> {
    let all = std::str::from_utf8(text).ok()?;
    let mut found = Vec::new();
    let mut positions = Vec::new();
    for one in all.split(MATCH).filter(|one| !one.is_empty()) {
        let mut fields = one.split(FIELD);
        let rid = fields.next()?.parse().ok()?;
        let (rtype, id) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let vid = fields.next()?.parse().ok()?;
        let keys = order.kinds().map(|kind| key(kind, fields.next()?)).collect::<Option<_>>()?;
        let body = text.slice_ref(fields.next()?.as_bytes());
        found.push(Found { rid, rtype, id, vid, body });
        positions.push(Position { keys, rid });
    }
    Some((found, positions))
}

fn key(kind: KeyKind, text: &str) -> Option<Key> {
    let Some(value) = text.strip_prefix('=') else { return Some(Key::Null) };
    Some(match kind {
        KeyKind::Text => Key::Text(value.to_owned()),
        KeyKind::Int => Key::Int(value.parse().ok()?),
        KeyKind::Real => Key::Real(value.parse().ok()?),
    })
}
