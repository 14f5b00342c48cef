//! Reading the log as it is stored, with all that could be wrong with it: for the verifier and for exports.

use crate::args;
use crate::audit::packed::unpack;
use crate::audit::tree::{Node, NodeId};
use crate::clock::Micros;
use crate::store::audit::sequence::Published;
use crate::store::db::{Arg, Row, Tx, statements};
use crate::store::gather::{Column, Gathered, bytes, gather, int, opt};
use crate::store::{StoreError, rows};
use sqlx::AssertSqlSafe;

statements! {
    STORED = "SELECT l.seq, l.id, l.recorded_us, l.content, l.hash, e.id AS event, e.recorded_us AS event_us, e.salt, \
            e.body, i.recorded_us AS index_us, i.type, i.action, i.outcome FROM audit_leaf l \
        LEFT JOIN audit_event e ON e.eid = l.eid LEFT JOIN audit_index i ON i.seq = l.seq AND i.seq >= $1 \
        WHERE l.seq >= $1 ORDER BY l.seq";
    LAST = "SELECT MAX(seq) FROM audit_leaf";
    CHECKPOINTS = "SELECT size, root, at_us, note FROM audit_checkpoint WHERE size >= $1 AND size < $2 \
        ORDER BY size LIMIT $3";
    COSIGNATURES = "SELECT s.size, s.witness, s.line, c.note FROM audit_cosignature s \
        LEFT JOIN audit_checkpoint c ON c.size = s.size \
        WHERE (s.size, s.witness) > ($1, $2) ORDER BY s.size, s.witness";
    NODES = "SELECT idx, hash FROM audit_node WHERE level = $1 AND idx >= $2 AND idx < $3";
    NODES_WITHOUT_LEVEL = "SELECT level, idx, hash FROM audit_node WHERE level < 1 OR level > 62 \
        ORDER BY level, idx LIMIT 100";
    // The id is looked up where one is found, so that keys are compared by their indexes alone.
    STRAYS = "SELECT s.eid, (SELECT id FROM audit_event WHERE eid = s.eid) FROM (SELECT e.eid FROM audit_event e \
        LEFT JOIN audit_leaf l ON l.eid = e.eid LEFT JOIN audit_pending p ON p.eid = e.eid \
        WHERE l.eid IS NULL AND p.eid IS NULL AND e.eid > $1) s ORDER BY s.eid";
    LOST = "SELECT COUNT(*) FROM audit_pending p LEFT JOIN audit_event e ON e.eid = p.eid WHERE e.eid IS NULL";
    WAITING = "SELECT COUNT(*) FROM audit_pending";
    INDEXED_BEYOND = "SELECT i.seq FROM audit_index i LEFT JOIN audit_leaf l ON l.seq = i.seq \
        WHERE l.seq IS NULL ORDER BY i.seq";
    SEQUENCER = "SELECT size, edge FROM audit_sequencer WHERE one = 1";
    SPAN = "SELECT MIN(seq), MAX(seq) FROM audit_index WHERE recorded_us >= $1 AND recorded_us < $2 \
        AND seq < $3";
}

const STORED_COLUMNS: [Column; 13] = [
    Column::Value("seq"),
    Column::Value("id"),
    Column::Value("recorded_us"),
    Column::Bytes("content"),
    Column::Bytes("hash"),
    Column::OptValue("event"),
    Column::OptValue("event_us"),
    Column::Bytes("salt"),
    Column::Bytes("body"),
    Column::OptValue("index_us"),
    Column::OptValue("type"),
    Column::OptValue("action"),
    Column::OptValue("outcome"),
];

/// What is stored for one leaf, whether it is as it should be or not.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The leaf's place.
    pub seq: i64,
    /// The event's id, as the leaf says.
    pub id: String,
    /// When it was recorded, as the leaf says.
    pub recorded_us: Micros,
    /// The content's hash.
    pub content: Vec<u8>,
    /// The leaf's hash.
    pub hash: Vec<u8>,
    /// The event, when it is there.
    pub event: Option<StoredEvent>,
    /// What the index says about it.
    pub index: Option<Facts>,
}

