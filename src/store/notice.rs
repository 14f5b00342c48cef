//! Messages to people that a transaction left to be delivered.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;
use crate::clock::Micros;

statements! {
    INSERT = "INSERT INTO notice (id, emergency, recipient, origin, made_us, due_us) VALUES ($1, $2, $3, $4, $5, $5)";
    ANY_DUE = "SELECT 1 FROM notice WHERE sent_us IS NULL AND due_us <= $1 LIMIT 1";
    // Whoever comes second finds that it is no longer due. The try is the fence: only the last one may say how it went.
    CLAIM = "UPDATE notice SET due_us = $2, tries = tries + 1 WHERE sent_us IS NULL AND due_us <= $1 AND id = ( \
            SELECT id FROM notice WHERE sent_us IS NULL AND due_us <= $1 ORDER BY due_us, id LIMIT 1) \
        RETURNING id, recipient, origin, emergency, tries, made_us";
    ABOUT = "SELECT a.username, a.name, e.began_us FROM emergency e JOIN account a ON a.id = e.account WHERE e.id = $1";
    SENT = "UPDATE notice SET sent_us = $1 WHERE id = $2 AND sent_us IS NULL";
    AGAIN = "UPDATE notice SET due_us = $1 WHERE id = $2 AND tries = $3 AND sent_us IS NULL";
}

/// A message that was claimed to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: String,
    /// E-mail address.
    pub recipient: String,
    /// This server's origin as the recipient reaches it.
    pub origin: String,
    /// Username of whoever declared the emergency that it is about.
    pub username: String,
    /// As people call them.
    pub name: String,
    /// When the emergency began.
    pub began_us: Micros,
    /// The how manieth try this is, from 1.
    pub tries: i64,
    /// When it was written.
    pub made_us: Micros,
}

/// Leaves a message about an emergency to be delivered at once.
pub async fn insert(
    tx: &mut Tx,
    id: &str,
    emergency: &str,
    recipient: &str,
    origin: &str,
    now: Micros,
) -> Result<(), StoreError> {
    tx.execute(INSERT, args![id, emergency, recipient, origin, now]).await.map(drop)
}

/// Whether a message is due.
pub async fn any_due(tx: &mut Tx, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_DUE, args![now]).await?.is_some())
}

/// Takes the message that has been due longest; until `lease` nobody else does.
pub async fn claim(tx: &mut Tx, now: Micros, lease: Micros) -> Result<Option<Claimed>, StoreError> {
    let Some(row) = tx.optional(CLAIM, args![now, lease]).await? else { return Ok(None) };
    let about = tx.one(ABOUT, args![row.text(3)?]).await?;
    Ok(Some(Claimed {
        id: row.text(0)?,
        recipient: row.text(1)?,
        origin: row.text(2)?,
        username: about.text(0)?,
        name: about.text(1)?,
        began_us: about.int(2)?,
        tries: row.int(4)?,
        made_us: row.int(5)?,
    }))
}

/// It was delivered.
pub async fn sent(tx: &mut Tx, id: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(SENT, args![now, id]).await.map(drop)
}

/// It was not; it is due again at `due`, unless somebody else took it meanwhile.
pub async fn again(tx: &mut Tx, id: &str, tries: i64, due: Micros) -> Result<(), StoreError> {
    tx.execute(AGAIN, args![due, id, tries]).await.map(drop)
}
