//! Accounting of disclosures (45 CFR 164.528): to whom outside the house a patient's data went, when, what and why.
//!
//! What counts is told from the events about the patient:
//! - a disclosure that was reported as one (IHE BALP, PrivacyDisclosure), by this server or another system;
//! - data that a client which acts for itself read or was sent, and that people for whom another organisation vouches
//!   read, unless an officer said of that recipient that it does not count;
//! - files of bulk exports that such a client fetched: of a Group, if the patient was a member of the version that was
//!   exported; of everybody, always, since those events name nobody;
//! - what was exported about the patient at the command line: who got it, this system does not know.
//!
//! What does not count: what the patient's own house does with it (its staff, their applications, its officers), what
//! patients themselves and their applications read, and whatever says that it was for treatment, payment or operations.

use crate::app::App;
use crate::audit::facts::{Agent, Facts};
use crate::audit::posting::Place;
use crate::audit::{patients, terms};
use crate::auth::permit::Permit;
use crate::clock::Micros;
use crate::fhir::registry::resource_type;
use crate::store::audit::page::{self, List};
use crate::store::audit::review::{Recipient, recipients};
use crate::store::oauth::client;
use crate::store::{StoreError, Tx, resource};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Events that are read at once.
const CHUNK: usize = 512;
/// The most events of one patient that one account looks at.
const MOST: usize = 100_000;
/// The most kinds of data that one line names.
const MOST_KINDS: usize = 20;
/// DICOM's code of an export.
const EXPORT: &str = "110106";
/// v3-ActReason: treatment, payment, operations, and what is below them as far as this system writes it.
const NOT_ACCOUNTED: [&str; 9] =
    ["TREAT", "ETREAT", "BTG", "CLINTRCH", "HPAYMT", "HOPERAT", "COC", "TREATDS", "PATRQT"];

/// Disclosures to one recipient for one purpose: the first, the last, and how many (164.528(b)(3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// When the first was.
    pub first_us: Micros,
    /// When the last was.
    pub last_us: Micros,
    /// How many.
    pub count: u64,
    /// Who received it, by name if that is known.
    pub recipient: String,
    /// Their address, if it is known.
    pub address: String,
    /// What: types of resources, or what the report said.
    pub what: String,
    /// What for, if it was said.
    pub purpose: String,
    /// Who tells of it: this server, or the system that reported it.
    pub told_by: String,
    /// Id of the last AuditEvent.
    pub event: String,
    /// `client:ID` or `issuer:URL`, of whom an officer may say more; empty for others.
    pub key: String,
}

/// The account of one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The disclosures, the newest first.
    pub disclosures: Vec<Disclosure>,
    /// How many events could not be judged, because their content was purged.
    pub purged: u64,
    /// The account ends here, because there were too many events; older ones were not looked at.
    pub only_from: Option<Micros>,
}

/// What is known of recipients.
struct Known {
    said: HashMap<String, Recipient>,
    clients: HashMap<String, String>,
}

/// One event that is a disclosure.
struct One {
    key: String,
    recipient: String,
    address: String,
    what: BTreeSet<String>,
    purpose: String,
    told_by: String,
}

/// The account of the patient with this logical id, from a time until another.
///
/// # Errors
/// When the database fails.
pub async fn account(
    app: &App,
    patient: &str,
    (from, until): (Micros, Micros),
) -> Result<Account, StoreError> {
    let mut tx = app.store.snapshot().await?;
    let said = recipients(&mut tx).await?.into_iter().map(|one| (one.recipient.clone(), one));
    let mut known = Known { said: said.collect(), clients: HashMap::new() };
    known.clients.extend(client::all(&mut tx).await?.into_iter().map(|client| (client.id, client.name)));
    let mut account = Account::default();
    let mut series = Series::new();
    let own = List::Word(terms::reference("Patient", patient));
    let exports = List::Kind(EXPORT.to_owned());
    for list in [own, exports] {
        let mut before = (until, i64::MIN);
        let mut looked_at = 0;
        loop {
            let (some, next) = told(&mut tx, &list, from, before).await?;
            looked_at += some.len();
            for event in some {
                match event.facts {
                    // Of an export nobody can tell any more whom it was about.
                    None => account.purged += 1,
                    Some(facts) if list == List::Kind(EXPORT.to_owned()) => {
                        if let Some(one) = known.judge_bulk(&mut tx, &facts, patient).await? {
                            add(&mut series, one, event.at, event.id);
                        }
                    }
                    Some(facts) => {
                        if let Some(one) = known.judge(&facts) {
                            add(&mut series, one, event.at, event.id);
                        }
                    }
                }
            }
            let Some(next) = next else { break };
            before = next;
            if looked_at >= MOST {
                account.only_from = account.only_from.max(Some(before.0));
                break;
            }
        }
    }
    account.disclosures = series.into_values().map(named).collect();
    account.disclosures.sort_by_key(|one| std::cmp::Reverse((one.last_us, one.event.clone())));
    Ok(account)
}

