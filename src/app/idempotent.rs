//! `Idempotency-Key`: the same key with the same request gives the same answer, and is carried out once.

use super::{Answer, App, Body, Context, Version};
use crate::clock::Micros;
use crate::fhir::interaction::Interaction;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::store::idempotency::{self, Known};
use crate::store::{Intent, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A key and the fingerprint of the request that it came with.
#[derive(Clone, Debug)]
pub struct Key {
    name: String,
    fingerprint: String,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    resource: Option<String>,
    vid: Option<i64>,
    updated_us: Option<Micros>,
    location: Option<String>,
}

impl Key {
    /// The key that the client set, if any.
    pub fn of(ctx: &Context, interaction: &Interaction, body: &Body) -> Option<Self> {
        let given = ctx.idempotency_key.as_ref()?;
        // Another's key is another key: whoever guesses it learns nothing.
        let whose = ctx.access.name();
        let name = if whose.is_empty() { given.clone() } else { format!("{}:{whose}:{given}", whose.len()) };
        let fingerprint = STANDARD.encode(Sha256::digest(format!("{interaction:?}\n{body:?}")));
        Some(Self { name, fingerprint })
    }
}

/// The answer already given under the key; `None` when this transaction is the first to use it.
///
/// # Errors
/// 422 when the key came with another request.
pub async fn recall(tx: &mut Tx, key: Option<&Key>, now: Micros) -> Result<Option<Answer>, Error> {
    let Some(key) = key else { return Ok(None) };
    match idempotency::reserve(tx, &key.name, &key.fingerprint, now).await? {
        Known::New => Ok(None),
        Known::Answered { fingerprint, answer } if fingerprint == key.fingerprint => {
            let kept: Kept = serde_json::from_slice(&answer).map_err(|e| Error::internal(e.to_string()))?;
            Ok(Some(Answer {
                status: kept.status,
                resource: kept.resource.map(Bytes::from),
                version: kept.vid.zip(kept.updated_us).map(|(vid, updated_us)| Version { vid, updated_us }),
                location: kept.location,
                ..Answer::default()
            }))
        }
        Known::Answered { .. } => Err(Error::of(
            Kind::Unprocessable,
            vec![Issue::error("business-rule", "This Idempotency-Key was used for a different request")],
        )),
    }
}

/// Keeps the answer under the key, in the same transaction.
pub async fn keep(tx: &mut Tx, key: Option<&Key>, answer: &Answer) -> Result<(), Error> {
    let Some(key) = key else { return Ok(()) };
    let kept = Kept {
        status: answer.status,
        resource: answer.resource.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        vid: answer.version.map(|v| v.vid),
        updated_us: answer.version.map(|v| v.updated_us),
        location: answer.location.clone(),
    };
    let bytes = serde_json::to_vec(&kept).map_err(|e| Error::internal(e.to_string()))?;
    Ok(idempotency::keep(tx, &key.name, &bytes).await?)
}

/// Forgets keys older than the configured time.
pub async fn forget_old(app: &App) -> Result<(), Error> {
    let keep = i64::try_from(app.config.idempotency.keep.as_micros()).unwrap_or(i64::MAX);
    let before = app.clock.now().saturating_sub(keep);
    if !idempotency::any_before(&mut app.store.reader().await?, before).await? {
        return Ok(());
    }
    app.store
        .write(Intent::Upsert, move |tx| Box::pin(async move { idempotency::forget(tx, before).await }))
        .await
        .map_err(Error::from)?;
    Ok(())
}
