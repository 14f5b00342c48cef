//! Forgetting events that are older than the log goes back.

use super::stream::Target;
use crate::app::App;
use crate::store::events::{keep, sequence};
use crate::store::{Intent, StoreError};

/// Events that are forgotten in one transaction.
const BATCH: i64 = 1000;

/// Forgets some of what is too old; whether there may be more. What a stream has not got yet stays.
///
/// # Errors
/// When the database does not do its part.
pub async fn forget_old(app: &App) -> Result<bool, StoreError> {
    let micros = i64::try_from(app.config.events.retention.as_micros()).unwrap_or(i64::MAX);
    let before = app.clock.now().saturating_sub(micros);
    let until = {
        let mut tx = app.store.reader().await?;
        let mut until = sequence::last(&mut tx).await?;
        for target in Target::of(&app.config.stream) {
            until = until.min(keep::sent_until(&mut tx, target.name()).await?);
        }
        until
    };
    let forgotten = app.store.write(Intent::Upsert, move |tx| {
        Box::pin(async move { keep::forget(tx, before, until, BATCH).await })
    });
    Ok(i64::try_from(forgotten.await?).unwrap_or(BATCH) == BATCH)
}
