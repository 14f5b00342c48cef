//! Passkeys and the challenges that wait for them.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    KEEP_HANDLE = "INSERT INTO passkey_user (account, handle) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    HANDLE = "SELECT handle FROM passkey_user WHERE account = $1";
    BY_HANDLE = "SELECT account FROM passkey_user WHERE handle = $1";
    INSERT = "INSERT INTO passkey (id, account, credential_id, credential, name, made_us) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id";
    OF_ACCOUNT = "SELECT id, account, credential_id, credential, name, made_us, last_used_us FROM passkey \
        WHERE account = $1 ORDER BY made_us, id";
    BY_CREDENTIAL = "SELECT id, account, credential_id, credential, name, made_us, last_used_us FROM passkey \
        WHERE credential_id = $1";
    USED = "UPDATE passkey SET credential = $1, last_used_us = $2 WHERE id = $3 AND credential = $4";
    REMOVE = "DELETE FROM passkey WHERE id = $1 AND account = $2";
    BEGIN = "INSERT INTO passkey_ceremony (hash, kind, account, state, expires_us) VALUES ($1, $2, $3, $4, $5)";
    TAKE = "DELETE FROM passkey_ceremony WHERE hash = $1 AND kind = $2 AND expires_us > $3 \
        RETURNING account, state";
    FORGET = "DELETE FROM passkey_ceremony WHERE expires_us < $1";
}

/// A passkey as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// Its own id, for our pages.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// What the authenticator calls it, base64url.
    pub credential_id: String,
    /// Public key and counter, as the library writes them.
    pub credential: String,
    /// What the person calls it.
    pub name: String,
    /// When it was registered.
    pub made_us: Micros,
    /// The last sign-in by it.
    pub last_used_us: Option<Micros>,
}

fn passkey(row: &Row) -> Result<StoredPasskey, StoreError> {
    Ok(StoredPasskey {
        id: row.text(0)?,
        account: row.text(1)?,
        credential_id: row.text(2)?,
        credential: row.text(3)?,
        name: row.text(4)?,
        made_us: row.int(5)?,
        last_used_us: row.opt_int(6)?,
    })
}

/// What authenticators know an account by: `fresh`, unless there is one.
pub async fn handle_of(tx: &mut Tx, account: &str, fresh: &str) -> Result<String, StoreError> {
    tx.execute(KEEP_HANDLE, args![account, fresh]).await?;
    tx.one(HANDLE, args![account]).await?.text(0)
}

/// The account that authenticators know by this handle.
pub async fn account_of_handle(tx: &mut Tx, handle: &str) -> Result<Option<String>, StoreError> {
    tx.optional(BY_HANDLE, args![handle]).await?.map(|row| row.text(0)).transpose()
}

/// Stores a new passkey; false when the credential is registered already.
pub async fn insert_passkey(tx: &mut Tx, new: &StoredPasskey) -> Result<bool, StoreError> {
    let StoredPasskey { id, account, credential_id, credential, name, made_us, .. } = new.clone();
    let args = args![id, account, credential_id, credential, name, made_us];
    Ok(tx.optional(INSERT, args).await?.is_some())
}

/// The passkeys of an account, the oldest first.
pub async fn passkeys(tx: &mut Tx, account: &str) -> Result<Vec<StoredPasskey>, StoreError> {
    tx.all(OF_ACCOUNT, args![account]).await?.iter().map(passkey).collect()
}

/// The passkey that an authenticator calls so.
pub async fn passkey_by_credential(
    tx: &mut Tx,
    credential_id: &str,
) -> Result<Option<StoredPasskey>, StoreError> {
    tx.optional(BY_CREDENTIAL, args![credential_id]).await?.as_ref().map(passkey).transpose()
}

/// Remembers a use and the counter; false when the passkey was used or removed meanwhile.
pub async fn passkey_used(
    tx: &mut Tx,
    before: &StoredPasskey,
    credential: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    let args = args![credential, now, before.id.as_str(), before.credential.as_str()];
    Ok(tx.execute(USED, args).await? > 0)
}

/// Removes a passkey; false when the account has no such one.
pub async fn remove_passkey(tx: &mut Tx, id: &str, account: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, args![id, account]).await? > 0)
}

/// Keeps a challenge until it is answered or expires.
pub async fn begin_ceremony(
    tx: &mut Tx,
    hash: &str,
    kind: &str,
    account: Option<&str>,
    state: &str,
    expires: Micros,
) -> Result<(), StoreError> {
    let account = account.map(str::to_owned);
    tx.execute(BEGIN, args![hash, kind, account, state, expires]).await.map(drop)
}

/// Takes a challenge that is being answered, with the account that it is for: works once.
pub async fn take_ceremony(
    tx: &mut Tx,
    hash: &str,
    kind: &str,
    now: Micros,
) -> Result<Option<(Option<String>, String)>, StoreError> {
    let Some(row) = tx.optional(TAKE, args![hash, kind, now]).await? else { return Ok(None) };
    Ok(Some((row.opt_text(0)?, row.text(1)?)))
}

/// Removes challenges that nobody answered.
pub(super) async fn forget(tx: &mut Tx, before: Micros) -> Result<(), StoreError> {
    tx.execute(FORGET, args![before]).await.map(drop)
}
