//! Signed-in browsers.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    INSERT = "INSERT INTO session (hash, account, created_us, authenticated_us, second_factor, seen_us, \
        expires_us, ends_us, provider) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIND = "SELECT hash, account, created_us, authenticated_us, second_factor, seen_us, expires_us, ends_us, \
        provider FROM session WHERE hash = $1 AND ended_us IS NULL AND expires_us > $2";
    OF_ACCOUNT = "SELECT hash, account, created_us, authenticated_us, second_factor, seen_us, expires_us, \
        ends_us, provider FROM session WHERE account = $1 AND ended_us IS NULL AND expires_us > $2 ORDER BY seen_us DESC";
    SEEN = "UPDATE session SET seen_us = $1, expires_us = $2 WHERE hash = $3 AND ended_us IS NULL";
    MOVE_GRANTS = "UPDATE oauth_grant SET session = $1 WHERE session = $2";
    END = "UPDATE session SET ended_us = $1 WHERE hash = $2 AND ended_us IS NULL";
    END_ALL = "UPDATE session SET ended_us = $1 WHERE account = $2 AND hash <> $3 AND ended_us IS NULL";
}

/// What was granted until one session ends, ends with another instead.
pub async fn move_grants(tx: &mut Tx, old: &str, new: &str) -> Result<(), StoreError> {
    tx.execute(MOVE_GRANTS, args![new, old]).await.map(drop)
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Fingerprint of the cookie; what a grant with `online_access` names.
    pub hash: String,
    /// Whose it is.
    pub account: String,
    /// When it began.
    pub created_us: Micros,
    /// When the person last proved who they are: `auth_time`. 0: not known, since the provider did not say.
    pub authenticated_us: Micros,
    /// Whether a second factor was shown: a code, a passkey, or what the provider calls one.
    pub second_factor: bool,
    /// Its last use, to the minute.
    pub seen_us: Micros,
    /// When it ends unless it is used.
    pub expires_us: Micros,
    /// When it ends however much it is used.
    pub ends_us: Micros,
    /// The upstream provider (`auth.providers.id`) at which the person signed in; none: here.
    pub provider: Option<String>,
}

fn session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        hash: row.text(0)?,
        account: row.text(1)?,
        created_us: row.int(2)?,
        authenticated_us: row.int(3)?,
        second_factor: row.int(4)? != 0,
        seen_us: row.int(5)?,
        expires_us: row.int(6)?,
        ends_us: row.int(7)?,
        provider: row.opt_text(8)?,
    })
}

/// Stores a new session.
pub async fn insert(tx: &mut Tx, session: &Session) -> Result<(), StoreError> {
    let args = args![
        session.hash.clone(),
        session.account.clone(),
        session.created_us,
        session.authenticated_us,
        i64::from(session.second_factor),
        session.seen_us,
        session.expires_us,
        session.ends_us,
        session.provider.clone()
    ];
    tx.execute(INSERT, args).await.map(drop)
}

/// The session with this hash, while it lives.
pub async fn find(tx: &mut Tx, hash: &str, now: Micros) -> Result<Option<Session>, StoreError> {
    tx.optional(FIND, args![hash, now]).await?.as_ref().map(session).transpose()
}

/// The living sessions of an account, the last used first.
pub async fn of_account(tx: &mut Tx, account: &str, now: Micros) -> Result<Vec<Session>, StoreError> {
    tx.all(OF_ACCOUNT, args![account, now]).await?.iter().map(session).collect()
}

/// Remembers that a session was used, and that it now expires at `expires`.
pub async fn seen(tx: &mut Tx, hash: &str, now: Micros, expires: Micros) -> Result<(), StoreError> {
    tx.execute(SEEN, args![now, expires, hash]).await.map(drop)
}

/// Ends a session.
pub async fn end(tx: &mut Tx, hash: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(END, args![now, hash]).await.map(drop)
}

/// Ends every session of an account but `except` (empty: none is spared).
pub async fn end_all(tx: &mut Tx, account: &str, except: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(END_ALL, args![now, account, except]).await.map(drop)
}
