//! What happened to a resource of scheduling, told by what it was before and after.

use super::appointment::{Appointment, Status};
use super::slot::Slot;
use crate::clock::Micros;
use serde_json::Value;

/// Types whose every version is an event.
pub const TYPES: [&str; 4] = ["Appointment", "Slot", "Schedule", "AppointmentResponse"];

/// A state before and after something happened at `at`; `None`: there was, or is, no such resource.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Before.
    pub before: Option<&'a Value>,
    /// After.
    pub after: Option<&'a Value>,
    /// When.
    pub at: Micros,
}

/// Codes of the topics that a change is an instance of, from the most specific to the most general.
pub fn topics(rtype: &str, change: Change<'_>) -> Vec<&'static str> {
    match rtype {
        "Appointment" => of_appointment(change),
        "Slot" => of_slot(change),
        "Schedule" if is_changed(change) => vec!["schedule-changed"],
        "AppointmentResponse" if change.after.is_some() && is_changed(change) => vec!["response-received"],
        _ => Vec::new(),
    }
}

/// Whether more than version and time of the last change differ.
fn is_changed(change: Change<'_>) -> bool {
    let (Some(before), Some(after)) = (change.before, change.after) else { return true };
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return true };
    let same = |(name, value): (&String, &Value)| match name.as_str() {
        "meta" => told(before.get("meta")) == told(Some(value)),
        _ => before.get(name) == Some(value),
    };
    before.len() != after.len() || !after.iter().all(same)
}

/// What `meta` has beside version and time.
fn told(meta: Option<&Value>) -> Vec<(&String, &Value)> {
    let entries = meta.and_then(Value::as_object).into_iter().flatten();
    entries.filter(|(name, _)| !matches!(name.as_str(), "versionId" | "lastUpdated")).collect()
}

/// Whether an appointment is still to take place.
fn is_ahead(status: Status) -> bool {
    use Status::{Arrived, Booked, CheckedIn, Pending, Proposed, Waitlist};
    matches!(status, Proposed | Pending | Booked | Arrived | CheckedIn | Waitlist)
}

