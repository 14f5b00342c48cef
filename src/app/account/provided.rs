//! Accounts of people whom an upstream provider vouches for. What links them is issuer and subject, never a name or an
//! address of theirs: those can change hands.

use super::manage::{grant, is_username};
use super::{AccountError, LONGEST_NAME, folded};
use crate::app::App;
use crate::auth::principal::RoleGrant;
use crate::auth::secret::fingerprint;
use crate::clock::Micros;
use crate::store::Tx;
use crate::store::account::{self as table, Account};
use std::sync::Arc;

/// Whom a provider vouches for, and what its claims give.
#[derive(Clone, Debug)]
pub(in crate::app) struct Vouched {
    /// `auth.providers.id`.
    pub(in crate::app) provider: String,
    /// `iss`
    pub(in crate::app) issuer: String,
    /// `sub`
    pub(in crate::app) subject: String,
    /// What they are called there, if it can be a username here.
    pub(in crate::app) username: Option<String>,
    /// As people call them.
    pub(in crate::app) name: Option<String>,
    /// The source that keeps the provider's people here, such as `scim:entra`, and its own id of this one.
    pub(in crate::app) provisioned: Option<(String, String)>,
    /// Roles that the claims give.
    pub(in crate::app) roles: Vec<RoleGrant>,
    /// Whether the provider says which resource stands for them.
    pub(in crate::app) says_fhir_user: bool,
    /// The resource that stands for them, as it says.
    pub(in crate::app) fhir_user: Option<String>,
}

/// What becomes of them.
#[derive(Debug)]
pub(in crate::app) enum Arrived {
    /// They may sign in.
    Known(Box<Account>),
    /// Neither the provider nor an administrator gave them a role.
    NoRole,
    /// An administrator took the account out of use.
    Disabled,
}

/// The account of whom a provider vouches for, made at their first sign-in, with the roles that it gives now.
///
/// # Errors
/// When the database fails.
pub(in crate::app) async fn arrive(app: &App, vouched: Vouched) -> Result<Arrived, AccountError> {
    let vouched = Arc::new(vouched);
    match once(app, &vouched).await {
        // Somebody came first with the same name, or the same person in another window.
        Err(AccountError::Taken) => once(app, &vouched).await,
        done => done,
    }
}

async fn once(app: &App, vouched: &Arc<Vouched>) -> Result<Arrived, AccountError> {
    let (now, new_id) = (app.clock.now(), app.clock.new_id());
    let vouched = Arc::clone(vouched);
    let event = app.administration("take over what a provider vouches for", &vouched.subject);
    let event = event.detail("issuer", &vouched.issuer);
    let work = app.noting(event, move |tx| {
        let (vouched, new_id) = (Arc::clone(&vouched), new_id.clone());
        Box::pin(async move {
            let known = table::identity(tx, &vouched.issuer, &vouched.subject).await?;
            let Some(id) = or_provisioned(tx, &vouched, known, now).await? else {
                return first(tx, &vouched, new_id, now).await;
            };
            table::seen_upstream(tx, &vouched.issuer, &vouched.subject, now).await?;
            synchronise(tx, &vouched, &id, now).await?;
            let account = table::by_id(tx, &id).await?.ok_or(AccountError::Unknown)?;
            let roles = table::grants(tx, &id).await?;
            Ok(if account.disabled_us.is_some() {
                Arrived::Disabled
            } else if roles.is_empty() {
                Arrived::NoRole
            } else {
                Arrived::Known(Box::new(account))
            })
        })
    });
    work.await
}

/// The account of somebody who is known, or whom the provider's own source made here before they came.
async fn or_provisioned(
    tx: &mut Tx,
    vouched: &Vouched,
    known: Option<String>,
    now: Micros,
) -> Result<Option<String>, AccountError> {
    let (None, Some((source, external_id))) = (&known, &vouched.provisioned) else { return Ok(known) };
    let Some(id) = table::provisioned(tx, source, external_id, &vouched.issuer).await? else {
        return Ok(None);
    };
    if table::link(tx, &vouched.issuer, &vouched.subject, &id, now).await? {
        Ok(Some(id))
    } else {
        Err(AccountError::Taken)
    }
}

/// Roles that this provider gave and no longer gives go; those from elsewhere stay.
async fn synchronise(tx: &mut Tx, vouched: &Vouched, id: &str, now: Micros) -> Result<(), AccountError> {
    let by = granted_by(&vouched.provider);
    let wanted = vouched.roles.iter().map(|role| grant(id, role, now, &by)).collect::<Result<Vec<_>, _>>()?;
    for had in table::grants(tx, id).await? {
        let stays = had.granted_by != by
            || wanted.iter().any(|new| (&new.role, &new.organization) == (&had.role, &had.organization));
        if !stays {
            table::remove_role(tx, id, &had.role, &had.organization).await?;
        }
    }
    for new in &wanted {
        table::add_role(tx, new).await?;
    }
    if vouched.says_fhir_user {
        let account = table::by_id(tx, id).await?.ok_or(AccountError::Unknown)?;
        if account.fhir_user != vouched.fhir_user {
            let (name, locale) = (account.name.as_str(), account.locale.as_deref());
            table::update(tx, id, name, vouched.fhir_user.as_deref(), locale).await?;
        }
    }
    Ok(())
}

/// Makes the account of somebody who comes for the first time, if they may do anything here.
async fn first(tx: &mut Tx, vouched: &Vouched, id: String, now: Micros) -> Result<Arrived, AccountError> {
    if vouched.roles.is_empty() {
        return Ok(Arrived::NoRole);
    }
    // Whoever has this name here already is somebody else.
    let wanted = vouched.username.as_deref().map(folded).filter(|name| is_username(name));
    let free = match wanted {
        Some(name) if table::by_username(tx, &name).await?.is_none() => Some(name),
        _ => None,
    };
    let username = free.unwrap_or_else(|| {
        let number = fingerprint(&format!("{}\0{}", vouched.issuer, vouched.subject)).to_lowercase();
        format!("{}-{}", vouched.provider, number.chars().take(16).collect::<String>())
    });
    let name = vouched.name.clone().unwrap_or_else(|| username.chars().take(LONGEST_NAME).collect());
    let account = Account {
        id,
        username,
        name,
        fhir_user: vouched.fhir_user.clone(),
        locale: None,
        created_us: now,
        disabled_us: None,
        last_sign_in_us: None,
        totp_since_us: None,
        has_password: false,
    };
    if !table::insert(tx, &account, None).await?
        || !table::link(tx, &vouched.issuer, &vouched.subject, &account.id, now).await?
    {
        return Err(AccountError::Taken);
    }
    synchronise(tx, vouched, &account.id, now).await?;
    Ok(Arrived::Known(Box::new(account)))
}

/// What the access review names as the giver of a provider's roles.
fn granted_by(provider: &str) -> String {
    format!("provider:{provider}")
}
