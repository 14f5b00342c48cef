//! Validation of a body: everything that is wrong with it, at once, each with its place.
//!
//! In order: structure by a typed R4 model, then one walk for the calendar, required bindings,
//! invariants, references and narrative, then our profiles. Whether a reference's target exists is asked
//! of the database by `app`.

mod clinical;
mod contained;
mod invariants;
mod limits;
mod model;
pub(crate) mod narrative;
mod primitives;
mod profiles;
pub mod references;
mod structure;
mod walk;

use std::collections::HashSet;

use serde_json::{Map, Value};

use self::model::{Element, MODEL, Type};
use self::references::Contained;
use self::walk::Visitor;
use super::at::At;
use super::outcome::Issue;

pub use self::primitives::is_id;
pub use self::profiles::definitions;

/// Checks bodies. Build one at start and share it.
pub struct Validator {
    profiles: profiles::Profiles,
}

impl Validator {
    /// Compiles the profiles and reads the element table.
    ///
    /// # Errors
    /// When a schema in `profiles/schema/` is not one.
    pub fn new() -> Result<Self, String> {
        std::sync::LazyLock::force(&MODEL);
        Ok(Self { profiles: profiles::Profiles::compile()? })
    }

    /// Every problem of `body` as a resource of type `rtype`, errors and warnings; empty when it is sound.
    pub fn validate(&self, rtype: &str, body: &Value) -> Vec<Issue> {
        let at = At::root(rtype);
        let Value::Object(members) = body else {
            return vec![Issue::error("structure", "A resource is a JSON object").at(rtype)];
        };
        let stated = members.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        if stated != rtype {
            let message = format!(
                "This is the place of a {rtype}, but resourceType says \"{}\"",
                primitives::excerpt(stated)
            );
            return vec![Issue::error("invalid", message).at(at.child("resourceType").to_string())];
        }
        if let Some(issue) = limits::exceeded(members) {
            return vec![issue.at(rtype)];
        }
        if let Some(issue) = contained::nested(members, &at) {
            return vec![issue];
        }
        let mut issues = structure::check(rtype, body);
        let mut ours = Findings { contained: contained::list(members), issues: Vec::new() };
        walk::resource(&mut ours, members, &at);
        let mut ours = ours.issues;
        contained::check(members, &at, &mut ours);
        self.profiles.check(rtype, body, &mut ours);
        // The same place is not blamed twice: the first finding says best what is wrong there.
        let blamed: HashSet<String> = issues.iter().filter_map(|issue| issue.expression.clone()).collect();
        issues.extend(ours.into_iter().filter(|issue| {
            issue.code == "invariant" || !issue.expression.as_ref().is_some_and(|at| blamed.contains(at))
        }));
        limits::cut(&mut issues);
        issues
    }
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Validator")
    }
}

/// What the walk found.
struct Findings<'v> {
    contained: Vec<Contained<'v>>,
    issues: Vec<Issue>,
}

impl<'v> Visitor<'v> for Findings<'v> {
    fn object(&mut self, kind: Option<&'static Type>, members: &'v Map<String, Value>, at: &At<'_>) {
        if members.is_empty() {
            let message = format!("{at}: an element has a value or children (ele-1)");
            self.issues.push(Issue::error("invariant", message).at(at.to_string()));
            return;
        }
        if members.contains_key("fhir_comments") {
            let message = "R4 has no element `fhir_comments` here";
            self.issues.push(Issue::error("structure", message).at(at.child("fhir_comments").to_string()));
        }
        // The typed model lets empty lists of primitives pass; XML has no way to write one.
        for (name, _) in members.iter().filter(|(_, value)| value.as_array().is_some_and(Vec::is_empty)) {
            let place = at.child(name).to_string();
            if !self.issues.iter().any(|issue| issue.expression.as_deref() == Some(place.as_str())) {
                let message = format!("{place}: a list has at least one item");
                self.issues.push(Issue::error("structure", message).at(place));
            }
        }
        for rule in kind.map_or(&[][..], |kind| kind.rules.as_slice()) {
            if !(rule.holds)(members) {
                self.issues.push(rule.broken(at.to_string()));
            }
        }
    }

    fn primitive(&mut self, kind: &'static str, element: &'static Element, value: &'v Value, at: &At<'_>) {
        match (kind, value) {
            ("xhtml", Value::String(div)) => {
                if let Some(problem) = narrative::problem(div) {
                    self.issues
                        .push(Issue::error("invariant", format!("{at}: {problem}")).at(at.to_string()));
                }
            }
            _ => primitives::check(kind, element, value, at, &mut self.issues),
        }
    }

    fn reference(&mut self, element: Option<&'static Element>, members: &'v Map<String, Value>, at: &At<'_>) {
        references::check(element, members, &self.contained, at, &mut self.issues);
    }
}

#[cfg(test)]
mod tests;
