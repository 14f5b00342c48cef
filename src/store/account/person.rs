//! Accounts and what they sign in with.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    INSERT = "INSERT INTO account (id, username, name, fhir_user, locale, password_hash, created_us) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
    BY_ID = "SELECT id, username, name, fhir_user, locale, created_us, disabled_us, last_sign_in_us, \
        totp_since_us, \
        CAST(CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM account WHERE id = $1";
    BY_USERNAME = "SELECT id, username, name, fhir_user, locale, created_us, disabled_us, last_sign_in_us, \
        totp_since_us, \
        CAST(CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM account WHERE username = $1";
    LIST = "SELECT id, username, name, fhir_user, locale, created_us, disabled_us, last_sign_in_us, \
        totp_since_us, \
        CAST(CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END AS BIGINT) FROM account \
        WHERE username > $1 ORDER BY username LIMIT $2";
    CREDENTIALS = "SELECT password_hash, totp_secret, totp_since_us, totp_step FROM account WHERE id = $1";
    UPDATE = "UPDATE account SET name = $1, fhir_user = $2, locale = $3 WHERE id = $4";
    SET_LOCALE = "UPDATE account SET locale = $1 WHERE id = $2";
    SET_PASSWORD = "UPDATE account SET password_hash = $1 WHERE id = $2";
    SET_TOTP = "UPDATE account SET totp_secret = $1, totp_since_us = $2, totp_step = $3 WHERE id = $4";
    DISABLE = "UPDATE account SET disabled_us = $1 WHERE id = $2 AND disabled_us IS NULL";
    ENABLE = "UPDATE account SET disabled_us = NULL WHERE id = $1";
    SIGNED_IN = "UPDATE account SET last_sign_in_us = $1 WHERE id = $2";
}

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// A UUIDv7: `sub` of tokens.
    pub id: String,
    /// Folded.
    pub username: String,
    /// As people call them.
    pub name: String,
    /// The resource that stands for them, such as `Practitioner/dr-a`.
    pub fhir_user: Option<String>,
    /// Language of the pages, such as `es`.
    pub locale: Option<String>,
    /// When it was made.
    pub created_us: Micros,
    /// Since when it can't be used.
    pub disabled_us: Option<Micros>,
    /// The last sign-in.
    pub last_sign_in_us: Option<Micros>,
    /// Since when an authenticator app is asked for.
    pub totp_since_us: Option<Micros>,
    /// Whether it can sign in with a password.
    pub has_password: bool,
}

/// What an account proves itself by.
#[derive(Clone, Default)]
pub struct Credentials {
    /// argon2id, PHC string.
    pub password_hash: Option<String>,
    /// Base32.
    pub totp_secret: Option<String>,
    /// Since when the authenticator app counts.
    pub totp_since_us: Option<Micros>,
    /// The last time step used.
    pub totp_step: i64,
}

fn account(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.text(0)?,
        username: row.text(1)?,
        name: row.text(2)?,
        fhir_user: row.opt_text(3)?,
        locale: row.opt_text(4)?,
        created_us: row.int(5)?,
        disabled_us: row.opt_int(6)?,
        last_sign_in_us: row.opt_int(7)?,
        totp_since_us: row.opt_int(8)?,
        has_password: row.int(9)? != 0,
    })
}

/// Stores a new account; false when the username (or id) is taken.
pub async fn insert(tx: &mut Tx, account: &Account, password_hash: Option<&str>) -> Result<bool, StoreError> {
    let Account { id, username, name, fhir_user, locale, created_us, .. } = account;
    let hash = password_hash.map(str::to_owned);
    let args = args![
        id.clone(),
        username.clone(),
        name.clone(),
        fhir_user.clone(),
        locale.clone(),
        hash,
        *created_us
    ];
    Ok(tx.optional(INSERT, args).await?.is_some())
}

/// The account with this id.
pub async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Account>, StoreError> {
    tx.optional(BY_ID, args![id]).await?.as_ref().map(account).transpose()
}

/// The account with this folded username.
pub async fn by_username(tx: &mut Tx, username: &str) -> Result<Option<Account>, StoreError> {
    tx.optional(BY_USERNAME, args![username]).await?.as_ref().map(account).transpose()
}

/// Up to `limit` accounts in the order of usernames, after `after` (empty: from the first).
pub async fn list(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<Account>, StoreError> {
    tx.all(LIST, args![after, limit]).await?.iter().map(account).collect()
}

/// What the account proves itself by.
pub async fn credentials(tx: &mut Tx, id: &str) -> Result<Credentials, StoreError> {
    let Some(row) = tx.optional(CREDENTIALS, args![id]).await? else { return Ok(Credentials::default()) };
    Ok(Credentials {
        password_hash: row.opt_text(0)?,
        totp_secret: row.opt_text(1)?,
        totp_since_us: row.opt_int(2)?,
        totp_step: row.int(3)?,
    })
}

/// Changes name, `fhirUser` and language.
pub async fn update(
    tx: &mut Tx,
    id: &str,
    name: &str,
    fhir_user: Option<&str>,
    locale: Option<&str>,
) -> Result<(), StoreError> {
    let (fhir_user, locale) = (fhir_user.map(str::to_owned), locale.map(str::to_owned));
    tx.execute(UPDATE, args![name, fhir_user, locale, id]).await.map(drop)
}

/// Changes the language of the pages; none: as the browser asks.
pub async fn set_locale(tx: &mut Tx, id: &str, locale: Option<&str>) -> Result<(), StoreError> {
    tx.execute(SET_LOCALE, args![locale.map(str::to_owned), id]).await.map(drop)
}

/// Changes or takes away the password.
pub async fn set_password(tx: &mut Tx, id: &str, hash: Option<&str>) -> Result<(), StoreError> {
    tx.execute(SET_PASSWORD, args![hash.map(str::to_owned), id]).await.map(drop)
}

/// Keeps an authenticator's secret, since when it counts (none: not yet), and the last step used.
pub async fn set_totp(
    tx: &mut Tx,
    id: &str,
    secret: Option<&str>,
    since: Option<Micros>,
    step: i64,
) -> Result<(), StoreError> {
    tx.execute(SET_TOTP, args![secret.map(str::to_owned), since, step, id]).await.map(drop)
}

/// Takes the account out of use; false when it was.
pub async fn disable(tx: &mut Tx, id: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(DISABLE, args![now, id]).await? > 0)
}

/// Lets the account be used again.
pub async fn enable(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    tx.execute(ENABLE, args![id]).await.map(drop)
}

/// Remembers a sign-in.
pub async fn signed_in(tx: &mut Tx, id: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(SIGNED_IN, args![now, id]).await.map(drop)
}
