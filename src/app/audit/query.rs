//! AuditEvents as FHIR resources: read, searched for, and reported by other systems.

use crate::app::search::{Searchset, understand_query};
use crate::app::write::check_resource;
use crate::app::{Answer, App, Body, Context, Version};
use crate::audit::event::Recorded;
use crate::audit::leaf::recorded_text;
use crate::audit::{canonical, clean, patients, purge, terms};
use crate::auth::scope::Right;
use crate::clock::Micros;
use crate::fhir::date::{self, Prefix};
use crate::fhir::interaction::{Instance, Interaction, Search};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::ResourceType;
use crate::fhir::search::cursor::{Key, Position};
use crate::fhir::search::matches::{Judged, judge};
use crate::fhir::search::{Condition, ReferenceValue, SearchQuery, Summary, Test, Total, cursor};
use crate::store::Tx;
use crate::store::audit::search::{Candidate, Wanted, candidates};
use crate::store::audit::{self as store};
use crate::store::search::Found;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many candidates are looked at in one go.
const CHUNK: usize = 256;
/// How many candidates one page looks at. A page that ends here may be short; its `next` link goes on.
const MOST: usize = 40 * CHUNK;

/// Carries out an interaction on AuditEvents.
///
/// # Errors
/// 405 for everything that would change an event, whoever asks.
pub async fn execute(
    app: &App,
    ctx: &Context,
    interaction: &Interaction,
    body: Body,
) -> Result<Answer, Error> {
    match interaction {
        Interaction::Read(instance, _) => read(app, ctx, instance).await,
        Interaction::Search(search) => self::search(app, ctx, search).await,
        Interaction::Create { rtype, if_none_exist: None } => report(app, ctx, rtype, body).await,
        _ => Err(unchangeable()),
    }
}

/// Whether an interaction is one that AuditEvents have.
///
/// # Errors
/// 405 when it is not.
pub fn check(interaction: &Interaction) -> Result<(), Error> {
    match interaction {
        Interaction::Read(..) | Interaction::Search(_) | Interaction::Create { if_none_exist: None, .. } => {
            Ok(())
        }
        _ => Err(unchangeable()),
    }
}

fn unchangeable() -> Error {
    Error::new(Kind::MethodNotAllowed, "An AuditEvent is written once; it can be read and searched for")
}

async fn read(app: &App, ctx: &Context, instance: &Instance) -> Result<Answer, Error> {
    let Instance { rtype, id } = instance;
    let permit = ctx.access.permit(Right::Read, rtype)?;
    let mut tx = app.store.reader().await?;
    let found = store::event::read(&mut tx, id).await?;
    let missing = || Error::not_found(rtype.name, id);
    let (seq, body) = found.ok_or_else(missing)?;
    let Some(body) = body else {
        // Whose event it was is gone with the rest, so only those may know of it who may know of every one.
        if permit.filter().is_some() {
            return Err(missing());
        }
        return Err(gone(&mut tx, id, seq).await?);
    };
    drop(tx);
    let event: Value = serde_json::from_slice(&body).map_err(|e| Error::internal(e.to_string()))?;
    if !matches!(permit.judge(rtype, &event), Judged::Holds) {
        return Err(missing());
    }
    let recorded = event.get("recorded").and_then(Value::as_str).and_then(date::instant);
    let shown = permit.show(Bytes::from(body)).map_err(|e| Error::internal(e.to_string()))?;
    let version = Version { vid: 1, updated_us: recorded.unwrap_or_default() };
    Ok(Answer { status: 200, resource: Some(shown), version: Some(version), ..Answer::default() })
}

/// Why the content of the event at `seq` is not there.
async fn gone(tx: &mut Tx, id: &str, seq: i64) -> Result<Error, Error> {
    if store::purge::is_permitted(tx, id).await? {
        let message = format!(
            "The content of AuditEvent/{id} was lawfully purged after its time of retention; its leaf, {seq}, is \
             still in the log"
        );
        return Ok(Error::new(Kind::Gone, message));
    }
    Ok(Error::internal(format!("the content of event {seq} ({id}) is gone without a purge")))
}

