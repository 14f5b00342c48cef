//! Booking: the appointments of a transaction are settled against the ledger.
//!
//! There is no other way to take time: REST, patch, batch and transaction all end here.

use super::App;
use super::events::Happened;
use super::write::{Work, parse, stamp};
use crate::auth::Permit;
use crate::fhir::bundle::{in_entry, merge as merge_errors};
use crate::fhir::interaction::Instance;
use crate::fhir::outcome::{Error, Issue};
use crate::fhir::registry::resource_type;
use crate::scheduling::Span;
use crate::scheduling::appointment::Appointment;
use crate::scheduling::claims::{ActorClaim, WantedSlot, actor_claims};
use crate::scheduling::conflict::{Conflict, refusal};
use crate::scheduling::slot::served_status;
use crate::store::ledger::{self, TouchedSlot};
use crate::store::resource::{self, Method, NewVersion};
use crate::store::{Intent, StoreError, Tx, scheduling};
use serde_json::Value;
use std::collections::BTreeSet;

/// An appointment that a transaction changed.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// Before; `None` for a new one.
    pub old: Option<Appointment>,
    /// After; `None` for a deleted one.
    pub new: Option<Appointment>,
    /// The Bundle entry that changed it.
    pub entry: Option<usize>,
}

impl Effect {
    fn claimed(&self) -> Option<&Appointment> {
        self.old.as_ref().filter(|a| a.claims_time())
    }

    fn claims(&self) -> Option<&Appointment> {
        self.new.as_ref().filter(|a| a.claims_time())
    }

    fn keeps_its_claims(&self) -> bool {
        matches!((self.claimed(), self.claims()), (Some(old), Some(new)) if old.same_claims(new))
    }

    /// A hold that was confirmed, or the other way round: the claims stay, what they mean changes.
    fn changes_meaning(&self) -> bool {
        self.keeps_its_claims() && self.claimed().map(|a| a.status) != self.claims().map(|a| a.status)
    }
}

/// What the transaction touched: slots whose served status may have to follow.
#[derive(Debug, Default)]
struct Touched {
    slots: BTreeSet<i64>,
    actors: BTreeSet<(String, Span)>,
}

impl Touched {
    fn add(&mut self, freed: ledger::Freed) {
        self.slots.extend(freed.slots);
        self.actors.extend(freed.actors);
    }
}

/// Whether what is served of this type changes when a hold lapses.
pub fn depends_on_holds(rtype: &str) -> bool {
    matches!(rtype, "Slot" | "Appointment")
}

/// Frees and takes what the transaction's appointments claim, and lets the slots' served status follow.
///
/// # Errors
/// 409 naming every conflict of every appointment.
pub async fn settle(tx: &mut Tx, app: &App, work: &mut Work) -> Result<(), Error> {
    if work.effects.is_empty() {
        return Ok(());
    }
    let takes = |effect: &Effect| effect.claims().is_some() && !effect.keeps_its_claims();
    if !work.none_lapsed && work.effects.iter().any(takes) {
        cancel_lapsed(tx, app, work).await?;
    }
    // An appointment written twice in one transaction goes from its first state to its last.
    let effects = merge(std::mem::take(&mut work.effects));
    let mut touched = Touched::default();
    for effect in &effects {
        if effect.changes_meaning() {
            touched.add(ledger::claimed(tx, effect.rid).await?);
        } else if effect.claimed().is_some() && !effect.keeps_its_claims() {
            touched.add(ledger::free(tx, effect.rid).await?);
        }
    }
    let mut refusals = Vec::new();
    for effect in effects.iter().filter(|effect| takes(effect)) {
        let mut conflicts = Vec::new();
        take(tx, work, effect, &mut touched, &mut conflicts).await?;
        if !conflicts.is_empty() {
            let error = refusal(&conflicts);
            refusals.push(effect.entry.map_or(error.clone(), |index| in_entry(error, index, true)));
        }
    }
    if let Some(error) = merge_errors(refusals) {
        metrics::counter!("booking_conflicts_total").increment(1);
        return Err(error);
    }
    serve_touched(tx, work, &effects, &touched).await
}

fn merge(effects: Vec<Effect>) -> Vec<Effect> {
    let mut merged: Vec<Effect> = Vec::with_capacity(effects.len());
    for effect in effects {
        match merged.iter_mut().find(|earlier| earlier.rid == effect.rid) {
            Some(earlier) => (earlier.new, earlier.entry) = (effect.new, effect.entry),
            None => merged.push(effect),
        }
    }
    merged
}

