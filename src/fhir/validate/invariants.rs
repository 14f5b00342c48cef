//! R4's invariants as a table, with the few rules of time that are ours.
//!
//! Keys are R4's (`app-1`); ours begin with `slotwright-`. Left out because fhirkit or `contained.rs`
//! keeps them: `ele-1`, `dom-*`, `ref-1`, `txt-*`. `app-4` is kept with the code `noshow`: R4's text of
//! it says `no-show`, which is no code. `ppc-2` to `ppc-5` as published can't fail.

use serde_json::{Map, Value};

use crate::fhir::date::{self, Interval};
use crate::fhir::outcome::{Issue, Severity};

/// A rule over one object.
pub(super) struct Rule {
    /// The type it holds for.
    pub(super) on: &'static str,
    /// R4's key, or ours.
    pub(super) key: &'static str,
    /// How bad it is to break it.
    pub(super) severity: Severity,
    /// The child at fault; empty for the object itself.
    pub(super) at: &'static str,
    /// What must be so, for a person.
    pub(super) says: &'static str,
    /// Whether it is so.
    pub(super) holds: fn(&Object) -> bool,
}

pub(super) type Object = Map<String, Value>;

impl Rule {
    /// The issue of an object at `path` that breaks the rule.
    pub(super) fn broken(&self, path: String) -> Issue {
        let expression = if self.at.is_empty() { path } else { format!("{path}.{}", self.at) };
        let message = format!("{} ({})", self.says, self.key);
        match self.severity {
            Severity::Warning => Issue::warning("invariant", message).at(expression),
            _ => Issue::error("invariant", message).at(expression),
        }
    }
}

macro_rules! rule {
    ($on:literal, $key:literal, $at:literal, $says:literal, $holds:expr) => {
        Rule { on: $on, key: $key, severity: Severity::Error, at: $at, says: $says, holds: $holds }
    };
    (warn $on:literal, $key:literal, $at:literal, $says:literal, $holds:expr) => {
        Rule { on: $on, key: $key, severity: Severity::Warning, at: $at, says: $says, holds: $holds }
    };
}

/// Every rule, with those of the clinical record.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().chain(super::clinical::RULES)
}

