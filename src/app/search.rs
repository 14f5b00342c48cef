//! Searching: the page of matches as a searchset Bundle, assembled from stored bytes.

use super::{Answer, App, Context, booking};
use crate::audit::patients;
use crate::auth::{Access, SearchPermit};
use crate::fhir::interaction::Search;
use crate::fhir::outcome::{Error, Issue, Kind, operation_outcome};
use crate::fhir::registry::ResourceType;
use crate::fhir::search::{Rules, SearchQuery, Summary, Total, cursor, parse, text};
use crate::fhir::summary::Subset;
use crate::store::Tx;
use crate::store::search::{self as store, Found};
use crate::store::state::State;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Answers a search with a page of its matches.
///
/// # Errors
/// 403 for what role or scopes do not allow; 400 with every problem of the query; under `Prefer: handling=strict` also for unknown parameters.
pub async fn search(app: &App, ctx: &Context, search: &Search) -> Result<Answer, Error> {
    let asked = understand(app, ctx, search)?;
    let (found, state) = answer(&mut reading(app, &asked).await?, app, ctx, search, &asked).await?;
    let settled = state.next_lapse.is_none_or(|at| at > app.clock.now());
    if settled || !asked.query.types.iter().any(|rt| booking::depends_on_holds(rt.name)) {
        return Ok(Answer { access: Some(state.access), ..found });
    }
    booking::lapse(app).await?;
    let (found, state) = answer(&mut reading(app, &asked).await?, app, ctx, search, &asked).await?;
    Ok(Answer { access: Some(state.access), ..found })
}

/// The same inside a transaction, seeing its writes.
pub async fn search_in(tx: &mut Tx, app: &App, ctx: &Context, search: &Search) -> Result<Answer, Error> {
    let asked = understand(app, ctx, search)?;
    Ok(answer(tx, app, ctx, search, &asked).await?.0)
}

/// A connection on which all that the search reads is one state.
async fn reading(app: &App, asked: &Asked) -> Result<Tx, Error> {
    Ok(if asked.single { app.store.reader().await? } else { app.store.snapshot().await? })
}

/// A search that was understood.
struct Asked {
    query: SearchQuery,
    permits: SearchPermit,
    after: Option<cursor::Position>,
    /// Whether one statement answers it; several must see one state.
    single: bool,
}

/// The query of a search that may be made, understood as far as the client wants it to be.
///
/// # Errors
/// 400 with every problem of it, 403 for what role or scopes do not allow.
pub(super) fn understand_query(app: &App, ctx: &Context, search: &Search) -> Result<SearchQuery, Error> {
    Ok(understand(app, ctx, search)?.query)
}

fn understand(app: &App, ctx: &Context, search: &Search) -> Result<Asked, Error> {
    let compartment = search.compartment.as_ref().map(|(owner, id)| (owner.as_str(), id.as_str()));
    let mut query = parse(search.rtype, &search.query, compartment, &rules(app, &ctx.base))?;
    let permits = ctx.access.search(&mut query)?;
    if ctx.strict && !query.unknown.is_empty() {
        return Err(Error::of(
            Kind::BadRequest,
            unknown(&query).map(|why| Issue::error("not-supported", why)).collect(),
        ));
    }
    let after = match &query.cursor {
        None => None,
        Some(page) => Some(cursor::decode(page, &query, &app.link_key).ok_or_else(|| {
            Error::bad_request(
                "_page was not issued by this server for this search; start from the first page",
            )
        })?),
    };
    let single = query.summary != Summary::Count
        && query.total == Total::None
        && query.includes.is_empty()
        && query.revincludes.is_empty();
    Ok(Asked { query, permits, after, single })
}

