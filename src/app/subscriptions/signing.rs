//! `$signing-keys` and `$rotate-secret`: what a subscriber verifies notifications with (Standard Webhooks 1.0).

use super::operations::own;
use crate::app::delivery::keys::{self, Told};
use crate::app::delivery::sign::Kind as Signs;
use crate::app::{Answer, App, Body, Context};
use crate::auth::scope::Right;
use crate::clock::instant_text;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::ResourceType;
use crate::store::Intent;
use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;

/// The subscription of whoever asks, if it is one for which something is sent.
async fn sent(app: &App, ctx: &Context, rtype: &'static ResourceType, id: &str) -> Result<(), Error> {
    let found = own(&mut app.store.reader().await?, &ctx.access, rtype, id).await?;
    if found.channel == "rest-hook" {
        return Ok(());
    }
    let told = "Nothing is sent for this subscription: its events are fetched, and nothing is signed";
    Err(Error::unprocessable(Issue::error("business-rule", told)))
}

/// The keys that sign now: public ones as they are, of shared secrets only that there are some.
///
/// # Errors
/// 404 and 403 for what is not the caller's, 422 for another channel.
pub(super) async fn list(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    id: &str,
) -> Result<Answer, Error> {
    sent(app, ctx, rtype, id).await?;
    let keys = keys::list(app, id).await?;
    let parameter: Vec<Value> = keys.iter().map(|key| json!({ "name": "key", "part": parts(key) })).collect();
    Ok(answer(&parameter))
}

fn parts(key: &Told) -> Vec<Value> {
    let mut parts = vec![
        json!({ "name": "id", "valueString": key.id }),
        json!({ "name": "kind", "valueCode": key.kind.code() }),
        json!({ "name": "made", "valueInstant": instant_text(key.made_us) }),
    ];
    if let Some(public) = &key.public {
        parts.push(json!({ "name": "publicKey", "valueString": public }));
    }
    if let Some(until) = key.until_us {
        parts.push(json!({ "name": "until", "valueInstant": instant_text(until) }));
    }
    parts
}

/// Makes a new key of the kind that the body asks for, and tells it this once. The one before it signs along for a while.
///
/// # Errors
/// 404 and 403 for what is not the caller's, 422 for another channel or without a kind.
pub(super) async fn rotate(
    app: &App,
    ctx: &Context,
    rtype: &'static ResourceType,
    id: &str,
    body: &Body,
) -> Result<Answer, Error> {
    ctx.access.permit(Right::Update, rtype)?;
    let kind = kind(body)?;
    sent(app, ctx, rtype, id).await?;
    let shared = Arc::new((app.clone(), id.to_owned()));
    let made = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (app, id) = shared.as_ref();
            Ok::<_, Error>(keys::replace(tx, app, id, kind).await?)
        })
    });
    let made = made.await?;
    let mut parameter = parts(&made.key);
    parameter.push(json!({ "name": "key", "valueString": made.for_receiver.expose_secret() }));
    Ok(answer(&parameter))
}

/// A key is only made by what is posted: a link can't do it.
fn kind(body: &Body) -> Result<Signs, Error> {
    let Body::Resource(body) = body else { return Err(no_kind()) };
    let all = body.get("parameter").and_then(Value::as_array).into_iter().flatten();
    let mut kinds = all.filter(|one| one.get("name").and_then(Value::as_str) == Some("kind"));
    let said = kinds.next().and_then(|one| one.get("valueCode").or_else(|| one.get("valueString")));
    said.and_then(Value::as_str).and_then(Signs::from_code).ok_or_else(no_kind)
}

fn no_kind() -> Error {
    let told = "Post Parameters with a kind: hmac or ed25519";
    Error::of(Kind::BadRequest, vec![Issue::error("required", told)])
}

fn answer(parameter: &[Value]) -> Answer {
    let resource = json!({ "resourceType": "Parameters", "parameter": parameter });
    Answer { status: 200, resource: Some(Bytes::from(resource.to_string())), ..Answer::default() }
}
