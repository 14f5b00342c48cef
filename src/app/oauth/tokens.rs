//! Making access tokens, and finding out who brings one.

use super::proved::{TokenDigest, digest};
use crate::app::App;
use crate::app::bearer::Bearer;
use crate::auth::Access;
use crate::auth::emergency::Emergency;
use crate::auth::error::OAuthError;
use crate::auth::principal::{Principal, Role, RoleGrant, Who};
use crate::auth::scope::Scopes;
use crate::auth::token::{self, AccessClaims, Proved, Refused};
use crate::clock::Micros;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::store::oauth::bearer::{Named, Standing, standing};
use std::sync::Arc;
use std::time::Duration;

/// What an access token is to say.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The account, or the client that acts for itself.
    pub subject: String,
    /// The client that gets it.
    pub client: String,
    /// Granted scopes, as the client wrote them.
    pub scope: String,
    /// The authorization that it comes from.
    pub grant: Option<String>,
    /// Logical id of the Patient in context.
    pub patient: Option<String>,
    /// Logical id of the Encounter in context.
    pub encounter: Option<String>,
    /// `Type/id` of the resource that stands for the person.
    pub fhir_user: Option<String>,
    /// When the person signed in, in seconds.
    pub auth_time: Option<i64>,
    /// The emergency that is running for the account.
    pub emergency: Option<Emergency>,
}

/// An access token that was just made.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// What it says.
    pub claims: AccessClaims,
}

/// Makes an access token for the FHIR base `base` that is good for `lifetime`.
///
/// # Errors
/// When no key signs.
pub async fn issue(
    app: &App,
    base: &str,
    subject: Subject,
    lifetime: Duration,
) -> Result<Issued, OAuthError> {
    let now = app.clock.now() / 1_000_000;
    let claims = AccessClaims {
        iss: token::issuer_of(base).to_owned(),
        aud: base.to_owned(),
        sub: subject.subject,
        client_id: subject.client,
        jti: app.clock.new_id(),
        iat: now,
        exp: now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        scope: subject.scope,
        grant: subject.grant,
        patient: subject.patient,
        encounter: subject.encounter,
        fhir_user: subject.fhir_user.map(|user| format!("{base}/{user}")),
        auth_time: subject.auth_time,
        purpose_of_use: subject.emergency.as_ref().map(|emergency| emergency.purpose.code().to_owned()),
        emergency: subject.emergency.map(|emergency| emergency.id),
    };
    let token = sign(app, token::ACCESS, &claims).await?;
    Ok(Issued { token, claims })
}

/// Signs claims with the key that signs now.
///
/// # Errors
/// When no key signs.
pub async fn sign(app: &App, typ: &str, claims: &impl serde::Serialize) -> Result<String, OAuthError> {
    let keys = app.keys.current().await;
    let key = keys.signer(app.clock.now()).ok_or_else(|| OAuthError::internal("no key signs now"))?;
    key.sign(typ, claims).map_err(|error| OAuthError::internal(error.to_string()))
}

/// The access token's claims, and how what it names stands in the database now. `bases` are the FHIR bases under
/// which this server is known.
///
/// # Errors
/// 401, with no more than the bearer may know.
pub async fn inspect(app: &App, bases: &[&str], token: &str) -> Result<(AccessClaims, Standing), Error> {
    let proved = prove(app, bases, token, digest(token)).await?;
    let standing = stand(app, &proved.claims).await?;
    Ok((proved.claims.clone(), standing))
}

/// Who brings this access token, and what they may do.
///
/// # Errors
/// 401, with no more than the bearer may know.
pub async fn bearer(app: &App, bases: &[&str], token: &str) -> Result<Bearer, Error> {
    let digest = digest(token);
    let proved = prove(app, bases, token, digest).await?;
    let claims = &proved.claims;
    let now = app.clock.now();
    if let Some(known) = app.bearers.get(&digest).filter(|known| known.access.holds_at(now)) {
        return Ok(known);
    }
    let standing = stand(app, claims).await?;
    let consents = app.consents_at(standing.as_of).await?;
    let access = Access::of(principal(claims, &standing, now), app.policy).under(consents);
    let bearer = Bearer { access: Arc::new(access), as_of: standing.as_of };
    app.bearers.keep(digest, bearer.clone());
    Ok(bearer)
}

/// What the token says, if its signature, its time and its audience are good.
async fn prove(app: &App, bases: &[&str], token: &str, digest: TokenDigest) -> Result<Arc<Proved>, Error> {
    let proved = app.proved.prove(&app.keys, token, digest).await.map_err(refused)?;
    proved.accept(bases, app.clock.now() / 1_000_000).map_err(refused)?;
    Ok(proved)
}

/// How what the token names stands, if all of it still does.
async fn stand(app: &App, claims: &AccessClaims) -> Result<Standing, Error> {
    let of_person = claims.grant.is_some();
    let named = Named {
        client: &claims.client_id,
        grant: claims.grant.as_deref(),
        jti: &claims.jti,
        account: of_person.then_some(claims.sub.as_str()),
    };
    let found = standing(&mut app.store.reader().await?, named).await?;
    if found.client_active && !found.revoked && (found.account_active || !of_person) {
        Ok(found)
    } else {
        Err(unauthorized("expired", "The access token is no longer valid"))
    }
}

fn principal(claims: &AccessClaims, standing: &Standing, now: Micros) -> Principal {
    let who = match claims.grant {
        Some(_) => Who::Account(claims.sub.clone()),
        None => Who::Client,
    };
    let roles = roles_of(&who, standing);
    let emergency = Emergency::counting(standing.emergency.clone(), &roles, now);
    let user = standing.fhir_user.as_deref().and_then(|user| user.split_once('/'));
    Principal {
        who,
        client: Some(claims.client_id.clone()),
        roles,
        fhir_user: user.map(|(rtype, id)| (rtype.to_owned(), id.to_owned())),
        patient: claims.patient.clone(),
        scopes: Some(Scopes::parse(&claims.scope)),
        token: Some(claims.jti.clone()),
        grant: claims.grant.clone(),
        emergency,
    }
}

/// The emergency that counts now for the account behind a token.
pub fn emergency(app: &App, standing: &Standing) -> Option<Emergency> {
    Emergency::counting(standing.emergency.clone(), &roles(standing), app.clock.now())
}

/// The roles of a person or of a client that acts for itself.
pub fn roles_of(who: &Who, standing: &Standing) -> Vec<RoleGrant> {
    match who {
        Who::Account(_) => roles(standing),
        _ => vec![RoleGrant { role: Role::System, organization: None }],
    }
}

/// Roles that we know; one that we don't know gives nothing.
fn roles(found: &Standing) -> Vec<RoleGrant> {
    let known = found.roles.iter().filter_map(|(role, organization)| {
        let organization = (!organization.is_empty()).then(|| organization.clone());
        Some(RoleGrant { role: Role::from_code(role)?, organization })
    });
    known.collect()
}

/// 401 without any token.
pub fn missing() -> Error {
    unauthorized("login", "An access token is needed: Authorization: Bearer …")
}

/// 401 for a token that is not taken.
pub fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Unknown => unauthorized("unknown", "The access token is not one of this server"),
        Refused::Elsewhere => unauthorized("unknown", "The access token is for another server"),
        Refused::Expired => unauthorized("expired", "The access token has expired"),
    }
}

fn unauthorized(code: &'static str, diagnostics: &str) -> Error {
    Error::of(Kind::Unauthorized, vec![Issue::error(code, diagnostics)])
}
