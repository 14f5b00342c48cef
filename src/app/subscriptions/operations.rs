//! `$status`, `$events` and `$get-ws-binding-token` (Subscriptions R5 Backport 1.1).

use super::asked::Asked;
use super::{Told, signing, tell, token};
use crate::app::{Answer, App, Body, Context};
use crate::auth::scope::Right;
use crate::auth::{Access, SearchPermit};
use crate::clock::instant_text;
use crate::fhir::interaction::{Interaction, is_id};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::ResourceType;
use crate::fhir::search::{Rules, parse};
use crate::fhir::subscription::notification::{self, NotificationKind, Status};
use crate::fhir::subscription::{Content, Definition};
use crate::store::subscription::{self as table, Subscription};
use crate::store::{Tx, events, resource, search};
use bytes::Bytes;
use serde_json::{Value, json};

/// The most subscriptions that one `$status` tells of.
const MOST: usize = 1_000;
/// The most events that one `$events` tells.
const MOST_EVENTS: i64 = 1_000;

/// Where WebSockets are opened, below the FHIR base.
pub const SOCKET: &str = "subscription-socket";

/// Whether an operation of Subscription has this name.
pub fn is_operation(name: &str) -> bool {
    matches!(name, "status" | "events" | "get-ws-binding-token" | "signing-keys" | "rotate-secret")
}

/// Carries out one of the operations.
///
/// # Errors
/// 404 for a subscription that is not there or may not be seen and for a level at which there is no such operation, 403
/// for what is the owner's alone, 400 for parameters that are not understood.
pub async fn operate(
    app: &App,
    ctx: &Context,
    interaction: &Interaction,
    body: &Body,
) -> Result<Answer, Error> {
    let Interaction::Operation { name, rtype: Some(rtype), id, query } = interaction else {
        return Err(not_offered());
    };
    let asked = Asked::read(query, body)?;
    match (name.as_str(), id) {
        ("status", Some(id)) => status_of(app, ctx, rtype, id).await,
        ("status", None) => statuses(app, ctx, rtype, &asked, query).await,
        ("events", Some(id)) => events_of(app, ctx, rtype, id, &asked).await,
        ("signing-keys", Some(id)) => signing::list(app, ctx, rtype, id).await,
        ("rotate-secret", Some(id)) => signing::rotate(app, ctx, rtype, id, body).await,
        ("get-ws-binding-token", id) => {
            let ids = id.as_ref().map_or(asked.ids, |id| vec![id.clone()]);
            binding_token(app, ctx, rtype, ids).await
        }
        _ => Err(not_offered()),
    }
}

fn not_offered() -> Error {
    let told = "Subscription/$status, Subscription/[id]/$status, Subscription/[id]/$events, \
                Subscription/$get-ws-binding-token, Subscription/[id]/$get-ws-binding-token, \
                Subscription/[id]/$signing-keys and Subscription/[id]/$rotate-secret are offered";
    Error::of(Kind::NotFound, vec![Issue::error("not-supported", told)])
}

/// A subscription that may be read.
async fn readable(
    tx: &mut Tx,
    access: &Access,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<Subscription, Error> {
    let permit = access.permit(Right::Read, rtype)?;
    let missing = || Error::not_found(rtype.name, id);
    resource::find(tx, &permit, rtype, id).await?.filter(|stored| !stored.deleted).ok_or_else(missing)?;
    table::find(tx, id).await?.ok_or_else(missing)
}

/// A subscription of whoever asks.
///
/// # Errors
/// 404 when there is none that they may read, 403 when it is somebody else's.
pub(super) async fn own(
    tx: &mut Tx,
    access: &Access,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<Subscription, Error> {
    let found = readable(tx, access, rtype, id).await?;
    if found.subscriber == access.tag() || access.is_whole() {
        return Ok(found);
    }
    Err(Error::new(Kind::Forbidden, "Only whoever set a subscription up is told of its events"))
}

/// What a subscription asks for, as it is stored.
pub fn definition(subscription: &Subscription) -> Result<Definition, Error> {
    let body: Value = serde_json::from_slice(&subscription.body)
        .map_err(|error| Error::internal(format!("a stored body is not JSON: {error}")))?;
    Definition::read(&body).map_err(|issues| {
        let told = issues.first().map_or("", |issue| issue.diagnostics.as_str());
        Error::internal(format!("Subscription/{} is not understood any more: {told}", subscription.id))
    })
}

/// Its state, without any events.
pub fn state(subscription: &Subscription, definition: Option<&Definition>, kind: NotificationKind) -> Status {
    Status {
        subscription: subscription.id.clone(),
        topic: definition.and_then(Definition::topic).map(str::to_owned),
        status: subscription.status.clone(),
        kind,
        events_since_start: subscription.count,
        at_us: subscription.changed_us,
        events: Vec::new(),
        error: subscription.error.clone(),
    }
}

fn told_state(subscription: &Subscription) -> (Status, Content) {
    // One that is not understood any more still has a state.
    let definition = definition(subscription).ok();
    let content = definition.as_ref().map_or(Content::Empty, |definition| definition.payload.content);
    (state(subscription, definition.as_ref(), NotificationKind::QueryStatus), content)
}

/// `GET Subscription/id/$status`
async fn status_of(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<Answer, Error> {
    let found = readable(&mut app.store.snapshot().await?, &ctx.access, rtype, id).await?;
    let url = format!("{}/Subscription/{id}/$status", ctx.base);
    Ok(answer(&notification::searchset(&ctx.base, &url, &[told_state(&found)])))
}

/// `GET Subscription/$status`, of those that may be seen.
async fn statuses(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    asked: &Asked,
    query: &str,
) -> Result<Answer, Error> {
    // Of one that is named, it says what a read would.
    let right = if asked.ids.is_empty() { Right::Search } else { Right::Read };
    let permits = SearchPermit::from(ctx.access.permit(right, rtype)?);
    let rules = Rules { base: &ctx.base, default_count: 1, max_count: 1 };
    let wanted = parse(Some(rtype), &conditions(asked), None, &rules)?;
    let mut tx = app.store.snapshot().await?;
    let found = search::matching(&mut tx, &permits, &wanted, MOST + 1, app.clock.now()).await?;
    if found.len() > MOST {
        let told = format!("There are more than {MOST} subscriptions: name some by id");
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("too-costly", told)]));
    }
    let mut states = Vec::with_capacity(found.len());
    for id in &found {
        states.extend(table::find(&mut tx, id).await?.as_ref().map(told_state));
    }
    let sep = if query.is_empty() { "" } else { "?" };
    let url = format!("{}/Subscription/$status{sep}{query}", ctx.base);
    Ok(answer(&notification::searchset(&ctx.base, &url, &states)))
}

