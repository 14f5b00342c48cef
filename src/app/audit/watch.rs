//! What standing reports notice in the log, event after event.
//!
//! Everything is a function of the events in their order, so whoever reads them again notices the same.

use crate::audit::facts::Facts;
use crate::audit::terms;
use crate::clock::Micros;
use crate::config::Reports;
use crate::store::audit::finding::Sighting;
use std::collections::{BTreeMap, HashMap, VecDeque};

const MINUTE: Micros = 60 * 1_000_000;
const HOUR: Micros = 60 * MINUTE;
/// What is remembered of one who is denied again and again.
const MOST_DENIALS: usize = 10_000;

/// A standing report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Uses of emergency access.
    BreakGlass,
    /// Access of staff to patients of their own surname.
    SameSurname,
    /// Access of staff to their own record.
    OwnRecord,
    /// Many patients within an hour.
    BulkReads,
    /// Access while it is closed.
    AfterHours,
    /// Many denials within a short time.
    Denials,
}

impl Report {
    /// Every report.
    pub const ALL: [Self; 6] = [
        Self::BreakGlass,
        Self::SameSurname,
        Self::OwnRecord,
        Self::BulkReads,
        Self::AfterHours,
        Self::Denials,
    ];

    /// As the database and downloads write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::BreakGlass => "break-glass",
            Self::SameSurname => "same-surname",
            Self::OwnRecord => "own-record",
            Self::BulkReads => "bulk-reads",
            Self::AfterHours => "after-hours",
            Self::Denials => "denials",
        }
    }

    /// The report with this [`Report::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|report| report.code() == code)
    }
}

/// How somebody is related to a patient, as far as their names tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kin {
    /// They are one.
    pub same: bool,
    /// They have a surname in common.
    pub surname: bool,
}

/// An event in its place.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its place.
    pub seq: i64,
    /// When it was recorded.
    pub at: Micros,
    /// What it says.
    pub facts: &'a Facts,
    /// Who did it is to its patient.
    pub kin: Kin,
}

/// What is remembered from one event to the next: never more than an hour's.
#[derive(Debug, Default)]
pub struct Watch {
    patients: HashMap<String, Patients>,
    denials: HashMap<String, VecDeque<(Micros, i64, i64)>>,
}

/// The patients whom one person saw, each where they were seen last.
#[derive(Debug, Default)]
struct Patients {
    last: HashMap<String, (Micros, i64)>,
    in_order: BTreeMap<(Micros, i64), String>,
}

impl Patients {
    fn see(&mut self, patient: &str, at: Micros, seq: i64) {
        if let Some(before) = self.last.insert(patient.to_owned(), (at, seq)) {
            self.in_order.remove(&before);
        }
        self.in_order.insert((at, seq), patient.to_owned());
        self.forget(at - HOUR);
    }

    fn forget(&mut self, before: Micros) {
        while let Some(first) = self.in_order.first_entry().filter(|first| first.key().0 <= before) {
            self.last.remove(&first.remove());
        }
    }
}

/// The word of somebody who did something, see [`terms`]; none when nobody is named.
fn word(facts: &Facts) -> Option<String> {
    let who = facts.person().or_else(|| facts.client());
    match who {
        Some(who) if !who.id.is_empty() => Some(terms::identifier(&who.id)),
        Some(who) if !who.reference.is_empty() => {
            who.reference.split_once('/').map(|(rtype, id)| terms::reference(rtype, id))
        }
        _ => (!facts.address().is_empty()).then(|| terms::address(facts.address())),
    }
}

