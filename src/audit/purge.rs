//! The event that says which events were lawfully deleted after the time of retention.
//!
//! Who deletes an event without one is found out. Only the server itself records such an event; one that
//! another system sends is to be refused.

use super::report::Report;
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The system of [`CODE`].
pub const SYSTEM: &str = "https://slotwright.org/fhir/CodeSystem/audit";
/// The `AuditEvent.subtype` of a purge.
pub const CODE: &str = "purge";
/// `AuditEvent.entity.detail.type` beside a `valueString` of [`detail`].
pub const DETAIL: &str = "purged";

/// The `valueString` that names the places from the first to the last, both included: `0-99`.
pub fn detail(places: &RangeInclusive<u64>) -> String {
    format!("{}-{}", places.start(), places.end())
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    subtype: Vec<Coding<'a>>,
    #[serde(borrow, default)]
    entity: Vec<Entity<'a>>,
}

#[derive(Deserialize)]
struct Coding<'a> {
    #[serde(borrow, default)]
    system: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(borrow, default)]
    detail: Vec<Detail<'a>>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "valueString", default)]
    text: Option<Cow<'a, str>>,
}

/// The places that the AuditEvent `body` says were purged; none when it is an event of another kind.
pub fn purged(body: &str) -> Vec<RangeInclusive<u64>> {
    // Most events are of another kind and need not be read for that.
    if !body.contains(SYSTEM) {
        return Vec::new();
    }
    let Ok(event) = serde_json::from_str::<Event<'_>>(body) else { return Vec::new() };
    let is_purge = |coding: &Coding<'_>| {
        coding.system.as_deref() == Some(SYSTEM) && coding.code.as_deref() == Some(CODE)
    };
    if !event.subtype.iter().any(is_purge) {
        return Vec::new();
    }
    let details = event.entity.iter().flat_map(|entity| &entity.detail);
    let places = details.filter(|detail| detail.kind.as_deref() == Some(DETAIL)).filter_map(|detail| {
        let (first, last) = detail.text.as_deref()?.split_once('-')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    places.filter(|places| !places.is_empty()).collect()
}

/// The events that are not there, and those that may not be there.
#[derive(Debug, Default)]
pub(super) struct Gone {
    missing: Vec<RangeInclusive<u64>>,
    lawful: Vec<RangeInclusive<u64>>,
}

impl Gone {
    /// The event at `seq` is not there. To be told in the order of places.
    pub(super) fn missing(&mut self, seq: u64) {
        match self.missing.last_mut() {
            Some(range) if range.end().checked_add(1) == Some(seq) => *range = *range.start()..=seq,
            _ => self.missing.push(seq..=seq),
        }
    }

    /// Takes in what an event says, once it is proved to be in the log.
    pub(super) fn read(&mut self, body: &str) {
        self.lawful.extend(purged(body));
    }

    /// Reports what is gone without a purge event, and counts what was purged.
    pub(super) fn finish(&mut self, report: &mut Report) {
        self.lawful.sort_by_key(|range| *range.start());
        for range in &self.missing {
            let (mut at, last) = (*range.start(), *range.end());
            for purged in self.lawful.iter().take_while(|purged| *purged.start() <= last) {
                unlawful(at, *purged.start(), report);
                at = at.max(*purged.start());
                let end = (*purged.end()).min(last);
                if end >= at {
                    report.purged += end + 1 - at;
                    at = end + 1;
                }
            }
            unlawful(at, last + 1, report);
        }
    }
}

/// The events from `first` to before `end` are not there, and nothing says that they may.
fn unlawful(first: u64, end: u64, report: &mut Report) {
    let text = match end.saturating_sub(first) {
        0 => return,
        1 => format!("event {first} is gone, and no purge event says so (deleted)"),
        _ => format!("events {first} to {} are gone, and no purge event says so (deleted)", end - 1),
    };
    report.found(first, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_purge_names_what_it_purged() {
        let event = |code: &str| {
            json!({
                "resourceType": "AuditEvent", "subtype": [{"system": SYSTEM, "code": code}],
                "entity": [{"name": "x"}, {"detail": [
                    {"type": DETAIL, "valueString": detail(&(0..=9))},
                    {"type": DETAIL, "valueString": detail(&(12..=12))},
                    {"type": "other", "valueString": "50-60"}, {"type": DETAIL, "valueString": "no"}
                ]}]
            })
        };
        assert_eq!(purged(&event(CODE).to_string()), vec![0..=9, 12..=12]);
        assert_eq!(purged(&event("export").to_string()), vec![]);
        assert_eq!(purged(&format!("not JSON {SYSTEM}")), vec![]);
    }
}
