//! Codes and refresh tokens that clients come with, and what was revoked.

use super::grant::{Code, Grant, read};
use crate::args;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Tx, statements};

statements! {
    CODE = "SELECT g.id, g.client, g.account, g.base, g.session, g.scope, g.patient, g.encounter, g.launch, g.nonce, \
        g.auth_time_us, g.made_us, g.last_used_us, g.revoked_us, c.redirect_uri, c.challenge, c.expires_us, c.used_us \
        FROM oauth_code c JOIN oauth_grant g ON g.id = c.grant_id WHERE c.hash = $1";
    USE_CODE = "UPDATE oauth_code SET used_us = $1 WHERE hash = $2 AND used_us IS NULL";
    REFRESH = "SELECT g.id, g.client, g.account, g.base, g.session, g.scope, g.patient, g.encounter, g.launch, g.nonce, \
        g.auth_time_us, g.made_us, g.last_used_us, g.revoked_us, r.expires_us, r.used_us \
        FROM oauth_refresh r JOIN oauth_grant g ON g.id = r.grant_id WHERE r.hash = $1";
    USE_REFRESH = "UPDATE oauth_refresh SET used_us = $1 WHERE hash = $2 AND used_us IS NULL";
    INSERT_REFRESH = "INSERT INTO oauth_refresh (hash, grant_id, made_us, expires_us) VALUES ($1, $2, $3, $4)";
    REVOKE_ACCESS = "INSERT INTO oauth_revoked (jti, until_us) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    USE_ASSERTION = "INSERT INTO oauth_assertion (client, jti, until_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    ANY_OLD = "SELECT 1 FROM oauth_request WHERE expires_us < $1 UNION ALL SELECT 1 FROM oauth_launch WHERE expires_us < $1 \
        UNION ALL SELECT 1 FROM oauth_code WHERE expires_us < $2 UNION ALL SELECT 1 FROM oauth_refresh WHERE expires_us < $1 \
        UNION ALL SELECT 1 FROM oauth_revoked WHERE until_us < $1 UNION ALL SELECT 1 FROM oauth_assertion WHERE until_us < $1 LIMIT 1";
    FORGET_REQUESTS = "DELETE FROM oauth_request WHERE expires_us < $1";
    FORGET_LAUNCHES = "DELETE FROM oauth_launch WHERE expires_us < $1";
    FORGET_CODES = "DELETE FROM oauth_code WHERE expires_us < $1";
    FORGET_REFRESHES = "DELETE FROM oauth_refresh WHERE expires_us < $1";
    FORGET_REVOKED = "DELETE FROM oauth_revoked WHERE until_us < $1";
    FORGET_ASSERTIONS = "DELETE FROM oauth_assertion WHERE until_us < $1";
}

/// A code that was brought, with its grant.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The code.
    pub code: Code,
    /// Its grant.
    pub grant: Grant,
    /// Whether it was used before.
    pub used: bool,
}

/// The code with this hash.
pub async fn code(tx: &mut Tx, hash: &str) -> Result<Option<Brought>, StoreError> {
    let Some(row) = tx.optional(CODE, args![hash]).await? else { return Ok(None) };
    let grant = read(&row)?;
    let code = Code {
        hash: hash.to_owned(),
        grant: grant.id.clone(),
        redirect_uri: row.text(14)?,
        challenge: row.text(15)?,
        expires_us: row.int(16)?,
    };
    Ok(Some(Brought { code, grant, used: row.opt_int(17)?.is_some() }))
}

/// Uses a code up; false when it was.
pub async fn use_code(tx: &mut Tx, hash: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(USE_CODE, args![now, hash]).await? == 1)
}

/// A refresh token that was brought, with its grant.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Its grant.
    pub grant: Grant,
    /// Until when it is good.
    pub expires_us: Micros,
    /// Whether it was used before.
    pub used: bool,
}

/// The refresh token with this hash.
pub async fn refresh(tx: &mut Tx, hash: &str) -> Result<Option<Refresh>, StoreError> {
    let Some(row) = tx.optional(REFRESH, args![hash]).await? else { return Ok(None) };
    Ok(Some(Refresh { grant: read(&row)?, expires_us: row.int(14)?, used: row.opt_int(15)?.is_some() }))
}

/// Uses a refresh token up; false when it was.
pub async fn use_refresh(tx: &mut Tx, hash: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(USE_REFRESH, args![now, hash]).await? == 1)
}

/// Stores a new refresh token of a grant by its hash.
pub async fn insert_refresh(
    tx: &mut Tx,
    hash: &str,
    grant: &str,
    now: Micros,
    expires: Micros,
) -> Result<(), StoreError> {
    tx.execute(INSERT_REFRESH, args![hash, grant, now, expires]).await.map(drop)
}

/// Revokes one access token, which would have expired at `until`.
pub async fn revoke_access(tx: &mut Tx, jti: &str, until: Micros) -> Result<(), StoreError> {
    tx.execute(REVOKE_ACCESS, args![jti, until]).await.map(drop)
}

/// Uses an assertion up, which would have expired at `until`; false when it was.
pub async fn use_assertion(tx: &mut Tx, client: &str, jti: &str, until: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(USE_ASSERTION, args![client, jti, until]).await? == 1)
}

/// Whether there is anything that [`forget_old`] would remove.
pub async fn any_old(tx: &mut Tx, now: Micros, codes_before: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_OLD, args![now, codes_before]).await?.is_some())
}

/// Removes what has expired, and codes that expired before `codes_before`: until then a second use of one is
/// still noticed.
pub async fn forget_old(tx: &mut Tx, now: Micros, codes_before: Micros) -> Result<(), StoreError> {
    for sql in [FORGET_REQUESTS, FORGET_LAUNCHES, FORGET_REFRESHES, FORGET_REVOKED, FORGET_ASSERTIONS] {
        tx.execute(sql, args![now]).await?;
    }
    tx.execute(FORGET_CODES, args![codes_before]).await.map(drop)
}