impl Watch {
    /// What an event gives cause for.
    pub fn see(&mut self, rules: &Reports, seen: Seen<'_>) -> Vec<Sighting> {
        let Seen { seq, at, facts, kin } = seen;
        let Some(who) = word(facts).filter(|_| facts.ours) else { return Vec::new() };
        let patient = facts.patient.as_deref().unwrap_or_default();
        let one = |report: Report, within: Micros| Sighting {
            kind: report.code(),
            who: who.clone(),
            patient: patient.to_owned(),
            first: (seq, at),
            last: (seq, at),
            count: 1,
            adds: true,
            within,
            begins: true,
        };
        let mut found = Vec::new();
        match facts.subtype.as_str() {
            "110127" if facts.succeeded() => found.push(Sighting { count: 0, ..one(Report::BreakGlass, 0) }),
            "110138" => {
                found.push(Sighting { count: 0, begins: false, ..one(Report::BreakGlass, 2 * HOUR) });
            }
            _ if facts.in_emergency() && facts.succeeded() && !patient.is_empty() => {
                found.push(Sighting { begins: false, ..one(Report::BreakGlass, 2 * HOUR) });
            }
            _ => {}
        }
        let touches = facts.kind == "rest" && facts.succeeded() && !patient.is_empty();
        if touches && facts.by_staff() {
            if kin.same {
                found.push(one(Report::OwnRecord, 24 * HOUR));
            } else if kin.surname {
                found.push(one(Report::SameSurname, 24 * HOUR));
            }
            if rules.is_closed(at) {
                found.push(Sighting { patient: String::new(), ..one(Report::AfterHours, 4 * HOUR) });
            }
        }
        if facts.person().is_some() && facts.shows_data() && !patient.is_empty() && rules.bulk_patients > 0 {
            let patients = self.patients.entry(who.clone()).or_default();
            patients.see(patient, at, seq);
            let count = patients.last.len() as i64;
            let first = patients.in_order.keys().next().map_or((seq, at), |(at, seq)| (*seq, *at));
            if count > i64::from(rules.bulk_patients) {
                let many = Sighting { patient: String::new(), first, count, ..one(Report::BulkReads, 0) };
                found.push(Sighting { adds: false, ..many });
            }
        }
        if facts.denied() && rules.denials > 0 {
            found.extend(self.denied(rules, &one(Report::Denials, 0), facts));
        }
        found
    }

    fn denied(&mut self, rules: &Reports, one: &Sighting, facts: &Facts) -> Option<Sighting> {
        let (seq, at) = one.last;
        let within = Micros::try_from(rules.denials_within.as_micros()).unwrap_or(HOUR);
        let all = self.denials.entry(one.who.clone()).or_default();
        // Requests over a limit are summed up: one event stands for so many.
        let details = facts.entities.iter().flat_map(|entity| &entity.details);
        let mut sum = details.filter(|(name, _)| name == "count" && facts.subtype == "limited");
        let weight = sum.find_map(|(_, count)| count.parse::<i64>().ok()).unwrap_or(1).max(1);
        all.push_back((at, seq, weight));
        while all.len() > MOST_DENIALS || all.front().is_some_and(|(then, ..)| *then <= at - within) {
            all.pop_front();
        }
        let count: i64 = all.iter().map(|(.., weight)| weight).sum();
        let first = all.front().map_or((seq, at), |(at, seq, _)| (*seq, *at));
        let is_many = count > i64::from(rules.denials);
        is_many.then(|| Sighting { patient: String::new(), first, count, adds: false, ..one.clone() })
    }

    /// Forgets what is older than any report looks back.
    pub fn forget(&mut self, now: Micros) {
        for patients in self.patients.values_mut() {
            patients.forget(now - HOUR);
        }
        self.patients.retain(|_, patients| !patients.last.is_empty());
        self.denials.retain(|_, all| all.back().is_some_and(|(at, ..)| *at > now - HOUR));
    }
}

/// How far back [`Watch`] looks.
pub const LOOKS_BACK: Micros = HOUR;

