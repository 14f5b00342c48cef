//! The proof that something may be done: no store call for a resource goes without one.

use super::rule::View;
use super::scope::Right;
use super::view;
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::{ResourceType, SearchParam};
use crate::fhir::search::Condition;
use crate::fhir::search::matches::{Judged, either, judge};
use bytes::Bytes;
use serde_json::Value;

/// A request that role or scopes do not allow, whatever there is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub(super) String);

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::new(Kind::Forbidden, denied.0)
    }
}

/// Some resources of a type, and the part of them that is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Clause {
    /// What roles and scopes leave; all of the type when absent.
    pub(super) limit: Option<Condition>,
    /// What patients' consents leave; all when absent.
    pub(super) consent: Option<Condition>,
    /// Everything when absent.
    pub(super) view: Option<View>,
    /// Whether it ends some time before the appointment begins.
    pub(super) cutoff: bool,
}

impl Clause {
    /// What both allow.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            limit: both(self.limit.as_ref(), other.limit.as_ref()),
            consent: both(self.consent.as_ref(), other.consent.as_ref()),
            // Two views of one type are the same view: each type has at most one.
            view: self.view.or(other.view),
            cutoff: self.cutoff || other.cutoff,
        }
    }

    /// What a resource must satisfy; absent: nothing.
    fn filter(&self) -> Option<Condition> {
        both(self.limit.as_ref(), self.consent.as_ref())
    }
}

/// Both conditions; absent: none.
fn both(one: Option<&Condition>, other: Option<&Condition>) -> Option<Condition> {
    match (one, other) {
        (None, only) | (only, None) => only.cloned(),
        (Some(one), Some(other)) => Some(Condition::All(vec![one.clone(), other.clone()])),
    }
}

/// The permission to do one thing with resources of one type, or with some of them. Only
/// [`Access`](super::access::Access) makes one, or the server for its own work, which it has to name.
#[derive(Clone, Debug)]
pub struct Permit {
    /// The type that it is about; absent for the server's own work.
    rtype: Option<&'static str>,
    clauses: Vec<Clause>,
    /// What a resource must satisfy; absent: nothing.
    filter: Option<Condition>,
}

impl Permit {
    /// For what the server does of its own accord, such as the "lapse of holds": everything, of every type.
    pub fn of_server(_work: &'static str) -> Self {
        Self { rtype: None, clauses: Vec::new(), filter: None }
    }

    /// Everything of one type.
    pub(super) fn whole(rtype: &'static ResourceType) -> Self {
        Self { rtype: Some(rtype.name), clauses: Vec::new(), filter: None }
    }

    /// What any of the clauses allows of one type; there is at least one.
    pub(super) fn of(rtype: &'static ResourceType, clauses: Vec<Clause>) -> Self {
        if clauses.iter().any(|c| c.filter().is_none() && c.view.is_none() && !c.cutoff) {
            return Self::whole(rtype);
        }
        let limits: Option<Vec<Condition>> = clauses.iter().map(Clause::filter).collect();
        let filter = limits.map(|mut limits| match limits.len() {
            1 => limits.pop().unwrap_or(Condition::Either(Vec::new())),
            _ => Condition::Either(limits),
        });
        Self { rtype: Some(rtype.name), clauses, filter }
    }

    /// Whether it is about resources of this type.
    pub fn is_for(&self, rtype: &str) -> bool {
        self.rtype.is_none_or(|own| own == rtype)
    }

    /// What a resource must satisfy to be within it; absent: nothing.
    pub fn filter(&self) -> Option<&Condition> {
        self.filter.as_ref()
    }

    /// Whether nothing but patients' consents limits it: whoever has it may know which ids are taken.
    pub fn knows_every_id(&self) -> bool {
        self.filter.is_none() || self.clauses.iter().any(|clause| clause.limit.is_none())
    }

    /// Whether a resource is within it, as far as its content tells.
    pub fn judge(&self, rtype: &'static ResourceType, body: &Value) -> Judged {
        match &self.filter {
            _ if !self.is_for(rtype.name) => Judged::Fails,
            None => Judged::Holds,
            // No rule and no scope asks for `ap`, so the time does not matter.
            Some(filter) => judge(filter, rtype, body, 0),
        }
    }