/// An event's row.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// `AuditEvent.id`
    pub id: String,
    /// When it was recorded.
    pub recorded_us: Micros,
    /// Its salt.
    pub salt: Vec<u8>,
    /// Canonical JSON.
    pub body: Vec<u8>,
}

/// What the index says about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// When it was recorded.
    pub recorded_us: Micros,
    /// Code of `type`.
    pub kind: String,
    /// `action`
    pub action: String,
    /// `outcome`
    pub outcome: i64,
}

/// Rows for leaves that nobody has read yet, in order.
#[derive(Debug)]
pub struct Unread(Gathered<13>);

impl Unread {
    /// The places of the leaves.
    pub fn places(&self) -> Result<Vec<i64>, StoreError> {
        self.0.rows().map(|[seq, ..]| int(seq)).collect()
    }

    /// Reads and unpacks them, which takes as long as it took the database to find them.
    pub fn read(&self) -> Result<Vec<Stored>, StoreError> {
        self.0.rows().map(read_stored).collect()
    }
}

/// The place behind the last leaf.
pub async fn end(tx: &mut Tx) -> Result<i64, StoreError> {
    Ok(tx.one(LAST, args![]).await?.opt_int(0)?.map_or(0, |last| last.saturating_add(1)))
}

/// What is stored from `seq` on, `limit` at most, in order.
pub async fn unread(tx: &mut Tx, seq: i64, limit: i64) -> Result<Unread, StoreError> {
    let select = format!("{STORED} LIMIT {limit}");
    Ok(Unread(gather(tx, &select, STORED_COLUMNS, args![seq]).await?))
}

/// The same, read.
pub async fn stored(tx: &mut Tx, seq: i64, limit: i64) -> Result<Vec<Stored>, StoreError> {
    unread(tx, seq, limit).await?.read()
}

fn read_stored(columns: [&str; 13]) -> Result<Stored, StoreError> {
    let [seq, id, recorded_us, content, hash, event, event_us, salt, body, index_us, kind, action, outcome] =
        columns;
    let event = match opt(event) {
        Some(id) => Some(StoredEvent {
            id: id.to_owned(),
            recorded_us: int(event_us)?,
            salt: bytes(salt)?,
            body: unpack(bytes(body)?),
        }),
        None => None,
    };
    let index = match opt(index_us) {
        Some(recorded_us) => Some(Facts {
            recorded_us: int(recorded_us)?,
            kind: kind.to_owned(),
            action: action.to_owned(),
            outcome: int(outcome)?,
        }),
        None => None,
    };
    Ok(Stored {
        seq: int(seq)?,
        id: id.to_owned(),
        recorded_us: int(recorded_us)?,
        content: bytes(content)?,
        hash: bytes(hash)?,
        event,
        index,
    })
}

/// Checkpoints of at least `from` and fewer than `until` leaves, `limit` at most, in order.
pub async fn checkpoints(
    tx: &mut Tx,
    from: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<Published>, StoreError> {
    let rows = tx.all(CHECKPOINTS, args![from, until, limit]).await?;
    let read = |row: &Row| {
        Ok(Published { size: row.int(0)?, root: row.blob(1)?, at_us: row.int(2)?, note: row.text(3)? })
    };
    rows.iter().map(read).collect()
}

/// What a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Leaves of the checkpoint.
    pub size: i64,
    /// Name of the witness's key.
    pub witness: String,
    /// The line of the note.
    pub line: String,
    /// The checkpoint's note, when it is there.
    pub note: Option<String>,
}

/// What witnesses signed, behind a size and a witness, `limit` at most, in order.
pub async fn cosignatures(
    tx: &mut Tx,
    (size, witness): (i64, &str),
    limit: i64,
) -> Result<Vec<Cosignature>, StoreError> {
    let rows = tx.all(rows::first(COSIGNATURES, limit), args![size, witness]).await?;
    let read = |row: &Row| {
        let (size, witness, line) = (row.int(0)?, row.text(1)?, row.text(2)?);
        Ok(Cosignature { size, witness, line, note: row.opt_text(3)? })
    };
    rows.iter().map(read).collect()
}

/// A node as it is stored: level, index and hash.
pub type StoredNode = (i64, i64, Vec<u8>);

