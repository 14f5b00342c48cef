//! Answers already given under an `Idempotency-Key`.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;
use crate::clock::Micros;

statements! {
    RESERVE = "INSERT INTO idempotency (key, fingerprint, at_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING key";
    RECALL = "SELECT fingerprint, answer FROM idempotency WHERE key = $1";
    KEEP = "UPDATE idempotency SET answer = $1 WHERE key = $2";
    ANY_BEFORE = "SELECT key FROM idempotency WHERE at_us < $1 LIMIT 1";
    FORGET = "DELETE FROM idempotency WHERE at_us < $1";
}

/// What is known of a key.
#[derive(Debug)]
pub enum Known {
    /// Never used: now reserved by this transaction.
    New,
    /// Used for a request with this fingerprint, and answered so.
    Answered {
        /// Of the request.
        fingerprint: String,
        /// As given to [`keep`].
        answer: Vec<u8>,
    },
}

/// Reserves a key for this transaction, or recalls what it was used for. Waits for a transaction under way
/// with the same key.
pub async fn reserve(tx: &mut Tx, key: &str, fingerprint: &str, now: Micros) -> Result<Known, StoreError> {
    if tx.optional(RESERVE, args![key, fingerprint, now]).await?.is_some() {
        return Ok(Known::New);
    }
    let Some(row) = tx.optional(RECALL, args![key]).await? else {
        return Err(StoreError::Contended("an idempotency key was forgotten meanwhile".to_owned()));
    };
    Ok(Known::Answered { fingerprint: row.text(0)?, answer: row.opt_blob(1)?.unwrap_or_default() })
}

/// Keeps the answer given under a reserved key.
pub async fn keep(tx: &mut Tx, key: &str, answer: &[u8]) -> Result<(), StoreError> {
    tx.execute(KEEP, args![answer, key]).await?;
    Ok(())
}

/// Whether there is a key to forget.
pub async fn any_before(tx: &mut Tx, before: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_BEFORE, args![before]).await?.is_some())
}

/// Forgets keys used before `before`; returns how many.
pub async fn forget(tx: &mut Tx, before: Micros) -> Result<u64, StoreError> {
    tx.execute(FORGET, args![before]).await
}