static RULES: &[Rule] = &[
    rule!("Appointment.participant", "app-1", "", "A participant has a type or an actor", |o| {
        has(o, "type") || has(o, "actor")
    }),
    rule!("Appointment", "app-2", "", "start and end are given together or not at all", |o| {
        has(o, "start") == has(o, "end")
    }),
    rule!(
        "Appointment",
        "app-3",
        "",
        "Only a proposed, cancelled or waitlisted appointment may lack start and end",
        |o| (has(o, "start") && has(o, "end"))
            || code(o, "status").is_some_and(|s| matches!(s, "proposed" | "cancelled" | "waitlist"))
    ),
    rule!(
        "Appointment",
        "app-4",
        "cancelationReason",
        "A cancelation reason belongs to a cancelled or noshow appointment only",
        |o| !has(o, "cancelationReason")
            || code(o, "status").is_some_and(|s| matches!(s, "cancelled" | "noshow"))
    ),
    rule!("Appointment", "slotwright-appointment-span", "end", "end must be after start", ends_after_start),
    rule!(
        warn "Appointment",
        "slotwright-appointment-minutes",
        "minutesDuration",
        "minutesDuration differs from the time between start and end",
        minutes_match
    ),
    rule!("Slot", "slotwright-slot-span", "end", "end must be after start", ends_after_start),
    rule!("AppointmentResponse", "apr-1", "", "A response has a participantType or an actor", |o| {
        has(o, "participantType") || has(o, "actor")
    }),
    rule!(
        "AppointmentResponse",
        "slotwright-response-span",
        "end",
        "end must be after start",
        ends_after_start
    ),
    rule!(
        "Patient.contact",
        "pat-1",
        "",
        "A contact has a name, a telecom, an address or an organization",
        |o| ["name", "telecom", "address", "organization"].iter().any(|key| has(o, key))
    ),
    rule!("Organization", "org-1", "", "An organization has a name or an identifier", |o| {
        has(o, "name") || has(o, "identifier")
    }),
    rule!("Organization", "org-2", "address", "An organization's address is never of use home", |o| {
        none_has_code(o, "address", "use", "home")
    }),
    rule!("Organization", "org-3", "telecom", "An organization's telecom is never of use home", |o| {
        none_has_code(o, "telecom", "use", "home")
    }),
    rule!("Group", "grp-1", "member", "Only a group of actual things has members", |o| {
        !has(o, "member") || o.get("actual").and_then(Value::as_bool) != Some(false)
    }),
    rule!("ServiceRequest", "prr-1", "orderDetail", "orderDetail needs a code", |o| {
        !has(o, "orderDetail") || has(o, "code")
    }),
    rule!("Consent", "ppc-1", "", "A consent has a policy or a policyRule", |o| {
        has(o, "policy") || has(o, "policyRule")
    }),
    rule!("Extension", "ext-1", "", "An extension has either a value or extensions, not both", |o| {
        has(o, "extension") != o.keys().any(|key| key.trim_start_matches('_').starts_with("value"))
    }),
    rule!("Period", "per-1", "", "A period's start is not after its end", |o| {
        match (span(o, "start"), span(o, "end")) {
            (Some(start), Some(end)) => start.lo < end.hi,
            _ => true,
        }
    }),
    rule!("ContactPoint", "cpt-2", "", "A contact point with a value has a system", |o| {
        !has(o, "value") || has(o, "system")
    }),
    rule!("Attachment", "att-1", "", "An attachment with data has a contentType", |o| {
        !has(o, "data") || has(o, "contentType")
    }),
    rule!("Quantity", "qty-3", "", "A quantity with a code has a system", code_has_system),
    rule!("Duration", "qty-3", "", "A duration with a code has a system", code_has_system),
    rule!("Age", "qty-3", "", "An age with a code has a system", code_has_system),
    rule!("Distance", "qty-3", "", "A distance with a code has a system", code_has_system),
    rule!("Count", "qty-3", "", "A count with a code has a system", code_has_system),
    rule!("Range", "rng-2", "", "A range's low is not above its high", |o| {
        let end = |key: &str| o.get(key).and_then(Value::as_object);
        match (end("low"), end("high")) {
            (Some(low), Some(high)) if low.get("code") == high.get("code") => {
                match (number(low, "value"), number(high, "value")) {
                    (Some(low), Some(high)) => low <= high,
                    _ => true,
                }
            }
            _ => true,
        }
    }),
    rule!(
        "Ratio",
        "rat-1",
        "",
        "A ratio has both numerator and denominator, or neither and an extension",
        |o| { has(o, "numerator") == has(o, "denominator") && (has(o, "numerator") || has(o, "extension")) }
    ),
    rule!("Timing.repeat", "tim-1", "durationUnit", "A duration has a unit", |o| {
        !has(o, "duration") || has(o, "durationUnit")
    }),
    rule!("Timing.repeat", "tim-2", "periodUnit", "A period has a unit", |o| {
        !has(o, "period") || has(o, "periodUnit")
    }),
    rule!("Timing.repeat", "tim-4", "duration", "A duration is not negative", |o| {
        number(o, "duration").is_none_or(|value| value >= 0.0)
    }),
    rule!("Timing.repeat", "tim-5", "period", "A period is not negative", |o| {
        number(o, "period").is_none_or(|value| value >= 0.0)
    }),
    rule!("Timing.repeat", "tim-6", "periodMax", "A periodMax needs a period", |o| {
        !has(o, "periodMax") || has(o, "period")
    }),
    rule!("Timing.repeat", "tim-7", "durationMax", "A durationMax needs a duration", |o| {
        !has(o, "durationMax") || has(o, "duration")
    }),
    rule!("Timing.repeat", "tim-8", "countMax", "A countMax needs a count", |o| {
        !has(o, "countMax") || has(o, "count")
    }),
    rule!("Timing.repeat", "tim-9", "offset", "An offset needs a when other than C, CM, CD and CV", |o| {
        !has(o, "offset")
            || (has(o, "when") && !codes(o, "when").any(|when| matches!(when, "C" | "CM" | "CD" | "CV")))
    }),
    rule!("Timing.repeat", "tim-10", "timeOfDay", "timeOfDay and when exclude each other", |o| {
        !has(o, "timeOfDay") || !has(o, "when")
    }),
];

/// Whether the element exists, be it only as an extension.
pub(super) fn has(object: &Object, key: &str) -> bool {
    object.contains_key(key) || object.keys().any(|other| other.strip_prefix('_') == Some(key))
}

fn code<'o>(object: &'o Object, key: &str) -> Option<&'o str> {
    object.get(key).and_then(Value::as_str)
}

fn codes<'o>(object: &'o Object, key: &str) -> impl Iterator<Item = &'o str> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn none_has_code(object: &Object, list: &str, key: &str, forbidden: &str) -> bool {
    let items = object.get(list).and_then(Value::as_array);
    !items.into_iter().flatten().any(|item| item.get(key).and_then(Value::as_str) == Some(forbidden))
}

fn number(object: &Object, key: &str) -> Option<f64> {
    object.get(key).and_then(Value::as_f64)
}

fn span(object: &Object, key: &str) -> Option<Interval> {
    date::parse(code(object, key)?)
}

fn code_has_system(object: &Object) -> bool {
    !has(object, "code") || has(object, "system")
}

fn ends_after_start(object: &Object) -> bool {
    match (span(object, "start"), span(object, "end")) {
        (Some(start), Some(end)) => end.lo > start.lo,
        _ => true,
    }
}

fn minutes_match(object: &Object) -> bool {
    const MINUTE: i64 = 60_000_000;
    match (span(object, "start"), span(object, "end"), object.get("minutesDuration").and_then(Value::as_i64))
    {
        (Some(start), Some(end), Some(minutes)) => (end.lo - start.lo) / MINUTE == minutes,
        _ => true,
    }
}
