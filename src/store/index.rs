//! Writing the search index.

use super::{Arg, StoreError, Tx};
use crate::args;
use crate::fhir::extract::{IndexRow, IndexValue, extract};
use crate::fhir::registry::ResourceType;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::fmt::Write as _;

/// Most rows in one INSERT; keeps the parameters of a statement far below what both engines take.
const CHUNK: usize = 64;

/// The index tables, one per kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Token,
    Reference,
    Date,
    String,
    Uri,
    Quantity,
    Position,
}

impl Table {
    const ALL: [Self; 7] =
        [Self::Token, Self::Reference, Self::Date, Self::String, Self::Uri, Self::Quantity, Self::Position];

    fn name(self) -> &'static str {
        match self {
            Self::Token => "idx_token",
            Self::Reference => "idx_reference",
            Self::Date => "idx_date",
            Self::String => "idx_string",
            Self::Uri => "idx_uri",
            Self::Quantity => "idx_quantity",
            Self::Position => "idx_position",
        }
    }

    /// Columns after `rid`, `type` and `param`.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Token => &["system", "code", "text_norm"],
            Self::Reference => &["target_type", "target_id", "url"],
            Self::Date => &["lo_us", "hi_us"],
            Self::String => &["value", "norm"],
            Self::Uri => &["value"],
            Self::Quantity => &["value", "system", "code", "unit"],
            Self::Position => &["latitude", "longitude"],
        }
    }

    fn of(value: &IndexValue) -> Self {
        match value {
            IndexValue::Token { .. } | IndexValue::ReferenceIdentifier { .. } => Self::Token,
            IndexValue::Reference { .. } | IndexValue::Url(_) => Self::Reference,
            IndexValue::Date(_) => Self::Date,
            IndexValue::String { .. } => Self::String,
            IndexValue::Uri(_) => Self::Uri,
            IndexValue::Quantity { .. } => Self::Quantity,
            IndexValue::Position { .. } => Self::Position,
        }
    }
}

/// Brings the index of a resource from its `old` body to its `new` one; no `old` for a new resource, no `new`
/// for a deleted one. Tables whose rows stay the same are not touched, so a change of status alone costs
/// nothing here.
pub async fn write(
    tx: &mut Tx,
    rid: i64,
    rt: &ResourceType,
    old: Option<&Value>,
    new: Option<&Value>,
) -> Result<(), StoreError> {
    let old = old.map(|body| extract(rt, body)).unwrap_or_default();
    let new = new.map(|body| extract(rt, body)).unwrap_or_default();
    for table in Table::ALL {
        let before: Vec<&IndexRow> = old.iter().filter(|r| Table::of(&r.value) == table).collect();
        let after: Vec<&IndexRow> = new.iter().filter(|r| Table::of(&r.value) == table).collect();
        if before == after {
            continue;
        }
        if !before.is_empty() {
            let sql = format!("DELETE FROM {} WHERE rid = $1", table.name());
            tx.execute(AssertSqlSafe(sql), args![rid]).await?;
        }
        for chunk in after.chunks(CHUNK) {
            insert(tx, table, rid, rt, chunk).await?;
        }
    }
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    table: Table,
    rid: i64,
    rt: &ResourceType,
    rows: &[&IndexRow],
) -> Result<(), StoreError> {
    let columns = table.columns();
    let mut sql = format!("INSERT INTO {} (rid, type, param, {}) VALUES ", table.name(), columns.join(", "));
    // $1 is the rid and $2 the type in every row.
    let mut args = args![rid, rt.name];
    for (i, row) in rows.iter().enumerate() {
        sql.push_str(if i == 0 { "($1, $2" } else { ", ($1, $2" });
        for cell in cells(row) {
            args.push(cell);
            let _ = write!(sql, ", ${}", args.len());
        }
        sql.push(')');
    }
    tx.execute(AssertSqlSafe(sql), args).await?;
    Ok(())
}

/// `param` and the columns of the row's table.
fn cells(row: &IndexRow) -> Vec<Arg> {
    let text = |s: &str| Arg::Text(s.to_owned());
    let param = text(row.param);
    match &row.value {
        IndexValue::Token { system, code, text: norm } => vec![param, text(system), text(code), text(norm)],
        IndexValue::ReferenceIdentifier { system, code } => {
            vec![Arg::Text(format!("{}:identifier", row.param)), text(system), text(code), text("")]
        }
        IndexValue::Reference { target_type, target_id } => {
            vec![param, text(target_type), text(target_id), text("")]
        }
        IndexValue::Url(url) => vec![param, text(""), text(""), text(url)],
        IndexValue::Date(interval) => vec![param, Arg::Int(interval.lo), Arg::Int(interval.hi)],
        IndexValue::String { value, norm } => vec![param, text(value), text(norm)],
        IndexValue::Uri(uri) => vec![param, text(uri)],
        IndexValue::Quantity { value, system, code, unit } => {
            vec![param, Arg::Real(*value), text(system), text(code), text(unit)]
        }
        IndexValue::Position { latitude, longitude } => {
            vec![param, Arg::Real(*latitude), Arg::Real(*longitude)]
        }
    }
}
