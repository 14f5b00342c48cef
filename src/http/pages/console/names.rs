//! What the codes and ids of events are called.

use super::{Choice, HERE, broken, link};
use crate::app::App;
use crate::app::audit::browse;
use crate::audit::clean::visible;
use crate::audit::facts::{Agent, Facts};
use crate::audit::terms;
use crate::http::pages::PageError;
use crate::http::pages::words::Words;
use std::collections::{BTreeSet, HashMap};

/// Codes of types that this server writes.
pub(super) const KINDS: [&str; 7] = ["rest", "110100", "110101", "110106", "110113", "110114", "transmit"];
/// Codes of subtypes that this server writes or takes.
pub(super) const SUBTYPES: [&str; 33] = [
    "read",
    "vread",
    "search",
    "history",
    "create",
    "update",
    "patch",
    "delete",
    "batch",
    "transaction",
    "operation",
    "capabilities",
    "110122",
    "110123",
    "sign-in-begun",
    "access-requested",
    "authorized",
    "ITI-71",
    "ITI-102",
    "token-revoked",
    "AuthZ-Consent",
    "110127",
    "110138",
    "110129",
    "audit-read",
    "export",
    "disclose",
    "purge",
    "review",
    "notification",
    "110120",
    "110121",
    "limited",
];
/// Codes of actions.
pub(super) const ACTIONS: [&str; 5] = ["C", "R", "U", "D", "E"];
/// Codes of outcomes.
pub(super) const OUTCOMES: [&str; 4] = ["0", "4", "8", "12"];

/// The word for a code, and the code itself where there is none.
pub(super) fn word(words: &Words, list: &str, code: &str) -> String {
    let known = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let found = words.find(&format!("console-{list}-{code}")).filter(|_| known && !code.is_empty());
    found.unwrap_or_else(|| visible(code))
}

/// A list to choose a code from; the first choice is none.
pub(super) fn choices(words: &Words, list: &str, codes: &[&str], chosen: &str) -> Vec<Choice> {
    let mut choices =
        vec![Choice { value: String::new(), text: words.t("console-any"), chosen: chosen.is_empty() }];
    let strange = (!chosen.is_empty() && !codes.contains(&chosen)).then_some(chosen);
    choices.extend(codes.iter().copied().chain(strange).map(|code| Choice {
        value: code.to_owned(),
        text: word(words, list, code),
        chosen: code == chosen,
    }));
    choices
}

/// Something that has a name, and perhaps a page of what it did or of what was done with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) text: String,
    pub(super) link: String,
}

impl Named {
    pub(super) fn patient(id: &str) -> Self {
        Self { text: visible(id), link: link(HERE, &[("patient", id)]) }
    }
}

/// Names of accounts, for the ids of one page.
pub(super) struct Names(HashMap<String, (String, String)>);

impl Names {
    /// Of everybody in these events.
    pub(super) async fn of(app: &App, events: impl Iterator<Item = &Facts>) -> Result<Self, PageError> {
        let agents = events.flat_map(|facts| &facts.agents).filter(|agent| agent.is_person());
        Self::of_ids(app, agents.map(|agent| agent.id.clone()).collect()).await
    }

    /// Of the accounts with these ids.
    pub(super) async fn of_ids(app: &App, ids: BTreeSet<String>) -> Result<Self, PageError> {
        browse::names(app, ids).await.map(Self).map_err(broken)
    }

    /// What an account is called.
    pub(super) fn account(&self, words: &Words, id: &str) -> String {
        match self.0.get(id) {
            Some((name, username)) => {
                let (name, username) = (visible(name), visible(username));
                words.args("console-person", &[("name", &name), ("username", &username)])
            }
            None => visible(id),
        }
    }

    /// What an agent is called, with a link to what it did.
    pub(super) fn agent(&self, words: &Words, agent: &Agent) -> Named {
        let key = agent.key();
        if agent.id.is_empty() && agent.reference.is_empty() {
            let unknown = matches!(key, "" | "unknown");
            return Named {
                text: if unknown { words.t("console-unknown") } else { visible(key) },
                ..Named::default()
            };
        }
        let link = link(HERE, &[("user", key)]);
        if agent.name == "Slotwright" {
            let text = if agent.called.is_empty() { agent.name.clone() } else { visible(&agent.called) };
            return Named { text, link: String::new() };
        }
        Named { text: if agent.is_person() { self.account(words, key) } else { visible(key) }, link }
    }

    /// What a word of the index is called, with a link to what it did.
    pub(super) fn word(&self, words: &Words, term: &str) -> Named {
        let (kind, value) = term.split_once(':').unwrap_or(("", term));
        match kind {
            "a" => Named { text: visible(value), link: link(HERE, &[("address", value)]) },
            "i" => Named { text: self.account(words, value), link: link(HERE, &[("user", value)]) },
            _ => Named { text: visible(value), link: link(HERE, &[("user", value)]) },
        }
    }
}

/// Whom a word of the index may be the account of.
pub(super) fn account_of(term: &str) -> Option<String> {
    let prefix = terms::identifier("");
    term.strip_prefix(prefix.as_str()).map(str::to_owned)
}
