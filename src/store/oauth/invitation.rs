//! Initial access tokens: who has one may register a client.

use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};

statements! {
    INSERT = "INSERT INTO oauth_invitation (hash, scope, system, uses_left, made_us, expires_us, made_by, id) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    USE = "UPDATE oauth_invitation SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 \
        AND expires_us > $2 RETURNING scope, system";
    ALL = "SELECT id, scope, system, uses_left, made_us, made_by, expires_us FROM oauth_invitation \
        WHERE uses_left > 0 AND expires_us > $1 ORDER BY made_us, id";
    WITHDRAW = "DELETE FROM oauth_invitation WHERE id = $1 AND uses_left > 0 AND expires_us > $2";
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

/// An invitation that somebody may still use, as far as anybody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What it is called.
    pub id: String,
    /// What it allows.
    pub invitation: Invitation,
    /// How many applications it is still good for.
    pub uses_left: i64,
    /// When it was made.
    pub made_us: Micros,
    /// By whom: an account's id, or a place such as `command line`.
    pub made_by: String,
    /// When it ends.
    pub expires_us: Micros,
}

/// Stores a new one by its hash.
pub async fn insert(tx: &mut Tx, hash: &str, open: &Open) -> Result<(), StoreError> {
    let Open { id, invitation, uses_left, made_us, made_by, expires_us } = open;
    let (scope, system) = (invitation.scope.as_str(), i64::from(invitation.system));
    let arguments =
        args![hash, scope, system, *uses_left, *made_us, *expires_us, made_by.as_str(), id.as_str()];
    tx.execute(INSERT, arguments).await.map(drop)
}

/// Every one that can still be used, the oldest first.
pub async fn open(tx: &mut Tx, now: Micros) -> Result<Vec<Open>, StoreError> {
    let rows = tx.all(ALL, args![now]).await?;
    let read = |row: &Row| {
        let invitation = Invitation { scope: row.text(1)?, system: row.int(2)? != 0 };
        Ok(Open {
            id: row.text(0)?,
            invitation,
            uses_left: row.int(3)?,
            made_us: row.int(4)?,
            made_by: row.opt_text(5)?.unwrap_or_default(),
            expires_us: row.int(6)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Withdraws one; false when there is none with this id that could be used.
pub async fn withdraw(tx: &mut Tx, id: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(WITHDRAW, args![id, now]).await? > 0)
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
