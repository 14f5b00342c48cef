//! The event that says which events were lawfully deleted after the time of retention.
//!
//! Who deletes an event without one is found out. Only the server itself records such an event; one that
//! another system sends is refused. It excuses nothing that was recorded less than [`SHORTEST`] before it, so that
//! whoever gets a false one into the log gains years of old events at most; nor does one from the future.

use super::report::Report;
use crate::clock::Micros;
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The system of [`CODE`].
pub const SYSTEM: &str = "https://slotwright.org/fhir/CodeSystem/audit";
/// The `AuditEvent.subtype` of a purge.
pub const CODE: &str = "purge";
/// `AuditEvent.entity.detail.type` beside a `valueString` of [`detail`].
pub const DETAIL: &str = "purged";

/// Microseconds of a day.
const DAY: Micros = 86_400_000_000;
/// An event is kept for at least six years, here counted in common ones, whatever the settings say.
pub const SHORTEST: Micros = 6 * 365 * DAY;
/// How far another machine's clock may be ahead of ours.
const AHEAD: Micros = DAY;
/// Deleted events are told apart by the hour in which they were recorded, so that years of them take little memory.
const HOUR: Micros = DAY / 24;

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

/// Whether the AuditEvent `body` says that it is a purge.
pub fn is_purge(body: &str) -> bool {
    // Most events are of another kind and need not be read for that.
    body.contains(SYSTEM) && read(body).is_some()
}

fn read(body: &str) -> Option<Event<'_>> {
    let event = serde_json::from_str::<Event<'_>>(body).ok()?;
    let is_purge = |coding: &Coding<'_>| {
        coding.system.as_deref() == Some(SYSTEM) && coding.code.as_deref() == Some(CODE)
    };
    event.subtype.iter().any(is_purge).then_some(event)
}

/// The places that the AuditEvent `body` says were purged; none when it is an event of another kind.
pub fn purged(body: &str) -> Vec<RangeInclusive<u64>> {
    if !body.contains(SYSTEM) {
        return Vec::new();
    }
    let Some(event) = read(body) else { return Vec::new() };
    let details = event.entity.iter().flat_map(|entity| &entity.detail);
    let places = details.filter(|detail| detail.kind.as_deref() == Some(DETAIL)).filter_map(|detail| {
        let (first, last) = detail.text.as_deref()?.split_once('-')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    places.filter(|places| !places.is_empty()).collect()
}

/// Events that are not there, one behind the other, recorded before the end of this hour.
#[derive(Debug)]
struct Missing {
    places: RangeInclusive<u64>,
    hour: i64,
}

/// What a purge event permits.
#[derive(Debug)]
struct Lawful {
    places: RangeInclusive<u64>,
    /// What it names was recorded before this hour.
    before: i64,
}

/// The events that are not there, and those that may not be there.
#[derive(Debug)]
pub(super) struct Gone {
    now: Micros,
    missing: Vec<Missing>,
    lawful: Vec<Lawful>,
}

impl Gone {
    /// Nothing is missing yet, at `now`.
    pub(super) fn new(now: Micros) -> Self {
        Self { now, missing: Vec::new(), lawful: Vec::new() }
    }

    /// The event at `seq` is not there. To be told in the order of places.
    pub(super) fn missing(&mut self, seq: u64, recorded: Micros) {
        let hour = recorded.div_euclid(HOUR) + 1;
        match self.missing.last_mut() {
            Some(Missing { places, hour: same })
                if places.end().checked_add(1) == Some(seq) && *same == hour =>
            {
                *places = *places.start()..=seq;
            }
            _ => self.missing.push(Missing { places: seq..=seq, hour }),
        }
    }

    /// Takes in what an event says, once it is proved to be in the log.
    pub(super) fn read(&mut self, body: &str, recorded: Micros, report: &mut Report) {
        let named = purged(body);
        if !named.is_empty() && recorded > self.now.saturating_add(AHEAD) {
            let text = "a purge event says that it is from the future: it permits nothing".to_owned();
            report.found(None, text);
            return;
        }
        let before = recorded.saturating_sub(SHORTEST).div_euclid(HOUR);
        self.lawful.extend(named.into_iter().map(|places| Lawful { places, before }));
    }

    /// Reports what is gone without a purge event, and counts what was purged.
    pub(super) fn finish(&mut self, report: &mut Report) {
        self.lawful.sort_by_key(|lawful| *lawful.places.start());
        let mut unlawful: Vec<RangeInclusive<u64>> = Vec::new();
        let mut add = |first: u64, end: u64| match unlawful.last_mut() {
            _ if end <= first => {}
            Some(range) if range.end().checked_add(1) == Some(first) => *range = *range.start()..=end - 1,
            _ => unlawful.push(first..=end - 1),
        };
        for Missing { places, hour } in &self.missing {
            let (mut at, last) = (*places.start(), *places.end());
            let lawful = self.lawful.iter().take_while(|lawful| *lawful.places.start() <= last);
            for Lawful { places, .. } in lawful.filter(|lawful| *hour <= lawful.before) {
                add(at, *places.start());
                at = at.max(*places.start());
                let end = (*places.end()).min(last);
                if end >= at {
                    report.purged += end + 1 - at;
                    at = end + 1;
                }
            }
            add(at, last + 1);
        }
        for range in unlawful {
            let (first, last) = range.into_inner();
            let text = if first == last {
                format!("event {first} is gone, and no purge event says so (deleted)")
            } else {
                format!("events {first} to {last} are gone, and no purge event says so (deleted)")
            };
            report.found(first, text);
        }
    }
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

    /// What is found when 0 to 4 are gone, recorded a second apart from the beginning, by these purge events.
    fn findings(now: Micros, events: &[(Micros, &str)]) -> (u64, Vec<String>) {
        let (mut gone, mut report) = (Gone::new(now), Report::default());
        (0..5).for_each(|seq| gone.missing(seq, i64::try_from(seq).unwrap() * 1_000_000));
        for (recorded, places) in events {
            let detail = json!([{"detail": [{"type": DETAIL, "valueString": places}]}]);
            let event = json!({"subtype": [{"system": SYSTEM, "code": CODE}], "entity": detail});
            gone.read(&event.to_string(), *recorded, &mut report);
        }
        gone.finish(&mut report);
        (report.purged, report.findings.into_iter().map(|finding| finding.text).collect())
    }

    #[test]
    fn what_a_purge_event_permits() {
        let (later, told) = (SHORTEST + 2 * HOUR, "are gone, and no purge event says so (deleted)");
        assert_eq!(findings(later, &[(later, "0-4")]), (5, vec![]));
        assert_eq!(findings(later, &[(later, "0-1"), (later, "2-9")]), (5, vec![]));
        assert_eq!(findings(later, &[(later, "3-4")]), (2, vec![format!("events 0 to 2 {told}")]));
        assert_eq!(findings(later, &[]), (0, vec![format!("events 0 to 4 {told}")]));
        // Too early, and from the future.
        assert_eq!(findings(later, &[(SHORTEST - 1, "0-4")]), (0, vec![format!("events 0 to 4 {told}")]));
        assert_eq!(findings(0, &[(later, "0-4")]).0, 0);
        assert_eq!(findings(0, &[(later, "0-4")]).1.len(), 2);
    }
}
