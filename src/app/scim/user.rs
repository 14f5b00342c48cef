//! Users: accounts.

use super::attributes::{OURS, Type, USER};
use super::{Change, Error, Kind, Precondition, Resource, Source, kept, text};
use crate::app::App;
use crate::app::account::{checked, checked_username};
use crate::clock::{Micros, instant_text};
use crate::store::Tx;
use crate::store::account::{self as table, Account};
use crate::store::oauth::grant;
use crate::store::scim::{self, User};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Most addresses of one person.
const MOST_EMAILS: usize = 20;
/// What is kept as the source sent it.
const PROFILE: [&str; 2] = ["name", "emails"];

/// An account as a source sees it, without what only we say.
fn document(user: &User) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("userName", user.username.as_str().into());
    put("displayName", user.name.as_str().into());
    put("active", user.active.into());
    if let Some(id) = &user.external_id {
        put("externalId", id.as_str().into());
    }
    if let Some(locale) = &user.locale {
        put("locale", locale.as_str().into());
    }
    if let Some(fhir_user) = &user.fhir_user {
        put(OURS, json!({ "fhirUser": fhir_user }));
    }
    let profile = user.profile.as_deref().and_then(|text| serde_json::from_str::<Map<_, _>>(text).ok());
    out.extend(profile.unwrap_or_default());
    out
}

/// An account as it is answered.
pub(super) async fn resource(tx: &mut Tx, user: &User) -> Result<Resource, Error> {
    let mut out = document(user);
    let mut schemas = vec![USER];
    if out.contains_key(OURS) {
        schemas.push(OURS);
    }
    let groups = scim::groups_of(tx, &user.id).await?;
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("schemas", json!(schemas));
    put("id", user.id.as_str().into());
    if !groups.is_empty() {
        let group = |group: &scim::Group| json!({ "value": group.id, "display": super::group::display_name(group), "type": "direct" });
        put("groups", groups.iter().map(group).collect());
    }
    put("meta", meta("User", user.created_us, user.modified_us));
    Ok(Resource::new(Type::User, out))
}

/// `meta` without version and location.
pub(super) fn meta(of: &str, created: Micros, modified: Micros) -> Value {
    json!({ "resourceType": of, "created": instant_text(created), "lastModified": instant_text(modified) })
}

/// One user.
pub(super) async fn shown(tx: &mut Tx, id: &str) -> Result<Resource, Error> {
    let user = scim::find(tx, id).await?.ok_or_else(Error::not_found)?;
    resource(tx, &user).await
}

/// What a document makes of an account.
fn wanted(old: &User, document: &Map<String, Value>) -> Result<User, Error> {
    let username = text(document, "userName")?.ok_or_else(|| Error::value("userName is missing"))?;
    let name = match text(document, "displayName")? {
        Some(name) => name,
        None => name_of(document)?.unwrap_or_else(|| username.clone()),
    };
    let active = match document.get("active") {
        None => true,
        Some(Value::Bool(active)) => *active,
        Some(_) => return Err(Error::value("active is true or false")),
    };
    let fhir_user = match document.get(OURS) {
        None => None,
        Some(Value::Object(extension)) => text(extension, "fhirUser")?,
        Some(_) => return Err(Error::value(format!("{OURS} is an object"))),
    };
    let locale = text(document, "locale")?.map(|locale| locale.replace('_', "-"));
    checked(&name, fhir_user.as_deref(), locale.as_deref())?;
    check_profile(document)?;
    let profile: Map<String, Value> =
        PROFILE.into_iter().filter_map(|name| Some((name.to_owned(), document.get(name)?.clone()))).collect();
    Ok(User {
        username: checked_username(&username)?,
        name,
        fhir_user,
        locale,
        external_id: text(document, "externalId")?,
        profile: (!profile.is_empty()).then(|| Value::Object(profile).to_string()),
        active,
        ..old.clone()
    })
}

/// What to call somebody whose `displayName` is not told.
fn name_of(document: &Map<String, Value>) -> Result<Option<String>, Error> {
    let Some(Value::Object(name)) = document.get("name") else { return Ok(None) };
    if let Some(formatted) = text(name, "formatted")? {
        return Ok(Some(formatted));
    }
    let parts = [text(name, "givenName")?, text(name, "familyName")?];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok((!parts.is_empty()).then(|| parts.join(" ")))
}

fn check_profile(document: &Map<String, Value>) -> Result<(), Error> {
    match document.get("name") {
        None => {}
        Some(Value::Object(name)) => {
            for part in name.keys() {
                text(name, part)?;
            }
        }
        Some(_) => return Err(Error::value("name is an object")),
    }
    let emails = match document.get("emails") {
        None => return Ok(()),
        Some(Value::Array(emails)) if emails.len() <= MOST_EMAILS => emails,
        Some(_) => return Err(Error::value("emails is a list of at most 20 objects")),
    };
    let mut primary = 0;
    for email in emails {
        let email = email.as_object().ok_or_else(|| Error::value("A value of emails is an object"))?;
        for part in ["value", "type", "display"] {
            text(email, part)?;
        }
        match email.get("primary") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => primary += 1,
            Some(_) => return Err(Error::value("emails.primary is true or false")),
        }
    }
    if primary > 1 { Err(Error::value("Only one of emails is primary")) } else { Ok(()) }
}

