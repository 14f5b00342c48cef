//! What stands between a stranger and an account: counted failures, known browsers, second factors.

use crate::args;
use crate::auth::lockout::Failures;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{StoreError, Tx};

statements! {
    FAILURES = "SELECT count, last_us FROM sign_in_failure WHERE subject = $1 AND origin = $2";
    COUNT_FAILURE = "INSERT INTO sign_in_failure (subject, origin, count, last_us) VALUES ($1, $2, 1, $3) \
        ON CONFLICT (subject, origin) DO UPDATE SET \
        count = CASE WHEN sign_in_failure.last_us < $4 THEN 1 ELSE sign_in_failure.count + 1 END, last_us = $3";
    FORGIVE = "DELETE FROM sign_in_failure WHERE subject = $1 AND origin = $2";
    TAKE_BACK = "UPDATE sign_in_failure SET count = count - 1 WHERE subject = $1 AND origin = $2 AND count > 0";
    ANY_OLD = "SELECT 1 FROM sign_in_failure WHERE last_us < $1 UNION ALL \
        SELECT 1 FROM sign_in_step WHERE expires_us < $2 UNION ALL \
        SELECT 1 FROM session WHERE ends_us < $3 UNION ALL \
        SELECT 1 FROM upstream_sign_in WHERE expires_us < $2 UNION ALL \
        SELECT 1 FROM passkey_ceremony WHERE expires_us < $2 LIMIT 1";
    FORGET_FAILURES = "DELETE FROM sign_in_failure WHERE last_us < $1";
    FORGET_STEPS = "DELETE FROM sign_in_step WHERE expires_us < $1";
    FORGET_SESSIONS = "DELETE FROM session WHERE ends_us < $1";
    KNOW_DEVICE = "INSERT INTO known_device (hash, account, since_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    IS_DEVICE = "SELECT 1 FROM known_device d JOIN account a ON a.id = d.account WHERE d.hash = $1 AND a.username = $2";
    FORGET_DEVICES = "DELETE FROM known_device WHERE account = $1";
    START_STEP = "INSERT INTO sign_in_step (hash, account, provider, expires_us) VALUES ($1, $2, $3, $4)";
    STEP = "SELECT account, provider FROM sign_in_step WHERE hash = $1 AND expires_us > $2";
    TAKE_STEP = "DELETE FROM sign_in_step WHERE hash = $1 AND expires_us > $2 RETURNING account";
    SPEND_TOTP = "UPDATE account SET totp_step = $1 WHERE id = $2 AND totp_step < $1";
    FORGET_CODES = "DELETE FROM recovery_code WHERE account = $1";
    KEEP_CODE = "INSERT INTO recovery_code (account, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    SPEND_CODE = "UPDATE recovery_code SET used_us = $1 WHERE account = $2 AND hash = $3 AND used_us IS NULL";
    CODES_LEFT = "SELECT count(*) FROM recovery_code WHERE account = $1 AND used_us IS NULL";
}

/// Failures of a subject from an origin.
pub async fn failures(tx: &mut Tx, subject: &str, origin: &str) -> Result<Failures, StoreError> {
    let Some(row) = tx.optional(FAILURES, args![subject, origin]).await? else {
        return Ok(Failures::default());
    };
    Ok(Failures { count: row.int(0)?, last_us: row.int(1)? })
}

/// Counts one more; starts afresh when the last was before `forget`.
pub async fn count_failure(
    tx: &mut Tx,
    subject: &str,
    origin: &str,
    now: Micros,
    forget: Micros,
) -> Result<(), StoreError> {
    tx.execute(COUNT_FAILURE, args![subject, origin, now, forget]).await.map(drop)
}

/// Forgets the failures from `origin`.
pub async fn forgive(tx: &mut Tx, subject: &str, origin: &str) -> Result<(), StoreError> {
    tx.execute(FORGIVE, args![subject, origin]).await.map(drop)
}