/// An event of a list.
struct Event {
    id: String,
    at: Micros,
    facts: Option<Facts>,
}

/// The next events of a list, the newest first, and before which there are more.
async fn told(
    tx: &mut Tx,
    list: &List,
    from: Micros,
    before: Place,
) -> Result<(Vec<Event>, Option<Place>), StoreError> {
    let walk = page::walk(tx, list, &[], from, before, CHUNK).await?;
    let seqs: Vec<i64> = walk.places.iter().map(|(_, seq)| *seq).collect();
    let mut bodies: HashMap<i64, page::Listed> =
        page::listed(tx, &seqs).await?.into_iter().map(|event| (event.seq, event)).collect();
    let event = |(at, seq): &Place| {
        let listed = bodies.remove(seq)?;
        let body: Option<Value> = listed.body.and_then(|body| serde_json::from_slice(&body).ok());
        let facts = body.map(|body| Facts::of(&body));
        Some(Event { id: listed.id, at: *at, facts })
    };
    Ok((walk.places.iter().filter_map(event).collect(), walk.next))
}

/// Disclosures to one recipient, for one purpose, told by one system; with the kinds of data.
type Series = BTreeMap<(String, String, String), (Disclosure, BTreeSet<String>)>;

fn add(series: &mut Series, one: One, at: Micros, id: String) {
    let fresh = Disclosure {
        first_us: at,
        last_us: at,
        count: 0,
        recipient: one.recipient.clone(),
        address: one.address,
        what: String::new(),
        purpose: one.purpose.clone(),
        told_by: one.told_by.clone(),
        event: id.clone(),
        key: one.key.clone(),
    };
    let key = (format!("{}\n{}", one.key, one.recipient), one.purpose, one.told_by);
    let (disclosure, what) = series.entry(key).or_insert_with(|| (fresh, BTreeSet::new()));
    disclosure.count += 1;
    disclosure.first_us = disclosure.first_us.min(at);
    if at > disclosure.last_us {
        disclosure.last_us = at;
        disclosure.event = id;
    }
    what.extend(one.what);
}

fn named((disclosure, what): (Disclosure, BTreeSet<String>)) -> Disclosure {
    let more = what.len() > MOST_KINDS;
    let mut kinds: Vec<String> = what.into_iter().take(MOST_KINDS).collect();
    if more {
        kinds.push("…".to_owned());
    }
    Disclosure { what: kinds.join(", "), ..disclosure }
}

/// Who receives something from a patient's house without being of it: the key, by which officers speak of them.
fn outsider(facts: &Facts) -> Option<(String, &Agent)> {
    match facts.person() {
        // Of people of other issuers the name begins with the issuer.
        Some(person) => person.id.split_once('|').map(|(issuer, _)| (format!("issuer:{issuer}"), person)),
        None => facts.client().map(|client| (format!("client:{}", client.id), client)),
    }
}

impl Known {
    fn judge(&self, facts: &Facts) -> Option<One> {
        if !facts.succeeded()
            || facts.purposes.iter().chain(agents_purposes(facts)).any(|code| is_not_accounted(code))
        {
            return None;
        }
        if facts.subtypes.iter().any(|code| code == "disclose") {
            return Some(reported(facts));
        }
        if !facts.ours {
            return None;
        }
        let taken = facts.kind == EXPORT || facts.subtype == "notification";
        if taken && facts.agents.iter().all(|agent| agent.name == "Slotwright") {
            return Some(by_hand(facts));
        }
        if !(facts.shows_data() || taken) {
            return None;
        }
        let (key, _) = outsider(facts)?;
        let said = self.said.get(&key);
        if said.is_some_and(|said| !said.counts) {
            return None;
        }
        let id = key.split_once(':').map_or("", |(_, id)| id);
        let name = said.map(|said| said.name.clone()).filter(|name| !name.is_empty());
        let registered = || self.clients.get(id).filter(|_| key.starts_with("client:")).cloned();
        Some(One {
            recipient: name.or_else(registered).unwrap_or_else(|| id.to_owned()),
            address: said.map(|said| said.address.clone()).unwrap_or_default(),
            what: kinds(facts),
            purpose: said.map(|said| said.purpose.clone()).unwrap_or_default(),
            told_by: String::new(),
            key,
        })
    }

