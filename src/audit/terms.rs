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
    Word::Reference(rtype, id).text()
}

/// The word of an identifier of an agent or an entity, whatever its system.
pub fn identifier(value: &str) -> String {
    Word::Identifier(value).text()
}

/// The word of a subtype's code.
pub fn subtype(code: &str) -> String {
    Word::Subtype(code).text()
}

/// The word of an agent's network address.
pub fn address(address: &str) -> String {
    Word::Address(address).text()
}

/// What a word says.
#[derive(Clone, Copy)]
enum Word<'a> {
    Reference(&'a str, &'a str),
    Identifier(&'a str),
    Subtype(&'a str),
    Address(&'a str),
}

impl Word<'_> {
    fn text(self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Writes it over what was there.
    fn write(self, text: &mut String) {
        let parts = match self {
            Self::Reference(rtype, id) => ["r:", rtype, "/", id],
            Self::Identifier(value) => ["i:", value, "", ""],
            Self::Subtype(code) => ["s:", code, "", ""],
            Self::Address(address) => ["a:", address, "", ""],
        };
        text.clear();
        text.extend(parts);
        text.truncate(text.floor_char_boundary(LONGEST));
    }
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
        self.each_word(|word| words.push(word.to_owned()));
        words.sort_unstable();
        words.dedup();
        Terms {
            kind: self.kind().to_owned(),
            action: self.action().to_owned(),
            outcome: self.outcome(),
            words,
        }
    }

    /// Code of `type`, empty when absent.
    pub fn kind(&self) -> &str {
        &self.r#type.code
    }

    /// `action`, empty when absent.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// `outcome`, 0 when it is no number.
    pub fn outcome(&self) -> i64 {
        self.outcome.parse().unwrap_or_default()
    }

    /// Tells every word that it is found by, in no order and some more than once. None outlives its telling: a
    /// verification reads ten for each of millions of events.
    pub fn each_word(&self, mut tell: impl FnMut(&str)) {
        let mut text = String::with_capacity(LONGEST);
        let mut add = |word: Word<'_>| {
            word.write(&mut text);
            tell(&text);
        };
        self.subtype.iter().for_each(|coding| add(Word::Subtype(&coding.code)));
        for agent in &self.agent {
            agent.who.words().for_each(&mut add);
            if !agent.network.address.is_empty() {
                add(Word::Address(&agent.network.address));
            }
        }
        self.entity.iter().flat_map(|entity| entity.what.words()).for_each(&mut add);
        self.source.observer.words().for_each(&mut add);
    }
}

impl Reference<'_> {
    /// What it names: a resource, an identifier, or both.
    fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let identifier = Some(Word::Identifier(&self.identifier.value));
        let reference = referred(&self.reference).map(|(rtype, id)| Word::Reference(rtype, id));
        identifier.filter(|_| !self.identifier.value.is_empty()).into_iter().chain(reference)
    }
}

/// Type and logical id that a reference names, relative or absolute, with or without a version.
pub(super) fn referred(whole: &str) -> Option<(&str, &str)> {
    let mut parts = whole.split("/_history/").next().unwrap_or(whole).rsplit('/');
    let (id, rtype) = (parts.next()?, parts.next()?);
    Some((rtype, id))
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
