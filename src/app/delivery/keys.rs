//! The keys of an endpoint. Each has an Ed25519 key from its first notification on, whose public half anybody may have;
//! a shared secret (HMAC), when its owner asks for one.

use super::sign::{Key, Kind};
use crate::app::App;
use crate::clock::Micros;
use crate::store::delivery::{self, SigningKey};
use crate::store::{Intent, StoreError, Tx};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// A key as it is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it is called.
    pub id: String,
    /// How it signs.
    pub kind: Kind,
    /// When it was made.
    pub made_us: Micros,
    /// Until when it signs along; none: until it is replaced.
    pub until_us: Option<Micros>,
    /// `whpk_…`; of a shared secret nothing is told.
    pub public: Option<String>,
}

/// A new key with what its receiver verifies with, which is told this once when it is a secret.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The key.
    pub key: Told,
    /// `whsec_…` or `whpk_…`
    pub for_receiver: SecretString,
}

fn broken(error: impl std::fmt::Display) -> StoreError {
    StoreError::Other(error.to_string())
}

fn key(stored: &SigningKey) -> Result<Key, StoreError> {
    let kind = Kind::from_code(&stored.kind).ok_or_else(|| broken("a key of an unknown kind"))?;
    Key::new(kind, stored.secret.expose_secret().to_vec()).map_err(broken)
}

fn told(stored: &SigningKey) -> Result<Told, StoreError> {
    let key = key(stored)?;
    let public = match key.kind() {
        Kind::Ed25519 => Some(key.for_receiver().map_err(broken)?.expose_secret().to_owned()),
        Kind::Hmac => None,
    };
    let SigningKey { id, made_us, until_us, .. } = stored;
    Ok(Told { id: id.clone(), kind: key.kind(), made_us: *made_us, until_us: *until_us, public })
}

fn new_key(app: &App, kind: Kind) -> Result<SigningKey, StoreError> {
    let secret = app.clock.random_bytes::<32>().map_err(broken)?;
    Ok(SigningKey {
        id: app.clock.new_id(),
        kind: kind.code().to_owned(),
        secret: secret.to_vec().into(),
        made_us: app.clock.now(),
        until_us: None,
    })
}

/// The keys that sign now. An endpoint without any gets its first.
///
/// # Errors
/// When the database fails.
pub async fn signing(app: &App, subscription: &str) -> Result<Vec<Key>, StoreError> {
    let now = app.clock.now();
    let mut stored = delivery::keys(&mut app.store.reader().await?, subscription, now).await?;
    if stored.is_empty() {
        make_first(app, subscription).await?;
        stored = delivery::keys(&mut app.store.reader().await?, subscription, now).await?;
    }
    stored.iter().map(key).collect()
}

async fn make_first(app: &App, subscription: &str) -> Result<(), StoreError> {
    let shared = Arc::new((subscription.to_owned(), new_key(app, Kind::Ed25519)?));
    let made = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (subscription, key) = shared.as_ref();
            // Whoever came first made it.
            if delivery::keys(tx, subscription, key.made_us).await?.is_empty() {
                delivery::add_key(tx, subscription, key, key.made_us).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    made.await
}

/// The keys that sign now, as they are told. An endpoint without any gets its first.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, subscription: &str) -> Result<Vec<Told>, StoreError> {
    let now = app.clock.now();
    let mut stored = delivery::keys(&mut app.store.reader().await?, subscription, now).await?;
    if stored.is_empty() {
        make_first(app, subscription).await?;
        stored = delivery::keys(&mut app.store.reader().await?, subscription, now).await?;
    }
    stored.iter().map(told).collect()
}

/// Makes a new key in a transaction; the one of its kind before it signs along for `subscriptions.overlap`.
///
/// # Errors
/// When the database fails.
pub async fn replace(tx: &mut Tx, app: &App, subscription: &str, kind: Kind) -> Result<Fresh, StoreError> {
    let stored = new_key(app, kind)?;
    let overlap = Micros::try_from(app.config.subscriptions.overlap.as_micros()).unwrap_or(Micros::MAX);
    delivery::add_key(tx, subscription, &stored, stored.made_us.saturating_add(overlap)).await?;
    let for_receiver = key(&stored)?.for_receiver().map_err(broken)?;
    Ok(Fresh { key: told(&stored)?, for_receiver })
}
