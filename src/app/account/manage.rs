//! What an administrator does with accounts.

use super::{AccountError, LONGEST_NAME, folded, password};
use crate::app::App;
use crate::audit::event::Event;
use crate::auth::principal::{Role, RoleGrant};
use crate::auth::totp::recovery_code;
use crate::store::Tx;
use crate::store::account::{self as table, Account, Grant};
use crate::store::scim;
use secrecy::SecretString;

/// Resources that can stand for a person who signs in.
const FHIR_USERS: &[&str] = &["Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"];

/// An account to be made.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// What is typed at the sign-in.
    pub username: String,
    /// As people call them.
    pub name: String,
    /// None: nobody can sign in with a password yet.
    pub password: Option<SecretString>,
    /// `Type/id` of the resource that stands for them.
    pub fhir_user: Option<String>,
    /// Language of the pages.
    pub locale: Option<String>,
    /// Roles from the start.
    pub roles: Vec<RoleGrant>,
}

/// What is changed of an account.
#[derive(Clone, Debug)]
pub struct Change {
    /// As people call them.
    pub name: String,
    /// `Type/id` of the resource that stands for them.
    pub fhir_user: Option<String>,
    /// Language of the pages.
    pub locale: Option<String>,
}

pub(in crate::app) fn checked(
    name: &str,
    fhir_user: Option<&str>,
    locale: Option<&str>,
) -> Result<(), AccountError> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(AccountError::Invalid("The name must have 1 to 128 characters on one line"));
    }
    if let Some(user) = fhir_user {
        let known = user.split_once('/').is_some_and(|(kind, id)| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            FHIR_USERS.contains(&kind) && (1..=64).contains(&id.len()) && id.bytes().all(plain)
        });
        if !known {
            return Err(AccountError::Invalid("fhirUser is Type/id of a person, such as Practitioner/dr-a"));
        }
    }
    let is_tag = |tag: &str| {
        (2..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if locale.is_some_and(|tag| !is_tag(tag)) {
        return Err(AccountError::Invalid("The locale is a language tag, such as en or es"));
    }
    Ok(())
}

/// The username as it is stored.
pub(in crate::app) fn checked_username(username: &str) -> Result<String, AccountError> {
    let username = folded(username);
    if !is_username(&username) {
        return Err(AccountError::Invalid("A username has letters, digits and . _ - @ +, at most 128"));
    }
    Ok(username)
}

/// Makes an account. `by` says who does: an account's id, or a place such as `command line`.
///
/// # Errors
/// [`AccountError::Taken`], [`AccountError::Invalid`], [`AccountError::Weak`].
pub async fn create(app: &App, new: NewAccount, by: &str) -> Result<Account, AccountError> {
    checked(&new.name, new.fhir_user.as_deref(), new.locale.as_deref())?;
    let username = checked_username(&new.username)?;
    let hash = match &new.password {
        Some(password) => Some(password::hashed(app, password, &username).await?),
        None => None,
    };
    let account = Account {
        id: app.clock.new_id(),
        username,
        name: new.name.trim().to_owned(),
        fhir_user: new.fhir_user,
        locale: new.locale,
        created_us: app.clock.now(),
        disabled_us: None,
        last_sign_in_us: None,
        totp_since_us: None,
        has_password: hash.is_some(),
    };
    let mut event = app.administration("make an account", &account.id).detail("username", &account.username);
    for role in &new.roles {
        event = event.detail("role", role_text(role));
    }
    let (stored, roles, by) = (account.clone(), new.roles, by.to_owned());
    let work = app.noting(event, move |tx| {
        let (account, hash, roles, by) = (stored.clone(), hash.clone(), roles.clone(), by.clone());
        Box::pin(async move {
            if !table::insert(tx, &account, hash.as_deref()).await? {
                return Err(AccountError::Taken);
            }
            for role in &roles {
                table::add_role(tx, &grant(&account.id, role, account.created_us, &by)?).await?;
            }
            Ok(())
        })
    });
    work.await?;
    Ok(account)
}

/// A role as the record tells it.
fn role_text(role: &RoleGrant) -> String {
    match &role.organization {
        Some(organization) => format!("{} in Organization/{organization}", role.role.code()),
        None => role.role.code().to_owned(),
    }
}

/// Whether a folded text can be a username.
pub(super) fn is_username(folded: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    (1..=LONGEST_NAME).contains(&folded.chars().count()) && folded.chars().all(plain)
}

pub(super) fn grant(account: &str, role: &RoleGrant, now: i64, by: &str) -> Result<Grant, AccountError> {
    if role.role == Role::System {
        return Err(AccountError::Invalid("The role system belongs to clients, not to people"));
    }
    Ok(Grant {
        account: account.to_owned(),
        role: role.role.code().to_owned(),
        organization: role.organization.clone().unwrap_or_default(),
        since_us: now,
        last_used_us: None,
        granted_by: by.to_owned(),
    })
}

/// A password for somebody who will change it: 80 random bits that can be read aloud.
///
/// # Errors
/// When there is no randomness.
pub fn generated_password(app: &App) -> Result<String, AccountError> {
    app.clock.random_bytes::<10>().map(recovery_code).map_err(AccountError::broken)
}

/// The account with this id or, failing that, this username, and its roles.
///
/// # Errors
/// [`AccountError::Unknown`].
pub async fn get(app: &App, name: &str) -> Result<(Account, Vec<Grant>), AccountError> {
    let mut reader = app.store.reader().await?;
    let account = match table::by_id(&mut reader, name).await? {
        Some(account) => Some(account),
        None => table::by_username(&mut reader, &folded(name)).await?,
    };
    let account = account.ok_or(AccountError::Unknown)?;
    let roles = table::grants(&mut reader, &account.id).await?;
    Ok((account, roles))
}

/// Up to `limit` accounts after the username `after` (empty: from the first).
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, after: &str, limit: i64) -> Result<Vec<Account>, AccountError> {
    Ok(table::list(&mut app.store.reader().await?, after, limit).await?)
}

