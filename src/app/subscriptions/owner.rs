//! Whose a subscription is, and what they may see now: judged anew whenever something is handed out.

use crate::app::{App, oauth};
use crate::auth::Access;
use crate::auth::principal::{Principal, Who};
use crate::auth::scope::Scopes;
use crate::fhir::outcome::{Error, Kind};
use crate::store::oauth::bearer::{Named, standing};
use crate::store::state;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most owners that are remembered.
const MOST: u64 = 10_000;

/// Whoever asked for a subscription: what is kept of their access. Roles, revocation and consents are those of the
/// moment in which it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The account of the person, if it is for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The authorization that the person gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// `jti` of the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Granted scopes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// Logical id of the Patient in context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// Whether it is whoever uses the sandbox without a token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandbox: bool,
}

/// Why an owner has no access any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// Client, account, authorization or token are not what they were.
    #[error("the access of whoever set it up was withdrawn")]
    Withdrawn,
    /// What is kept can't be read.
    #[error("whose it is can't be read")]
    Unreadable,
}

impl Owner {
    /// What is kept of whoever makes a request.
    ///
    /// # Errors
    /// 403 for whom this server could not ask later whether they still have access.
    pub fn of(principal: &Principal) -> Result<Self, Error> {
        let unknown = Self {
            client: principal.client.clone(),
            account: None,
            grant: principal.grant.clone(),
            token: principal.token.clone(),
            scopes: principal.scopes.as_ref().map(ToString::to_string),
            patient: principal.patient.clone(),
            sandbox: false,
        };
        let of_ours = principal.client.as_deref().is_some_and(|client| !client.contains('|'));
        match &principal.who {
            Who::Account(id) if of_ours && principal.grant.is_some() => {
                Ok(Self { account: Some(id.clone()), ..unknown })
            }
            Who::Client if of_ours => Ok(unknown),
            Who::Sandbox | Who::Server(_) => Ok(Self { sandbox: true, ..unknown }),
            Who::Account(_) | Who::Client => {
                let told =
                    "Subscriptions are for tokens of this server, about which it can be asked later on";
                Err(Error::new(Kind::Forbidden, told))
            }
        }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// Never for what [`Owner::of`] made.
    pub fn text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::internal(error.to_string()))
    }
}

/// Owners' access, remembered for as long as nobody's access changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Owners(Cache<String, (i64, Result<Arc<Access>, Gone>)>);

impl Default for Owners {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

/// The access of the owner of a subscription (`subscription.owner`) as it is now.
///
/// # Errors
/// When the database does not answer. Inside: why there is no access any more.
pub async fn owner(app: &App, text: &str) -> Result<Result<Arc<Access>, Gone>, Error> {
    let seq = state::access(&mut app.store.reader().await?).await?;
    let now = app.clock.now();
    if let Some((as_of, known)) = app.owners.0.get(text)
        && as_of >= seq
        && known.as_ref().map_or(true, |access| access.holds_at(now))
    {
        return Ok(known);
    }
    let (as_of, found) = judge(app, text).await?;
    app.owners.0.insert(text.to_owned(), (as_of, found.clone()));
    Ok(found)
}

/// The same asked of the database, and the last change of anybody's access that is taken into account.
async fn judge(app: &App, text: &str) -> Result<(i64, Result<Arc<Access>, Gone>), Error> {
    let Ok(owner) = serde_json::from_str::<Owner>(text) else {
        return Ok((i64::MAX, Err(Gone::Unreadable)));
    };
    if owner.sandbox {
        // Only the sandbox's code lets anybody in without a token.
        let is_sandbox = app.mode == crate::app::Mode::Sandbox;
        let access = Arc::new(Access::of(Principal::sandbox(), app.policy));
        return Ok((i64::MAX, if is_sandbox { Ok(access) } else { Err(Gone::Withdrawn) }));
    }
    let named = Named {
        client: owner.client.as_deref().unwrap_or_default(),
        grant: owner.grant.as_deref(),
        jti: owner.token.as_deref().unwrap_or_default(),
        account: owner.account.as_deref(),
    };
    let found = standing(&mut app.store.reader().await?, named).await?;
    let stands = found.client_active && !found.revoked && (found.account_active || owner.account.is_none());
    if !stands {
        return Ok((found.as_of, Err(Gone::Withdrawn)));
    }
    let who = owner.account.clone().map_or(Who::Client, Who::Account);
    let roles = oauth::tokens::roles_of(&who, &found);
    let user = found.fhir_user.as_deref().and_then(|user| user.split_once('/'));
    let principal = Principal {
        who,
        client: owner.client.clone(),
        roles,
        fhir_user: user.map(|(rtype, id)| (rtype.to_owned(), id.to_owned())),
        patient: owner.patient.clone(),
        scopes: Some(Scopes::parse(owner.scopes.as_deref().unwrap_or_default())),
        token: owner.token.clone(),
        grant: owner.grant.clone(),
        // An emergency opens a record to look at, not to be told of.
        emergency: None,
    };
    let consents = app.consents_at(found.as_of).await?;
    Ok((found.as_of, Ok(Arc::new(Access::of(principal, app.policy).under(consents)))))
}