/// Makes an account, without a password: its owner signs in by other means.
pub(super) async fn create(app: &App, source: &Source, body: &Value) -> Result<Resource, Error> {
    let now = app.clock.now();
    let nobody = User {
        id: app.clock.new_id(),
        username: String::new(),
        name: String::new(),
        fhir_user: None,
        locale: None,
        external_id: None,
        profile: None,
        created_us: now,
        modified_us: now,
        active: true,
        disabled_by: None,
    };
    let shared = Arc::new((wanted(&nobody, &kept(Type::User, body)?)?, source.clone()));
    let made = app.noting(
        app.administration("make an account", &shared.0.id).detail("username", &shared.0.username),
        move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (user, source) = shared.as_ref();
                let account = Account {
                    id: user.id.clone(),
                    username: user.username.clone(),
                    name: user.name.clone(),
                    fhir_user: user.fhir_user.clone(),
                    locale: user.locale.clone(),
                    created_us: now,
                    disabled_us: None,
                    last_sign_in_us: None,
                    totp_since_us: None,
                    has_password: false,
                };
                if !table::insert(tx, &account, None).await? {
                    return Err(Error::new(Kind::Uniqueness, "The userName is taken"));
                }
                is_free(tx, user).await?;
                scim::set(tx, user, &source.by, now).await?;
                if !user.active {
                    end(tx, user, source, now).await?;
                }
                shown(tx, &user.id).await
            })
        },
    );
    let made = made.await?;
    tracing::info!(account = made.id(), by = source.by, "an account was made");
    Ok(made)
}

/// Refuses a `userName` or `externalId` of somebody else.
async fn is_free(tx: &mut Tx, user: &User) -> Result<(), Error> {
    let taken = |told: &str| Err(Error::new(Kind::Uniqueness, told));
    if table::by_username(tx, &user.username).await?.is_some_and(|other| other.id != user.id) {
        return taken("The userName is taken");
    }
    if let Some(external_id) = &user.external_id
        && scim::by_external_id(tx, external_id).await?.is_some_and(|other| other != user.id)
    {
        return taken("The externalId is taken");
    }
    Ok(())
}

/// Takes an account out of use: it can't be signed in to, its sessions end and so does all that it allowed to
/// applications.
async fn end(tx: &mut Tx, user: &User, source: &Source, now: Micros) -> Result<(), Error> {
    if table::disable(tx, &user.id, now).await? {
        scim::set_disabled_by(tx, &user.id, Some(&source.by)).await?;
    }
    table::end_all(tx, &user.id, "", now).await?;
    grant::revoke_all(tx, &user.id, now).await?;
    Ok(())
}

/// Changes an account.
pub(super) async fn change(
    app: &App,
    source: &Source,
    id: &str,
    change: Change,
    precondition: Precondition,
) -> Result<Resource, Error> {
    let now = app.clock.now();
    let shared = Arc::new((id.to_owned(), change, precondition, source.clone()));
    let changed = app.noting(app.administration("change an account", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, change, precondition, source) = shared.as_ref();
            let old = scim::find(tx, id).await?.ok_or_else(Error::not_found)?;
            precondition.check(&without_version(resource(tx, &old).await?))?;
            let mut document = document(&old);
            change.apply(Type::User, &mut document)?;
            write(tx, source, &old, wanted(&old, &document)?, now).await?;
            shown(tx, id).await
        })
    });
    let changed = changed.await?;
    tracing::info!(account = id, by = source.by, "an account was changed");
    Ok(changed)
}

/// The document of which the version was made.
pub(super) fn without_version(resource: Resource) -> Map<String, Value> {
    let mut document = resource.document;
    if let Some(Value::Object(meta)) = document.get_mut("meta") {
        meta.remove("version");
    }
    document
}

/// Writes what differs, as far as the source may.
async fn write(tx: &mut Tx, source: &Source, old: &User, new: User, now: Micros) -> Result<(), Error> {
    let only_ends = User { active: old.active, ..new.clone() } == *old && !new.active;
    if new == *old {
        return Ok(());
    }
    if !only_ends && !source.administers && scim::is_administrator(tx, &old.id).await? {
        let told =
            "The account is that of an administrator, which a provisioning source may only take out of use";
        return Err(Error::new(Kind::Forbidden, told));
    }
    is_free(tx, &new).await?;
    scim::set(tx, &new, &source.by, now).await?;
    match (old.active, new.active) {
        (true, false) => end(tx, &new, source, now).await?,
        (false, true) => {
            if !old.disabled_by.as_deref().is_some_and(|by| by.starts_with("scim:")) {
                let told = "An administrator took the account out of use, and only one lets it be used again";
                return Err(Error::new(Kind::Mutability, told));
            }
            table::enable(tx, &new.id).await?;
            scim::set_disabled_by(tx, &new.id, None).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Deletes an account for every source: it stays for the record, out of use, without roles and credentials.
pub(super) async fn delete(
    app: &App,
    source: &Source,
    id: &str,
    precondition: Precondition,
) -> Result<(), Error> {
    let now = app.clock.now();
    let shared = Arc::new((id.to_owned(), precondition, source.clone()));
    let deleted = app.noting(app.administration("delete an account", id), move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, precondition, source) = shared.as_ref();
            let old = scim::find(tx, id).await?.ok_or_else(Error::not_found)?;
            precondition.check(&without_version(resource(tx, &old).await?))?;
            end(tx, &old, source, now).await?;
            table::keep_recovery_codes(tx, id, &[]).await?;
            scim::delete(tx, id, &source.by, now).await?;
            Ok::<_, Error>(())
        })
    });
    deleted.await?;
    tracing::info!(account = id, by = source.by, "an account was deleted");
    Ok(())
}
