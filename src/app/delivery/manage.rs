//! What those who keep the server running see of deliveries, and do about them. Never what was sent or answered.

use super::base;
use super::keys::{self, Fresh, Told};
use super::message::{message, message_id, status};
use super::sign::Kind;
use crate::app::App;
use crate::fhir::outcome::Error;
use crate::fhir::subscription::{Channel, Definition, Kind as What, NotificationKind};
use crate::store::delivery as table;
use crate::store::{Intent, Retry, StoreError, Tx, subscription};
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub use crate::store::delivery::{Attempt, Noted, Overview};

/// Why it can't be done.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// There is no such subscription.
    #[error("there is no such subscription")]
    Unknown,
    /// It is not as it would have to be; says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// The database, or something of ours.
    #[error("{0}")]
    Broken(String),
    /// A race was lost; another try may win it.
    #[error("{0}")]
    Contended(String),
}

impl From<StoreError> for ManageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Contended(told) => Self::Contended(told),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<Error> for ManageError {
    fn from(error: Error) -> Self {
        Self::Broken(format!("{error:?}"))
    }
}

impl Retry for ManageError {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Contended(_))
    }
}

/// Subscriptions by id, behind `after`.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, after: &str, limit: i64) -> Result<Vec<Overview>, ManageError> {
    Ok(table::overviews(&mut app.store.reader().await?, after, limit).await?)
}

/// One subscription, with its newest attempts before `before` (0: all) and the keys that sign.
///
/// # Errors
/// When there is no such subscription, or the database fails.
pub async fn show(
    app: &App,
    id: &str,
    before: i64,
    limit: i64,
) -> Result<(Overview, Vec<Noted>, Vec<Told>), ManageError> {
    let mut tx = app.store.reader().await?;
    let overview = table::look(&mut tx, id).await?.ok_or(ManageError::Unknown)?;
    let attempts = table::attempts(&mut tx, id, before, limit).await?;
    drop(tx);
    let keys = if overview.host.is_empty() { Vec::new() } else { keys::list(app, id).await? };
    Ok((overview, attempts, keys))
}

/// What an administrator does about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Hold deliveries back.
    Pause,
    /// Deliver again.
    Resume,
    /// Deliver again from the event with this number on.
    Replay(i64),
}

impl Deed {
    fn what(self) -> &'static str {
        match self {
            Self::Pause => "pause deliveries",
            Self::Resume => "resume deliveries",
            Self::Replay(_) => "replay deliveries",
        }
    }
}

/// Does it, and puts it on the record.
///
/// # Errors
/// When there is no such subscription, when it is so already, or the database fails.
pub async fn act(app: &App, id: &str, deed: Deed) -> Result<Overview, ManageError> {
    let mut event = app.administration(deed.what(), &format!("Subscription/{id}"));
    if let Deed::Replay(from) = deed {
        event = event.detail("from", from.to_string());
    }
    let shared = Arc::new((id.to_owned(), app.clock.now()));
    let done = app.noting(event, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { carried_out(tx, &shared.0, deed, shared.1).await })
    });
    let overview = done.await?;
    app.deliveries.notify();
    Ok(overview)
}

async fn carried_out(tx: &mut Tx, id: &str, deed: Deed, now: i64) -> Result<Overview, ManageError> {
    let before = table::look(tx, id).await?.ok_or(ManageError::Unknown)?;
    let done = match deed {
        Deed::Pause => (table::pause(tx, id).await?, "Deliveries are held back already"),
        Deed::Resume => (table::resume(tx, id, now).await?, "Deliveries are not held back"),
        Deed::Replay(_) if before.host.is_empty() => {
            (false, "Its events are fetched by its subscriber; nothing is sent")
        }
        Deed::Replay(from) if from < 1 => (false, "Events are numbered from 1"),
        Deed::Replay(from) => {
            (table::replay(tx, id, from - 1, now).await?, "There is no event with this number")
        }
    };
    match done {
        (true, _) => table::look(tx, id).await?.ok_or(ManageError::Unknown),
        (false, why) => Err(ManageError::Invalid(why)),
    }
}

