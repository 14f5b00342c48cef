//! The sample clinic's Schedules, four weeks of Slots, and the Appointments that are already there.
//!
//! Weekly are local: a clinic that opens at 09:00 opens at 09:00 on both sides of a clock change.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan, Zoned};
use serde_json::{Map, Value, json};

use super::Error;
use super::data::{Data, Weekly};
use super::dice::Dice;
use super::staff::{concept, service_category, service_type, snomed};

/// The extension that says how many patients one Slot takes (SMART Scheduling Links).
const CAPACITY: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity";
/// Appointments are made this many days ahead, so that the later weeks are empty.
const BOOKED_DAYS: i32 = 14;
/// One in so many single slots is taken.
const TAKEN: usize = 8;

/// A Schedule with what its Slots and Appointments have in common.
struct Plan<'a> {
    id: String,
    actors: Vec<Value>,
    /// Who else takes part in an appointment: the consulting room.
    room: Option<String>,
    category: Value,
    kind: Value,
    specialty: Option<Value>,
    name: String,
    hours: &'a Weekly,
    capacity: Option<i64>,
}

/// Schedules, then Slots (all free), then Appointments (booked), for the weeks from `today` on.
pub(super) fn resources(data: &Data, today: Date) -> Result<Vec<Value>, Error> {
    let zone = TimeZone::get(&data.clinic.zone).map_err(Error::calendar)?;
    let last = today.checked_add(data.clinic.weeks.weeks()).map_err(Error::calendar)?;
    let plans = plans(data)?;
    let mut schedules = Vec::new();
    let mut slots = Vec::new();
    let mut book = Book::new(data.clinic.patients, today)?;
    for plan in &plans {
        schedules.push(schedule(plan, &midnight(today, &zone)?, &midnight(last, &zone)?));
        for date in today.series(1.day()).take_while(|date| *date < last) {
            for (start, end) in sessions(plan.hours, date)? {
                let start = zoned(date, start, &zone)?;
                let end = zoned(date, end, &zone)?;
                let slot = slot(plan, &start, &end);
                book.consider(plan, &slot, date);
                slots.push(slot);
            }
        }
    }
    schedules.append(&mut slots);
    schedules.append(&mut book.appointments);
    Ok(schedules)
}

fn plans(data: &Data) -> Result<Vec<Plan<'_>>, Error> {
    let mut plans = Vec::new();
    for clinician in &data.clinicians {
        let specialty = data.specialty(&clinician.specialty)?;
        plans.push(Plan {
            id: clinician.schedule(),
            actors: vec![json!({ "reference": clinician.reference(), "display": clinician.display() })],
            room: Some(format!("Location/{}", clinician.room)),
            category: service_category(&specialty.service_category),
            kind: service_type(&specialty.service_type, &specialty.name),
            specialty: Some(snomed(specialty)),
            name: specialty.name.clone(),
            hours: &clinician.hours,
            capacity: None,
        });
    }
    for group in &data.services.groups {
        let specialty = data.specialty(&group.specialty)?;
        let leader = data.clinician(&group.clinician)?;
        plans.push(Plan {
            id: format!("sched-{}", group.id),
            actors: vec![
                json!({ "reference": format!("HealthcareService/service-{}", group.id), "display": group.name }),
                json!({ "reference": leader.reference(), "display": leader.display() }),
                json!({ "reference": format!("Location/{}", group.room) }),
            ],
            room: None,
            category: service_category(&specialty.service_category),
            kind: service_type(&group.service_type, &group.name),
            specialty: Some(snomed(specialty)),
            name: group.name.clone(),
            hours: &group.hours,
            capacity: Some(group.capacity),
        });
    }
    for resource in &data.services.resources {
        plans.push(Plan {
            id: format!("sched-{}", resource.id),
            actors: vec![json!({ "reference": resource.actor, "display": resource.name })],
            room: None,
            category: service_category(&resource.service_category),
            kind: service_type(&resource.service_type, &resource.name),
            specialty: None,
            name: resource.name.clone(),
            hours: &resource.hours,
            capacity: None,
        });
    }
    Ok(plans)
}

fn schedule(plan: &Plan<'_>, from: &Zoned, until: &Zoned) -> Value {
    let mut body = common("Schedule", &plan.id, plan, |body| {
        body.insert("active".to_owned(), Value::Bool(true));
    });
    body.insert("actor".to_owned(), Value::Array(plan.actors.clone()));
    body.insert("planningHorizon".to_owned(), json!({ "start": instant(from), "end": instant(until) }));
    body.insert("comment".to_owned(), Value::from(plan.name.as_str()));
    Value::Object(body)
}

fn slot(plan: &Plan<'_>, start: &Zoned, end: &Zoned) -> Value {
    let id = format!("slot-{}-{}", plan.id.trim_start_matches("sched-"), start.strftime("%Y%m%d-%H%M"));
    let mut body = common("Slot", &id, plan, |body| {
        if let Some(capacity) = plan.capacity {
            body.insert("extension".to_owned(), json!([{ "url": CAPACITY, "valueInteger": capacity }]));
        }
    });
    body.insert("schedule".to_owned(), json!({ "reference": format!("Schedule/{}", plan.id) }));
    body.insert("status".to_owned(), Value::from("free"));
    body.insert("start".to_owned(), Value::from(instant(start)));
    body.insert("end".to_owned(), Value::from(instant(end)));
    Value::Object(body)
}