async fn search(app: &App, ctx: &Context, search: &Search) -> Result<Answer, Error> {
    let Some(rtype) = search.rtype else { return Err(Error::internal("a search of no type")) };
    let query = understand_query(app, ctx, search)?;
    check_query(&query)?;
    let permit = ctx.access.permit(Right::Search, rtype)?;
    let mut conditions = query.conditions.clone();
    conditions.extend(permit.filter().cloned());
    let mut wanted = wanted(&conditions);
    wanted.newest_first = query.sort.first().is_none_or(|key| key.descending);
    let after = match &query.cursor {
        Some(page) => Some(position(page, &query, app)?),
        None => None,
    };
    let whole = Condition::All(conditions);
    let limit = usize::try_from(query.count).unwrap_or(usize::MAX);
    let found = matching(app, rtype, &whole, &wanted, after, limit).await?;
    let mut bundle = Searchset::new(app, ctx, search, &query);
    for candidate in found.matches {
        let body = Bytes::from(candidate.body.unwrap_or_default());
        let body = permit.show(body).map_err(|e| Error::internal(e.to_string()))?;
        let rtype = rtype.name.to_owned();
        bundle.add(&Found { rid: candidate.seq, rtype, id: candidate.id, vid: 1, body }, "match")?;
    }
    bundle.next = found.next.map(|(recorded_us, seq)| {
        cursor::encode(&Position { keys: vec![Key::Int(recorded_us)], rid: seq }, &query, &app.link_key)
    });
    Ok(Answer { status: 200, resource: Some(bundle.finish()), ..Answer::default() })
}

/// What a search of events can't do.
fn check_query(query: &SearchQuery) -> Result<(), Error> {
    let refuse = |what: &str| {
        let message = format!("{what} is not supported on AuditEvent");
        Err(Error::of(Kind::BadRequest, vec![Issue::error("not-supported", message)]))
    };
    if !query.includes.is_empty() || !query.revincludes.is_empty() {
        return refuse("_include and _revinclude");
    }
    if query.conditions.iter().any(|c| matches!(c, Condition::Chain(..) | Condition::Has(..))) {
        return refuse("a chain or _has");
    }
    if query.sort.len() > 1 || query.sort.iter().any(|key| key.param.code != "date") {
        return refuse("_sort by anything but date");
    }
    if query.total == Total::Accurate || query.summary == Summary::Count {
        return refuse("counting: it would look at the whole log");
    }
    Ok(())
}

fn position(page: &str, query: &SearchQuery, app: &App) -> Result<(Micros, i64), Error> {
    let decoded = cursor::decode(page, query, &app.link_key);
    match decoded.as_ref().map(|position| (position.keys.as_slice(), position.rid)) {
        Some(([Key::Int(recorded_us)], seq)) => Ok((*recorded_us, seq)),
        _ => Err(Error::bad_request(
            "_page was not issued by this server for this search; start from the first page",
        )),
    }
}

/// A page of matches.
struct Matches {
    matches: Vec<Candidate>,
    /// Behind which the next page begins.
    next: Option<(Micros, i64)>,
}

async fn matching(
    app: &App,
    rtype: &'static ResourceType,
    condition: &Condition,
    wanted: &Wanted,
    mut after: Option<(Micros, i64)>,
    limit: usize,
) -> Result<Matches, Error> {
    let mut matches = Vec::new();
    let now = app.clock.now();
    let mut tx = app.store.snapshot().await?;
    let mut seen = 0;
    while seen < MOST {
        let step = candidates(&mut tx, wanted, after, CHUNK).await?;
        seen += step.looked_at;
        for candidate in step.candidates {
            let place = (candidate.recorded_us, candidate.seq);
            if is_match(rtype, condition, &candidate, now)? {
                if matches.len() == limit {
                    return Ok(Matches { matches, next: after });
                }
                matches.push(candidate);
            }
            after = Some(place);
        }
        if step.next.is_none() {
            return Ok(Matches { matches, next: None });
        }
        after = step.next;
    }
    Ok(Matches { matches, next: after })
}

fn is_match(
    rtype: &'static ResourceType,
    condition: &Condition,
    candidate: &Candidate,
    now: Micros,
) -> Result<bool, Error> {
    let Some(body) = &candidate.body else { return Ok(false) };
    let event: Value = serde_json::from_slice(body).map_err(|e| Error::internal(e.to_string()))?;
    Ok(matches!(judge(condition, rtype, &event, now), Judged::Holds))
}

/// What the index can say of conditions that all hold. It may say less than they do, never more.
fn wanted(conditions: &[Condition]) -> Wanted {
    let mut wanted = Wanted {
        words: Vec::new(),
        id: None,
        from: Micros::MIN,
        until: Micros::MAX,
        failed: false,
        newest_first: true,
    };
    for condition in conditions {
        narrow(condition, &mut wanted);
    }
    // What names one thing chooses more than what names a kind of thing.
    wanted.words.sort_by_key(|word| match word.get(..2) {
        Some("i:") => 0,
        Some("r:") => 1,
        Some("a:") => 2,
        _ => 3,
    });
    wanted.words.dedup();
    wanted
}

