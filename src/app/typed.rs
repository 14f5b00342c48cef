//! What a write means for the typed rows: the scheduling resources, and whose time a booking takes.

use super::App;
use super::booking::{self, Effect};
use super::subscriptions::{self, Subscribed};
use super::write::Work;
use crate::auth::consent;
use crate::fhir::interaction::Instance;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::scheduling::appointment::{Appointment, Status, check_transition, set_held_until};
use crate::scheduling::slot::{Slot, served_status};
use crate::scheduling::{Span, reference_key};
use crate::store::resource::Stored;
use crate::store::{Tx, ledger, scheduling};
use serde_json::Value;

/// The typed side of a body that is about to be stored.
#[derive(Debug)]
pub enum Typed {
    /// The type has none.
    Nothing,
    /// Whose schedule it is.
    Schedule(Vec<String>),
    /// The slot as declared, and the status it is served with.
    Slot(Slot, String),
    /// The appointment before and after.
    Appointment(Option<Appointment>, Appointment),
    /// Whose time a booking takes.
    ClaimsAs(Option<String>),
    /// What is subscribed to.
    Subscription(Box<Subscribed>),
}

/// Reads the typed side of a body, and writes into the body what the server decides.
pub async fn prepare(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    instance: &Instance,
    current: Option<&Stored>,
    old: Option<&Value>,
    body: &mut Value,
) -> Result<Typed, Error> {
    Ok(match instance.rtype.name {
        "Schedule" => {
            let actors = actors_of(body);
            if old.is_some_and(|old| actors_of(old) != actors) {
                keep_slots(tx, &instance.id).await?;
            }
            Typed::Schedule(actors)
        }
        "Slot" => prepare_slot(tx, instance, current, body).await?,
        "Appointment" => {
            let (old, new) = prepare_appointment(app, work, old, body)?;
            let keeps = old.as_ref().is_some_and(|old| old.claims_time() && old.same_claims(&new));
            if new.claims_time() && !keeps {
                booking::refuse_early(tx, work, instance, current.map_or(0, |c| c.rid), &new).await?;
            }
            Typed::Appointment(old, new)
        }
        "Consent" => {
            keep_consent_honoured(body)?;
            Typed::Nothing
        }
        "PractitionerRole" | "Location" => {
            let claims_as = claims_as(instance, body);
            if old.is_some_and(|old| self::claims_as(instance, old) != claims_as) {
                keep_claims(tx, instance).await?;
            }
            Typed::ClaimsAs(claims_as)
        }
        "Subscription" => {
            Typed::Subscription(Box::new(subscriptions::prepare(tx, app, work, instance, old, body).await?))
        }
        _ => Typed::Nothing,
    })
}

/// Refuses a consent about privacy that nobody could be shown to have given: it would limit nothing.
fn keep_consent_honoured(body: &Value) -> Result<(), Error> {
    if !matches!(consent::read(body), consent::Read::Homeless) {
        return Ok(());
    }
    let message = "An active consent about privacy needs a reference to a Patient of this server";
    Err(Error::unprocessable(Issue::error("business-rule", message).at("Consent.patient")))
}

/// Whose time a booking of this role or place takes.
fn claims_as(instance: &Instance, body: &Value) -> Option<String> {
    match instance.rtype.name {
        "PractitionerRole" => body.get("practitioner").and_then(reference_key),
        _ => is_room(body).then(|| format!("Location/{}", instance.id)),
    }
}

/// Refuses to hand slots, and what is booked in them, to somebody else.
async fn keep_slots(tx: &mut Tx, id: &str) -> Result<(), Error> {
    if !scheduling::has_slots(tx, id).await? {
        return Ok(());
    }
    let message = format!("Schedule/{id} has slots: its actors can't change");
    Err(Error::of(Kind::Conflict, vec![Issue::error("conflict", message).at("Schedule.actor")]))
}

/// Refuses to change whose time is taken under those who took it.
async fn keep_claims(tx: &mut Tx, instance: &Instance) -> Result<(), Error> {
    let (rtype, id) = (instance.rtype.name, &instance.id);
    if !scheduling::takes_time(tx, &format!("{rtype}/{id}")).await? {
        return Ok(());
    }
    let (what, element) = match rtype {
        "PractitionerRole" => ("practitioner", "PractitionerRole.practitioner"),
        _ => ("kind of place", "Location.physicalType"),
    };
    let message = format!("{rtype}/{id} is booked or has slots: its {what} can't change");
    Err(Error::of(Kind::Conflict, vec![Issue::error("conflict", message).at(element)]))
}