    /// A file of a bulk export that was fetched, if the patient may be in it.
    async fn judge_bulk(&self, tx: &mut Tx, facts: &Facts, patient: &str) -> Result<Option<One>, StoreError> {
        let detail = |name: &str| {
            let mut details = facts.entities.iter().flat_map(|entity| &entity.details);
            details.find(|(own, _)| own == name).map(|(_, value)| value.as_str())
        };
        if facts.patient.is_some() || detail("what") != Some("file") {
            return Ok(None);
        }
        let Some(one) = self.judge(facts) else { return Ok(None) };
        let group = facts.entities.iter().find_map(|entity| entity.reference.strip_prefix("Group/"));
        let is_in = match group.and_then(|group| group.split_once("/_history/")) {
            Some((id, vid)) => is_member(tx, id, vid, patient).await?,
            None => true,
        };
        let file = detail("file").unwrap_or_default();
        let kind: String = file.chars().take_while(char::is_ascii_alphabetic).collect();
        Ok(is_in.then(|| One { what: BTreeSet::from([kind]), ..one }))
    }
}

/// What was reported as a disclosure.
fn reported(facts: &Facts) -> One {
    let recipient = facts.destination().cloned().unwrap_or_default();
    let names = [&recipient.name, &recipient.id, &recipient.reference];
    let name = names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
    let purposes = facts.purposes.iter().chain(agents_purposes(facts));
    let purposes: BTreeSet<&String> = purposes.collect();
    let purposes: Vec<&str> = purposes.into_iter().map(String::as_str).collect();
    One {
        key: String::new(),
        recipient: name,
        address: recipient.address,
        what: kinds(facts),
        purpose: purposes.join(", "),
        told_by: if facts.ours { String::new() } else { facts.observer.clone() },
    }
}

/// Whether a version of a Group names the patient; what is not there any more may have.
async fn is_member(tx: &mut Tx, id: &str, vid: &str, patient: &str) -> Result<bool, StoreError> {
    let (Some(rtype), Ok(vid)) = (resource_type("Group"), vid.parse()) else { return Ok(true) };
    let permit = Permit::of_server("accounting of disclosures");
    let found = resource::version(tx, &permit, rtype, id, vid).await?;
    let Some(body) = found.and_then(|version| version.body) else { return Ok(true) };
    let mut members = BTreeSet::new();
    patients::add(rtype.name, id, &body, &mut members);
    Ok(members.contains(patient))
}

/// What was taken at the command line.
fn by_hand(facts: &Facts) -> One {
    One {
        key: String::new(),
        recipient: String::new(),
        address: String::new(),
        what: kinds(facts),
        purpose: String::new(),
        told_by: String::new(),
    }
}

fn agents_purposes(facts: &Facts) -> impl Iterator<Item = &String> {
    facts.agents.iter().flat_map(|agent| &agent.purposes)
}

fn is_not_accounted(code: &str) -> bool {
    NOT_ACCOUNTED.contains(&code)
}

/// Which kinds of data went: the types that are named or asked for.
fn kinds(facts: &Facts) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for entity in &facts.entities {
        let reference = entity.reference.split("/_history/").next().unwrap_or_default();
        let mut parts = reference.rsplit('/');
        let (_, rtype) = (parts.next(), parts.next());
        // The patient is in every event; the Patient as data has a version.
        if let Some(rtype) = rtype.filter(|rtype| *rtype != "Patient" || entity.kind != "1") {
            kinds.insert(rtype.to_owned());
        }
        let path = entity.query.split('?').next().unwrap_or_default();
        let mut asked = path.split('/').filter(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
        if let Some(asked) = asked.next_back().filter(|asked| asked.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            kinds.insert(asked.to_owned());
        }
        kinds.extend(Some(entity.name.clone()).filter(|name| !name.is_empty()));
    }
    if kinds.is_empty() && facts.kind == EXPORT {
        kinds.insert("AuditEvent".to_owned());
    }
    kinds
}
