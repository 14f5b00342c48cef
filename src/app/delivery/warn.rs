//! Warning before a subscription is given up: those who keep the server running hear of one that has failed for long.

use crate::app::App;
use crate::clock::Micros;
use crate::store::delivery::{self as table, Warned};
use crate::store::{Intent, StoreError};
use std::sync::Arc;

/// Takes a subscription about which people are to be told now; nobody else does.
///
/// # Errors
/// When the database fails.
pub async fn next(app: &App) -> Result<Option<(Warned, Micros)>, StoreError> {
    let now = app.clock.now();
    let long = Micros::try_from(app.config.subscriptions.warn_after.as_micros()).unwrap_or(Micros::MAX);
    let since = now.saturating_sub(long);
    let work = app
        .store
        .write(Intent::Upsert, move |tx| Box::pin(async move { table::to_warn(tx, now, since).await }));
    Ok(work.await?.map(|warned| (warned, now)))
}

/// Nobody could be told: it is taken again.
///
/// # Errors
/// When the database fails.
pub async fn again(app: &App, warned: &Warned, taken: Micros) -> Result<(), StoreError> {
    let id = Arc::new(warned.id.clone());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let id = Arc::clone(&id);
        Box::pin(async move { table::unwarn(tx, &id, taken).await })
    });
    work.await
}
