//! Registered clients.

use crate::app::App;
use crate::auth::client::Client;
use crate::store::oauth::client;
use crate::store::{Intent, StoreError};
use std::sync::Arc;

/// Registers a client under its id; false when the id is taken.
///
/// # Errors
/// When the database fails.
pub async fn add(app: &App, client: Client, created_by: &str) -> Result<bool, StoreError> {
    let (now, shared) = (app.clock.now(), Arc::new((client, created_by.to_owned())));
    let added = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { client::insert(tx, &shared.0, &shared.1, now).await })
    });
    added.await
}

/// One client.
///
/// # Errors
/// When the database fails.
pub async fn find(app: &App, id: &str) -> Result<Option<Client>, StoreError> {
    client::find(&mut app.store.reader().await?, id).await
}