/// What Schedule, Slot and Appointment share: type, id and the three service codes; `first` puts what goes
/// between.
fn common(
    rtype: &str,
    id: &str,
    plan: &Plan<'_>,
    first: impl FnOnce(&mut Map<String, Value>),
) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("resourceType".to_owned(), Value::from(rtype));
    body.insert("id".to_owned(), Value::from(id));
    first(&mut body);
    body.insert("serviceCategory".to_owned(), json!([plan.category]));
    body.insert("serviceType".to_owned(), json!([plan.kind]));
    if let Some(specialty) = &plan.specialty {
        body.insert("specialty".to_owned(), json!([specialty]));
    }
    body
}

/// The appointments made so far. A patient has at most one a day.
struct Book {
    appointments: Vec<Value>,
    dice: Dice,
    patients: usize,
    today: Date,
    until: Date,
    seen: BTreeSet<(usize, Date)>,
}

impl Book {
    fn new(patients: usize, today: Date) -> Result<Self, Error> {
        let until = today.checked_add(BOOKED_DAYS.days()).map_err(Error::calendar)?;
        Ok(Self {
            appointments: Vec::new(),
            dice: Dice::new(7),
            patients,
            today,
            until,
            seen: BTreeSet::new(),
        })
    }

    /// Books some of `slot`'s seats, or none. Every slot draws the same numbers whatever the day, so that
    /// two clinics of one day are equal.
    fn consider(&mut self, plan: &Plan<'_>, slot: &Value, date: Date) {
        let seats = match plan.capacity {
            Some(capacity) => self.dice.below(capacity as usize),
            None => usize::from(self.dice.below(TAKEN) == 0),
        };
        if date >= self.until {
            return;
        }
        for _ in 0..seats {
            let patient = 1 + self.dice.below(self.patients);
            if self.seen.insert((patient, date)) {
                let appointment = self.appointment(plan, slot, patient);
                self.appointments.push(appointment);
            }
        }
    }

    fn appointment(&self, plan: &Plan<'_>, slot: &Value, patient: usize) -> Value {
        let id = format!("appt-{:04}", self.appointments.len() + 1);
        let mut body = common("Appointment", &id, plan, |body| {
            body.insert("status".to_owned(), Value::from("booked"));
        });
        let kind = if patient.is_multiple_of(3) { "FOLLOWUP" } else { "ROUTINE" };
        body.insert(
            "appointmentType".to_owned(),
            concept("http://terminology.hl7.org/CodeSystem/v2-0276", kind, None),
        );
        body.insert("description".to_owned(), Value::from(plan.name.as_str()));
        for key in ["start", "end"] {
            body.insert(key.to_owned(), slot.get(key).cloned().unwrap_or_default());
        }
        body.insert("minutesDuration".to_owned(), Value::from(plan.hours.minutes));
        let slot = slot.get("id").and_then(Value::as_str).unwrap_or_default();
        body.insert("slot".to_owned(), json!([{ "reference": format!("Slot/{slot}") }]));
        body.insert("created".to_owned(), Value::from(self.today.to_string()));
        body.insert("participant".to_owned(), Value::Array(participants(plan, patient)));
        Value::Object(body)
    }
}

fn participants(plan: &Plan<'_>, patient: usize) -> Vec<Value> {
    let patient = json!({ "reference": format!("Patient/pat-{patient:03}") });
    let room = plan.room.as_ref().map(|room| json!({ "reference": room }));
    std::iter::once(patient)
        .chain(plan.actors.iter().cloned())
        .chain(room)
        .map(|actor| json!({ "actor": actor, "required": "required", "status": "accepted" }))
        .collect()
}

/// The start and end times of a day's slots.
fn sessions(hours: &Weekly, date: Date) -> Result<Vec<(Time, Time)>, Error> {
    let mut out = Vec::new();
    if !hours.days.split(' ').any(|day| day == day_code(date.weekday())) {
        return Ok(out);
    }
    for session in &hours.hours {
        let (from, until) = session.split_once('-').ok_or_else(|| Error::unknown("hours", session))?;
        let (from, until) = (local_time(from)?, local_time(until)?);
        let step: Span = hours.minutes.minutes();
        let mut start = from;
        // Times do not wrap past midnight here: the next start would be an error, and ends the session.
        while let Ok(end) = start.checked_add(step) {
            if end > until || step.get_minutes() <= 0 {
                break;
            }
            out.push((start, end));
            start = end;
        }
    }
    Ok(out)
}

fn local_time(text: &str) -> Result<Time, Error> {
    Time::strptime("%H:%M", text).map_err(Error::calendar)
}

fn day_code(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

fn zoned(date: Date, time: Time, zone: &TimeZone) -> Result<Zoned, Error> {
    date.to_datetime(time).to_zoned(zone.clone()).map_err(Error::calendar)
}

fn midnight(date: Date, zone: &TimeZone) -> Result<Zoned, Error> {
    zoned(date, Time::midnight(), zone)
}

/// A FHIR `instant` with the zone's offset of that day.
fn instant(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
