//! What an AuditEvent is found by, read from the event itself, so that an index can be made again from the log.

use serde::Deserialize;
use std::borrow::Cow;

/// The longest word that is kept, in bytes; what is searched for is cut in the same way.
const LONGEST: usize = 200;

/// What one event is found by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Code of `type`.
    pub kind: String,
    /// `action`
    pub action: String,
    /// `outcome`: 0, 4, 8 or 12.
    pub outcome: i64,
    /// Words in their order, see [`reference()`], [`identifier`], [`subtype`] and [`address`].
    pub words: Vec<String>,
}

/// The word of what refers to `Type/id`.
pub fn reference(rtype: &str, id: &str) -> String {
    bounded(["r:", rtype, "/", id].concat())
}

/// The word of an identifier of an agent or an entity, whatever its system.
pub fn identifier(value: &str) -> String {
    bounded(["i:", value].concat())
}

/// The word of a subtype's code.
pub fn subtype(code: &str) -> String {
    bounded(["s:", code].concat())
}

/// The word of an agent's network address.
pub fn address(address: &str) -> String {
    bounded(["a:", address].concat())
}

fn bounded(mut word: String) -> String {
    word.truncate(word.floor_char_boundary(LONGEST));
    word
}

/// The parts of an AuditEvent that the log is concerned with: what it says about itself, and what it is found by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named<'a> {
    /// `id`
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    /// `recorded`
    #[serde(borrow)]
    pub recorded: Option<Cow<'a, str>>,
    pub(super) r#type: Coding<'a>,
    pub(super) subtype: Vec<Coding<'a>>,
    pub(super) action: Cow<'a, str>,
    pub(super) outcome: Cow<'a, str>,
    pub(super) agent: Vec<Agent<'a>>,
    pub(super) entity: Vec<Entity<'a>>,
    pub(super) source: Source<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Coding<'a> {
    #[serde(borrow)]
    pub(super) code: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Agent<'a> {
    #[serde(borrow)]
    pub(super) who: Reference<'a>,
    pub(super) network: Network<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Network<'a> {
    #[serde(borrow)]
    pub(super) address: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entity<'a> {
    #[serde(borrow)]
    pub(super) what: Reference<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) observer: Reference<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub(super) identifier: Identifier<'a>,
    pub(super) reference: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identifier<'a> {
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
}

impl Terms {
    /// The terms of an AuditEvent in JSON, whoever wrote it; none when it is no AuditEvent.
    pub fn of(event: &[u8]) -> Self {
        let named: Named = serde_json::from_slice(event).unwrap_or_default();
        named.terms()
    }
}

impl<'a> Named<'a> {
    /// Reads an AuditEvent; none when it is none.
    pub fn read(event: &'a str) -> Option<Self> {
        serde_json::from_str(event).ok()
    }

    /// Whether it has a subtype with this code, of whatever system.
    pub fn has_subtype(&self, code: &str) -> bool {
        self.subtype.iter().any(|coding| coding.code == code)
    }

    /// What it is found by.
    pub fn terms(&self) -> Terms {
        let mut words = Vec::with_capacity(16);
        words.extend(self.subtype.iter().map(|coding| subtype(&coding.code)));
        for agent in &self.agent {
            agent.who.add(&mut words);
            add(&agent.network.address, address, &mut words);
        }
        for entity in &self.entity {
            entity.what.add(&mut words);
        }
        self.source.observer.add(&mut words);
        words.sort_unstable();
        words.dedup();
        Terms {
            kind: self.r#type.code.clone().into_owned(),
            action: self.action.clone().into_owned(),
            outcome: self.outcome.parse().unwrap_or_default(),
            words,
        }
    }
}

impl Reference<'_> {
    /// What it names: a resource, an identifier, or both.
    fn add(&self, words: &mut Vec<String>) {
        add(&self.identifier.value, identifier, words);
        if let Some((rtype, id)) = referred(&self.reference) {
            words.push(reference(rtype, id));
        }
    }
}

/// Type and logical id that a reference names, relative or absolute, with or without a version.
pub(super) fn referred(whole: &str) -> Option<(&str, &str)> {
    let mut parts = whole.split("/_history/").next().unwrap_or(whole).rsplit('/');
    let (id, rtype) = (parts.next()?, parts.next()?);
    Some((rtype, id))
}

fn add(value: &str, word: impl Fn(&str) -> String, words: &mut Vec<String>) {
    if !value.is_empty() {
        words.push(word(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_an_event_names_is_a_word() {
        let event = json!({
            "type": { "code": "rest" }, "subtype": [{ "code": "read" }, { "code": "vread" }],
            "action": "R", "outcome": "8",
            "agent": [
                { "who": { "identifier": { "value": "app" } }, "network": { "address": "192.0.2.7" } },
                { "who": { "reference": "Practitioner/d", "identifier": { "system": "https://x", "value": "ann" } } }
            ],
            "source": { "observer": { "display": "us" } },
            "entity": [
                { "what": { "reference": "Appointment/a/_history/2" } },
                { "what": { "reference": "https://x.example/fhir/Patient/p" } },
                { "query": "eA==" }
            ]
        });
        let terms = Terms::of(event.to_string().as_bytes());
        let words: Vec<&str> = terms.words.iter().map(String::as_str).collect();
        let expected = [
            "a:192.0.2.7",
            "i:ann",
            "i:app",
            "r:Appointment/a",
            "r:Patient/p",
            "r:Practitioner/d",
            "s:read",
            "s:vread",
        ];
        assert_eq!(words, expected);
        assert_eq!((terms.kind.as_str(), terms.action.as_str(), terms.outcome), ("rest", "R", 8));
    }

    #[test]
    fn words_are_bounded_at_a_character() {
        assert_eq!(identifier(&"é".repeat(200)).len(), LONGEST);
        assert_eq!(identifier("x"), "i:x");
    }
}