/// Takes all that one appointment claims; what stands in the way is added to `conflicts`.
async fn take(
    tx: &mut Tx,
    work: &Work,
    effect: &Effect,
    touched: &mut Touched,
    conflicts: &mut Vec<Conflict>,
) -> Result<(), Error> {
    let Some(appointment) = effect.claims() else { return Ok(()) };
    let over = work.override_reason.is_some();
    let slots = ledger::lock_wanted(tx, &appointment.slots).await?;
    check_within(appointment, &slots)?;
    for slot in &slots {
        touched.slots.insert(slot.rid);
        take_seat(tx, slot, effect.rid, over, conflicts).await?;
    }
    let exclusive = ledger::exclusive_actors(tx, &appointment.actors).await?;
    for claim in actor_claims(&effect.id, appointment, &slots, &exclusive) {
        touched.actors.insert((claim.actor.clone(), claim.span));
        if !over {
            take_time(tx, &claim, effect.rid, conflicts).await?;
        } else if !ledger::take_actor(tx, &claim, effect.rid).await? {
            ledger::take_actor_over(tx, &claim, effect.rid).await?;
        }
    }
    Ok(())
}

/// Takes an actor's time, or names what stands in the way. On PostgreSQL that may go while it is looked for; then
/// nothing could be named, and the time is asked for again. Without a claim and without a conflict it must not end:
/// that would sell the time twice.
async fn take_time(
    tx: &mut Tx,
    claim: &ActorClaim,
    appointment: i64,
    conflicts: &mut Vec<Conflict>,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        if ledger::take_actor(tx, claim, appointment).await? {
            return Ok(());
        }
        let known = conflicts.len();
        add_taken(tx, claim, conflicts).await?;
        if conflicts.len() > known {
            return Ok(());
        }
    }
    Err(StoreError::Contended(format!("the time of {} changes hands", claim.actor)).into())
}

/// How often a claim is tried whose rival lets go while it is looked for.
const TRIES: usize = 5;

/// Names every time that stands in the way of a claim.
async fn add_taken(tx: &mut Tx, claim: &ActorClaim, conflicts: &mut Vec<Conflict>) -> Result<(), Error> {
    let taken = ledger::taken(tx, claim).await?;
    conflicts
        .extend(taken.into_iter().map(|taken| Conflict::ActorTaken { actor: claim.actor.clone(), taken }));
    Ok(())
}

/// Refuses at once an appointment whose slots are seen to be full, before anything is written and without
/// waiting for those who are booking them now: most of a crowd that wants one slot ends here.
///
/// # Errors
/// 409 naming every conflict.
pub async fn refuse_early(
    tx: &mut Tx,
    work: &mut Work,
    instance: &Instance,
    rid: i64,
    appointment: &Appointment,
) -> Result<(), Error> {
    if !work.sole_booking || work.override_reason.is_some() || appointment.slots.is_empty() {
        return Ok(());
    }
    let (slots, next_lapse) = ledger::see_wanted(tx, &appointment.slots, rid).await?;
    // A hold that has lapsed may be all that stands in the way.
    if slots.is_empty() || next_lapse.is_some_and(|at| at <= work.now) {
        return Ok(());
    }
    work.none_lapsed = true;
    let full = slots.iter().filter(|slot| slot.taken >= slot.capacity);
    let mut conflicts: Vec<Conflict> = full.map(Conflict::slot_full).collect();
    if conflicts.is_empty() {
        return Ok(());
    }
    let exclusive = ledger::exclusive_actors(tx, &appointment.actors).await?;
    for claim in actor_claims(&instance.id, appointment, &slots, &exclusive) {
        add_taken(tx, &claim, &mut conflicts).await?;
    }
    metrics::counter!("booking_conflicts_total").increment(1);
    Err(refusal(&conflicts))
}

async fn take_seat(
    tx: &mut Tx,
    slot: &WantedSlot,
    appointment: i64,
    over: bool,
    conflicts: &mut Vec<Conflict>,
) -> Result<(), Error> {
    if slot.declared != "free" && !over {
        conflicts.push(Conflict::SlotNotOffered { slot: slot.id.clone(), declared: slot.declared.clone() });
        return Ok(());
    }
    if ledger::take_seat(tx, slot, appointment).await? {
        return Ok(());
    }
    if over {
        return Ok(ledger::take_seat_over(tx, slot, appointment).await?);
    }
    conflicts.push(Conflict::slot_full(slot));
    Ok(())
}

/// Writes a new version of every slot whose served status no longer follows the claims.
async fn serve_touched(
    tx: &mut Tx,
    work: &mut Work,
    effects: &[Effect],
    touched: &Touched,
) -> Result<(), Error> {
    let rids: Vec<i64> = touched.slots.iter().copied().collect();
    let actors: Vec<(String, Span)> = touched.actors.iter().cloned().collect();
    for slot in ledger::lock_touched(tx, &rids, &actors).await? {
        let fill = ledger::fill(tx, slot.rid, &slot.id, &slot.schedule, slot.span).await?;
        let status = served_status(&slot.declared, slot.capacity, fill);
        if status != slot.status {
            let version = serve(tx, work, &slot, status).await?;
            follow(work, effects, &slot, version);
        }
    }
    Ok(())
}

