//! Sessions: who is signed in, and until when.

use super::AccountError;
use crate::app::App;
use crate::audit::act::Act;
use crate::auth::emergency::Emergency;
use crate::auth::principal::{Principal, Role, RoleGrant, Who};
use crate::auth::secret::fingerprint;
use crate::clock::Micros;
use crate::store::Intent;
use crate::store::account::{self as table, Account, Grant, Session};
use crate::store::emergency;
use std::time::Duration;

/// Uses within this time of each other are written down once.
const NOTICE: Micros = 60 * 1_000_000;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Live {
    /// The session.
    pub session: Session,
    /// Who it is; never disabled.
    pub account: Account,
    /// Their roles.
    pub roles: Vec<Grant>,
    /// The emergency that is running for them.
    pub emergency: Option<Emergency>,
}

impl Live {
    /// Whether they have this role, in whichever organisation.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|grant| grant.role == role.code())
    }

    /// Whether they proved who they are so recently that a sensitive act needs no new proof.
    pub fn is_recent(&self, app: &App) -> bool {
        app.clock.now() - self.session.authenticated_us < micros(app.config.sign_in.recent)
    }
}

pub(super) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// Who is signed in with this cookie, if anybody. Using a session keeps it alive, up to its limit.
///
/// # Errors
/// When the database fails.
pub async fn session_of(app: &App, cookie: &str) -> Result<Option<Live>, AccountError> {
    let (hash, now) = (fingerprint(cookie), app.clock.now());
    let mut reader = app.store.reader().await?;
    let Some(session) = table::find(&mut reader, &hash, now).await? else { return Ok(None) };
    let account = table::by_id(&mut reader, &session.account).await?;
    let Some(account) = account.filter(|account| account.disabled_us.is_none()) else { return Ok(None) };
    let roles = table::grants(&mut reader, &account.id).await?;
    let running = emergency::running(&mut reader, &account.id, now).await?;
    drop(reader);
    let given: Vec<RoleGrant> = roles.iter().filter_map(role_grant).collect();
    let emergency = Emergency::counting(running, &given, now);
    if now - session.seen_us >= NOTICE {
        let expires = (now + micros(app.config.sign_in.idle)).min(session.ends_us);
        let id = account.id.clone();
        let work = app.store.write(Intent::Upsert, move |tx| {
            let (hash, id) = (hash.clone(), id.clone());
            Box::pin(async move {
                table::seen(tx, &hash, now, expires).await?;
                table::role_used(tx, &id, now, now - NOTICE).await?;
                Ok::<_, AccountError>(())
            })
        });
        work.await?;
    }
    Ok(Some(Live { session, account, roles, emergency }))
}

/// What whoever is signed in may do on this server's own pages.
pub fn principal(live: &Live) -> Principal {
    let fhir_user = live.account.fhir_user.as_deref().and_then(|user| user.split_once('/'));
    let fhir_user = fhir_user.map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    let patient = fhir_user.as_ref().filter(|(kind, _)| kind == "Patient").map(|(_, id)| id.clone());
    Principal {
        who: Who::Account(live.account.id.clone()),
        client: None,
        roles: live.roles.iter().filter_map(role_grant).collect(),
        fhir_user,
        patient,
        scopes: None,
        token: None,
        grant: None,
        emergency: live.emergency.clone(),
    }
}

pub(in crate::app) fn role_grant(grant: &Grant) -> Option<RoleGrant> {
    let organization = (!grant.organization.is_empty()).then(|| grant.organization.clone());
    Some(RoleGrant { role: Role::from_code(&grant.role)?, organization })
}

/// Ends the session of this cookie, and with it what apps were given for as long as it lasts.
///
/// # Errors
/// When the database fails.
pub async fn sign_out(app: &App, cookie: &str) -> Result<(), AccountError> {
    let (hash, now) = (fingerprint(cookie), app.clock.now());
    let work = app.noting(app.event(Act::SignOut), move |tx| {
        let hash = hash.clone();
        Box::pin(async move { Ok::<_, AccountError>(table::end(tx, &hash, now).await?) })
    });
    work.await
}
