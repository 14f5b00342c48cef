//! Accounts with what a provisioning source keeps of them.

use super::condition::Condition;
use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Arg, Row, StoreError, Tx};
use sqlx::AssertSqlSafe;

statements! {
    FIND = "SELECT id, username, name, fhir_user, locale, external_id, profile, created_us, \
        COALESCE(modified_us, created_us), disabled_us, disabled_by FROM account WHERE id = $1 AND deleted_us IS NULL";
    BY_EXTERNAL_ID = "SELECT id FROM account WHERE external_id = $1 AND deleted_us IS NULL";
    SET = "UPDATE account SET username = $1, name = $2, fhir_user = $3, locale = $4, external_id = $5, profile = $6, \
        modified_us = $7, provisioned_by = COALESCE(provisioned_by, $8) WHERE id = $9";
    SET_DISABLED_BY = "UPDATE account SET disabled_by = $1 WHERE id = $2";
    TOUCH = "UPDATE account SET modified_us = $1 WHERE id = $2";
    DELETE = "UPDATE account SET deleted_us = $1, modified_us = $1, disabled_us = COALESCE(disabled_us, $1), \
        disabled_by = $2, former_username = username, username = 'deleted:' || id, external_id = NULL, \
        password_hash = NULL, totp_secret = NULL, totp_since_us = NULL WHERE id = $3 AND deleted_us IS NULL";
    DELETE_ROLES = "DELETE FROM role_grant WHERE account = $1";
    DELETE_IDENTITIES = "DELETE FROM upstream_identity WHERE account = $1";
    DELETE_PASSKEYS = "DELETE FROM passkey WHERE account = $1";
    IS_ADMINISTRATOR = "SELECT role FROM role_grant WHERE account = $1 AND role = 'administrator' LIMIT 1";
}

const COLUMNS: &str = "id, username, name, fhir_user, locale, external_id, profile, created_us, \
    COALESCE(modified_us, created_us), disabled_us, disabled_by";

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Folded.
    pub username: String,
    /// As people are shown it.
    pub name: String,
    /// The resource that stands for the person.
    pub fhir_user: Option<String>,
    /// Language of the pages.
    pub locale: Option<String>,
    /// The source's own id.
    pub external_id: Option<String>,
    /// JSON of what else the source keeps here.
    pub profile: Option<String>,
    /// When it was made.
    pub created_us: Micros,
    /// When anything of it changed last.
    pub modified_us: Micros,
    /// Whether it can be used.
    pub active: bool,
    /// The source that took it out of use.
    pub disabled_by: Option<String>,
}

fn read(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.text(0)?,
        username: row.text(1)?,
        name: row.text(2)?,
        fhir_user: row.opt_text(3)?,
        locale: row.opt_text(4)?,
        external_id: row.opt_text(5)?,
        profile: row.opt_text(6)?,
        created_us: row.int(7)?,
        modified_us: row.int(8)?,
        active: row.opt_int(9)?.is_none(),
        disabled_by: row.opt_text(10)?,
    })
}

/// What a list is ordered by; the id decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// When they were made.
    Created,
    /// By username.
    Username,
    /// By name, without regard to case.
    Name,
    /// By the source's own id.
    ExternalId,
    /// By the last change.
    Modified,
    /// By id.
    Id,
}

impl Order {
    fn sql(self, descending: bool) -> String {
        let column = match self {
            Self::Created => "created_us",
            Self::Username => "username",
            Self::Name => "lower(name)",
            Self::ExternalId => "COALESCE(external_id, '')",
            Self::Modified => "COALESCE(modified_us, created_us)",
            Self::Id => "id",
        };
        let direction = if descending { "DESC" } else { "ASC" };
        format!("{column} {direction}, id {direction}")
    }
}

/// The account with this id, unless it was deleted.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<User>, StoreError> {
    tx.optional(FIND, args![id]).await?.as_ref().map(read).transpose()
}

/// The id of the account that a source knows by this id.
pub async fn by_external_id(tx: &mut Tx, external_id: &str) -> Result<Option<String>, StoreError> {
    tx.optional(BY_EXTERNAL_ID, args![external_id]).await?.map(|row| row.text(0)).transpose()
}

/// How many accounts satisfy a condition.
pub async fn count(tx: &mut Tx, condition: &Condition) -> Result<i64, StoreError> {
    let mut args = Vec::new();
    let sql = format!(
        "SELECT CAST(count(*) AS BIGINT) FROM account WHERE deleted_us IS NULL AND {}",
        condition.sql(&mut args)
    );
    // Made of our own words and placeholders alone.
    tx.one(AssertSqlSafe(sql), args).await?.int(0)
}

/// Some of the accounts that satisfy a condition.
pub async fn list(
    tx: &mut Tx,
    condition: &Condition,
    order: Order,
    descending: bool,
    skip: i64,
    limit: i64,
) -> Result<Vec<User>, StoreError> {
    let mut args = Vec::new();
    let condition = condition.sql(&mut args);
    args.extend([Arg::Int(limit), Arg::Int(skip)]);
    let sql = format!(
        "SELECT {COLUMNS} FROM account WHERE deleted_us IS NULL AND {condition} ORDER BY {} LIMIT ${} OFFSET ${}",
        order.sql(descending),
        args.len() - 1,
        args.len()
    );
    tx.all(AssertSqlSafe(sql), args).await?.iter().map(read).collect()
}

/// Writes what a source may set, by `by`.
pub async fn set(tx: &mut Tx, user: &User, by: &str, now: Micros) -> Result<(), StoreError> {
    let User { id, username, name, fhir_user, locale, external_id, profile, .. } = user.clone();
    let args = args![username, name, fhir_user, locale, external_id, profile, now, by, id];
    tx.execute(SET, args).await.map(drop)
}

/// Notes which source took the account out of use; none: an administrator did, or nobody.
pub async fn set_disabled_by(tx: &mut Tx, id: &str, by: Option<&str>) -> Result<(), StoreError> {
    tx.execute(SET_DISABLED_BY, args![by.map(str::to_owned), id]).await.map(drop)
}

/// Notes that something of the account changed.
pub async fn touch(tx: &mut Tx, id: &str, now: Micros) -> Result<(), StoreError> {
    tx.execute(TOUCH, args![now, id]).await.map(drop)
}

/// Deletes the account for every source: it can't be used, has no role and no credentials any more, and its
/// username is free. False when there is none.
pub async fn delete(tx: &mut Tx, id: &str, by: &str, now: Micros) -> Result<bool, StoreError> {
    if tx.execute(DELETE, args![now, by, id]).await? == 0 {
        return Ok(false);
    }
    tx.execute(DELETE_ROLES, args![id]).await?;
    tx.execute(DELETE_PASSKEYS, args![id]).await?;
    // Whoever a provider calls the same may come again, as somebody new.
    tx.execute(DELETE_IDENTITIES, args![id]).await?;
    Ok(true)
}

/// Whether the account has the role administrator anywhere.
pub async fn is_administrator(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(IS_ADMINISTRATOR, args![id]).await?.is_some())
}
