//! All consents that count, and whom they deny what.

use super::evaluate::{Asker, Decision, Question};
use super::{Consent, Use};
use crate::clock::Micros;
use crate::fhir::search::IdSet;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The most answers that are remembered.
const MOST_ANSWERS: usize = 10_000;
/// The most different sets of patients among them.
const MOST_SETS: usize = 50;

/// A Consent as it was stored last.
#[derive(Clone, Debug)]
pub struct Row {
    /// Internal key of the Consent.
    pub rid: i64,
    /// What it says; none when it says nothing, or no longer.
    pub consent: Option<Consent>,
}

/// What the consents of a patient say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// Deny wins over permit.
    pub decision: Decision,
    /// Logical id of the Consent that says so.
    pub consent: Option<&'a str>,
}

impl Verdict<'_> {
    /// No consent says anything.
    pub const SILENT: Self = Self { decision: Decision::Silent, consent: None };
}

/// All consents that count, in one state of the database.
#[derive(Debug)]
pub struct Index {
    seq: i64,
    consents: HashMap<i64, Arc<Consent>>,
    by_patient: BTreeMap<String, Vec<Arc<Consent>>>,
    /// The times at which an answer may change, in order.
    turns: Vec<Micros>,
    known: Mutex<Known>,
}

/// Answers given before.
#[derive(Debug, Default)]
struct Known {
    answers: HashMap<Asked, Option<Arc<IdSet>>>,
    /// Each set once: most askers are denied the same patients.
    sets: Vec<Arc<IdSet>>,
}

/// Who asked for what, and between which two turns.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    asker: Asker,
    of: Use,
    rtype: &'static str,
    since: usize,
}

impl Index {
    /// The consents of these rows, which are all that there are in the state `seq`.
    pub fn new(seq: i64, rows: Vec<Row>) -> Self {
        Self::of(seq, HashMap::new(), rows)
    }

    /// The state `seq`, which differs from this one by these rows.
    #[must_use]
    pub fn with(&self, seq: i64, rows: Vec<Row>) -> Self {
        Self::of(seq, self.consents.clone(), rows)
    }

    fn of(seq: i64, mut consents: HashMap<i64, Arc<Consent>>, rows: Vec<Row>) -> Self {
        for row in rows {
            match row.consent {
                Some(consent) => consents.insert(row.rid, Arc::new(consent)),
                None => consents.remove(&row.rid),
            };
        }
        let mut by_patient: BTreeMap<String, Vec<Arc<Consent>>> = BTreeMap::new();
        let mut turns = BTreeSet::new();
        for consent in consents.values() {
            by_patient.entry(consent.patient.clone()).or_default().push(Arc::clone(consent));
            turns.extend(consent.turns());
        }
        for all in by_patient.values_mut() {
            all.sort_by(|one, other| one.id.cmp(&other.id));
        }
        let turns = turns.into_iter().collect();
        Self { seq, consents, by_patient, turns, known: Mutex::default() }
    }

    /// The state of the database that it shows.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// How many turns there were until `now`: as long as it is the same, so are all answers.
    pub(super) fn since(&self, now: Micros) -> usize {
        self.turns.partition_point(|turn| *turn <= now)
    }

    /// What the consents of a patient say to one request.
    pub(super) fn decide(
        &self,
        asker: &Asker,
        of: Use,
        rtype: &str,
        patient: &str,
        now: Micros,
    ) -> Verdict<'_> {
        let question = Question { asker, of, rtype, now };
        let mut verdict = Verdict::SILENT;
        for consent in self.by_patient.get(patient).into_iter().flatten() {
            let decision = consent.decide(question);
            match decision {
                Decision::Deny => return Verdict { decision, consent: Some(&consent.id) },
                Decision::Permit if verdict.consent.is_none() => {
                    verdict = Verdict { decision, consent: Some(&consent.id) };
                }
                _ => {}
            }
        }
        verdict
    }

    /// The patients whose consent denies something; none when nobody's does.
    pub(super) fn denied(
        &self,
        asker: &Asker,
        of: Use,
        rtype: &'static str,
        now: Micros,
    ) -> Option<Arc<IdSet>> {
        if self.consents.is_empty() {
            return None;
        }
        let asked = Asked { asker: asker.clone(), of, rtype, since: self.since(now) };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.answers.get(&asked) {
            return answer.clone();
        }
        drop(known);
        let question = Question { asker, of, rtype, now };
        let denies = |all: &Vec<Arc<Consent>>| {
            all.iter().any(|one| one.may_deny() && one.decide(question) == Decision::Deny)
        };
        let denied = self.by_patient.iter().filter(|(_, all)| denies(all));
        let ids: BTreeSet<String> = denied.map(|(patient, _)| patient.clone()).collect();
        known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keep(asked, ids)
    }
}

impl Known {
    /// Remembers an answer.
    fn keep(&mut self, asked: Asked, ids: BTreeSet<String>) -> Option<Arc<IdSet>> {
        if self.answers.len() >= MOST_ANSWERS || self.sets.len() >= MOST_SETS {
            *self = Self::default();
        }
        let answer = (!ids.is_empty()).then(|| {
            let same = self.sets.iter().find(|set| *set.ids() == ids).map(Arc::clone);
            same.unwrap_or_else(|| {
                let set = Arc::new(IdSet::new(ids));
                self.sets.push(Arc::clone(&set));
                set
            })
        });
        self.answers.insert(asked, answer.clone());
        answer
    }
}
