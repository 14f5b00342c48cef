//! Plain JSON webhooks: an administrator's door onto subscriptions for receivers that don't speak FHIR.
//!
//! A webhook is a Subscription to one topic, told as ids in plain JSON. It is set up in the name of a registered
//! application that acts for itself, which owns it: it is told of what that application may see at each delivery, and
//! ends when the application is switched off.

use super::base;
use super::keys;
use super::sign::Kind as Signs;
use crate::app::oauth::clients;
use crate::app::subscriptions::{self, Owner};
use crate::app::write::{self, Work};
use crate::app::{App, Body, Context};
use crate::auth::Access;
use crate::clock::Micros;
use crate::fhir::interaction::{Instance, Interaction, Target, WriteConditions};
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::subscription::topic::{TOPICS, by_short_name};
use crate::fhir::subscription::{Channel, Definition, Mime, words};
use crate::store::delivery::{self as table, Tagged};
use crate::store::{Intent, StoreError, Tx};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;

/// The longest description.
const LONGEST: usize = 1_000;

/// A webhook that is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The application in whose name it is.
    pub client: String,
    /// Where it is sent.
    pub url: String,
    /// The code of the topic.
    pub event: String,
    /// What it is for; empty: not said.
    pub description: String,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The id of its Subscription.
    pub id: String,
    /// The application in whose name it is.
    pub client: String,
    /// Where it is sent.
    pub url: String,
    /// The code of the topic.
    pub event: &'static str,
    /// What it is for.
    pub description: String,
    /// `requested`, `active`, `error` or `off`.
    pub status: String,
    /// What is wrong; empty: nothing.
    pub error: String,
    /// When its status changed last.
    pub changed_us: Micros,
}

/// Why it can't be done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is no such webhook.
    #[error("there is no such webhook")]
    Unknown,
    /// It is not taken as it is asked for; says what is wrong, and with which member.
    #[error("{told}")]
    Invalid {
        /// The member at fault.
        field: Option<&'static str>,
        /// What is wrong.
        told: String,
    },
    /// The database, or something of ours.
    #[error("{0}")]
    Broken(String),
}

impl WebhookError {
    fn invalid(field: &'static str, told: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field), told: told.into() }
    }
}

impl From<StoreError> for WebhookError {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<Error> for WebhookError {
    fn from(error: Error) -> Self {
        let first = error.issues.first();
        let told = first.map(|issue| issue.diagnostics.clone()).unwrap_or_default();
        let at = first.and_then(|issue| issue.expression.as_deref()).unwrap_or_default();
        match error.kind {
            Kind::Forbidden => Self::invalid("client_id", told),
            Kind::BadRequest | Kind::Unprocessable => {
                let fields = [("endpoint", "url"), ("criteria", "event"), ("reason", "description")];
                let field = fields.into_iter().find(|(element, _)| at.contains(element));
                Self::Invalid { field: field.map(|(_, field)| field), told }
            }
            _ => Self::Broken(format!("{error:?}")),
        }
    }
}

/// Sets a webhook up, with the secret that its requests are signed with, which is told this once. Its endpoint is asked
/// by a handshake first, as that of any subscription.
///
/// # Errors
/// When the topic, the application or the endpoint is not taken, or the database fails.
pub async fn add(app: &App, asked: Asked) -> Result<(Webhook, SecretString), WebhookError> {
    let topic = by_short_name(&asked.event).ok_or_else(|| {
        let codes: Vec<&str> = TOPICS.iter().map(|topic| topic.code).collect();
        WebhookError::invalid("event", format!("one of {}", codes.join(", ")))
    })?;
    if asked.url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(WebhookError::invalid("url", "an absolute URL, without spaces"));
    }
    if asked.description.chars().count() > LONGEST || asked.description.chars().any(char::is_control) {
        let told = format!("a description has at most {LONGEST} characters, all of them to be read");
        return Err(WebhookError::invalid("description", told));
    }
    let access = access_of(app, &asked.client).await?;
    let interaction = Interaction::Create { rtype: rtype()?, if_none_exist: None };
    let body = Body::Resource(resource(topic.url, &asked));
    write::check(app, &interaction, &body)?;
    let ctx = Context { access, base: base(app), ..Context::of_server(app, "webhooks") };
    let id = app.clock.new_id();
    let shared = Arc::new((app.clone(), ctx, interaction, body, id.clone(), asked.client));
    let made = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (app, ctx, interaction, body, id, client) = shared.as_ref();
            let mut work = Work::begin(app, ctx);
            write::carry_out(tx, app, &mut work, interaction, body, Some(id.clone())).await?;
            note(tx, app, &mut work, "set up a webhook", client).await?;
            work.settle(tx, app).await?;
            Ok::<_, Error>(keys::replace(tx, app, id, Signs::Hmac).await?)
        })
    });
    let secret = made.await?.for_receiver;
    app.caller.noted();
    app.deliveries.notify();
    Ok((find(app, &id).await?, secret))
}