    /// Whether it ends some time before the appointment begins.
    pub fn ends_at_cutoff(&self) -> bool {
        !self.clauses.is_empty() && self.clauses.iter().all(|clause| clause.cutoff)
    }

    /// Whether all that is within it is shown whole.
    pub fn shows_all(&self) -> bool {
        self.clauses.iter().all(|clause| clause.view.is_none())
    }

    /// Whether values of a search parameter are not shown, so that searching by it would tell them.
    pub fn hides(&self, param: &SearchParam) -> bool {
        let Some(rtype) = self.rtype else { return false };
        let views = self.clauses.iter().filter_map(|clause| clause.view);
        views.into_iter().any(|view| view::hides(view, rtype, param))
    }

    /// The part of a resource's canonical JSON that is shown.
    ///
    /// # Errors
    /// When the bytes are not JSON.
    pub fn show(&self, body: Bytes) -> Result<Bytes, serde_json::Error> {
        if self.shows_all() {
            return Ok(body);
        }
        let whole: Value = serde_json::from_slice(&body)?;
        let Some(view) = self.view_of(&whole) else { return Ok(body) };
        let rtype = self.rtype.unwrap_or_default();
        Ok(Bytes::from(view::show(view, rtype, whole).to_string()))
    }

    /// The view under which a resource is shown: none only if a clause without one surely holds.
    fn view_of(&self, body: &Value) -> Option<View> {
        let rtype = self.rtype.and_then(crate::fhir::registry::resource_type)?;
        let plain = self.clauses.iter().filter(|clause| clause.view.is_none());
        let limits = plain.filter_map(Clause::filter);
        match either(limits.map(|limit| judge(&limit, rtype, body, 0))) {
            Judged::Holds => None,
            _ => self.clauses.iter().find_map(|clause| clause.view),
        }
    }
}

/// The permits of all the types that one search touches.
#[derive(Clone, Debug)]
pub struct SearchPermit(Option<Vec<(&'static str, Permit)>>);

impl SearchPermit {
    /// For what the server looks for of its own accord.
    pub fn of_server(_work: &'static str) -> Self {
        Self(None)
    }

    pub(super) fn of(permits: Vec<(&'static str, Permit)>) -> Self {
        Self(Some(permits))
    }

    /// Whether resources of the type may be found at all.
    pub fn allows(&self, rtype: &str) -> bool {
        self.0.as_ref().is_none_or(|permits| permits.iter().any(|(of, _)| *of == rtype))
    }

    /// What resources of the type must satisfy to be found; absent: nothing.
    pub fn filter(&self, rtype: &str) -> Option<&Condition> {
        self.permit(rtype)?.filter()
    }

    /// The part of a resource's canonical JSON that is shown.
    ///
    /// # Errors
    /// When the bytes are not JSON.
    pub fn show(&self, rtype: &str, body: Bytes) -> Result<Bytes, serde_json::Error> {
        match self.permit(rtype) {
            Some(permit) => permit.show(body),
            None => Ok(body),
        }
    }

    /// Whether all resources of the type may be found, and are shown whole.
    pub fn is_plain(&self, rtype: &str) -> bool {
        let Some(permits) = &self.0 else { return true };
        let permit = permits.iter().find(|(of, _)| *of == rtype);
        permit.is_some_and(|(_, permit)| permit.filter.is_none() && permit.shows_all())
    }

    /// The permit of one type; absent when nothing of it may be found, or when all types are without limits.
    pub fn permit(&self, rtype: &str) -> Option<&Permit> {
        self.0.as_ref()?.iter().find(|(of, _)| *of == rtype).map(|(_, permit)| permit)
    }
}

impl From<Permit> for SearchPermit {
    /// For the one type that the permit is about.
    fn from(permit: Permit) -> Self {
        Self(permit.rtype.map(|rtype| vec![(rtype, permit)]))
    }
}

/// Whether a right is one that shows resources, for which views exist.
pub(super) fn shows(right: Right) -> bool {
    matches!(right, Right::Read | Right::Search)
}
