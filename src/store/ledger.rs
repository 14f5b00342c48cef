//! The ledger of taken time: claims on actors' time and on slots' seats.
//!
//! The tables themselves refuse to sell a minute or a seat twice (`migrations/`); this file takes, frees and
//! asks what stands in the way.

use super::db::{Tx, statements};
use super::resource::Stored;
use super::{StoreError, dialect};
use crate::args;
use crate::clock::Micros;
use crate::scheduling::Span;
use crate::scheduling::claims::{ActorClaim, WantedSlot, subtract};
use crate::scheduling::slot::Fill;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// Longest slot or appointment. It bounds how far back a query must look for what reaches into a time.
pub const MAX_SPAN_US: i64 = 24 * 3_600 * 1_000_000;

/// Most terms of one UNION ALL: far below SQLite's 500, and few enough to plan quickly.
const MOST_TERMS: usize = 50;

statements! {
    TAKE_ACTOR = "INSERT INTO actor_claim (actor, party, start_us, end_us, appointment, override) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING cid";
    TAKEN = "SELECT start_us, end_us FROM actor_claim WHERE actor = $1 AND party <> $2 AND override = 0 \
        AND start_us < $3 AND end_us > $4 AND start_us > $4 - 86400000000 ORDER BY start_us";
    // The lowest free seat, as long as a seat is free at all: overriding bookings count too.
    TAKE_SEAT = "INSERT INTO seat_claim (slot, seat, capacity, appointment, override) \
        SELECT $1, MIN(open.seat), $2, $3, 0 FROM ( \
            SELECT 0 AS seat WHERE NOT EXISTS (SELECT 1 FROM seat_claim WHERE slot = $1 AND seat = 0) \
            UNION ALL \
            SELECT a.seat + 1 FROM seat_claim a WHERE a.slot = $1 \
                AND NOT EXISTS (SELECT 1 FROM seat_claim b WHERE b.slot = $1 AND b.seat = a.seat + 1) \
        ) AS open WHERE (SELECT COUNT(*) FROM seat_claim WHERE slot = $1) < $2 \
        HAVING MIN(open.seat) < $2 ON CONFLICT DO NOTHING RETURNING seat";
    TAKE_SEAT_OVER = "INSERT INTO seat_claim (slot, seat, capacity, appointment, override) \
        SELECT $1, COALESCE(MAX(seat), -1) + 1, $2, $3, 1 FROM seat_claim WHERE slot = $1 RETURNING seat";
    FREE_SEATS = "DELETE FROM seat_claim WHERE appointment = $1 RETURNING slot";
    FREE_ACTORS = "DELETE FROM actor_claim WHERE appointment = $1 RETURNING actor, start_us, end_us, override";
    OVERRIDING = "SELECT cid, party, start_us, end_us, appointment FROM actor_claim \
        WHERE actor = $1 AND override = 1 AND start_us < $2 AND end_us > $3 ORDER BY cid";
    DROP_CLAIM = "DELETE FROM actor_claim WHERE cid = $1";
    CLAIM_COUNT = "SELECT (SELECT COUNT(*) FROM seat_claim WHERE slot = $1)";
    SEATS_OF = "SELECT slot FROM seat_claim WHERE appointment = $1";
    ACTORS_OF = "SELECT actor, start_us, end_us FROM actor_claim WHERE appointment = $1";
    // $1 rid, $2 'Slot/id', $3 'Schedule/id', $4 start, $5 end of the slot.
    FILL = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN a.status = 'pending' THEN 1 ELSE 0 END), 0), kind FROM ( \
            SELECT 'seat' AS kind, appointment FROM seat_claim WHERE slot = $1 \
            UNION ALL \
            SELECT 'actor' AS kind, c.appointment FROM schedule_actor sa \
            LEFT JOIN claims_as k ON k.key = sa.actor \
            JOIN actor_claim c ON c.actor = COALESCE(k.actor, sa.actor) \
            WHERE sa.id = $3 AND c.start_us < $5 AND c.start_us > $4 - 86400000000 AND c.end_us > $4 AND c.party <> $2 \
                AND NOT EXISTS (SELECT 1 FROM seat_claim o WHERE o.slot = $1 AND o.appointment = c.appointment) \
        ) AS claims JOIN appointment a ON a.rid = claims.appointment GROUP BY kind";
}

