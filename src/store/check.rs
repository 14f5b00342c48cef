//! Reads for `slotwright check`: does the ledger agree with the appointments, and history with both?

use super::db::{Row, Tx, statements};
use super::{StoreError, visible};
use crate::args;
use crate::auth::Permit;

statements! {
    OVERLAPS = "SELECT a.actor, a.party, b.party, a.start_us, a.end_us, b.start_us, b.end_us FROM actor_claim a \
        JOIN actor_claim b ON b.actor = a.actor AND b.cid > a.cid AND b.party <> a.party \
            AND b.start_us < a.end_us AND a.start_us < b.end_us \
        WHERE a.override = 0 AND b.override = 0 ORDER BY a.cid LIMIT 100";
    OVERSOLD = "SELECT s.id, s.capacity, COUNT(*), SUM(c.override) FROM slot s JOIN seat_claim c ON c.slot = s.rid \
        GROUP BY s.rid, s.id, s.capacity HAVING COUNT(*) - SUM(c.override) > s.capacity LIMIT 100";
    ORPHANS = "SELECT DISTINCT c.appointment FROM ( \
            SELECT appointment FROM actor_claim UNION ALL SELECT appointment FROM seat_claim \
        ) AS c LEFT JOIN appointment a ON a.rid = c.appointment \
        WHERE a.rid IS NULL OR a.status NOT IN ('pending', 'booked', 'arrived', 'checked-in', 'fulfilled') LIMIT 100";
    APPOINTMENTS = "SELECT r.rid, r.id, r.body, a.status, a.start_us, a.end_us FROM resource r \
        LEFT JOIN appointment a ON a.rid = r.rid \
        WHERE r.type = 'Appointment' AND r.deleted = 0 AND r.rid > $1 ORDER BY r.rid LIMIT 500";
    SLOTS = "SELECT r.rid, r.id, r.body, s.schedule, s.start_us, s.end_us, s.status, s.declared, s.capacity \
        FROM resource r LEFT JOIN slot s ON s.rid = r.rid \
        WHERE r.type = 'Slot' AND r.deleted = 0 AND r.rid > $1 ORDER BY r.rid LIMIT 500";
    WITHOUT_HISTORY = "SELECT r.type, r.id, r.vid FROM resource r \
        LEFT JOIN history h ON h.rid = r.rid AND h.vid = r.vid \
        WHERE h.hid IS NULL OR (h.body IS NOT NULL AND h.body <> r.body) OR (h.body IS NULL) <> (r.deleted = 1) \
        ORDER BY r.rid LIMIT 100";
    GAPS = "SELECT h.type, h.id, COUNT(*), MAX(h.vid) FROM history h \
        GROUP BY h.rid, h.type, h.id HAVING COUNT(*) <> MAX(h.vid) LIMIT 100";
    AHEAD = "SELECT h.type, h.id, h.vid FROM history h LEFT JOIN resource r ON r.rid = h.rid \
        WHERE r.rid IS NULL OR h.vid > r.vid ORDER BY h.hid LIMIT 100";
    STALE_ROWS = "SELECT 'slot', t.id FROM slot t LEFT JOIN resource r ON r.rid = t.rid AND r.deleted = 0 \
            WHERE r.rid IS NULL \
        UNION ALL SELECT 'appointment', t.id FROM appointment t LEFT JOIN resource r ON r.rid = t.rid AND r.deleted = 0 \
            WHERE r.rid IS NULL LIMIT 100";
}

/// A live Appointment and its typed row.
#[derive(Debug)]
pub struct AppointmentRow {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// Canonical JSON.
    pub body: Vec<u8>,
    /// Typed status; absent when the row is missing.
    pub status: Option<String>,
    /// Typed start and end.
    pub span: (Option<i64>, Option<i64>),
}

/// A live Slot and its typed row.
#[derive(Debug)]
pub struct SlotRow {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// Canonical JSON.
    pub body: Vec<u8>,
    /// Schedule, start, end, served status, declared status and capacity; absent when the row is missing.
    pub typed: Option<(String, i64, i64, String, String, i64)>,
}

/// Everything that SQL alone can find wrong, in words.
pub async fn findings(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for row in tx.all(OVERLAPS, args![]).await? {
        found.push(format!(
            "{} is sold twice: to {} and to {}, {}..{} and {}..{}",
            row.text(0)?,
            row.text(1)?,
            row.text(2)?,
            crate::clock::instant_text(row.int(3)?),
            crate::clock::instant_text(row.int(4)?),
            crate::clock::instant_text(row.int(5)?),
            crate::clock::instant_text(row.int(6)?)
        ));
    }
    for row in tx.all(OVERSOLD, args![]).await? {
        found.push(format!("Slot/{} has {} seats and {} bookings", row.text(0)?, row.int(1)?, row.int(2)?));
    }
    for row in tx.all(ORPHANS, args![]).await? {
        found.push(format!(
            "claims stand for appointment {} (internal key), which claims no time",
            row.int(0)?
        ));
    }
    for row in tx.all(WITHOUT_HISTORY, args![]).await? {
        found.push(format!("{} differs from its history, or has none", version(&row)?));
    }
    for row in tx.all(AHEAD, args![]).await? {
        found.push(format!("history has {}, which the resource does not", version(&row)?));
    }
    for row in tx.all(GAPS, args![]).await? {
        let (count, last) = (row.int(2)?, row.int(3)?);
        found.push(format!(
            "{}/{} has {count} versions in history, the last is {last}",
            row.text(0)?,
            row.text(1)?
        ));
    }
    for row in tx.all(STALE_ROWS, args![]).await? {
        found.push(format!("the row {} of table {} has no live resource", row.text(1)?, row.text(0)?));
    }
    Ok(found)
}

fn version(row: &Row) -> Result<String, StoreError> {
    Ok(format!("{}/{} version {}", row.text(0)?, row.text(1)?, row.int(2)?))
}

/// The next live Appointments after an internal key.
pub async fn appointments(
    tx: &mut Tx,
    permit: &Permit,
    after: i64,
) -> Result<Vec<AppointmentRow>, StoreError> {
    visible::whole(permit, "Appointment")?;
    let rows = tx.all(APPOINTMENTS, args![after]).await?;
    rows.iter()
        .map(|row| {
            Ok(AppointmentRow {
                rid: row.int(0)?,
                id: row.text(1)?,
                body: row.blob(2)?,
                status: row.opt_text(3)?,
                span: (row.opt_int(4)?, row.opt_int(5)?),
            })
        })
        .collect()
}

/// The next live Slots after an internal key.
pub async fn slots(tx: &mut Tx, permit: &Permit, after: i64) -> Result<Vec<SlotRow>, StoreError> {
    visible::whole(permit, "Slot")?;
    let rows = tx.all(SLOTS, args![after]).await?;
    rows.iter()
        .map(|row| {
            let typed = match row.opt_text(3)? {
                Some(schedule) => {
                    Some((schedule, row.int(4)?, row.int(5)?, row.text(6)?, row.text(7)?, row.int(8)?))
                }
                None => None,
            };
            Ok(SlotRow { rid: row.int(0)?, id: row.text(1)?, body: row.blob(2)?, typed })
        })
        .collect()
}
