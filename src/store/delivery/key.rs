//! Keys that notifications are signed with. They are kept as they are: a digest can't sign.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{StoreError, Tx};
use secrecy::{ExposeSecret, SecretSlice};

statements! {
    KEYS = "SELECT id, kind, secret, made_us, until_us FROM subscription_secret \
        WHERE subscription = $1 AND (until_us IS NULL OR until_us > $2) ORDER BY made_us DESC, id DESC";
    INSERT = "INSERT INTO subscription_secret (id, subscription, kind, secret, made_us) VALUES ($1, $2, $3, $4, $5)";
    // One that was to end sooner still does.
    REPLACE = "UPDATE subscription_secret SET until_us = $3 WHERE subscription = $1 AND kind = $2 AND until_us IS NULL";
    FORGET = "DELETE FROM subscription_secret WHERE until_us <= $1";
}

/// A key that notifications for a subscription are signed with.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// What it is called.
    pub id: String,
    /// `hmac` or `ed25519`.
    pub kind: String,
    /// The secret, or the seed.
    pub secret: SecretSlice<u8>,
    /// When it was made.
    pub made_us: Micros,
    /// Until when it signs along; none: until it is replaced.
    pub until_us: Option<Micros>,
}

/// The keys that sign at `now`, the newest first.
pub async fn keys(tx: &mut Tx, subscription: &str, now: Micros) -> Result<Vec<SigningKey>, StoreError> {
    let rows = tx.all(KEYS, args![subscription, now]).await?;
    let read = rows.iter().map(|row| {
        Ok(SigningKey {
            id: row.text(0)?,
            kind: row.text(1)?,
            secret: row.blob(2)?.into(),
            made_us: row.int(3)?,
            until_us: row.opt_int(4)?,
        })
    });
    read.collect()
}

/// Adds a key; the one of its kind before it signs along until `overlap`.
pub async fn add_key(
    tx: &mut Tx,
    subscription: &str,
    key: &SigningKey,
    overlap: Micros,
) -> Result<(), StoreError> {
    let SigningKey { id, kind, secret, made_us, .. } = key;
    tx.execute(REPLACE, args![subscription, kind.as_str(), overlap]).await?;
    let secret = secret.expose_secret();
    let arguments = args![id.as_str(), subscription, kind.as_str(), secret, *made_us];
    tx.execute(INSERT, arguments).await.map(drop)
}

/// Forgets keys that sign no more.
pub async fn forget_keys(tx: &mut Tx, now: Micros) -> Result<u64, StoreError> {
    tx.execute(FORGET, args![now]).await
}