/// A slot whose served status may have to follow the claims.
#[derive(Clone, Debug)]
pub struct TouchedSlot {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// `Schedule/id`.
    pub schedule: String,
    /// Its time.
    pub span: Span,
    /// What is served now.
    pub status: String,
    /// What its owner declared.
    pub declared: String,
    /// Number of seats.
    pub capacity: i64,
    /// Its current version.
    pub stored: Stored,
}

/// What freeing an appointment's claims let go.
#[derive(Clone, Debug, Default)]
pub struct Freed {
    /// Internal keys of slots.
    pub slots: Vec<i64>,
    /// Actors and their time.
    pub actors: Vec<(String, Span)>,
}

/// The slots with these ids and the exclusive actors of their schedules, locked against other bookings.
pub async fn lock_wanted(tx: &mut Tx, ids: &[String]) -> Result<Vec<WantedSlot>, StoreError> {
    let lock = dialect::lock_slots(tx);
    Ok(wanted(tx, ids, 0, lock).await?.0)
}

/// The same without a lock, for looking only: which seats others than `appointment` have, and when the next
/// hold lapses (known only where there is a slot).
pub async fn see_wanted(
    tx: &mut Tx,
    ids: &[String],
    appointment: i64,
) -> Result<(Vec<WantedSlot>, Option<Micros>), StoreError> {
    wanted(tx, ids, appointment, "").await
}

async fn wanted(
    tx: &mut Tx,
    ids: &[String],
    appointment: i64,
    lock: &str,
) -> Result<(Vec<WantedSlot>, Option<Micros>), StoreError> {
    if ids.is_empty() {
        return Ok((Vec::new(), None));
    }
    let sql = format!(
        "SELECT s.rid, s.id, s.start_us, s.end_us, s.declared, s.capacity, sa.actor, k.actor, \
         (SELECT COUNT(*) FROM seat_claim c WHERE c.slot = s.rid AND c.appointment <> $1), \
         (SELECT MIN(held_until_us) FROM appointment WHERE held_until_us IS NOT NULL) FROM slot s \
         LEFT JOIN schedule_actor sa ON sa.id = s.schedule LEFT JOIN claims_as k ON k.key = sa.actor \
         WHERE s.id IN ({}) ORDER BY s.rid{lock}",
        placeholders(ids.len(), 2),
    );
    let mut slots: BTreeMap<i64, WantedSlot> = BTreeMap::new();
    let mut next_lapse = None;
    let mut args = args![appointment];
    args.extend(ids.iter().map(|id| super::Arg::from(id.as_str())));
    for row in tx.all(AssertSqlSafe(sql), args).await? {
        let slot = slots.entry(row.int(0)?).or_insert(WantedSlot {
            rid: row.int(0)?,
            id: row.text(1)?,
            span: Span { start: row.int(2)?, end: row.int(3)? },
            declared: row.text(4)?,
            capacity: row.int(5)?,
            actors: Vec::new(),
            taken: row.int(8)?,
        });
        if let Some(key) = row.opt_text(6)? {
            slot.actors
                .extend(claims_as(&key, row.opt_text(7)?).filter(|actor| !slot.actors.contains(actor)));
        }
        next_lapse = row.opt_int(9)?;
    }
    Ok((slots.into_values().collect(), next_lapse))
}

/// `$from, $from+1, …`, `count` of them.
fn placeholders(count: usize, from: usize) -> String {
    let list: Vec<String> = (from..from + count).map(|i| format!("${i}")).collect();
    list.join(", ")
}

/// Whose time a booking of `key` takes, given what the database knows of roles and rooms.
fn claims_as(key: &str, known: Option<String>) -> Option<String> {
    let rtype = key.rsplit('/').nth(1).unwrap_or_default();
    match (known, rtype) {
        (Some(actor), _) => Some(actor),
        (None, "Practitioner" | "PractitionerRole" | "Device") => Some(key.to_owned()),
        (None, _) => None,
    }
}

