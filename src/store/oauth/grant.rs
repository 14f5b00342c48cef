//! What people allowed clients, and the codes that clients fetch it with.

use super::request;
use crate::args;
use crate::auth::launch::Launch;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};

statements! {
    INSERT = "INSERT INTO oauth_grant (id, client, account, base, session, scope, patient, encounter, launch, nonce, \
        auth_time_us, made_us, last_used_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
    ONE = "SELECT id, client, account, base, session, scope, patient, encounter, launch, nonce, auth_time_us, made_us, \
        last_used_us, revoked_us FROM oauth_grant WHERE id = $1";
    OF_ACCOUNT = "SELECT id, client, account, base, session, scope, patient, encounter, launch, nonce, auth_time_us, \
        made_us, last_used_us, revoked_us FROM oauth_grant \
        WHERE account = $1 AND revoked_us IS NULL ORDER BY made_us DESC, id";
    OF_CLIENT = "SELECT id, client, account, base, session, scope, patient, encounter, launch, nonce, auth_time_us, \
        made_us, last_used_us, revoked_us FROM oauth_grant WHERE client = $1 AND revoked_us IS NULL ORDER BY id";
    REVOKE_ALL = "UPDATE oauth_grant SET revoked_us = $1 WHERE account = $2 AND revoked_us IS NULL";
    USED = "UPDATE oauth_grant SET last_used_us = $1 WHERE id = $2";
    REVOKE = "UPDATE oauth_grant SET revoked_us = $1 WHERE id = $2 AND revoked_us IS NULL";
    INSERT_CODE = "INSERT INTO oauth_code (hash, grant_id, redirect_uri, challenge, expires_us) \
        VALUES ($1, $2, $3, $4, $5)";
}

/// What a person allowed a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Its id, which access tokens carry.
    pub id: String,
    /// The client.
    pub client: String,
    /// The person.
    pub account: String,
    /// The FHIR base that its tokens are for.
    pub base: String,
    /// Hash of the session with which it ends, for online access.
    pub session: Option<String>,
    /// What was granted.
    pub scope: String,
    /// Logical id of the Patient in context.
    pub patient: Option<String>,
    /// Logical id of the Encounter in context.
    pub encounter: Option<String>,
    /// The rest of the launch context.
    pub launch: Option<Launch>,
    /// Of the authorization request.
    pub nonce: Option<String>,
    /// When the person signed in.
    pub auth_time_us: Micros,
    /// When it was granted.
    pub made_us: Micros,
    /// When a token was last fetched with it.
    pub last_used_us: Micros,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// Stores a new grant.
pub async fn insert(tx: &mut Tx, grant: &Grant) -> Result<(), StoreError> {
    let arguments = args![
        grant.id.as_str(),
        grant.client.as_str(),
        grant.account.as_str(),
        grant.base.as_str(),
        grant.session.clone(),
        grant.scope.as_str(),
        grant.patient.clone(),
        grant.encounter.clone(),
        grant.launch.as_ref().map(request::written).transpose()?,
        grant.nonce.clone(),
        grant.auth_time_us,
        grant.made_us,
    ];
    tx.execute(INSERT, arguments).await.map(drop)
}

/// One grant, revoked or not.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Grant>, StoreError> {
    tx.optional(ONE, args![id]).await?.as_ref().map(read).transpose()
}

/// What an account allowed and did not take back, the newest first.
pub async fn of_account(tx: &mut Tx, account: &str) -> Result<Vec<Grant>, StoreError> {
    tx.all(OF_ACCOUNT, args![account]).await?.iter().map(read).collect()
}

/// What anybody allowed a client and did not take back.
pub async fn of_client(tx: &mut Tx, client: &str) -> Result<Vec<Grant>, StoreError> {
    tx.all(OF_CLIENT, args![client]).await?.iter().map(read).collect()
}

/// Takes back all that an account allowed anybody, with all codes and tokens.
pub async fn revoke_all(tx: &mut Tx, account: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(REVOKE_ALL, args![now, account]).await.map(drop)
}

/// Notes that a token was fetched with it.
pub async fn used(tx: &mut Tx, id: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(USED, args![now, id]).await.map(drop)
}

/// Takes a grant back, with all its codes and tokens; false when it was already, or is not known.
pub async fn revoke(tx: &mut Tx, id: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(REVOKE, args![now, id]).await? == 1)
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// SHA-256 of the code.
    pub hash: String,
    /// The grant that it fetches.
    pub grant: String,
    /// The redirect URI that it was sent to.
    pub redirect_uri: String,
    /// `code_challenge` (S256).
    pub challenge: String,
    /// Until when it is good.
    pub expires_us: Micros,
}

/// Stores a new code.
pub async fn insert_code(tx: &mut Tx, code: &Code) -> Result<(), StoreError> {
    let arguments = args![
        code.hash.as_str(),
        code.grant.as_str(),
        code.redirect_uri.as_str(),
        code.challenge.as_str(),
        code.expires_us,
    ];
    tx.execute(INSERT_CODE, arguments).await.map(drop)
}

pub(super) fn read(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: row.text(0)?,
        client: row.text(1)?,
        account: row.text(2)?,
        base: row.text(3)?,
        session: row.opt_text(4)?,
        scope: row.text(5)?,
        patient: row.opt_text(6)?,
        encounter: row.opt_text(7)?,
        launch: row.opt_text(8)?.as_deref().map(request::launch).transpose()?,
        nonce: row.opt_text(9)?,
        auth_time_us: row.int(10)?,
        made_us: row.int(11)?,
        last_used_us: row.int(12)?,
        revoked: row.opt_int(13)?.is_some(),
    })
}
