//! Groups: a source's handles on roles.

use crate::args;
use crate::clock::Micros;
use crate::store::db::statements;
use crate::store::{Row, StoreError, Tx};

statements! {
    INSERT = "INSERT INTO scim_group (id, role, organization, external_id, made_by, created_us, modified_us) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    FIND = "SELECT id, role, organization, external_id, created_us, modified_us FROM scim_group WHERE id = $1";
    BY_ROLE = "SELECT id, role, organization, external_id, created_us, modified_us FROM scim_group \
        WHERE role = $1 AND organization = $2";
    ALL = "SELECT id, role, organization, external_id, created_us, modified_us FROM scim_group ORDER BY created_us, id";
    TOUCH = "UPDATE scim_group SET external_id = $1, modified_us = $2 WHERE id = $3";
    DELETE = "DELETE FROM scim_group WHERE id = $1";
    MEMBERS = "SELECT a.id, a.name, g.granted_by FROM role_grant g JOIN account a ON a.id = g.account \
        WHERE g.role = $1 AND g.organization = $2 AND a.deleted_us IS NULL ORDER BY g.since_us, a.id";
    OF = "SELECT s.id, s.role, s.organization, s.external_id, s.created_us, s.modified_us FROM role_grant g \
        JOIN scim_group s ON s.role = g.role AND s.organization = g.organization \
        WHERE g.account = $1 ORDER BY s.created_us, s.id";
    WITHDRAW = "DELETE FROM role_grant WHERE account = $1 AND role = $2 AND organization = $3 AND granted_by = $4";
    GRANTER = "SELECT granted_by FROM role_grant WHERE account = $1 AND role = $2 AND organization = $3";
}

/// A role in one organisation or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// [`crate::auth::principal::Role::code`].
    pub role: String,
    /// Logical id of the Organization; empty: all.
    pub organization: String,
    /// The source's own id.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_us: Micros,
    /// When the source changed it last.
    pub modified_us: Micros,
}

/// Who has the role of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Who gave the role.
    pub granted_by: String,
}

fn read(row: &Row) -> Result<Group, StoreError> {
    Ok(Group {
        id: row.text(0)?,
        role: row.text(1)?,
        organization: row.text(2)?,
        external_id: row.opt_text(3)?,
        created_us: row.int(4)?,
        modified_us: row.int(5)?,
    })
}

/// Stores a new group; false when its role has one in that organisation.
pub async fn insert(tx: &mut Tx, group: &Group, by: &str) -> Result<bool, StoreError> {
    let Group { id, role, organization, external_id, created_us, modified_us } = group.clone();
    let args = args![id, role, organization, external_id, by, created_us, modified_us];
    Ok(tx.execute(INSERT, args).await? == 1)
}

/// The group with this id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Group>, StoreError> {
    tx.optional(FIND, args![id]).await?.as_ref().map(read).transpose()
}

/// The group of a role in an organisation (empty: all).
pub async fn by_role(tx: &mut Tx, role: &str, organization: &str) -> Result<Option<Group>, StoreError> {
    tx.optional(BY_ROLE, args![role, organization]).await?.as_ref().map(read).transpose()
}

/// Every group, the oldest first.
pub async fn groups(tx: &mut Tx) -> Result<Vec<Group>, StoreError> {
    tx.all(ALL, args![]).await?.iter().map(read).collect()
}

/// The groups whose roles an account has.
pub async fn groups_of(tx: &mut Tx, account: &str) -> Result<Vec<Group>, StoreError> {
    tx.all(OF, args![account]).await?.iter().map(read).collect()
}

/// Who has the role of a group.
pub async fn members(tx: &mut Tx, group: &Group) -> Result<Vec<Member>, StoreError> {
    let rows = tx.all(MEMBERS, args![group.role.as_str(), group.organization.as_str()]).await?;
    let member =
        |row: &Row| Ok(Member { account: row.text(0)?, name: row.text(1)?, granted_by: row.text(2)? });
    rows.iter().map(member).collect()
}

/// Writes the source's own id, and that the group changed.
pub async fn touch_group(tx: &mut Tx, group: &Group, now: Micros) -> Result<(), StoreError> {
    tx.execute(TOUCH, args![group.external_id.clone(), now, group.id.as_str()]).await.map(drop)
}

/// Removes a group; the roles stay.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, args![id]).await? == 1)
}

/// Takes a role away that `by` gave; false when somebody else did, or nobody.
pub async fn withdraw(tx: &mut Tx, account: &str, group: &Group, by: &str) -> Result<bool, StoreError> {
    let args = args![account, group.role.as_str(), group.organization.as_str(), by];
    Ok(tx.execute(WITHDRAW, args).await? == 1)
}

/// Who gave an account the role of a group, if it has it.
pub async fn role_of(tx: &mut Tx, account: &str, group: &Group) -> Result<Option<String>, StoreError> {
    let args = args![account, group.role.as_str(), group.organization.as_str()];
    tx.optional(GRANTER, args).await?.map(|row| row.text(0)).transpose()
}
