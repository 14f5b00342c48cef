//! Reading the log page by page, for compliance officers.
//!
//! A filter is a number of lists that the index has in the order of time, and an event has to be in all of them. At each
//! step the list that is thinnest just there is walked, and its events are looked up in the others. A page looks at so
//! many events and no more; where it ends, the next one begins. So no page takes longer because the log is longer.

use crate::app::App;
use crate::app::account::folded;
use crate::audit::facts::Facts;
use crate::audit::terms;
use crate::clock::Micros;
use crate::store::audit::page::{self, Indexed, List};
use crate::store::audit::sequence;
use crate::store::{StoreError, Tx, account};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

pub use crate::audit::posting::Place;
pub use crate::store::audit::sequence::Published;

/// How many events the first step walks; each after it walks twice as many, up to the last number.
const STEP: usize = 512;
const LONGEST_STEP: usize = 4 * STEP;
/// How many events one page looks at: three steps. A page that ends here may be short; the next one goes on.
const MOST: usize = 7 * STEP;
/// How far lists are probed to find the thinnest.
const PROBE: usize = 64;

/// What an officer looks for; everything that is set has to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Recorded at this time or later.
    pub from: Micros,
    /// Recorded before this time.
    pub until: Micros,
    /// Code of `type`.
    pub kind: Option<String>,
    /// Code of a `subtype`.
    pub subtype: Option<String>,
    /// `action`
    pub action: Option<String>,
    /// `outcome`
    pub outcome: Option<i64>,
    /// A word of who took part, see [`user_word`].
    pub user: Option<String>,
    /// Logical id of a Patient.
    pub patient: Option<String>,
    /// A network address.
    pub address: Option<String>,
    /// `X-Request-Id`
    pub request: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            from: Micros::MIN,
            until: Micros::MAX,
            kind: None,
            subtype: None,
            action: None,
            outcome: None,
            user: None,
            patient: None,
            address: None,
            request: None,
        }
    }
}

impl Filter {
    /// The lists that an event has to be in.
    fn lists(&self) -> Vec<List> {
        let words = [
            self.request.as_deref().map(terms::identifier),
            self.patient.as_deref().map(|id| terms::reference("Patient", id)),
            self.user.clone(),
            self.address.as_deref().map(terms::address),
            self.subtype.as_deref().map(terms::subtype),
        ];
        let mut lists: Vec<List> = words.into_iter().flatten().map(List::Word).collect();
        lists.extend(self.kind.clone().filter(|kind| kind != "rest").map(List::Kind));
        let changes = |action: &String| matches!(action.as_str(), "C" | "D" | "U");
        lists.extend(self.action.clone().filter(changes).map(List::Change));
        lists.extend(self.outcome.filter(|outcome| *outcome != 0).map(List::Outcome));
        if lists.is_empty() {
            lists.push(List::All);
        }
        lists
    }

    /// Whether what the index's columns say is as it is wanted.
    fn takes(&self, event: &Indexed) -> bool {
        self.kind.as_ref().is_none_or(|kind| event.kind == *kind)
            && self.action.as_ref().is_none_or(|action| event.action == *action)
            && self.outcome.is_none_or(|outcome| event.outcome == outcome)
    }

    /// Whether every event of the one list is wanted.
    fn is_plain(&self, lists: &[List]) -> bool {
        let columns = [self.kind.is_some(), self.action.is_some(), self.outcome.is_some()];
        let conditions = columns.into_iter().filter(|set| *set).count();
        match lists {
            [List::All | List::Word(_)] => conditions == 0,
            [_] => conditions == 1,
            _ => false,
        }
    }
}

/// The word of a person or application as an officer names them: a username, an account's or client's id, or
/// `Practitioner/ID`.
///
/// # Errors
/// When the database fails.
pub async fn user_word(app: &App, named: &str) -> Result<String, StoreError> {
    if let Some((rtype, id)) = named.split_once('/')
        && rtype.bytes().all(|byte| byte.is_ascii_alphabetic())
    {
        return Ok(terms::reference(rtype, id));
    }
    let account = account::by_username(&mut app.store.reader().await?, &folded(named)).await?;
    Ok(terms::identifier(account.as_ref().map_or(named, |account| &account.id)))
}

