//! Initial access tokens: who has one may register a client.

use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Tx, statements};

statements! {
    INSERT = "INSERT INTO oauth_invitation (hash, scope, system, uses_left, made_us, expires_us, made_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    USE = "UPDATE oauth_invitation SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 \
        AND expires_us > $2 RETURNING scope, system";
    KNOWN = "SELECT 1 FROM oauth_invitation WHERE hash = $1 AND uses_left > 0 AND expires_us > $2";
}

/// What whoever has it may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The most that a client can be given.
    pub scope: String,
    /// Whether clients that act for themselves can be registered.
    pub system: bool,
}

/// Stores a new one by its hash, made by `by`.
pub async fn insert(
    tx: &mut Tx,
    hash: &str,
    invitation: &Invitation,
    uses: i64,
    by: &str,
    now: Micros,
    expires: Micros,
) -> Result<(), StoreError> {
    let system = i64::from(invitation.system);
    tx.execute(INSERT, args![hash, invitation.scope.as_str(), system, uses, now, expires, by]).await.map(drop)
}

/// Whether it could be used.
pub async fn is_known(tx: &mut Tx, hash: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(KNOWN, args![hash, now]).await?.is_some())
}

/// Uses it once; none when it is unknown, used up or over.
pub async fn take(tx: &mut Tx, hash: &str, now: Micros) -> Result<Option<Invitation>, StoreError> {
    let Some(row) = tx.optional(USE, args![hash, now]).await? else { return Ok(None) };
    Ok(Some(Invitation { scope: row.text(0)?, system: row.int(1)? != 0 }))
}