fn actors_of(schedule: &Value) -> Vec<String> {
    let mut actors: Vec<String> = Vec::new();
    for actor in
        schedule.get("actor").and_then(Value::as_array).into_iter().flatten().filter_map(reference_key)
    {
        if !actors.contains(&actor) {
            actors.push(actor);
        }
    }
    actors
}

/// Rooms, beds and vehicles serve one visit at a time; sites, buildings and wings any number
/// (R4 `location-physical-type`).
fn is_room(location: &Value) -> bool {
    let codings = location.pointer("/physicalType/coding").and_then(Value::as_array);
    codings.into_iter().flatten().any(|coding| {
        let is = |element: &str, value: &str| coding.get(element).and_then(Value::as_str) == Some(value);
        is("system", "http://terminology.hl7.org/CodeSystem/location-physical-type")
            && ["ro", "bd", "ve"].iter().any(|code| is("code", code))
    })
}

async fn prepare_slot(
    tx: &mut Tx,
    instance: &Instance,
    current: Option<&Stored>,
    body: &mut Value,
) -> Result<Typed, Error> {
    let Some(mut slot) = Slot::from_json(body) else {
        // The rest that is read was required by the validator.
        let issue = Issue::error("required", "A Slot names its Schedule by reference, such as Schedule/123");
        return Err(Error::unprocessable(issue.at("Slot.schedule.reference")));
    };
    check_length("Slot", slot.span)?;
    let rid = current.map_or(0, |stored| stored.rid);
    if rid != 0 {
        for before in ledger::lock_touched(tx, &[rid], &[]).await? {
            keep_bookings(tx, &before, &slot).await?;
            // The client sends back the status that claims gave the slot: its declaration stands.
            if slot.status == before.status {
                slot.status = before.declared;
            }
        }
    }
    let fill = ledger::fill(tx, rid, &instance.id, &slot.schedule, slot.span).await?;
    let served = served_status(&slot.status, slot.capacity, fill).to_owned();
    if let Some(body) = body.as_object_mut() {
        body.insert("status".to_owned(), Value::String(served.clone()));
    }
    Ok(Typed::Slot(slot, served))
}

fn check_length(rtype: &str, span: Span) -> Result<(), Error> {
    if span.end - span.start <= ledger::MAX_SPAN_US {
        return Ok(());
    }
    let issue =
        Issue::error("business-rule", format!("{rtype}.end may be at most 24 hours after {rtype}.start"));
    Err(Error::unprocessable(issue.at(format!("{rtype}.end"))))
}

/// Refuses to move or shrink a slot under those who booked it.
async fn keep_bookings(tx: &mut Tx, before: &ledger::TouchedSlot, after: &Slot) -> Result<(), Error> {
    let seats = ledger::seats_taken(tx, before.rid).await?;
    if seats == 0 {
        return Ok(());
    }
    let mut issues = Vec::new();
    if before.span != after.span || before.schedule != after.schedule {
        let message = format!("Slot/{} is booked: its time and schedule can't change", before.id);
        issues.push(Issue::error("conflict", message).at("Slot.start"));
    }
    if after.capacity < seats && after.capacity < before.capacity {
        let message =
            format!("Slot/{} has {seats} bookings: its capacity can't be {}", before.id, after.capacity);
        issues.push(Issue::error("conflict", message).at("Slot.extension"));
    }
    if issues.is_empty() { Ok(()) } else { Err(Error::of(Kind::Conflict, issues)) }
}

fn prepare_appointment(
    app: &App,
    work: &Work,
    old: Option<&Value>,
    body: &mut Value,
) -> Result<(Option<Appointment>, Appointment), Error> {
    // Valid R4 all the same: the status may be an extension only.
    let broken = || {
        let message = "An appointment needs a status that is one of R4's";
        Error::unprocessable(Issue::error("required", message).at("Appointment.status"))
    };
    let old = old.map(|body| Appointment::from_json(body).ok_or_else(broken)).transpose()?;
    let mut new = Appointment::from_json(body).ok_or_else(broken)?;
    if let Some(old) = &old {
        check_hold(work, old, &new)?;
        check_transition(old.status, new.status)?;
    }
    if let Some(span) = new.span {
        check_length("Appointment", span)?;
    }
    new.held_until =
        if new.status == Status::Pending { Some(hold(app, work, new.held_until)?) } else { None };
    set_held_until(body, new.held_until);
    Ok((old, new))
}