/// Takes one counted failure back: it was a success.
pub async fn take_back(tx: &mut Tx, subject: &str, origin: &str) -> Result<(), StoreError> {
    tx.execute(TAKE_BACK, args![subject, origin]).await.map(drop)
}

/// Whether there is anything that [`forget_old`] would remove.
pub async fn any_old(
    tx: &mut Tx,
    failures: Micros,
    steps: Micros,
    sessions: Micros,
) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_OLD, args![failures, steps, sessions]).await?.is_some())
}

/// Removes failures, half sign-ins and sessions older than these times.
pub async fn forget_old(
    tx: &mut Tx,
    failures: Micros,
    steps: Micros,
    sessions: Micros,
) -> Result<(), StoreError> {
    tx.execute(FORGET_FAILURES, args![failures]).await?;
    tx.execute(FORGET_STEPS, args![steps]).await?;
    super::upstream::forget(tx, steps).await?;
    super::passkey::forget(tx, steps).await?;
    tx.execute(FORGET_SESSIONS, args![sessions]).await.map(drop)
}

/// Remembers a browser from which the account signed in.
pub async fn know_device(tx: &mut Tx, hash: &str, account: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(KNOW_DEVICE, args![hash, account, now]).await.map(drop)
}

/// Whether whoever has this (folded) username signed in from this browser before.
pub async fn is_device_of(tx: &mut Tx, hash: &str, username: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_DEVICE, args![hash, username]).await?.is_some())
}

/// Forgets an account's browsers.
pub async fn forget_devices(tx: &mut Tx, account: &str) -> Result<(), StoreError> {
    tx.execute(FORGET_DEVICES, args![account]).await.map(drop)
}

/// Keeps a sign-in that waits for its second factor.
pub async fn start_step(tx: &mut Tx, hash: &str, step: &Step, expires: Micros) -> Result<(), StoreError> {
    let Step { account, provider } = step.clone();
    tx.execute(START_STEP, args![hash, account, provider, expires]).await.map(drop)
}

/// A sign-in that waits for its second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose it is.
    pub account: String,
    /// The upstream provider at which the first part was done; none: here.
    pub provider: Option<String>,
}

/// The half sign-in under this hash, while it lasts.
pub async fn step(tx: &mut Tx, hash: &str, now: Micros) -> Result<Option<Step>, StoreError> {
    let Some(row) = tx.optional(STEP, args![hash, now]).await? else { return Ok(None) };
    Ok(Some(Step { account: row.text(0)?, provider: row.opt_text(1)? }))
}

/// Takes a half sign-in to complete it: works once.
pub async fn take_step(tx: &mut Tx, hash: &str, now: Micros) -> Result<Option<String>, StoreError> {
    tx.optional(TAKE_STEP, args![hash, now]).await?.map(|row| row.text(0)).transpose()
}

/// Uses up a time step's code; false when it, or a later one, was used.
pub async fn spend_totp_step(tx: &mut Tx, account: &str, step: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(SPEND_TOTP, args![step, account]).await? > 0)
}

/// Replaces an account's recovery codes by these fingerprints.
pub async fn keep_recovery_codes(tx: &mut Tx, account: &str, hashes: &[String]) -> Result<(), StoreError> {
    tx.execute(FORGET_CODES, args![account]).await?;
    for hash in hashes {
        tx.execute(KEEP_CODE, args![account, hash.as_str()]).await?;
    }
    Ok(())
}

/// Uses up a recovery code; false when it is none, or was used.
pub async fn spend_recovery_code(
    tx: &mut Tx,
    account: &str,
    hash: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SPEND_CODE, args![now, account, hash]).await? > 0)
}

/// How many recovery codes are left.
pub async fn recovery_codes_left(tx: &mut Tx, account: &str) -> Result<i64, StoreError> {
    tx.one(CODES_LEFT, args![account]).await?.int(0)
}
