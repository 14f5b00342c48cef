//! Bearers of access tokens that other authorization servers made: their keys, by discovery and JWKS, and what
//! their tokens give here.

use super::bearer::Bearer;
use super::outbound::{FetchError, Outbound};
use super::{App, oauth};
use crate::auth::Access;
use crate::auth::external::{Trusted, check, claimed_issuer};
use crate::auth::principal::{Role, RoleGrant};
use crate::auth::scope::Scopes;
use crate::auth::token::{Refused, issuer_of};
use crate::config;
use crate::fhir::outcome::{Error, Kind};
use serde_json::Value;
use std::sync::Arc;

/// The authorization servers whose tokens are taken beside our own. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Issuers {
    all: Arc<Vec<Trusted>>,
}

impl Issuers {
    /// Reads `[[auth.issuers]]`.
    ///
    /// # Errors
    /// Names the first setting that can't be used.
    pub fn new(settings: &[config::Issuer], outbound: &Outbound) -> Result<Self, String> {
        let mut all: Vec<Trusted> = Vec::new();
        for (index, issuer) in settings.iter().enumerate() {
            let trusted = read(issuer, outbound).map_err(|told| format!("auth.issuers[{index}].{told}"))?;
            if all.iter().any(|other| other.issuer == trusted.issuer) {
                return Err(format!("auth.issuers[{index}].issuer: is listed twice"));
            }
            all.push(trusted);
        }
        Ok(Self { all: Arc::new(all) })
    }

    /// The issuer that `token` claims to be from, if it is one of these and not this server itself, which is
    /// known under `bases`.
    pub fn of(&self, bases: &[&str], token: &str) -> Option<&Trusted> {
        if self.all.is_empty() {
            return None;
        }
        let claimed = claimed_issuer(token)?;
        if bases.iter().any(|base| issuer_of(base) == claimed) {
            return None;
        }
        self.all.iter().find(|trusted| trusted.issuer == claimed)
    }
}

fn read(issuer: &config::Issuer, outbound: &Outbound) -> Result<Trusted, String> {
    let named = |setting: &'static str| move |wrong: super::outbound::Refused| format!("{setting}: {wrong}");
    outbound.judge(&issuer.issuer).map_err(named("issuer"))?;
    if let Some(url) = &issuer.jwks_uri {
        outbound.judge(url).map_err(named("jwks_uri"))?;
    }
    if issuer.audience.is_empty() {
        return Err("audience: is needed, or tokens for others would be taken".to_owned());
    }
    let roles = issuer.roles.iter().map(|mapped| match Role::from_code(&mapped.role) {
        Some(role) => {
            Ok((mapped.name.clone(), RoleGrant { role, organization: mapped.organization.clone() }))
        }
        None => Err(format!("roles: \"{}\" is not a role", mapped.role)),
    });
    Ok(Trusted {
        issuer: issuer.issuer.clone(),
        audience: issuer.audience.clone(),
        jwks_uri: issuer.jwks_uri.clone(),
        roles_claim: issuer.roles_claim.clone(),
        roles: roles.collect::<Result<_, _>>()?,
        fhir_user_claim: issuer.fhir_user_claim.clone(),
        patient_claim: issuer.patient_claim.clone(),
        max_scopes: scopes("max_scopes", &issuer.max_scopes)?,
        assumed_scopes: scopes("assumed_scopes", &issuer.assumed_scopes)?,
    })
}

/// Scopes that an administrator wrote: one that is misspelt would silently give less.
fn scopes(setting: &str, text: &str) -> Result<Scopes, String> {
    let mut words = text.split_whitespace();
    match words.find(|word| Scopes::parse(word).is_empty()) {
        Some(word) => Err(format!("{setting}: \"{word}\" is not a scope")),
        None => Ok(Scopes::parse(text)),
    }
}

/// Who brings this token of `trusted`. `bases` are the FHIR bases under which this server is known.
///
/// # Errors
/// 401, with no more than the bearer may know; 503 when the issuer's keys can't be had.
pub async fn bearer(app: &App, trusted: &Trusted, bases: &[&str], token: &str) -> Result<Bearer, Error> {
    let as_of = app.bearers.latest();
    let refused = |refused: Refused| oauth::tokens::refused(refused);
    let unproved = check(token, trusted, app.clock.now() / 1_000_000).map_err(refused)?;
    let place = jwks_uri(app, trusted).await?;
    let set = app.outbound.json(&place).await.map_err(unavailable)?;
    let key = if let Some(key) = unproved.key(&set) {
        key
    } else {
        // It may have been published a moment ago.
        let set = app.outbound.json_again(&place).await.map_err(unavailable)?;
        unproved.key(&set).ok_or_else(|| refused(Refused::Unknown))?
    };
    let principal = unproved.principal(&key, trusted, bases).map_err(refused)?;
    let access = Access::of(principal, app.policy).under(app.consents_at(as_of).await?);
    Ok(Bearer { access: Arc::new(access), as_of })
}

/// Where the issuer publishes its keys (OpenID Connect Discovery §4).
async fn jwks_uri(app: &App, trusted: &Trusted) -> Result<String, Error> {
    if let Some(url) = &trusted.jwks_uri {
        return Ok(url.clone());
    }
    let place = format!("{}/.well-known/openid-configuration", trusted.issuer.trim_end_matches('/'));
    let document = app.outbound.json(&place).await.map_err(unavailable)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    match (text("issuer"), text("jwks_uri")) {
        // §4.3: anything else may be another issuer's document.
        (Some(issuer), Some(url)) if issuer == trusted.issuer => Ok(url.to_owned()),
        _ => {
            tracing::warn!(issuer = trusted.issuer, "its discovery document is not its own or names no keys");
            Err(cannot_be_had())
        }
    }
}

fn unavailable(_: FetchError) -> Error {
    // The cause is in the log already.
    cannot_be_had()
}

fn cannot_be_had() -> Error {
    Error::new(Kind::Unavailable, "The keys of the access token's issuer can't be had at the moment")
}