/// Sightings that belong together, as one.
pub fn joined(seen: Vec<Sighting>) -> Vec<Sighting> {
    let mut all: Vec<Sighting> = Vec::new();
    let mut newest: HashMap<(&'static str, String, String), usize> = HashMap::new();
    for one in seen {
        let key = (one.kind, one.who.clone(), one.patient.clone());
        let before = newest.get(&key).and_then(|place| all.get_mut(*place));
        match before {
            Some(before) if before.last.1 >= one.first.1 - one.within && (before.begins || !one.begins) => {
                before.last = before.last.max(one.last);
                before.count = if one.adds { before.count + one.count } else { before.count.max(one.count) };
            }
            _ => {
                newest.insert(key, all.len());
                all.push(one);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn rules(bulk_patients: u32, denials: u32) -> Reports {
        Reports { bulk_patients, denials, ..Config::defaults().unwrap().audit.reports }
    }

    fn facts(json: &str) -> Facts {
        Facts::of(&serde_json::from_str(json).unwrap())
    }

    fn read(patient: &str) -> Facts {
        facts(&format!(
            r#"{{"type":{{"code":"rest"}},"subtype":[{{"code":"read"}}],"outcome":"0",
            "agent":[{{"who":{{"identifier":{{"system":"x","value":"ann"}}}},"requestor":true}}],
            "source":{{"observer":{{"display":"Slotwright"}}}},
            "entity":[{{"what":{{"reference":"Patient/{patient}"}},"type":{{"code":"1"}}}}]}}"#
        ))
    }

    fn denial() -> Facts {
        facts(
            r#"{"type":{"code":"rest"},"subtype":[{"code":"read"}],"outcome":"8",
            "agent":[{"who":{"display":"unknown"},"network":{"address":"192.0.2.1"},"requestor":true}],
            "source":{"observer":{"display":"Slotwright"}}}"#,
        )
    }

    fn see(watch: &mut Watch, rules: &Reports, seq: i64, minute: i64, facts: &Facts) -> Vec<Sighting> {
        watch.see(rules, Seen { seq, at: minute * MINUTE, facts, kin: Kin::default() })
    }

    #[test]
    fn patients_count_once_and_for_an_hour() {
        let (mut watch, rules) = (Watch::default(), rules(2, 0));
        for (seq, minute) in [(0, 0), (1, 1), (2, 2)] {
            assert!(see(&mut watch, &rules, seq, minute, &read("p1")).is_empty());
        }
        assert!(see(&mut watch, &rules, 3, 30, &read("p2")).is_empty());
        // The first was seen more than an hour ago.
        assert!(see(&mut watch, &rules, 4, 62, &read("p3")).is_empty());
        let found = see(&mut watch, &rules, 5, 89, &read("p4"));
        assert_eq!(
            (found[0].kind, found[0].count, found[0].first.0, found[0].last.0),
            ("bulk-reads", 3, 3, 5)
        );
        assert_eq!((found[0].who.as_str(), found[0].patient.as_str()), ("i:ann", ""));
        watch.forget(300 * MINUTE);
        assert!(watch.patients.is_empty());
    }

    #[test]
    fn denials_of_nobody_count_for_their_address() {
        let (mut watch, rules) = (Watch::default(), rules(0, 2));
        for (seq, minute) in [(0, 0), (1, 5), (2, 11)] {
            assert!(see(&mut watch, &rules, seq, minute, &denial()).is_empty());
        }
        let found = see(&mut watch, &rules, 3, 12, &denial());
        assert_eq!((found[0].kind, found[0].who.as_str(), found[0].count), ("denials", "a:192.0.2.1", 3));
    }

    #[test]
    fn what_others_report_is_theirs_to_watch() {
        let (mut watch, rules) = (Watch::default(), rules(0, 1));
        let mut theirs = denial();
        theirs.ours = false;
        for seq in 0..9 {
            assert!(see(&mut watch, &rules, seq, 0, &theirs).is_empty());
        }
    }

    #[test]
    fn what_belongs_together_is_joined() {
        let one = |last: i64, adds, begins| Sighting {
            kind: "x",
            who: "i:a".to_owned(),
            patient: String::new(),
            first: (last, last * MINUTE),
            last: (last, last * MINUTE),
            count: 3,
            adds,
            within: 5 * MINUTE,
            begins,
        };
        let joined =
            joined(vec![one(0, true, true), one(4, true, false), one(20, true, true), one(21, false, true)]);
        let told: Vec<_> = joined.iter().map(|one| (one.first.0, one.last.0, one.count)).collect();
        assert_eq!(told, [(0, 4, 6), (20, 21, 3)]);
    }
}
