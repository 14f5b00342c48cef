//! Who has which role.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    ADD = "INSERT INTO role_grant (account, role, organization, since_us, granted_by) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, role, organization) \
        DO UPDATE SET granted_by = excluded.granted_by WHERE role_grant.granted_by LIKE 'provider:%' \
        AND excluded.granted_by NOT LIKE 'provider:%' RETURNING role";
    REMOVE = "DELETE FROM role_grant WHERE account = $1 AND role = $2 AND organization = $3";
    OF = "SELECT account, role, organization, since_us, last_used_us, granted_by FROM role_grant \
        WHERE account = $1 ORDER BY role, organization";
    REVIEW = "SELECT account, role, organization, since_us, last_used_us, granted_by FROM role_grant \
        ORDER BY account, role, organization";
    USED = "UPDATE role_grant SET last_used_us = $1 WHERE account = $2 \
        AND (last_used_us IS NULL OR last_used_us < $3)";
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub account: String,
    /// [`crate::auth::principal::Role::code`].
    pub role: String,
    /// Logical id of the Organization; empty: all.
    pub organization: String,
    /// Since when.
    pub since_us: Micros,
    /// When it was used last, to the minute.
    pub last_used_us: Option<Micros>,
    /// Who gave it: an account id, or where it came from, such as `command line`.
    pub granted_by: String,
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    Ok(Grant {
        account: row.text(0)?,
        role: row.text(1)?,
        organization: row.text(2)?,
        since_us: row.int(3)?,
        last_used_us: row.opt_int(4)?,
        granted_by: row.text(5)?,
    })
}

/// Gives a role; false when the account has it already. What a provider gave, and now somebody here too, stays
/// when the provider takes it back.
pub async fn add(tx: &mut Tx, grant: &Grant) -> Result<bool, StoreError> {
    let Grant { account, role, organization, since_us, granted_by, .. } = grant.clone();
    Ok(tx.optional(ADD, args![account, role, organization, since_us, granted_by]).await?.is_some())
}

/// Takes a role away; false when the account did not have it.
pub async fn remove(tx: &mut Tx, account: &str, role: &str, organization: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, args![account, role, organization]).await? > 0)
}

/// The roles of one account.
pub async fn grants(tx: &mut Tx, account: &str) -> Result<Vec<Grant>, StoreError> {
    tx.all(OF, args![account]).await?.iter().map(grant).collect()
}

/// Every role of everybody.
pub async fn review(tx: &mut Tx) -> Result<Vec<Grant>, StoreError> {
    tx.all(REVIEW, vec![]).await?.iter().map(grant).collect()
}

/// Remembers that an account's roles were used, unless that was remembered after `unless_after`.
pub async fn used(tx: &mut Tx, account: &str, now: Micros, unless_after: Micros) -> Result<(), StoreError> {
    tx.execute(USED, args![now, account, unless_after]).await.map(drop)
}