/// Webhooks by id, behind `after`, and the id behind which there may be more.
///
/// # Errors
/// When the database fails.
pub async fn list(
    app: &App,
    after: &str,
    limit: i64,
) -> Result<(Vec<Webhook>, Option<String>), WebhookError> {
    let found = table::all_tagged(&mut app.store.reader().await?, words::WEBHOOK, after, limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().filter(|_| full).map(|last| last.id.clone());
    Ok((found.into_iter().filter_map(webhook).collect(), next))
}

/// One webhook.
///
/// # Errors
/// When there is no such webhook, or the database fails.
pub async fn find(app: &App, id: &str) -> Result<Webhook, WebhookError> {
    let found = table::tagged(&mut app.store.reader().await?, words::WEBHOOK, id).await?;
    found.and_then(webhook).ok_or(WebhookError::Unknown)
}

/// Ends a webhook: its Subscription is deleted, and nothing more is sent.
///
/// # Errors
/// When there is no such webhook, or the database fails.
pub async fn remove(app: &App, id: &str) -> Result<(), WebhookError> {
    let known = find(app, id).await?;
    let instance = Instance { rtype: rtype()?, id: known.id };
    let interaction = Interaction::Delete(Target::Instance(instance), WriteConditions::default());
    let ctx = Context { base: base(app), ..Context::of_server(app, "webhooks") };
    let shared = Arc::new((app.clone(), ctx, interaction, known.client));
    let removed = app.store.write(Intent::Delete, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (app, ctx, interaction, client) = shared.as_ref();
            let mut work = Work::begin(app, ctx);
            write::carry_out(tx, app, &mut work, interaction, &Body::Empty, None).await?;
            note(tx, app, &mut work, "remove a webhook", client).await?;
            work.settle(tx, app).await
        })
    });
    removed.await?;
    app.caller.noted();
    Ok(())
}

/// What an application may see, as it will be judged at each delivery.
async fn access_of(app: &App, client: &str) -> Result<Arc<Access>, WebhookError> {
    // No other text is one, and not every text can be asked of a database.
    let is_id = client.bytes().all(|byte| byte.is_ascii_graphic());
    let known = if is_id { clients::find(app, client).await? } else { None };
    let known = known.filter(|known| known.system && !known.disabled);
    let told = "the id of an application that acts for itself and is not switched off";
    let known = known.ok_or_else(|| WebhookError::invalid("client_id", told))?;
    let owner = Owner {
        client: Some(known.id),
        account: None,
        grant: None,
        token: None,
        scopes: Some(known.scopes.to_string()),
        patient: None,
        sandbox: false,
    };
    let access = subscriptions::owner(app, &owner.text()?).await?;
    access.map_err(|gone| WebhookError::invalid("client_id", gone.to_string()))
}

fn resource(topic: &str, asked: &Asked) -> Value {
    let (system, code) = words::WEBHOOK;
    let reason = match asked.description.trim() {
        "" => "Webhook",
        said => said,
    };
    json!({
        "resourceType": "Subscription",
        "meta": { "tag": [{ "system": system, "code": code }] },
        "status": "requested",
        "reason": reason,
        "criteria": topic,
        "channel": {
            "type": "rest-hook",
            "endpoint": asked.url,
            "payload": "application/json",
            "_payload": { "extension": [{
                "url": format!("{}backport-payload-content", words::BACKPORT),
                "valueCode": "id-only"
            }] }
        }
    })
}

/// Puts what was written on the record as what the administrator did, in whose name ever it is.
async fn note(
    tx: &mut Tx,
    app: &App,
    work: &mut Work,
    what: &'static str,
    client: &str,
) -> Result<(), StoreError> {
    for written in std::mem::take(&mut work.written) {
        let mut event = app.event(written.act).detail("what", what).detail("client", client);
        event.data = vec![written.version];
        app.note_in(tx, event).await?;
    }
    Ok(())
}

/// A webhook; none when its owner made something else of the Subscription since.
fn webhook(tagged: Tagged) -> Option<Webhook> {
    let body: Value = serde_json::from_slice(&tagged.body).ok()?;
    let definition = Definition::read(&body).ok()?;
    let topic = definition.topic().and_then(crate::fhir::subscription::topic::topic)?;
    let Channel::RestHook { endpoint, .. } = definition.channel else { return None };
    if definition.payload.mime != Some(Mime::Json) {
        return None;
    }
    let owner: Owner = serde_json::from_str(&tagged.owner).ok()?;
    Some(Webhook {
        id: tagged.id,
        client: owner.client?,
        url: endpoint,
        event: topic.code,
        description: body.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned(),
        status: tagged.status,
        error: tagged.error,
        changed_us: tagged.changed_us,
    })
}

fn rtype() -> Result<&'static ResourceType, WebhookError> {
    resource_type("Subscription").ok_or_else(|| WebhookError::Broken("no type Subscription".to_owned()))
}