/// The exclusive actors behind these references: practitioners, rooms, devices.
pub async fn exclusive_actors(tx: &mut Tx, keys: &[String]) -> Result<Vec<String>, StoreError> {
    let indirect: Vec<&String> =
        keys.iter().filter(|key| key.contains("PractitionerRole/") || key.contains("Location/")).collect();
    let mut known = BTreeMap::new();
    if !indirect.is_empty() {
        let sql =
            format!("SELECT key, actor FROM claims_as WHERE key IN ({})", placeholders(indirect.len(), 1));
        let args = indirect.iter().map(|key| key.as_str().into()).collect();
        for row in tx.all(AssertSqlSafe(sql), args).await? {
            known.insert(row.text(0)?, row.text(1)?);
        }
    }
    let mut actors: Vec<String> = keys.iter().filter_map(|key| claims_as(key, known.remove(key))).collect();
    actors.sort_unstable();
    actors.dedup();
    Ok(actors)
}

/// Takes an actor's time; `false` when another party has some of it.
pub async fn take_actor(tx: &mut Tx, claim: &ActorClaim, appointment: i64) -> Result<bool, StoreError> {
    Ok(insert_claim(tx, claim, claim.span, appointment, false).await?.is_some())
}

async fn insert_claim(
    tx: &mut Tx,
    claim: &ActorClaim,
    span: Span,
    appointment: i64,
    over: bool,
) -> Result<Option<super::Row>, StoreError> {
    let args =
        args![claim.actor.as_str(), claim.party.as_str(), span.start, span.end, appointment, i64::from(over)];
    tx.optional(TAKE_ACTOR, args).await
}

/// Takes an actor's time although some of it is taken: alone where it is free, shared where it is not.
pub async fn take_actor_over(tx: &mut Tx, claim: &ActorClaim, appointment: i64) -> Result<(), StoreError> {
    let free = subtract(claim.span, &taken(tx, claim).await?);
    for span in &free {
        if insert_claim(tx, claim, *span, appointment, false).await?.is_none() {
            return Err(StoreError::Contended("time was taken meanwhile".to_owned()));
        }
    }
    for span in subtract(claim.span, &free) {
        insert_claim(tx, claim, span, appointment, true).await?;
    }
    Ok(())
}

/// The times of other parties that stand in the way of a claim.
pub async fn taken(tx: &mut Tx, claim: &ActorClaim) -> Result<Vec<Span>, StoreError> {
    let args = args![claim.actor.as_str(), claim.party.as_str(), claim.span.end, claim.span.start];
    tx.all(TAKEN, args).await?.iter().map(|row| Ok(Span { start: row.int(0)?, end: row.int(1)? })).collect()
}

/// Takes a seat of a locked slot; `false` when none is free.
pub async fn take_seat(tx: &mut Tx, slot: &WantedSlot, appointment: i64) -> Result<bool, StoreError> {
    Ok(tx.optional(TAKE_SEAT, args![slot.rid, slot.capacity, appointment]).await?.is_some())
}

/// Takes a seat beyond the slot's capacity.
pub async fn take_seat_over(tx: &mut Tx, slot: &WantedSlot, appointment: i64) -> Result<(), StoreError> {
    tx.execute(TAKE_SEAT_OVER, args![slot.rid, slot.capacity, appointment]).await?;
    Ok(())
}

/// Frees all that an appointment claims. Time that an overriding booking shared with it becomes that
/// booking's own.
pub async fn free(tx: &mut Tx, appointment: i64) -> Result<Freed, StoreError> {
    let mut freed = Freed::default();
    for row in tx.all(FREE_SEATS, args![appointment]).await? {
        freed.slots.push(row.int(0)?);
    }
    for row in tx.all(FREE_ACTORS, args![appointment]).await? {
        freed.actors.push((row.text(0)?, Span { start: row.int(1)?, end: row.int(2)? }));
    }
    for (actor, span) in &freed.actors {
        for row in tx.all(OVERRIDING, args![actor.as_str(), span.end, span.start]).await? {
            let shared = Span { start: row.int(2)?, end: row.int(3)? };
            let claim = ActorClaim { actor: actor.clone(), party: row.text(1)?, span: shared };
            tx.execute(DROP_CLAIM, args![row.int(0)?]).await?;
            take_actor_over(tx, &claim, row.int(4)?).await?;
        }
    }
    Ok(freed)
}

