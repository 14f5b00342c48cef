//! What a write of a Subscription means: whether it is accepted, and what is kept besides the resource.

use super::owner::Owner;
use crate::app::App;
use crate::app::write::Work;
use crate::auth::Access;
use crate::auth::scope::Right;
use crate::clock::Micros;
use crate::fhir::interaction::Instance;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::subscription::{Channel, Definition, Mime, words};
use crate::store::Tx;
use crate::store::subscription::{self as table, Kept, Subscription, Whose};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The most subscriptions that one owner may have.
const MOST: i64 = 10_000;

/// A Subscription that is about to be stored.
#[derive(Debug)]
pub struct Subscribed {
    definition: Definition,
    status: &'static str,
    host: String,
    most: u32,
    /// Of a new one: whose it is.
    whose: Option<Whose>,
    /// Whether there are events that were not delivered yet.
    lags: bool,
}

/// Puts into a Subscription whose it is, in place of what its client says. It comes before anything that is judged by it.
pub fn mark(access: &Access, old: Option<&Value>, body: &mut Value) {
    let owner = old.and_then(tag_of).unwrap_or(access.tag()).to_owned();
    let Some(meta) = body.as_object_mut().map(|body| body.entry("meta").or_insert_with(|| json!({}))) else {
        return;
    };
    let Some(meta) = meta.as_object_mut() else { return };
    let mut tags = match meta.remove("tag") {
        Some(Value::Array(tags)) => tags,
        _ => Vec::new(),
    };
    tags.retain(|tag| tag.get("system").and_then(Value::as_str) != Some(words::OWNER));
    tags.push(json!({ "system": words::OWNER, "code": owner }));
    meta.insert("tag".to_owned(), Value::Array(tags));
}

/// Whose a Subscription is, as its tag says.
pub(super) fn tag_of(body: &Value) -> Option<&str> {
    let tags = body.pointer("/meta/tag")?.as_array()?;
    let ours = tags.iter().find(|tag| tag.get("system").and_then(Value::as_str) == Some(words::OWNER));
    ours?.get("code")?.as_str()
}

/// Judges a Subscription that is about to be stored, and writes into it what the server decides.
///
/// # Errors
/// 422 with everything that is not offered, 403 for what its owner may not be told of.
pub async fn prepare(
    tx: &mut Tx,
    app: &App,
    work: &Work,
    instance: &Instance,
    old: Option<&Value>,
    body: &mut Value,
) -> Result<Subscribed, Error> {
    localise(&work.base, body);
    let current = match old {
        Some(_) => table::find(tx, &instance.id).await?,
        None => None,
    };
    let definition = Definition::read(body).map_err(|issues| Error::of(Kind::Unprocessable, issues))?;
    let asked = body.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let access = &work.access;
    let is_owners = old.and_then(tag_of).is_none_or(|tag| tag == access.tag()) || access.is_whole();
    if !is_owners {
        only_switches_off(old, body)?;
    }
    let host = judge_channel(app, &definition.channel)?;
    let whose = match &current {
        Some(_) => None,
        None => Some(whose(tx, access, &definition).await?),
    };
    let lags = current.as_ref().is_some_and(|current| current.count > current.done);
    if current.is_some() && is_owners && asked != "off" {
        may_be_told(access, &definition)?;
    }
    if asked != "off" {
        not_over(&definition, work.now)?;
    }
    let status = status(&asked, current.as_ref(), old, body)?;
    let error = current.as_ref().filter(|current| status == "error" && !current.error.is_empty());
    write_back(body, status, error.map(|current| current.error.as_str()));
    let most = match (definition.topic(), definition.payload.mime) {
        // A request of its own for each resource, or each event.
        (None, _) | (_, Some(Mime::Json)) => 1,
        _ => definition.max_count.unwrap_or(u32::MAX).min(app.config.subscriptions.batch),
    };
    Ok(Subscribed { definition, status, host, most, whose, lags })
}

/// Own references in criteria become relative, as they do everywhere else.
fn localise(base: &str, body: &mut Value) {
    let own = format!("{base}/");
    let shorten = |text: &mut Value| {
        if let Value::String(text) = text
            && !base.is_empty()
            && text.contains(&own)
        {
            *text = text.replace(&own, "");
        }
    };
    if let Some(criteria) = body.get_mut("criteria") {
        shorten(criteria);
    }
    let filters = body.pointer_mut("/_criteria/extension").and_then(Value::as_array_mut);
    for filter in filters.into_iter().flatten().filter_map(|filter| filter.get_mut("valueString")) {
        shorten(filter);
    }
}