/// A hold that has lapsed can't come back, even before it is tidied away.
fn check_hold(work: &Work, old: &Appointment, new: &Appointment) -> Result<(), Error> {
    match old.held_until.filter(|until| *until <= work.now) {
        Some(until) if new.claims_time() => {
            let message = format!("The hold lapsed at {}", crate::clock::instant_text(until));
            Err(Error::new(Kind::Conflict, message))
        }
        _ => Ok(()),
    }
}

/// When a hold lapses: as asked, within bounds, or after the configured time.
fn hold(app: &App, work: &Work, asked: Option<i64>) -> Result<i64, Error> {
    let micros = |d: std::time::Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
    let Some(until) = asked else { return Ok(work.now.saturating_add(micros(app.config.booking.hold))) };
    let longest = work.now.saturating_add(micros(app.config.booking.hold_max));
    if until > work.now && until <= longest {
        return Ok(until);
    }
    let message =
        format!("held-until must be after now and not after {}", crate::clock::instant_text(longest));
    Err(Error::unprocessable(Issue::error("business-rule", message).at("Appointment.extension")))
}

/// Writes the typed rows, and leaves the claims to [`Work::settle`].
pub async fn put(
    tx: &mut Tx,
    work: &mut Work,
    instance: &Instance,
    rid: i64,
    existed: bool,
    typed: Typed,
) -> Result<(), Error> {
    let id = instance.id.as_str();
    match typed {
        Typed::Nothing => {}
        Typed::Schedule(actors) => scheduling::put_schedule(tx, rid, id, &actors).await?,
        Typed::Slot(slot, served) => scheduling::put_slot(tx, rid, id, &slot, &served).await?,
        Typed::ClaimsAs(actor) => {
            let key = format!("{}/{id}", instance.rtype.name);
            scheduling::put_claims_as(tx, &key, actor.as_deref()).await?;
        }
        Typed::Subscription(subscribed) => subscriptions::keep(tx, work, id, rid, *subscribed).await?,
        Typed::Appointment(old, new) => {
            scheduling::put_appointment(tx, rid, id, &new, !existed).await?;
            let entry = work.entry;
            work.effects.push(Effect { rid, id: id.to_owned(), old, new: Some(new), entry });
        }
    }
    Ok(())
}

/// Refuses to delete a booked slot, and frees what a deleted appointment claimed.
pub async fn before_delete(
    tx: &mut Tx,
    work: &mut Work,
    instance: &Instance,
    current: &Stored,
    old: &Value,
) -> Result<(), Error> {
    match instance.rtype.name {
        "Slot" => {
            ledger::lock_touched(tx, &[current.rid], &[]).await?;
            if ledger::seats_taken(tx, current.rid).await? > 0 {
                return Err(Error::new(Kind::Conflict, format!("Slot/{} is booked", instance.id)));
            }
        }
        "Appointment" => {
            let old = Appointment::from_json(old);
            let (rid, id, entry) = (current.rid, instance.id.clone(), work.entry);
            work.effects.push(Effect { rid, id, old, new: None, entry });
        }
        _ => {}
    }
    Ok(())
}

/// Removes the typed rows of a deleted resource.
pub async fn remove(tx: &mut Tx, instance: &Instance, current: &Stored) -> Result<(), Error> {
    match instance.rtype.name {
        "Schedule" => scheduling::put_schedule(tx, current.rid, &instance.id, &[]).await?,
        "Slot" => scheduling::remove_slot(tx, current.rid).await?,
        "Subscription" => subscriptions::remove(tx, &instance.id).await?,
        "Appointment" => scheduling::remove_appointment(tx, current.rid).await?,
        "Location" | "PractitionerRole" => {
            let key = format!("{}/{}", instance.rtype.name, instance.id);
            scheduling::put_claims_as(tx, &key, None).await?;
        }
        _ => {}
    }
    Ok(())
}