/// An event on a page.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its place in the log.
    pub seq: i64,
    /// `AuditEvent.id`
    pub id: String,
    /// When it was recorded.
    pub recorded_us: Micros,
    /// Code of `type`.
    pub kind: String,
    /// `outcome`
    pub outcome: i64,
    /// What it says; none when it was purged.
    pub facts: Option<Facts>,
}

/// Some events, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events.
    pub rows: Vec<Row>,
    /// Behind which the next page begins; none when there is nothing more.
    pub next: Option<Place>,
}

/// The newest events that a filter takes, behind `after`, `limit` at most.
///
/// # Errors
/// When the database fails.
pub async fn page(
    app: &App,
    filter: &Filter,
    after: Option<Place>,
    limit: usize,
) -> Result<Page, StoreError> {
    let mut tx = app.store.snapshot().await?;
    let (found, next) = places(&mut tx, filter, after, limit).await?;
    let seqs: Vec<i64> = found.iter().map(|event| event.seq).collect();
    let mut events: HashMap<i64, page::Listed> =
        page::listed(&mut tx, &seqs).await?.into_iter().map(|event| (event.seq, event)).collect();
    let row = |event: Indexed| {
        let listed = events.remove(&event.seq)?;
        let facts = listed.body.and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        Some(Row {
            seq: event.seq,
            id: listed.id,
            recorded_us: event.recorded_us,
            kind: event.kind,
            outcome: event.outcome,
            facts: facts.as_ref().map(Facts::of),
        })
    };
    Ok(Page { rows: found.into_iter().filter_map(row).collect(), next })
}

async fn places(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Indexed>, Option<Place>), StoreError> {
    let lists = filter.lists();
    // One more than is shown says whether there is a next page.
    let mut step = if filter.is_plain(&lists) { limit + 1 } else { STEP };
    let mut found: Vec<Indexed> = Vec::new();
    let mut before = after.unwrap_or((filter.until, i64::MIN));
    let mut seen = 0;
    while seen < MOST {
        let thin = thinnest(tx, &lists, filter.from, before).await?;
        let others: Vec<List> = lists.iter().filter(|list| **list != thin).cloned().collect();
        let walk = page::walk(tx, &thin, &others, filter.from, before, step).await?;
        seen += walk.looked_at;
        // What the index says of each lies in a block of its own, so it is read of no more than a page shows.
        for places in walk.places.chunks(limit + 1) {
            for event in page::indexed(tx, places).await? {
                if !filter.takes(&event) {
                    continue;
                }
                if found.len() == limit {
                    let next = found.last().map(|event| (event.recorded_us, event.seq));
                    return Ok((found, next));
                }
                found.push(event);
            }
        }
        match walk.next {
            Some(next) => before = next,
            None => return Ok((found, None)),
        }
        step = (2 * step).min(LONGEST_STEP);
    }
    Ok((found, Some(before)))
}

/// The list that has the fewest events just before a place.
async fn thinnest(tx: &mut Tx, lists: &[List], from: Micros, before: Place) -> Result<List, StoreError> {
    let mut best: Option<(Place, &List)> = None;
    if let [only] = lists {
        return Ok(only.clone());
    }
    for list in lists {
        let Some(depth) = page::depth(tx, list, from, before, PROBE).await? else { return Ok(list.clone()) };
        if best.is_none_or(|(least, _)| depth < least) {
            best = Some((depth, list));
        }
    }
    Ok(best.map_or(List::All, |(_, list)| list.clone()))
}

/// What people with these account ids are called: name and username.
///
/// # Errors
/// When the database fails.
pub async fn names(
    app: &App,
    ids: BTreeSet<String>,
) -> Result<HashMap<String, (String, String)>, StoreError> {
    let mut tx = app.store.reader().await?;
    let mut names = HashMap::new();
    for id in ids {
        if let Some(account) = account::by_id(&mut tx, &id).await? {
            names.insert(id, (account.name, account.username));
        }
    }
    Ok(names)
}

/// The newest checkpoint, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn latest(app: &App) -> Result<Option<Published>, StoreError> {
    sequence::latest(&mut app.store.reader().await?).await
}
