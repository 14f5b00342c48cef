//! Whether a member of staff and a patient are one person, or have a surname in common, as far as their records tell.

use super::watch::Kin;
use crate::app::App;
use crate::audit::facts::Agent;
use crate::auth::permit::Permit;
use crate::clock::Micros;
use crate::fhir::registry::resource_type;
use crate::store::{StoreError, Tx, account, resource};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use unicode_normalization::UnicodeNormalization;

/// How long a record that was read is remembered: names change seldom, and reports may be late to notice.
const KEPT: Micros = 10 * 60 * 1_000_000;
/// The most records that are remembered.
const MOST: usize = 20_000;
/// Words of surnames that say nothing.
const PARTICLES: [&str; 16] =
    ["al", "bin", "da", "de", "del", "den", "der", "di", "do", "dos", "el", "la", "las", "los", "van", "von"];

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Identity {
    surnames: BTreeSet<String>,
    given: String,
    birth_date: String,
    identifiers: BTreeSet<(String, String)>,
}

/// Records that were read not long ago.
#[derive(Debug, Default)]
pub(super) struct Families {
    known: HashMap<String, Identity>,
    since: Micros,
}

impl Families {
    /// How a person is related to a patient.
    pub(super) async fn kin(
        &mut self,
        app: &App,
        tx: &mut Tx,
        person: &Agent,
        patient: &str,
    ) -> Result<Kin, StoreError> {
        let now = app.clock.now();
        if now - self.since > KEPT || self.known.len() > MOST {
            self.known.clear();
            self.since = now;
        }
        let own = person.reference.as_str();
        if own.strip_prefix("Patient/") == Some(patient) {
            return Ok(Kin { same: true, surname: true });
        }
        let mut one = self.of(tx, own).await?;
        if one.surnames.is_empty() {
            one.surnames = self.of_account(tx, &person.id).await?.surnames;
        }
        let other = self.of(tx, &format!("Patient/{patient}")).await?;
        Ok(one.kin(&other))
    }

    async fn of(&mut self, tx: &mut Tx, reference: &str) -> Result<Identity, StoreError> {
        if let Some(known) = self.known.get(reference) {
            return Ok(known.clone());
        }
        let named = reference.split_once('/').and_then(|(rtype, id)| Some((resource_type(rtype)?, id)));
        let mut identity = Identity::default();
        if let Some((rtype, id)) = named {
            let found = resource::find(tx, &Permit::of_server("standing reports"), rtype, id).await?;
            let body = found.and_then(|stored| serde_json::from_slice(&stored.body).ok());
            identity = body.as_ref().map(Identity::of).unwrap_or_default();
        }
        self.known.insert(reference.to_owned(), identity.clone());
        Ok(identity)
    }

    /// Of an account without a record: the last word of its name.
    async fn of_account(&mut self, tx: &mut Tx, id: &str) -> Result<Identity, StoreError> {
        let key = format!("account/{id}");
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let account = account::by_id(tx, id).await?;
        let last = account.as_ref().and_then(|account| account.name.split_whitespace().last());
        let identity = Identity { surnames: last.map(surnames).unwrap_or_default(), ..Identity::default() };
        self.known.insert(key, identity.clone());
        Ok(identity)
    }
}

impl Identity {
    fn of(resource: &Value) -> Self {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let list = |name: &str| resource.get(name).and_then(Value::as_array).into_iter().flatten();
        let given = list("name").find_map(|name| name.pointer("/given/0").and_then(Value::as_str));
        let identifiers = list("identifier").map(|one| (text(one, "system"), text(one, "value")));
        Self {
            surnames: list("name").flat_map(|name| surnames(&text(name, "family"))).collect(),
            given: given.map(folded).unwrap_or_default(),
            birth_date: text(resource, "birthDate"),
            identifiers: identifiers
                .filter(|(system, value)| !system.is_empty() && !value.is_empty())
                .collect(),
        }
    }

    fn kin(&self, other: &Self) -> Kin {
        let surname = !self.surnames.is_disjoint(&other.surnames);
        let born = !self.birth_date.is_empty() && self.birth_date == other.birth_date;
        let named = surname && !self.given.is_empty() && self.given == other.given;
        let same = !self.identifiers.is_disjoint(&other.identifiers) || (born && named);
        Kin { same, surname }
    }
}

/// The words of a surname: of two that somebody has, one in common is enough.
fn surnames(family: &str) -> BTreeSet<String> {
    let words = family.split(|c: char| c.is_whitespace() || c == '-').map(folded);
    words.filter(|word| word.chars().count() > 1 && !PARTICLES.contains(&word.as_str())).collect()
}

/// In lower case and without accents.
fn folded(word: &str) -> String {
    word.nfkd().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person(family: &str, given: &str, birth_date: &str, identifier: &str) -> Identity {
        Identity::of(&json!({
            "name": [{ "family": family, "given": [given] }], "birthDate": birth_date,
            "identifier": [{ "system": "urn:national", "value": identifier }, { "value": "shared" }],
        }))
    }

    #[test]
    fn a_surname_in_common_is_enough_to_ask() {
        let one = person("García-López", "Ana", "1980-01-01", "1");
        for (family, surname) in [("de la GARCIA", true), ("Lopez", true), ("Pérez", false), ("", false)] {
            let kin = one.kin(&person(family, "Eva", "1990-01-01", "2"));
            assert_eq!((kin.surname, kin.same), (surname, false), "{family}");
        }
    }

    #[test]
    fn name_and_birth_or_a_number_tell_that_they_are_one() {
        let one = person("Ruiz", "Ana", "1980-01-01", "1");
        assert!(one.kin(&person("Ruíz", "ana", "1980-01-01", "2")).same);
        assert!(one.kin(&person("Other", "Eva", "", "1")).same);
        assert!(!one.kin(&person("Ruiz", "Ana", "1981-01-01", "2")).same);
        assert!(!person("Ruiz", "Ana", "", "1").kin(&person("Ruiz", "Ana", "", "2")).same);
    }
}