fn of_appointment(change: Change<'_>) -> Vec<&'static str> {
    if !is_changed(change) {
        return Vec::new();
    }
    let before = change.before.and_then(Appointment::from_json);
    let after = change.after.and_then(Appointment::from_json);
    let was = before.as_ref().map(|before| before.status);
    let is = after.as_ref().map(|after| after.status);
    let lapsed = was == Some(Status::Pending)
        && is == Some(Status::Cancelled)
        && before.as_ref().and_then(|before| before.held_until).is_some_and(|until| until <= change.at);
    let over = matches!(is, None | Some(Status::Cancelled | Status::EnteredInError));
    let here = matches!(is, Some(Status::Arrived | Status::CheckedIn));
    let was_here = matches!(was, Some(Status::Arrived | Status::CheckedIn));
    let moved = match (&before, &after) {
        (Some(before), Some(after)) => {
            let times = before.span.zip(after.span);
            is_ahead(before.status) && is_ahead(after.status) && times.is_some_and(|(was, is)| was != is)
        }
        _ => false,
    };
    let offered = was == Some(Status::Waitlist) && matches!(is, Some(Status::Proposed | Status::Pending));
    let mut topics = Vec::new();
    let mut tell = |holds: bool, code: &'static str| topics.extend(holds.then_some(code));
    tell(lapsed, "hold-lapsed");
    tell(offered, "waitlist-offer");
    tell(is == Some(Status::Booked) && was != is, "appointment-booked");
    tell(here && !was_here, "appointment-arrived");
    tell(is == Some(Status::NoShow) && was != is, "appointment-noshow");
    tell(over && !lapsed && was.is_some_and(is_ahead), "appointment-cancelled");
    tell(moved, "appointment-rescheduled");
    tell(true, "appointment-changed");
    topics
}

fn of_slot(change: Change<'_>) -> Vec<&'static str> {
    let free = |body: Option<&Value>| body.and_then(Slot::from_json).filter(|slot| slot.status == "free");
    match (free(change.before), free(change.after)) {
        (None, Some(_)) => vec!["slot-freed"],
        (Some(_), None) => vec!["slot-taken"],
        (Some(before), Some(after)) if before.span != after.span || before.schedule != after.schedule => {
            vec!["slot-freed"]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::subscription::topic::TOPICS;
    use serde_json::json;

    fn visit(status: &str) -> Value {
        json!({ "resourceType": "Appointment", "status": status, "participant": [],
            "meta": { "versionId": "1", "lastUpdated": "2031-01-01T00:00:00Z" },
            "start": "2031-03-03T09:00:00Z", "end": "2031-03-03T09:30:00Z" })
    }

    fn told(rtype: &str, before: Option<Value>, after: Option<Value>) -> String {
        let change = Change { before: before.as_ref(), after: after.as_ref(), at: 5_000_000 };
        topics(rtype, change).join(" ")
    }

    #[test]
    fn every_transition_of_an_appointment_is_told() {
        let from_to = |from: &str, to: &str| {
            let from = (!from.is_empty()).then(|| visit(from));
            told("Appointment", from, (!to.is_empty()).then(|| visit(to)))
        };
        let told = |topic: &str| format!("{topic} appointment-changed");
        for (from, to) in
            [("", "booked"), ("proposed", "booked"), ("pending", "booked"), ("waitlist", "booked")]
        {
            assert_eq!(from_to(from, to), told("appointment-booked"), "{from} {to}");
        }
        for (from, to) in [("booked", "arrived"), ("booked", "checked-in"), ("", "arrived")] {
            assert_eq!(from_to(from, to), told("appointment-arrived"), "{from} {to}");
        }
        for from in ["proposed", "pending", "booked", "arrived", "checked-in", "waitlist"] {
            for to in ["cancelled", "entered-in-error", ""] {
                assert_eq!(from_to(from, to), told("appointment-cancelled"), "{from} {to}");
            }
        }
        for to in ["proposed", "pending"] {
            assert_eq!(from_to("waitlist", to), told("waitlist-offer"), "{to}");
        }
        for from in ["booked", "arrived", "checked-in"] {
            assert_eq!(from_to(from, "noshow"), told("appointment-noshow"), "{from}");
        }
        for (from, to) in [
            ("", "pending"),
            ("", "cancelled"),
            ("", "waitlist"),
            ("proposed", "pending"),
            ("pending", "waitlist"),
            ("arrived", "checked-in"),
            ("checked-in", "fulfilled"),
            ("fulfilled", "entered-in-error"),
            ("cancelled", ""),
            ("noshow", "entered-in-error"),
        ] {
            assert_eq!(from_to(from, to), "appointment-changed", "{from} {to}");
        }
        assert_eq!(from_to("booked", "booked"), "", "nothing changed");
    }

    #[test]
    fn a_new_time_is_a_reschedule_and_a_new_version_alone_is_nothing() {
        let mut moved = visit("booked");
        moved["end"] = json!("2031-03-03T10:00:00Z");
        let moved = told("Appointment", Some(visit("booked")), Some(moved));
        assert_eq!(moved, "appointment-rescheduled appointment-changed");
        let mut waiting = visit("waitlist");
        waiting.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "start" | "end"));
        let first = told("Appointment", Some(waiting), Some(visit("proposed")));
        assert_eq!(first, "waitlist-offer appointment-changed", "the first time it gets is no other one");
        let mut again = visit("booked");
        again["meta"]["versionId"] = json!("2");
        assert_eq!(told("Appointment", Some(visit("booked")), Some(again.clone())), "");
        again["meta"]["tag"] = json!([{ "code": "x" }]);
        assert_eq!(told("Appointment", Some(visit("booked")), Some(again)), "appointment-changed");
    }

    #[test]
    fn a_hold_lapses_by_the_clock_and_is_cancelled_before() {
        let held = |until: i64| {
            let mut held = visit("pending");
            super::super::appointment::set_held_until(&mut held, Some(until));
            told("Appointment", Some(held), Some(visit("cancelled")))
        };
        assert_eq!(held(5_000_000), "hold-lapsed appointment-changed");
        assert_eq!(held(5_001_000), "appointment-cancelled appointment-changed");
    }

    #[test]
    fn slots_are_freed_and_taken() {
        let slot = |status: &str, start: &str| {
            json!({ "resourceType": "Slot", "status": status, "schedule": { "reference": "Schedule/1" },
                "start": start, "end": "2031-03-03T11:00:00Z" })
        };
        let nine = |status: &str| slot(status, "2031-03-03T09:00:00Z");
        for (before, after, topic) in [
            (None, Some(nine("free")), "slot-freed"),
            (Some(nine("busy")), Some(nine("free")), "slot-freed"),
            (Some(nine("free")), Some(slot("free", "2031-03-03T10:00:00Z")), "slot-freed"),
            (Some(nine("free")), Some(nine("busy")), "slot-taken"),
            (Some(nine("free")), Some(nine("busy-tentative")), "slot-taken"),
            (Some(nine("free")), None, "slot-taken"),
            (Some(nine("busy-tentative")), Some(nine("busy")), ""),
            (Some(nine("free")), Some(nine("free")), ""),
            (None, Some(nine("busy")), ""),
            (Some(nine("busy")), None, ""),
        ] {
            assert_eq!(told("Slot", before.clone(), after.clone()), topic, "{before:?} {after:?}");
        }
    }

    #[test]
    fn schedules_and_answers() {
        let one = json!({ "resourceType": "Schedule", "active": true });
        let other = json!({ "resourceType": "Schedule", "active": false });
        assert_eq!(told("Schedule", None, Some(one.clone())), "schedule-changed");
        assert_eq!(told("Schedule", Some(one.clone()), Some(other.clone())), "schedule-changed");
        assert_eq!(told("Schedule", Some(one.clone()), None), "schedule-changed");
        assert_eq!(told("Schedule", Some(one.clone()), Some(one.clone())), "");
        assert_eq!(told("AppointmentResponse", None, Some(one.clone())), "response-received");
        assert_eq!(told("AppointmentResponse", Some(one.clone()), Some(other)), "response-received");
        assert_eq!(told("AppointmentResponse", Some(one), None), "");
        assert_eq!(told("Patient", None, Some(json!({}))), "");
    }

    #[test]
    fn every_topic_can_happen() {
        let source = include_str!("event.rs");
        for topic in TOPICS {
            assert!(source.contains(&format!("\"{}\"", topic.code)), "{}", topic.code);
            assert!(TYPES.contains(&topic.resource));
        }
    }
}