/// What an appointment claims now.
pub async fn claimed(tx: &mut Tx, appointment: i64) -> Result<Freed, StoreError> {
    let mut held = Freed::default();
    for row in tx.all(SEATS_OF, args![appointment]).await? {
        held.slots.push(row.int(0)?);
    }
    for row in tx.all(ACTORS_OF, args![appointment]).await? {
        held.actors.push((row.text(0)?, Span { start: row.int(1)?, end: row.int(2)? }));
    }
    Ok(held)
}

/// How many seats of a slot are taken.
pub async fn seats_taken(tx: &mut Tx, slot: i64) -> Result<i64, StoreError> {
    tx.one(CLAIM_COUNT, args![slot]).await?.int(0)
}

/// The slots among `rids`, and those on schedules of `actors` at these times, locked against other bookings.
pub async fn lock_touched(
    tx: &mut Tx,
    rids: &[i64],
    actors: &[(String, Span)],
) -> Result<Vec<TouchedSlot>, StoreError> {
    if rids.len() + actors.len() <= MOST_TERMS {
        return lock_some(tx, rids, actors).await;
    }
    // A large transaction: several statements, and a slot found by more than one of them counts once.
    let mut touched = BTreeMap::new();
    for some in rids.chunks(MOST_TERMS) {
        touched.extend(lock_some(tx, some, &[]).await?.into_iter().map(|slot| (slot.rid, slot)));
    }
    for some in actors.chunks(MOST_TERMS) {
        touched.extend(lock_some(tx, &[], some).await?.into_iter().map(|slot| (slot.rid, slot)));
    }
    Ok(touched.into_values().collect())
}

async fn lock_some(
    tx: &mut Tx,
    rids: &[i64],
    actors: &[(String, Span)],
) -> Result<Vec<TouchedSlot>, StoreError> {
    let mut wanted = Vec::new();
    let mut args: Vec<super::Arg> = Vec::new();
    for rid in rids {
        args.push((*rid).into());
        wanted.push(format!("SELECT ${}", args.len()));
    }
    for (actor, span) in actors {
        let at = args.len() + 1;
        let (end, start) = (at + 1, at + 2);
        wanted.push(format!(
            "SELECT t.rid FROM schedule_actor sa JOIN slot t ON t.schedule = sa.id \
             WHERE sa.actor IN (SELECT ${at} UNION ALL SELECT key FROM claims_as WHERE actor = ${at}) \
             AND t.start_us < ${end} AND t.start_us > ${start} - 86400000000 AND t.end_us > ${start}"
        ));
        args.extend(args![actor.as_str(), span.end, span.start]);
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT s.rid, s.id, s.schedule, s.start_us, s.end_us, s.status, s.declared, s.capacity, \
         r.vid, r.updated_us, r.body FROM slot s JOIN resource r ON r.rid = s.rid WHERE s.rid IN ({}) ORDER BY s.rid{}",
        wanted.join(" UNION ALL "),
        dialect::lock_slots(tx)
    );
    let rows = tx.all(AssertSqlSafe(sql), args).await?;
    rows.iter()
        .map(|row| {
            Ok(TouchedSlot {
                rid: row.int(0)?,
                id: row.text(1)?,
                schedule: row.text(2)?,
                span: Span { start: row.int(3)?, end: row.int(4)? },
                status: row.text(5)?,
                declared: row.text(6)?,
                capacity: row.int(7)?,
                stored: Stored {
                    rid: row.int(0)?,
                    vid: row.int(8)?,
                    deleted: false,
                    updated_us: row.int(9)?,
                    body: row.blob(10)?,
                },
            })
        })
        .collect()
}

/// How far claims fill a slot; `rid` 0 for one that is not stored yet.
pub async fn fill(tx: &mut Tx, rid: i64, id: &str, schedule: &str, span: Span) -> Result<Fill, StoreError> {
    let mut fill = Fill::default();
    for row in tx.all(FILL, args![rid, format!("Slot/{id}"), schedule, span.start, span.end]).await? {
        let (count, held) = (row.int(0)?, row.int(1)?);
        if row.text(2)? == "seat" {
            fill.seats = count;
            fill.held_seats = held;
        } else {
            fill.actor_taken = true;
            fill.actor_held = count == held;
        }
    }
    Ok(fill)
}
