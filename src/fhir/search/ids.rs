//! A set of logical ids that a condition asks for, however many there are.

use std::collections::BTreeSet;

/// Logical ids, with the text in which a database is given all of them at once.
#[derive(Debug, PartialEq, Eq)]
pub struct IdSet {
    ids: BTreeSet<String>,
    json: String,
}

impl IdSet {
    /// The set of these ids.
    pub fn new(ids: BTreeSet<String>) -> Self {
        let json = ids.iter().map(String::as_str).collect::<serde_json::Value>().to_string();
        Self { ids, json }
    }

    /// Whether an id is one of them.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// All of them, in order.
    pub fn ids(&self) -> &BTreeSet<String> {
        &self.ids
    }

    /// All of them as a JSON array of strings.
    pub fn json(&self) -> &str {
        &self.json
    }
}