/// The page, and the state that it shows.
async fn answer(
    tx: &mut Tx,
    app: &App,
    ctx: &Context,
    search: &Search,
    asked: &Asked,
) -> Result<(Answer, State), Error> {
    let Asked { query, permits, after, single } = asked;
    let now = app.clock.now();
    let count_only = query.summary == Summary::Count;
    let mut bundle = Searchset::new(app, ctx, search, query);
    let mut state = None;
    if count_only || query.total == Total::Accurate {
        let (total, counted) = store::count(tx, permits, query, now).await?;
        bundle.total = Some(total);
        state = Some(counted);
    }
    if !count_only {
        let page = store::page(tx, permits, query, after.as_ref(), now).await?;
        // What was seen first bounds what is known of both.
        state = state.or(Some(page.state));
        bundle.next = page.next.map(|position| cursor::encode(&position, query, &app.link_key));
        for one in &page.matches {
            patients::add(&one.rtype, &one.id, &one.body, &mut bundle.patients);
            bundle.add(one, "match")?;
        }
        if page.matches.is_empty() && names_a_patient(search, query) {
            bundle.warnings.extend(query.types.iter().find_map(|rtype| ctx.access.emergency_hint(rtype)));
        }
        if !*single {
            let limits = store::Limits {
                most: app.config.fhir.max_includes,
                steps: app.config.fhir.max_include_depth,
            };
            let (others, cut) = store::included(tx, permits, query, &page.matches, limits).await?;
            for one in &others {
                patients::add(&one.rtype, &one.id, &one.body, &mut bundle.patients);
                bundle.add(one, "include")?;
            }
            if cut {
                bundle
                    .warnings
                    .push(Issue::warning("too-costly", "not every included resource fits on the page"));
            }
        }
    }
    let state = state.ok_or_else(|| Error::internal("a search without a statement"))?;
    let patients = std::mem::take(&mut bundle.patients);
    Ok((Answer { status: 200, resource: Some(bundle.finish()), patients, ..Answer::default() }, state))
}

/// Whether a search asks for what is about a patient.
fn names_a_patient(search: &Search, query: &SearchQuery) -> bool {
    let of_patient =
        |name: &str| matches!(name.split([':', '.']).next(), Some("patient" | "subject" | "beneficiary"));
    search.compartment.as_ref().is_some_and(|(owner, _)| owner == "Patient")
        || query.used.iter().any(|(name, _)| of_patient(name))
}

/// Ids of the resources that match and may be found, `limit` at most, for conditional interactions. The query must be fully
/// understood: what to create or change can't be left to a guess.
///
/// # Errors
/// 403 for what role or scopes do not allow, 400 for a query with problems or unknown parameters, 412 for one
/// without any condition.
pub async fn matching(
    tx: &mut Tx,
    app: &App,
    access: &Access,
    rtype: &'static ResourceType,
    query: &str,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let mut query = parse(Some(rtype), query, None, &rules(app, ""))?;
    let permits = access.search(&mut query)?;
    if !query.unknown.is_empty() {
        return Err(Error::of(
            Kind::BadRequest,
            unknown(&query).map(|why| Issue::error("not-supported", why)).collect(),
        ));
    }
    if query.conditions.is_empty() {
        return Err(Error::new(
            Kind::PreconditionFailed,
            "a conditional interaction needs at least one search parameter",
        ));
    }
    Ok(store::matching(tx, &permits, &query, limit, app.clock.now()).await?)
}

fn rules<'a>(app: &App, base: &'a str) -> Rules<'a> {
    let cut = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Rules {
        base,
        default_count: cut(app.config.fhir.default_count),
        max_count: cut(app.config.fhir.max_count),
    }
}

fn unknown(query: &SearchQuery) -> impl Iterator<Item = String> {
    query.unknown.iter().map(|name| format!("the search parameter '{name}' is not supported here"))
}