fn narrow(condition: &Condition, wanted: &mut Wanted) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| narrow(part, wanted)),
        Condition::Any(ways) | Condition::Chain(_, ways) if ways.len() != 1 => {}
        Condition::Any(ways) => ways.iter().for_each(|(_, way)| narrow(way, wanted)),
        Condition::Either(ways) => {
            if let [one] = ways.as_slice() {
                narrow(one, wanted);
            }
        }
        Condition::Param(param, Test::Date(values)) if param.code == "date" => {
            if let [(prefix, interval)] = values.as_slice() {
                if matches!(prefix, Prefix::Eq | Prefix::Gt | Prefix::Ge | Prefix::Sa) {
                    wanted.from = wanted.from.max(interval.lo);
                }
                if matches!(prefix, Prefix::Eq | Prefix::Lt | Prefix::Le | Prefix::Eb) {
                    wanted.until = wanted.until.min(interval.hi);
                }
            }
        }
        Condition::Param(_, Test::Reference(values)) => {
            if let [ReferenceValue::Local(types, id)] = values.as_slice()
                && let [rtype] = types.as_slice()
            {
                wanted.words.push(terms::reference(rtype, id));
            }
        }
        Condition::Param(_, Test::ReferenceIdentifier(values)) => {
            if let [value] = values.as_slice()
                && let Some(code) = &value.code
            {
                wanted.words.push(terms::identifier(code));
            }
        }
        Condition::Param(param, Test::Token { not: false, any }) => {
            if let [value] = any.as_slice()
                && let Some(code) = &value.code
            {
                match param.code {
                    "_id" => wanted.id = Some(code.clone()),
                    "subtype" => wanted.words.push(terms::subtype(code)),
                    "outcome" if code != "0" => wanted.failed = true,
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// `POST AuditEvent`: another system reports what happened in its own house.
async fn report(app: &App, ctx: &Context, rtype: &'static ResourceType, body: Body) -> Result<Answer, Error> {
    let permit = ctx.access.permit(Right::Create, rtype)?;
    let Body::Resource(mut event) = body else {
        return Err(Error::bad_request("The body must be an AuditEvent resource"));
    };
    let issues = check_resource(app, rtype, &event)?;
    clean::value(&mut event);
    let wrong = |message: &str, at: &'static str| {
        Err(Error::of(Kind::Unprocessable, vec![Issue::error("business-rule", message).at(at)]))
    };
    let Some(recorded_us) = event.get("recorded").and_then(Value::as_str).and_then(date::instant) else {
        return wrong("The time must be an instant", "AuditEvent.recorded");
    };
    let observer = event.pointer("/source/observer").cloned().unwrap_or_default();
    let named = ["reference", "display"].iter().any(|name| observer.get(*name).is_some())
        || observer.pointer("/identifier/value").is_some();
    let ours = observer.get("display").and_then(Value::as_str) == Some("Slotwright")
        || observer.pointer("/identifier/value").and_then(Value::as_str) == Some(ctx.base.as_str());
    if !named || ours {
        return wrong("The observer must be named, and can't be this server", "AuditEvent.source.observer");
    }
    if purge::is_purge(&event.to_string()) {
        return wrong("Only this server says what it purged", "AuditEvent.subtype");
    }
    let mut whose = BTreeSet::new();
    patients::add(rtype.name, "", event.to_string().as_bytes(), &mut whose);
    if whose.len() > 1 {
        return wrong("An event speaks of one patient at most (IHE BALP)", "AuditEvent.entity");
    }
    if !matches!(permit.judge(rtype, &event), Judged::Holds) {
        return Err(Error::new(Kind::Forbidden, "This event is beyond what you may report"));
    }
    let id = app.clock.new_id();
    if let Value::Object(members) = &mut event {
        members.insert("id".to_owned(), json!(id));
        members.insert("recorded".to_owned(), json!(recorded_text(recorded_us)));
        let profile = members.get("meta").and_then(|meta| meta.get("profile")).cloned();
        let mut meta = json!({ "versionId": "1", "lastUpdated": recorded_text(app.clock.now()) });
        if let (Some(profile), Value::Object(meta)) = (profile, &mut meta) {
            meta.insert("profile".to_owned(), profile);
        }
        members.insert("meta".to_owned(), meta);
    }
    let salt = app.clock.random_bytes::<32>().map_err(|e| Error::internal(e.to_string()))?;
    let text = canonical::to_string(&event)
        .map_err(|e| Error::of(Kind::Unprocessable, vec![Issue::error("value", format!("The event {e}"))]))?;
    let body = text.clone().into_bytes();
    let recorded = Recorded { id: id.clone(), recorded_us, salt, terms: terms::Terms::of(&body), body };
    app.recorder.record(vec![recorded]).await?;
    Ok(Answer {
        status: 201,
        resource: Some(Bytes::from(text)),
        version: Some(Version { vid: 1, updated_us: app.clock.now() }),
        location: Some(format!("{}/{id}/_history/1", rtype.name)),
        issues,
        ..Answer::default()
    })
}
