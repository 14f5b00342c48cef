//! Typed rows of Schedule, Slot and Appointment, and whose time a booking takes.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;
use crate::clock::Micros;
use crate::scheduling::appointment::Appointment;
use crate::scheduling::slot::Slot;
use sqlx::AssertSqlSafe;

statements! {
    PUT_SLOT = "INSERT INTO slot (rid, id, schedule, start_us, end_us, status, declared, capacity) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (rid) DO UPDATE SET schedule = excluded.schedule, \
        start_us = excluded.start_us, end_us = excluded.end_us, status = excluded.status, \
        declared = excluded.declared, capacity = excluded.capacity";
    SERVE_SLOT = "UPDATE slot SET status = $1 WHERE rid = $2";
    DECLARED = "SELECT status, declared FROM slot WHERE rid = $1";
    REMOVE_SLOT = "DELETE FROM slot WHERE rid = $1";
    PUT_APPOINTMENT = "INSERT INTO appointment (rid, id, status, start_us, end_us, held_until_us) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (rid) DO UPDATE SET status = excluded.status, \
        start_us = excluded.start_us, end_us = excluded.end_us, held_until_us = excluded.held_until_us";
    REMOVE_APPOINTMENT = "DELETE FROM appointment WHERE rid = $1";
    REMOVE_APPOINTMENT_ACTORS = "DELETE FROM appointment_actor WHERE rid = $1";
    REMOVE_SCHEDULE_ACTORS = "DELETE FROM schedule_actor WHERE rid = $1";
    CLAIMS_AS = "INSERT INTO claims_as (key, actor) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET actor = excluded.actor";
    CLAIMS_NOTHING = "DELETE FROM claims_as WHERE key = $1";
    HAS_SLOTS = "SELECT COUNT(*) FROM (SELECT 1 FROM slot WHERE schedule = $1 LIMIT 1) AS found";
    TAKES_TIME = "SELECT COUNT(*) FROM ( \
            SELECT 1 FROM appointment_actor x JOIN appointment a ON a.rid = x.rid WHERE x.actor = $1 \
                AND a.status IN ('pending', 'booked', 'arrived', 'checked-in', 'fulfilled') \
            UNION ALL SELECT 1 FROM schedule_actor x JOIN slot s ON s.schedule = x.id WHERE x.actor = $1 LIMIT 1 \
        ) AS found";
    LAPSED = "SELECT rid FROM appointment WHERE held_until_us <= $1 ORDER BY rid LIMIT 100";
    NEXT_LAPSE = "SELECT MIN(held_until_us) FROM appointment WHERE held_until_us IS NOT NULL";
}

/// Writes a slot's row; `status` is served, `slot.status` is what its owner declared.
pub async fn put_slot(tx: &mut Tx, rid: i64, id: &str, slot: &Slot, status: &str) -> Result<(), StoreError> {
    let args = args![
        rid,
        id,
        slot.schedule.as_str(),
        slot.span.start,
        slot.span.end,
        status,
        slot.status.as_str(),
        slot.capacity
    ];
    tx.execute(PUT_SLOT, args).await?;
    Ok(())
}

/// Changes the status that a slot is served with.
pub async fn serve_slot(tx: &mut Tx, rid: i64, status: &str) -> Result<(), StoreError> {
    tx.execute(SERVE_SLOT, args![status, rid]).await?;
    Ok(())
}

/// The `(served, declared)` status of a slot.
pub async fn slot_status(tx: &mut Tx, rid: i64) -> Result<Option<(String, String)>, StoreError> {
    let row = tx.optional(DECLARED, args![rid]).await?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}

/// Removes a deleted slot's row.
pub async fn remove_slot(tx: &mut Tx, rid: i64) -> Result<(), StoreError> {
    tx.execute(REMOVE_SLOT, args![rid]).await?;
    Ok(())
}

/// Writes an appointment's rows. `fresh` spares the removal of earlier actors.
pub async fn put_appointment(
    tx: &mut Tx,
    rid: i64,
    id: &str,
    appointment: &Appointment,
    fresh: bool,
) -> Result<(), StoreError> {
    let start = appointment.span.map(|span| span.start);
    let end = appointment.span.map(|span| span.end);
    let args = args![rid, id, appointment.status.code(), start, end, appointment.held_until];
    tx.execute(PUT_APPOINTMENT, args).await?;
    if !fresh {
        tx.execute(REMOVE_APPOINTMENT_ACTORS, args![rid]).await?;
    }
    if appointment.participants.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> =
        (0..appointment.participants.len()).map(|i| format!("($1, ${}, $2)", i + 3)).collect();
    let sql = format!("INSERT INTO appointment_actor (rid, actor, start_us) VALUES {}", rows.join(", "));
    let mut args = args![rid, start];
    args.extend(appointment.participants.iter().map(|actor| actor.as_str().into()));
    tx.execute(AssertSqlSafe(sql), args).await?;
    Ok(())
}

/// Removes a deleted appointment's rows.
pub async fn remove_appointment(tx: &mut Tx, rid: i64) -> Result<(), StoreError> {
    tx.execute(REMOVE_APPOINTMENT, args![rid]).await?;
    tx.execute(REMOVE_APPOINTMENT_ACTORS, args![rid]).await?;
    Ok(())
}

/// Writes whose schedule it is; no actors removes it.
pub async fn put_schedule(tx: &mut Tx, rid: i64, id: &str, actors: &[String]) -> Result<(), StoreError> {
    tx.execute(REMOVE_SCHEDULE_ACTORS, args![rid]).await?;
    if actors.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..actors.len()).map(|i| format!("($1, $2, ${})", i + 3)).collect();
    let sql = format!(
        "INSERT INTO schedule_actor (rid, id, actor) VALUES {} ON CONFLICT DO NOTHING",
        rows.join(", ")
    );
    let mut args = args![rid, format!("Schedule/{id}")];
    args.extend(actors.iter().map(|actor| actor.as_str().into()));
    tx.execute(AssertSqlSafe(sql), args).await?;
    Ok(())
}

/// Whether a schedule has slots.
pub async fn has_slots(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.one(HAS_SLOTS, args![format!("Schedule/{id}")]).await?.int(0)? > 0)
}

/// Whether an appointment takes time of `key`, or a slot offers it.
pub async fn takes_time(tx: &mut Tx, key: &str) -> Result<bool, StoreError> {
    Ok(tx.one(TAKES_TIME, args![key]).await?.int(0)? > 0)
}

/// Says whose time a booking of `key` takes; `None`: nobody's (a site, as opposed to a room).
pub async fn put_claims_as(tx: &mut Tx, key: &str, actor: Option<&str>) -> Result<(), StoreError> {
    match actor {
        Some(actor) => tx.execute(CLAIMS_AS, args![key, actor]).await?,
        None => tx.execute(CLAIMS_NOTHING, args![key]).await?,
    };
    Ok(())
}

/// Appointments whose hold has lapsed, oldest first, a hundred at most.
pub async fn lapsed(tx: &mut Tx, now: Micros) -> Result<Vec<i64>, StoreError> {
    tx.all(LAPSED, args![now]).await?.iter().map(|row| row.int(0)).collect()
}

/// When the next hold lapses.
pub async fn next_lapse(tx: &mut Tx) -> Result<Option<Micros>, StoreError> {
    tx.one(NEXT_LAPSE, args![]).await?.opt_int(0)
}