/// Puts a slot's new version down to the appointment that it follows from, so that the same event tells both.
fn follow(work: &mut Work, effects: &[Effect], slot: &TouchedSlot, version: String) {
    let states =
        |effect: &&Effect, is: &dyn Fn(&Appointment) -> bool| effect.old.iter().chain(&effect.new).any(is);
    let names = |effect: &&Effect| states(effect, &|one| one.slots.contains(&slot.id));
    let meets =
        |effect: &&Effect| states(effect, &|one| one.span.is_some_and(|span| span.overlaps(slot.span)));
    let cause = effects.iter().find(names).or_else(|| effects.iter().find(meets)).or(effects.first());
    let of_cause = cause.map(|effect| format!("Appointment/{}/_history/", effect.id)).unwrap_or_default();
    if let Some(written) = work.written.iter_mut().rfind(|written| written.version.starts_with(&of_cause)) {
        written.followed.push(version);
    }
}

/// The version that was written.
async fn serve(tx: &mut Tx, work: &mut Work, slot: &TouchedSlot, status: &str) -> Result<String, Error> {
    let (id, stored) = (slot.id.as_str(), &slot.stored);
    let old = parse(stored)?;
    let mut body = old.clone();
    if let Some(body) = body.as_object_mut() {
        body.insert("status".to_owned(), Value::String(status.to_owned()));
    }
    let at_us = work.now.max(stored.updated_us);
    let body = stamp(body, id, stored.vid + 1, at_us);
    let bytes = serde_json::to_vec(&body).map_err(|e| Error::internal(e.to_string()))?;
    let new = NewVersion { rtype: "Slot", id, method: Method::Patch, at_us, body: &bytes };
    let vid = resource::replace(tx, &Permit::of_server("served status of slots"), stored, new).await?;
    scheduling::serve_slot(tx, slot.rid, status).await?;
    let happened = Happened { rid: slot.rid, id, vid, before_vid: Some(stored.vid), at_us };
    work.happened.extend(happened.to("Slot", Some(&old), Some(&body)));
    Ok(format!("Slot/{id}/_history/{vid}"))
}

/// Refuses an appointment that reaches outside the slots it names.
///
/// # Errors
/// 422 naming the slots' time.
fn check_within(appointment: &Appointment, slots: &[WantedSlot]) -> Result<(), Error> {
    let (start, end) = (slots.iter().map(|s| s.span.start).min(), slots.iter().map(|s| s.span.end).max());
    let (Some(start), Some(end), Some(span)) = (start, end, appointment.span) else { return Ok(()) };
    if span.start >= start && span.end <= end {
        return Ok(());
    }
    let text = crate::clock::instant_text;
    let message = format!("The appointment must lie within its slots, {} to {}", text(start), text(end));
    Err(Error::unprocessable(Issue::error("business-rule", message).at("Appointment.start")))
}

/// Lets every hold that has lapsed go, if there is one: called before anything that shows what is free.
pub async fn lapse_due(app: &App) -> Result<(), Error> {
    let next = scheduling::next_lapse(&mut app.store.reader().await?).await?;
    match next {
        Some(at) if at <= app.clock.now() => lapse(app).await,
        _ => Ok(()),
    }
}

/// Cancels holds that have lapsed, in a transaction of its own.
pub async fn lapse(app: &App) -> Result<(), Error> {
    let shared = app.clone();
    app.store
        .write(Intent::Upsert, move |tx| {
            let app = shared.clone();
            Box::pin(async move {
                let mut work = Work::begin(&app, &super::Context::of_server(&app, "lapse of holds"));
                cancel_lapsed(tx, &app, &mut work).await?;
                work.settle(tx, &app).await
            })
        })
        .await
}

/// Cancels holds that have lapsed; their claims are freed when the transaction settles.
async fn cancel_lapsed(tx: &mut Tx, app: &App, work: &mut Work) -> Result<(), Error> {
    let Some(rtype) = resource_type("Appointment") else { return Ok(()) };
    let permit = Permit::of_server("lapse of holds");
    for rid in scheduling::lapsed(tx, work.now).await? {
        if work.effects.iter().any(|effect| effect.rid == rid) {
            continue;
        }
        let (id, stored) = resource::find_by_rid(tx, &permit, rid).await?;
        let mut body = parse(&stored)?;
        if let Some(body) = body.as_object_mut() {
            body.insert("status".to_owned(), Value::String("cancelled".to_owned()));
        }
        let instance = Instance { rtype, id };
        let checked = work.references.len();
        let (stored, method) = (Some(stored), Method::Patch);
        Box::pin(super::write::store_version(tx, app, work, &permit, &instance, stored, body, method))
            .await?;
        // What it refers to was checked when it was held.
        work.references.truncate(checked);
    }
    Ok(())
}
