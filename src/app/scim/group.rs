//! Groups: a role in one organisation or in all; the members are the accounts that have it.

use super::attributes::{GROUP, Type};
use super::patch::MOST_VALUES;
use super::user::{meta, without_version};
use super::{Change, Error, Kind, Precondition, Resource, Source, kept, text};
use crate::app::App;
use crate::auth::Permit;
use crate::auth::principal::Role;
use crate::clock::Micros;
use crate::fhir::registry::resource_type;
use crate::store::Tx;
use crate::store::account::{self as table, Grant};
use crate::store::resource as fhir;
use crate::store::scim::{self, Group};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `scheduler`, or `scheduler@Organization/north`.
pub(super) fn display_name(group: &Group) -> String {
    if group.organization.is_empty() {
        group.role.clone()
    } else {
        format!("{}@Organization/{}", group.role, group.organization)
    }
}

/// The role and organisation that a name means.
fn meant(name: &str) -> Result<(Role, String), Error> {
    let unknown = || {
        let people: Vec<&str> =
            Role::ALL.into_iter().filter(|role| *role != Role::System).map(Role::code).collect();
        let roles = people.join(", ");
        Error::value(format!("displayName is one of {roles}, alone or followed by @Organization/ and an id"))
    };
    let (role, organization) = match name.split_once('@') {
        None => (name, ""),
        Some((role, organization)) => {
            (role, organization.strip_prefix("Organization/").unwrap_or(organization))
        }
    };
    let role = Role::from_code(&role.to_lowercase()).filter(|role| *role != Role::System);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if organization.len() > 64 || !organization.bytes().all(plain) || name.ends_with('@') {
        return Err(unknown());
    }
    Ok((role.ok_or_else(unknown)?, organization.to_owned()))
}

/// A group as it is answered.
pub(super) async fn resource(tx: &mut Tx, group: &Group) -> Result<Resource, Error> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("schemas", json!([GROUP]));
    put("id", group.id.as_str().into());
    if let Some(id) = &group.external_id {
        put("externalId", id.as_str().into());
    }
    put("displayName", display_name(group).into());
    let members = scim::members(tx, group).await?;
    if !members.is_empty() {
        let member = |member: &scim::Member| json!({ "value": member.account, "display": member.name, "type": "User" });
        put("members", members.iter().map(member).collect());
    }
    put("meta", meta("Group", group.created_us, group.modified_us));
    Ok(Resource::new(Type::Group, out))
}

/// One group.
pub(super) async fn shown(tx: &mut Tx, id: &str) -> Result<Resource, Error> {
    let group = scim::group(tx, id).await?.ok_or_else(Error::not_found)?;
    resource(tx, &group).await
}

/// Ids of the members that a document names.
fn wanted_members(document: &Map<String, Value>) -> Result<BTreeSet<String>, Error> {
    let list = match document.get("members") {
        None => return Ok(BTreeSet::new()),
        Some(Value::Array(list)) if list.len() <= MOST_VALUES => list,
        Some(_) => return Err(Error::value("members is a list of at most 10000 objects")),
    };
    let id = |member: &Value| member.get("value").and_then(Value::as_str).map(str::to_owned);
    list.iter().map(|member| id(member).ok_or_else(|| Error::value("members.value is missing"))).collect()
}

/// Refuses a group through which administrators would be made, unless the source may.
fn may_keep(source: &Source, role: &str) -> Result<(), Error> {
    if role == Role::Administrator.code() && !source.administers {
        let told =
            "Administrators are not made by a provisioning source: auth.provision_administrators is off";
        return Err(Error::new(Kind::Forbidden, told));
    }
    Ok(())
}

/// Whether there is such an Organization.
async fn is_there(tx: &mut Tx, organization: &str) -> Result<bool, Error> {
    let Some(rtype) = resource_type("Organization") else { return Ok(false) };
    let permit = Permit::of_server("provisioning");
    let found = fhir::find(tx, &permit, rtype, organization).await?;
    Ok(found.is_some_and(|found| !found.deleted))
}

