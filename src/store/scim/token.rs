//! Long-lived tokens of provisioning sources.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    INSERT = "INSERT INTO scim_token (id, hash, client, made_us, made_by, expires_us) VALUES ($1, $2, $3, $4, $5, $6)";
    GOOD = "SELECT id, client, made_us, made_by, expires_us, last_used_us, revoked_us FROM scim_token \
        WHERE hash = $1 AND expires_us > $2 AND revoked_us IS NULL";
    OF_CLIENT = "SELECT id, client, made_us, made_by, expires_us, last_used_us, revoked_us FROM scim_token \
        WHERE client = $1 ORDER BY made_us, id";
    USED = "UPDATE scim_token SET last_used_us = $1 WHERE id = $2 AND (last_used_us IS NULL OR last_used_us < $1)";
    REVOKE = "UPDATE scim_token SET revoked_us = $1, revoked_by = $2 WHERE id = $3 AND revoked_us IS NULL \
        RETURNING client";
}

/// A token, as far as anybody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is called.
    pub id: String,
    /// Whose it is.
    pub client: String,
    /// When it was made.
    pub made_us: Micros,
    /// By whom: an account's id, or a place such as `command line`.
    pub made_by: String,
    /// When it ends.
    pub expires_us: Micros,
    /// When it was used last, to the minute.
    pub last_used_us: Option<Micros>,
    /// When it was taken back.
    pub revoked_us: Option<Micros>,
}

fn read(row: &Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.text(0)?,
        client: row.text(1)?,
        made_us: row.int(2)?,
        made_by: row.text(3)?,
        expires_us: row.int(4)?,
        last_used_us: row.opt_int(5)?,
        revoked_us: row.opt_int(6)?,
    })
}

/// Stores a new one by its hash.
pub async fn insert_token(tx: &mut Tx, hash: &str, token: &Token) -> Result<(), StoreError> {
    let Token { id, client, made_us, made_by, expires_us, .. } = token;
    let arguments = args![id.as_str(), hash, client.as_str(), *made_us, made_by.as_str(), *expires_us];
    tx.execute(INSERT, arguments).await.map(drop)
}

/// The token with this hash, if it is good.
pub async fn good_token(tx: &mut Tx, hash: &str, now: Micros) -> Result<Option<Token>, StoreError> {
    tx.optional(GOOD, args![hash, now]).await?.as_ref().map(read).transpose()
}

/// Every token that a client ever had, the oldest first.
pub async fn tokens_of(tx: &mut Tx, client: &str) -> Result<Vec<Token>, StoreError> {
    tx.all(OF_CLIENT, args![client]).await?.iter().map(read).collect()
}

/// Remembers that a token was used.
pub async fn token_used(tx: &mut Tx, id: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(USED, args![now, id]).await.map(drop)
}

/// Takes a token back; its client, or none when there is no such token that is not taken back.
pub async fn revoke_token(
    tx: &mut Tx,
    id: &str,
    by: &str,
    now: Micros,
) -> Result<Option<String>, StoreError> {
    tx.optional(REVOKE, args![now, by, id]).await?.map(|row| row.text(0)).transpose()
}