/// Refuses what somebody else changes, unless it is to switch it off.
fn only_switches_off(old: Option<&Value>, body: &Value) -> Result<(), Error> {
    let theirs = |body: &Value| {
        let Value::Object(mut body) = body.clone() else { return Map::new() };
        body.retain(|name, _| !matches!(name.as_str(), "status" | "meta" | "error"));
        body
    };
    if old.is_some_and(|old| theirs(old) == theirs(body))
        && body.get("status").and_then(Value::as_str) == Some("off")
    {
        return Ok(());
    }
    let told = "Somebody else's subscription can be switched off, and not be changed";
    Err(Error::new(Kind::Forbidden, told))
}

/// Scheme, host and port that notifications go to; empty for those that are fetched.
fn judge_channel(app: &App, channel: &Channel) -> Result<String, Error> {
    let Channel::RestHook { endpoint, .. } = channel else { return Ok(String::new()) };
    app.endpoints.judge(endpoint).map_err(|refused| {
        let told = format!("Notifications can't be sent to this endpoint: {refused}");
        Error::unprocessable(Issue::error("business-rule", told).at("Subscription.channel.endpoint"))
    })
}

/// Whose a new subscription is, as it is kept.
async fn whose(tx: &mut Tx, access: &Access, definition: &Definition) -> Result<Whose, Error> {
    let owner = Owner::of(access.principal())?.text()?;
    may_be_told(access, definition)?;
    let subscriber = access.tag().to_owned();
    if table::count_of(tx, &subscriber).await? >= MOST {
        let told = format!("There may be {MOST} subscriptions of one application; delete some");
        return Err(Error::unprocessable(Issue::error("too-costly", told)));
    }
    Ok(Whose { owner, subscriber })
}

/// Refuses what its owner may not read at all, and filters that look at what is not shown to the owner.
fn may_be_told(access: &Access, definition: &Definition) -> Result<(), Error> {
    let Some(rtype) = definition.rtype() else { return Err(Error::internal("a topic of no type")) };
    let permit = access.permit(Right::Read, rtype)?;
    for filter in definition.filters() {
        if let Some(param) = filter.params().into_iter().find(|param| permit.hides(param)) {
            let told =
                format!("You are not shown what {} is about, so nothing can be filtered by it", param.code);
            return Err(Error::new(Kind::Forbidden, told));
        }
    }
    Ok(())
}

fn not_over(definition: &Definition, now: Micros) -> Result<(), Error> {
    if definition.ends_us.is_none_or(|end| end > now) {
        return Ok(());
    }
    let issue = Issue::error("business-rule", "end has passed: nothing would be sent");
    Err(Error::unprocessable(issue.at("Subscription.end")))
}

/// The status that it gets: clients ask for `requested` or `off`, and send back what they read.
fn status(
    asked: &str,
    current: Option<&Subscription>,
    old: Option<&Value>,
    body: &Value,
) -> Result<&'static str, Error> {
    let now = current.map(|current| current.status.as_str());
    let same_channel = old.is_some_and(|old| old.get("channel") == body.get("channel"));
    match (asked, now) {
        ("off", _) => Ok("off"),
        ("active", Some("active")) if same_channel => Ok("active"),
        ("error", Some("error")) if same_channel => Ok("error"),
        ("requested", _) | ("active", Some(_)) => Ok("requested"),
        _ => {
            let told = "A client asks for the status requested or off; the server gives the others";
            Err(Error::unprocessable(Issue::error("business-rule", told).at("Subscription.status")))
        }
    }
}

/// Status and error are the server's.
pub(super) fn write_back(body: &mut Value, status: &str, error: Option<&str>) {
    let Some(body) = body.as_object_mut() else { return };
    body.insert("status".to_owned(), status.into());
    for name in ["error", "_error", "_status"] {
        body.shift_remove(name);
    }
    if let Some(error) = error.filter(|error| !error.is_empty()) {
        body.insert("error".to_owned(), error.into());
    }
}

/// Keeps what belongs to a Subscription that was stored.
///
/// # Errors
/// When the database fails.
pub async fn keep(tx: &mut Tx, work: &Work, id: &str, rid: i64, subscribed: Subscribed) -> Result<(), Error> {
    let Subscribed { definition, status, host, most, whose, lags } = subscribed;
    let is_sent = definition.channel.is_sent();
    // A handshake is due at once; where none is needed, what waits goes on.
    let due = is_sent && (status == "requested" || (status == "active" && lags));
    let beats = definition.heartbeat.filter(|_| is_sent && status == "active");
    let after = |period: Duration| Micros::try_from(period.as_micros()).unwrap_or(Micros::MAX);
    let kept = Kept {
        id,
        channel: definition.channel.code(),
        status,
        ends_us: definition.ends_us,
        due_us: due.then_some(work.now),
        host: &host,
        most,
        heartbeat_us: beats.map(|period| work.now.saturating_add(after(period))),
    };
    match whose {
        Some(whose) => table::insert(tx, kept, rid, &whose, work.now).await?,
        None => table::change(tx, kept, work.now).await?,
    }
    Ok(())
}

/// Forgets what belongs to a Subscription that is deleted.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), Error> {
    Ok(table::remove(tx, id).await?)
}