/// The search for those that are asked for.
fn conditions(asked: &Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, values) in [("_id", &asked.ids), ("status", &asked.statuses)] {
        if !values.is_empty() {
            query.append_pair(name, &values.join(","));
        }
    }
    query.finish()
}

/// `GET Subscription/id/$events`: events of the past, at most [`MOST_EVENTS`] from the first that is asked for.
async fn events_of(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    id: &str,
    asked: &Asked,
) -> Result<Answer, Error> {
    let mut tx = app.store.snapshot().await?;
    let found = own(&mut tx, &ctx.access, rtype, id).await?;
    let definition = definition(&found)?;
    let content = asked.content.unwrap_or(definition.payload.content);
    let (from, until) = (asked.since.unwrap_or(1), asked.until.unwrap_or(i64::MAX));
    let some = events::of_subscription(&mut tx, id, from, until, MOST_EVENTS).await?;
    let Told { events, patients, .. } = tell(&mut tx, &ctx.access, content, some).await?;
    let status = Status {
        events,
        at_us: app.clock.now(),
        ..state(&found, Some(&definition), NotificationKind::QueryEvent)
    };
    Ok(Answer { patients, ..answer(&notification::bundle(&ctx.base, &status, content)) })
}

/// `GET Subscription/$get-ws-binding-token`
async fn binding_token(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    ids: Vec<String>,
) -> Result<Answer, Error> {
    ctx.access.permit(Right::Read, rtype)?;
    let mut tx = app.store.snapshot().await?;
    let ids = if ids.is_empty() { table::of_subscriber(&mut tx, ctx.access.tag()).await? } else { ids };
    let named_none = ids.is_empty();
    let mut bound = Vec::new();
    for id in ids.iter().filter(|id| is_id(id)) {
        let found = own(&mut tx, &ctx.access, rtype, id).await?;
        if found.channel == "websocket" && found.status != "off" {
            bound.push(found.id);
        } else if ids.len() == 1 {
            let told = format!("Subscription/{id} is not one for a WebSocket, or it is off");
            return Err(Error::unprocessable(Issue::error("business-rule", told)));
        }
    }
    if bound.is_empty() {
        let told = if named_none { "You have no subscriptions" } else { "None of these is for a WebSocket" };
        return Err(Error::unprocessable(Issue::error("business-rule", told)));
    }
    let (token, until) =
        token::issue(app, bound.clone()).ok_or_else(|| Error::internal("no binding token can be made"))?;
    let mut parameter = vec![
        json!({ "name": "token", "valueString": token }),
        json!({ "name": "expiration", "valueDateTime": instant_text(until) }),
    ];
    parameter.extend(bound.iter().map(|id| json!({ "name": "subscription", "valueString": id })));
    parameter.push(json!({ "name": "websocket-url", "valueUrl": socket_url(&ctx.base) }));
    Ok(answer(&json!({ "resourceType": "Parameters", "parameter": parameter })))
}

fn socket_url(base: &str) -> String {
    match base.strip_prefix("http") {
        Some(rest) => format!("ws{rest}/{SOCKET}"),
        None => format!("{base}/{SOCKET}"),
    }
}

fn answer(resource: &Value) -> Answer {
    Answer { status: 200, resource: Some(Bytes::from(resource.to_string())), ..Answer::default() }
}