/// A searchset Bundle in the making.
pub(super) struct Searchset<'a> {
    base: &'a str,
    id: String,
    /// URL of the search without its query.
    path: String,
    query: &'a SearchQuery,
    subset: Option<Subset>,
    total: Option<i64>,
    /// `_page` of the next page.
    pub(super) next: Option<String>,
    warnings: Vec<Issue>,
    /// Whose data it holds.
    patients: BTreeSet<String>,
    /// The entries, each after a comma.
    entries: Vec<u8>,
}

impl<'a> Searchset<'a> {
    pub(super) fn new(app: &App, ctx: &'a Context, search: &Search, query: &'a SearchQuery) -> Self {
        let mut path = ctx.base.clone();
        if let Some((owner, id)) = &search.compartment {
            path = format!("{path}/{owner}/{id}");
        }
        if let Some(rtype) = search.rtype {
            path.push('/');
            path.push_str(rtype.name);
        }
        let subset = Subset { summary: query.summary, elements: query.elements.clone() };
        Self {
            base: &ctx.base,
            id: app.clock.new_id(),
            path,
            query,
            subset: Some(subset).filter(|s| !s.is_whole()),
            total: None,
            next: None,
            warnings: unknown(query).map(|why| Issue::warning("not-supported", why)).collect(),
            patients: BTreeSet::new(),
            entries: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, found: &Found, mode: &str) -> Result<(), Error> {
        let out = &mut self.entries;
        out.reserve(found.body.len() + self.base.len() + 160);
        out.extend_from_slice(b",{\"fullUrl\":\"");
        // Neither a base URL nor a type nor an id has anything to escape.
        for part in [self.base, "/", &found.rtype, "/", &found.id] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\",\"resource\":");
        match &self.subset {
            None => out.extend_from_slice(&found.body),
            Some(subset) => {
                let whole: Value =
                    serde_json::from_slice(&found.body).map_err(|e| Error::internal(e.to_string()))?;
                // `_elements` speaks of the type searched, not of what is included.
                let subset = if mode == "include" {
                    Subset { elements: Vec::new(), ..subset.clone() }
                } else {
                    subset.clone()
                };
                out.extend_from_slice(subset.of(&whole).to_string().as_bytes());
            }
        }
        out.extend_from_slice(b",\"search\":{\"mode\":\"");
        out.extend_from_slice(mode.as_bytes());
        out.extend_from_slice(b"\"}}");
        Ok(())
    }

    /// The URL of the page that `_page` names, with the parameters that were used.
    fn link(&self, page: Option<&str>) -> String {
        let mut url = self.path.clone();
        let pairs = self.query.used.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (i, (name, value)) in pairs.chain(page.map(|p| ("_page", p))).enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(&text::encode(name));
            url.push('=');
            url.push_str(&text::encode(value));
        }
        url
    }

    pub(super) fn finish(mut self) -> Bytes {
        if !self.warnings.is_empty() {
            let entry = json!({
                "resource": operation_outcome(&self.warnings),
                "search": { "mode": "outcome" }
            });
            self.entries.push(b',');
            self.entries.extend_from_slice(entry.to_string().as_bytes());
        }
        let mut links = vec![json!({ "relation": "self", "url": self.link(self.query.cursor.as_deref()) })];
        if let Some(next) = &self.next {
            links.push(json!({ "relation": "next", "url": self.link(Some(next)) }));
        }
        let mut head = json!({ "resourceType": "Bundle", "id": self.id, "type": "searchset" });
        if let (Some(total), Value::Object(head)) = (self.total, &mut head) {
            head.insert("total".to_owned(), json!(total));
        }
        if let Value::Object(head) = &mut head {
            head.insert("link".to_owned(), Value::Array(links));
        }
        let mut out = head.to_string().into_bytes();
        if let Some(entries) = self.entries.get(1..).filter(|e| !e.is_empty()) {
            out.pop();
            out.reserve(entries.len() + 16);
            out.extend_from_slice(b",\"entry\":[");
            out.extend_from_slice(entries);
            out.extend_from_slice(b"]}");
        }
        Bytes::from(out)
    }
}
