//! What patients consented to (R4 `consent.html`), and what of it limits a request.
//!
//! # Which consents count
//!
//! Those with `status` `active` and `scope` `patient-privacy`. Others say nothing. Of one patient's consents a deny
//! wins over a permit; without any, the roles alone decide. A consent never gives what roles and scopes don't.
//! When it was given (`dateTime`), by whom, and whether that was verified make no difference.
//!
//! # What the rules are
//!
//! | the consent has | it means |
//! |---|---|
//! | `provision.type` | the effect of the root rule |
//! | no type, `policyRule` OPTIN (OPTINR), no condition but `period` | permit |
//! | no type, `policyRule` OPTIN, other conditions | deny to whom they apply: R4's own examples write exceptions so |
//! | `policyRule` OPTOUT (OPTOUTE) | deny to everybody whom no rule permits |
//! | neither a type nor one of these | deny to everybody whom no nested rule permits |
//! | `provision.period` at the root | outside of it the consent says nothing |
//! | a nested provision | an exception to the rule around it, and only within it; no type: deny |
//! | a permit directly within a permit, or something that is no rule | it can't be understood: deny to everybody |
//! | a modifier extension, implicit rules | the same |
//!
//! Of several exceptions that apply, a deny wins. A root rule whose conditions don't apply says nothing, unless the
//! policy rule is OPTOUT.
//!
//! # When a rule applies
//!
//! When all of its conditions do; of a list one is enough.
//!
//! | condition | applies when | can't be judged |
//! |---|---|---|
//! | `period` | it holds the time of the request | it can't be read |
//! | `actor`, role of a recipient | the reference is to whoever asks: their Practitioner, PractitionerRole, RelatedPerson or Patient; the Organization that one of their roles is limited to; a client, as an identifier of the system [`CLIENT`] | other roles of actors (such as an author) and other references; a PractitionerRole for someone who signed in as a Practitioner, and the other way round; an Organization for someone whose role is not limited to one |
//! | `action` | `access`, `use`, `disclose`: read and search; `collect`: create; `correct`: update and delete | other codes |
//! | `purpose` | `TREAT`: people of the staff act for treatment; `ETREAT`, `BTG` and purposes that are not care (research, payment, marketing …): never | other codes, and what clients do on their own account |
//! | `class` | a FHIR resource type | other systems |
//! | `securityLabel`, `code`, `dataPeriod`, `data`, anything else | – | always |
//!
//! What can't be judged counts against access: a deny that depends on it applies, a permit does not.
//!
//! # What is limited
//!
//! Everything in the patient's compartment, the Patient included, for everybody but the patient and the server
//! itself. Consents stay readable, so that the decision can be seen and withdrawn; and so does the audit trail.

mod evaluate;
mod index;
mod parse;
#[cfg(test)]
mod tests;

pub use evaluate::{Asker, Decision};
pub use index::{Index, Row, Verdict};
pub use parse::{Read, read};

use super::rule::Act;
use crate::clock::Micros;
use crate::fhir::date::Interval;
use crate::fhir::registry::ResourceType;
use crate::fhir::search::{Condition, IdSet, Test};
use std::collections::BTreeSet;
use std::sync::Arc;

/// System of the identifier by which an actor names a client: its `client_id`.
pub const CLIENT: &str = "https://slotwright.org/fhir/sid/client-id";

/// A consent that counts, as rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Logical id of the Consent.
    pub id: String,
    /// Logical id of the Patient.
    pub patient: String,
    /// When it says anything.
    during: Interval,
    /// Whether it denies what no rule permits.
    denies_rest: bool,
    root: Rule,
}

/// What a rule does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Permit,
    Deny,
}

/// A provision.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    effect: Effect,
    /// All of them must apply.
    conditions: Vec<Limit>,
    exceptions: Vec<Rule>,
}

/// A condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    Period(Interval),
    Actor(Vec<Actor>),
    Action(Vec<Option<Use>>),
    Purpose(Vec<Purpose>),
    /// Names of resource types; absent: a class of another system.
    Class(Vec<Option<String>>),
    Unjudgeable,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Actor {
    /// Whoever a resource stands for, as type and id.
    Person(String, String),
    /// An Organization by its id.
    Organization(String),
    /// A client by its id.
    Client(String),
    Unjudgeable,
}

/// What is done with data (`consent-action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// `collect`: it comes to be.
    Collect,
    /// `access`, `use`, `disclose`: it is read or searched.
    Access,
    /// `correct`: it is changed or deleted.
    Correct,
}

impl Use {
    /// The use that an act makes of a resource; none for what is not done with resources.
    fn of(act: Act) -> Option<Self> {
        match act {
            Act::Create => Some(Self::Collect),
            Act::Read | Act::Search => Some(Self::Access),
            Act::Update | Act::Delete => Some(Self::Correct),
            Act::Override | Act::Audit => None,
        }
    }
}

/// What for, as far as it bears on our requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Treatment,
    /// An emergency, which suspends the patient's consents where one is declared.
    Emergency,
    /// Something that is not care.
    Other,
    Unjudgeable,
}

/// The consents that there are at the time of a request.
#[derive(Clone, Debug)]
pub struct Standing {
    index: Arc<Index>,
    now: Micros,
}

impl Standing {
    /// All consents in `index` as they apply at `now`.
    pub fn new(index: Arc<Index>, now: Micros) -> Self {
        Self { index, now }
    }

    /// What the consents of a patient say, and which of them says so.
    pub fn decide(&self, asker: &Asker, act: Act, rtype: &str, patient: &str) -> Verdict<'_> {
        match Use::of(act).filter(|_| is_limited(rtype)) {
            Some(of) => self.index.decide(asker, of, rtype, patient, self.now),
            None => Verdict::SILENT,
        }
    }

    /// Whether everything that applies at `now` is what applied when this was made.
    pub fn hold_at(&self, now: Micros) -> bool {
        self.index.since(now) == self.index.since(self.now)
    }

    /// What resources of a type must satisfy so that the consent of no patient `but` one denies `act`; absent:
    /// nothing.
    pub(super) fn limit(
        &self,
        asker: &Asker,
        act: Act,
        rt: &'static ResourceType,
        but: Option<&str>,
    ) -> Option<Condition> {
        if rt.patient_compartment.is_empty() || !is_limited(rt.name) {
            return None;
        }
        let denied = self.index.denied(asker, Use::of(act)?, rt.name, self.now)?;
        let Some(but) = but.filter(|but| denied.contains(but)) else { return Some(outside(rt, &denied)) };
        let others: BTreeSet<String> = denied.ids().iter().filter(|id| *id != but).cloned().collect();
        (!others.is_empty()).then(|| outside(rt, &Arc::new(IdSet::new(others))))
    }
}

/// Whether consents bear on resources of a type that are in the compartment of a patient.
fn is_limited(rtype: &str) -> bool {
    !matches!(rtype, "Consent" | "AuditEvent")
}

/// In the compartment of none of these patients.
fn outside(rt: &'static ResourceType, patients: &Arc<IdSet>) -> Condition {
    let params = rt.patient_compartment.iter().filter_map(|code| rt.param(code));
    let ways = params.map(|param| Condition::Param(param, Test::Among("Patient", Arc::clone(patients))));
    Condition::Not(Box::new(Condition::Either(ways.collect())))
}
