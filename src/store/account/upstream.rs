//! Whom upstream providers know, and sign-ins that wait for their answer.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{StoreError, Tx};

statements! {
    BEGIN = "INSERT INTO upstream_sign_in (hash, provider, back, after_us, expires_us) \
        VALUES ($1, $2, $3, $4, $5)";
    WAITS = "SELECT 1 FROM upstream_sign_in WHERE hash = $1 AND expires_us > $2";
    TAKE = "DELETE FROM upstream_sign_in WHERE hash = $1 AND expires_us > $2 \
        RETURNING provider, back, after_us";
    FORGET = "DELETE FROM upstream_sign_in WHERE expires_us < $1";
    IDENTITY = "SELECT account FROM upstream_identity WHERE issuer = $1 AND subject = $2";
    LINK = "INSERT INTO upstream_identity (issuer, subject, account, since_us, last_us) \
        VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING RETURNING account";
    PROVISIONED = "SELECT a.id FROM account a WHERE a.external_id = $1 AND a.provisioned_by = $2 \
        AND a.deleted_us IS NULL \
        AND NOT EXISTS (SELECT 1 FROM upstream_identity u WHERE u.account = a.id AND u.issuer = $3)";
    SEEN = "UPDATE upstream_identity SET last_us = $1 WHERE issuer = $2 AND subject = $3";
}

/// A sign-in that went to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSignIn {
    /// `auth.providers.id`.
    pub provider: String,
    /// The page of ours to go on to.
    pub back: String,
    /// The provider must have seen the person after this time.
    pub after_us: Option<Micros>,
}

/// Keeps a sign-in until the browser comes back or it expires.
pub async fn begin_upstream(
    tx: &mut Tx,
    hash: &str,
    begun: &UpstreamSignIn,
    expires: Micros,
) -> Result<(), StoreError> {
    let UpstreamSignIn { provider, back, after_us } = begun.clone();
    tx.execute(BEGIN, args![hash, provider, back, after_us, expires]).await.map(drop)
}

/// Whether a sign-in waits under this hash.
pub async fn upstream_waits(tx: &mut Tx, hash: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.optional(WAITS, args![hash, now]).await?.is_some())
}

/// Takes a sign-in that came back: works once.
pub async fn take_upstream(
    tx: &mut Tx,
    hash: &str,
    now: Micros,
) -> Result<Option<UpstreamSignIn>, StoreError> {
    let Some(row) = tx.optional(TAKE, args![hash, now]).await? else { return Ok(None) };
    Ok(Some(UpstreamSignIn { provider: row.text(0)?, back: row.text(1)?, after_us: row.opt_int(2)? }))
}

/// Removes sign-ins that never came back.
pub(super) async fn forget(tx: &mut Tx, before: Micros) -> Result<(), StoreError> {
    tx.execute(FORGET, args![before]).await.map(drop)
}

/// The account of whom `issuer` calls `subject`.
pub async fn identity(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<String>, StoreError> {
    tx.optional(IDENTITY, args![issuer, subject]).await?.map(|row| row.text(0)).transpose()
}

/// The account that `source` keeps under its own id `external_id`, if nobody of `issuer` is linked to it.
pub async fn provisioned(
    tx: &mut Tx,
    source: &str,
    external_id: &str,
    issuer: &str,
) -> Result<Option<String>, StoreError> {
    tx.optional(PROVISIONED, args![external_id, source, issuer]).await?.map(|row| row.text(0)).transpose()
}

/// Links an account to whom `issuer` calls `subject`; false when somebody is.
pub async fn link(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    account: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    Ok(tx.optional(LINK, args![issuer, subject, account, now]).await?.is_some())
}

/// Remembers a sign-in.
pub async fn seen_upstream(tx: &mut Tx, issuer: &str, subject: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(SEEN, args![now, issuer, subject]).await.map(drop)
}