/// Makes the group of a role that has none yet.
pub(super) async fn create(app: &App, source: &Source, body: &Value) -> Result<Resource, Error> {
    let document = kept(Type::Group, body)?;
    let name = text(&document, "displayName")?.ok_or_else(|| Error::value("displayName is missing"))?;
    let (role, organization) = meant(&name)?;
    may_keep(source, role.code())?;
    let now = app.clock.now();
    let group = Group {
        id: app.clock.new_id(),
        role: role.code().to_owned(),
        organization,
        external_id: text(&document, "externalId")?,
        created_us: now,
        modified_us: now,
    };
    let shared = Arc::new((group, wanted_members(&document)?, source.clone()));
    let made = app.noting(
        app.administration("take up a role", &shared.0.id).detail("role", &shared.0.role),
        move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (group, members, source) = shared.as_ref();
                if !group.organization.is_empty() && !is_there(tx, &group.organization).await? {
                    return Err(Error::value(format!("There is no Organization/{}", group.organization)));
                }
                if !scim::insert_group(tx, group, &source.by).await? {
                    return Err(Error::new(Kind::Uniqueness, "The group is there already"));
                }
                set_members(tx, source, group, members, now).await?;
                shown(tx, &group.id).await
            })
        },
    );
    let made = made.await?;
    tracing::info!(group = made.id(), by = source.by, "a group was made");
    Ok(made)
}

/// Gives the role to who is named and takes it from who is not, where the source gave it.
async fn set_members(
    tx: &mut Tx,
    source: &Source,
    group: &Group,
    wanted: &BTreeSet<String>,
    now: Micros,
) -> Result<(), Error> {
    let own: BTreeSet<String> =
        scim::members(tx, group).await?.into_iter().map(|member| member.account).collect();
    for account in wanted.difference(&own) {
        if scim::find(tx, account).await?.is_none() {
            return Err(Error::value(format!("members: there is no user {account:.64}")));
        }
        let given = Grant {
            account: account.clone(),
            role: group.role.clone(),
            organization: group.organization.clone(),
            since_us: now,
            last_used_us: None,
            granted_by: source.by.clone(),
        };
        table::add_role(tx, &given).await?;
        scim::touch(tx, account, now).await?;
    }
    for account in own.difference(wanted) {
        if scim::withdraw(tx, account, group, &source.by).await? {
            scim::touch(tx, account, now).await?;
        }
    }
    Ok(())
}

/// Changes a group: its members, and the id by which the source knows it.
pub(super) async fn change(
    app: &App,
    source: &Source,
    id: &str,
    change: Change,
    precondition: Precondition,
) -> Result<Resource, Error> {
    let now = app.clock.now();
    let shared = Arc::new((id.to_owned(), change, precondition, source.clone()));
    let changed = app.noting(app.administration("change who has a role", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, change, precondition, source) = shared.as_ref();
            let group = scim::group(tx, id).await?.ok_or_else(Error::not_found)?;
            let shown_now = resource(tx, &group).await?;
            let mut document = Type::Group.kept(&shown_now.document);
            precondition.check(&without_version(shown_now))?;
            may_keep(source, &group.role)?;
            change.apply(Type::Group, &mut document)?;
            let name =
                text(&document, "displayName")?.ok_or_else(|| Error::value("displayName is missing"))?;
            let (role, organization) = meant(&name)?;
            if (role.code(), organization.as_str()) != (group.role.as_str(), group.organization.as_str()) {
                let told = "A group is its role: make another one instead of giving it another name";
                return Err(Error::new(Kind::Mutability, told));
            }
            let group = Group { external_id: text(&document, "externalId")?, ..group };
            set_members(tx, source, &group, &wanted_members(&document)?, now).await?;
            scim::touch_group(tx, &group, now).await?;
            shown(tx, id).await
        })
    });
    let changed = changed.await?;
    tracing::info!(group = id, by = source.by, "a group was changed");
    Ok(changed)
}

/// Deletes a group, and with it the roles that the source gave.
pub(super) async fn delete(
    app: &App,
    source: &Source,
    id: &str,
    precondition: Precondition,
) -> Result<(), Error> {
    let now = app.clock.now();
    let shared = Arc::new((id.to_owned(), precondition, source.clone()));
    let deleted = app.noting(app.administration("give up a role", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, precondition, source) = shared.as_ref();
            let group = scim::group(tx, id).await?.ok_or_else(Error::not_found)?;
            precondition.check(&without_version(resource(tx, &group).await?))?;
            may_keep(source, &group.role)?;
            set_members(tx, source, &group, &BTreeSet::new(), now).await?;
            scim::delete_group(tx, id).await?;
            Ok::<_, Error>(())
        })
    });
    deleted.await?;
    tracing::info!(group = id, by = source.by, "a group was deleted");
    Ok(())
}