/// Makes a new key; the one of its kind before it signs along for a while.
///
/// # Errors
/// When there is no such subscription, when nothing is sent for it, or the database fails.
pub async fn rotate(app: &App, id: &str, kind: Kind) -> Result<Fresh, ManageError> {
    let event = app.administration("replace a signing key", &format!("Subscription/{id}"));
    let event = event.detail("kind", kind.code());
    let shared = Arc::new((id.to_owned(), app.clone()));
    let made = app.noting(event, move |tx| -> BoxFuture<'_, Result<Fresh, ManageError>> {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, app) = shared.as_ref();
            let overview = table::look(tx, id).await?.ok_or(ManageError::Unknown)?;
            if overview.host.is_empty() {
                return Err(ManageError::Invalid(
                    "Its events are fetched by its subscriber; nothing is signed",
                ));
            }
            Ok(keys::replace(tx, app, id, kind).await?)
        })
    });
    made.await
}

/// Sends a handshake at once, whatever the state, and says how it went. It changes nothing.
///
/// # Errors
/// When there is no such subscription, when nothing could be sent for it, or the database fails.
pub async fn test(app: &App, id: &str) -> Result<Attempt, ManageError> {
    let found = subscription::find(&mut app.store.reader().await?, id).await?.ok_or(ManageError::Unknown)?;
    let body = serde_json::from_slice(&found.body).map_err(|error| ManageError::Broken(error.to_string()))?;
    let definition = Definition::read(&body)
        .map_err(|_| ManageError::Invalid("It is not understood any more; its owner has to change it"))?;
    if !matches!(definition.channel, Channel::RestHook { .. }) {
        return Err(ManageError::Invalid("Its events are fetched by its subscriber; nothing is sent"));
    }
    if let What::Classic { .. } = definition.kind {
        return Err(ManageError::Invalid("Classic criteria have no notification that says nothing"));
    }
    let keys = keys::signing(app, id).await?;
    let now = app.clock.now();
    let state = status(&definition, &found.status, NotificationKind::Handshake, found.count, now, Vec::new());
    let message_id = message_id(id, &format!("test_{now}"));
    let longest = app.config.subscriptions.timeout;
    let message = message(&definition, &state, &base(app), (&message_id, &keys), now, longest);
    let message = message.map_err(|error| ManageError::Broken(error.to_string()))?;
    let message = message.ok_or(ManageError::Invalid("There is nothing to send"))?;
    let started = app.clock.instant();
    let answer = app.endpoints.send(message).await;
    let took = app.clock.instant().duration_since(started);
    let error = match &answer {
        Ok(answer) if (200..300).contains(&answer.status) => String::new(),
        Ok(answer) => format!("the endpoint answered {}", answer.status),
        Err(error) => error.to_string(),
    };
    let attempt = Attempt {
        kind: "test".to_owned(),
        first: 0,
        last: 0,
        tried: 1,
        at_us: now,
        took_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
        status: answer.map_or(0, |answer| answer.status.into()),
        error,
    };
    let event = app.administration("test an endpoint", &format!("Subscription/{id}"));
    let shared = Arc::new((id.to_owned(), attempt.clone()));
    let noted = app.noting(event, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { table::note_attempt(tx, &shared.0, &shared.1).await })
    });
    noted.await?;
    Ok(attempt)
}

/// Forgets attempts and keys whose time is over.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let keep = i64::try_from(app.config.subscriptions.keep_attempts.as_micros()).unwrap_or(i64::MAX);
    let work = app.store.write(Intent::Upsert, move |tx| {
        Box::pin(async move {
            table::forget_attempts(tx, now.saturating_sub(keep)).await?;
            table::forget_keys(tx, now).await.map(drop)
        })
    });
    work.await
}