/// Nodes of a level with an index of at least `from` and less than `until`.
pub async fn nodes(tx: &mut Tx, level: i64, from: i64, until: i64) -> Result<Vec<StoredNode>, StoreError> {
    let columns = [Column::Value("idx"), Column::Bytes("hash")];
    let nodes = gather(tx, NODES, columns, args![level, from, until]).await?;
    nodes.rows().map(|[index, hash]| Ok((level, int(index)?, bytes(hash)?))).collect()
}

/// Nodes of a level that no tree has, the first hundred.
pub async fn nodes_without_level(tx: &mut Tx) -> Result<Vec<StoredNode>, StoreError> {
    tx.all(NODES_WITHOUT_LEVEL, args![]).await?.iter().map(read_node).collect()
}

fn read_node(row: &Row) -> Result<StoredNode, StoreError> {
    Ok((row.int(0)?, row.int(1)?, row.blob(2)?))
}

/// Nodes by their places; those of level 0 are leaf hashes. What is not stored, or is no
/// hash, is left out.
pub async fn nodes_at(tx: &mut Tx, wanted: &[NodeId]) -> Result<Vec<Node>, StoreError> {
    let mut found = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(64) {
        let (leaves, inner): (Vec<&NodeId>, Vec<&NodeId>) = some.iter().partition(|id| id.level == 0);
        if !leaves.is_empty() {
            let places: Vec<String> = (1..=leaves.len()).map(|place| format!("${place}")).collect();
            let text = format!("SELECT 0, seq, hash FROM audit_leaf WHERE seq IN ({})", places.join(", "));
            let args = leaves.iter().map(|id| Arg::from(number(id.index))).collect();
            let rows = tx.all(AssertSqlSafe(text), args).await?;
            for row in &rows {
                found.extend(node(0, row.int(1)?, &row.blob(2)?));
            }
        }
        if !inner.is_empty() {
            let each = (0..inner.len())
                .map(|place| format!("(level = ${} AND idx = ${})", 2 * place + 1, 2 * place + 2));
            let each: Vec<String> = each.collect();
            let text = format!("SELECT level, idx, hash FROM audit_node WHERE {}", each.join(" OR "));
            let args = inner.iter().flat_map(|id| args![i64::from(id.level), number(id.index)]).collect();
            for row in &tx.all(AssertSqlSafe(text), args).await? {
                let (level, index, hash) = read_node(row)?;
                found.extend(node(level, index, &hash));
            }
        }
    }
    Ok(found)
}

/// A stored node as one of the tree; none when it can't be.
pub fn node(level: i64, index: i64, hash: &[u8]) -> Option<Node> {
    let id = NodeId { level: u8::try_from(level).ok()?, index: u64::try_from(index).ok()? };
    Some(Node { id, hash: hash.try_into().ok()? })
}

/// Keys and ids of events behind `after` that have no place and don't wait for one.
pub async fn strays(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
    let rows = tx.all(rows::first(STRAYS, limit), args![after]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

/// How many events waited for a place and are gone.
pub async fn lost(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(LOST, args![]).await?.int(0)
}

/// How many events wait for a place.
pub async fn waiting(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(WAITING, args![]).await?.int(0)
}

/// Places that the index has and the log has not.
pub async fn indexed_beyond(tx: &mut Tx, limit: i64) -> Result<Vec<i64>, StoreError> {
    tx.all(rows::first(INDEXED_BEYOND, limit), args![]).await?.iter().map(|row| row.int(0)).collect()
}

/// The sequencer's size and the hashes of its edge, one behind the other; none when its row is gone.
pub async fn sequencer(tx: &mut Tx) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
    tx.optional(SEQUENCER, args![]).await?.map(|row| Ok((row.int(0)?, row.blob(1)?))).transpose()
}

/// The first and the last place below `size` of an event that was recorded from `from` to before `until`.
pub async fn span(
    tx: &mut Tx,
    (from, until): (Micros, Micros),
    size: i64,
) -> Result<Option<(i64, i64)>, StoreError> {
    let row = tx.one(SPAN, args![from, until, size]).await?;
    Ok(row.opt_int(0)?.zip(row.opt_int(1)?))
}

fn number(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