/// Runs `work` on an account that exists, and puts `event` on the record with it.
async fn on<F>(app: &App, event: Event, id: &str, work: F) -> Result<(), AccountError>
where
    F: for<'t> Fn(&'t mut Tx, String) -> futures_util::future::BoxFuture<'t, Result<(), AccountError>>
        + Send
        + Sync
        + Clone
        + 'static,
{
    let (id, now) = (id.to_owned(), app.clock.now());
    let write = app.noting(event, move |tx| {
        let (id, work) = (id.clone(), work.clone());
        Box::pin(async move {
            table::by_id(tx, &id).await?.ok_or(AccountError::Unknown)?;
            work(tx, id.clone()).await?;
            Ok(scim::touch(tx, &id, now).await?)
        })
    });
    write.await
}

/// Changes name, `fhirUser` and language.
///
/// # Errors
/// [`AccountError::Unknown`], [`AccountError::Invalid`].
pub async fn change(app: &App, id: &str, change: Change) -> Result<(), AccountError> {
    checked(&change.name, change.fhir_user.as_deref(), change.locale.as_deref())?;
    on(app, app.administration("change an account", id), id, move |tx, id| {
        let Change { name, fhir_user, locale } = change.clone();
        Box::pin(async move {
            Ok(table::update(tx, &id, name.trim(), fhir_user.as_deref(), locale.as_deref()).await?)
        })
    })
    .await
}

/// Changes the language of the pages; none: as the browser asks.
///
/// # Errors
/// [`AccountError::Unknown`].
pub async fn set_locale(app: &App, id: &str, locale: Option<String>) -> Result<(), AccountError> {
    on(app, app.administration("change the language", id), id, move |tx, id| {
        let locale = locale.clone();
        Box::pin(async move { Ok(table::set_locale(tx, &id, locale.as_deref()).await?) })
    })
    .await
}

/// Takes an account out of use, at once: its sessions end.
///
/// # Errors
/// [`AccountError::Unknown`].
pub async fn disable(app: &App, id: &str) -> Result<(), AccountError> {
    let now = app.clock.now();
    on(app, app.administration("disable an account", id), id, move |tx, id| {
        Box::pin(async move {
            table::disable(tx, &id, now).await?;
            // Whatever a provisioning source did: from now on it is an administrator's doing.
            scim::set_disabled_by(tx, &id, None).await?;
            Ok(table::end_all(tx, &id, "", now).await?)
        })
    })
    .await
}

/// Lets an account be used again.
///
/// # Errors
/// [`AccountError::Unknown`].
pub async fn enable(app: &App, id: &str) -> Result<(), AccountError> {
    let event = app.administration("enable an account", id);
    on(app, event, id, |tx, id| Box::pin(async move { Ok(table::enable(tx, &id).await?) })).await
}

/// Sets a password without knowing the old one; the account's sessions end and its known browsers are
/// forgotten.
///
/// # Errors
/// [`AccountError::Unknown`], [`AccountError::Weak`].
pub async fn set_password(app: &App, id: &str, new: &SecretString) -> Result<(), AccountError> {
    let (account, _) = get(app, id).await?;
    let (hash, now) = (password::hashed(app, new, &account.username).await?, app.clock.now());
    on(app, app.administration("set a password", &account.id), &account.id, move |tx, id| {
        let hash = hash.clone();
        Box::pin(async move {
            table::set_password(tx, &id, Some(&hash)).await?;
            table::forget_devices(tx, &id).await?;
            Ok(table::end_all(tx, &id, "", now).await?)
        })
    })
    .await
}

/// Gives a role; nothing changes when the account has it. It counts from the next request on.
///
/// # Errors
/// [`AccountError::Unknown`], [`AccountError::Invalid`].
pub async fn give_role(app: &App, id: &str, role: &RoleGrant, by: &str) -> Result<(), AccountError> {
    let given = grant(id, role, app.clock.now(), by)?;
    let event = app.administration("give a role", id).detail("role", role_text(role));
    on(app, event, id, move |tx, _| {
        let given = given.clone();
        Box::pin(async move { Ok(table::add_role(tx, &given).await.map(drop)?) })
    })
    .await
}

/// Takes a role away, from the next request on; nothing changes when the account does not have it.
///
/// # Errors
/// [`AccountError::Unknown`].
pub async fn take_role(app: &App, id: &str, role: &RoleGrant) -> Result<(), AccountError> {
    let (code, organization) = (role.role.code(), role.organization.clone().unwrap_or_default());
    let event = app.administration("take a role", id).detail("role", role_text(role));
    on(app, event, id, move |tx, id| {
        let organization = organization.clone();
        Box::pin(async move { Ok(table::remove_role(tx, &id, code, &organization).await.map(drop)?) })
    })
    .await
}
