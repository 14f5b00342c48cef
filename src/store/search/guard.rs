//! The filters of permits, as part of the SQL: what is beyond them is neither found nor counted.

use super::condition::Compiler;
use crate::fhir::registry::ResourceType;
use crate::fhir::search::Condition;

impl<'p> Compiler<'p> {
    /// What keeps a resource of one of several types, found by other means, within the permits.
    pub(super) fn guard(&mut self, types: &[&'static ResourceType], alias: &str) -> Vec<String> {
        let mut parts = Vec::new();
        for rt in types {
            let not = format!("{alias}.type <> '{}'", rt.name);
            if !self.allows(rt) {
                parts.push(not);
            } else if let Some(filter) = self.filter_of(rt) {
                let there = self.filter(|c| {
                    let there = c.select(&[*rt], std::slice::from_ref(filter), false);
                    format!("SELECT {}.rid FROM {} WHERE {}", there.about.alias, there.from, there.filter)
                });
                parts.push(format!("({not} OR {alias}.rid IN ({there}))"));
            }
        }
        parts
    }

    pub(super) fn allows(&self, rt: &ResourceType) -> bool {
        self.filtering || self.permits.allows(rt.name)
    }

    pub(super) fn filter_of(&self, rt: &ResourceType) -> Option<&'p Condition> {
        if self.filtering { None } else { self.permits.filter(rt.name) }
    }

    /// Writes a filter.
    pub(super) fn filter(&mut self, write: impl FnOnce(&mut Self) -> String) -> String {
        let before = std::mem::replace(&mut self.filtering, true);
        let text = write(self);
        self.filtering = before;
        text
    }
}
