//! The providers of `[[auth.providers]]`, and what they publish of themselves.

use super::Why;
use crate::app::outbound::{Outbound, Refused};
use crate::auth::principal::{Role, RoleGrant};
use crate::auth::upstream::Mapping;
use crate::clock::Clock;
use crate::config::{self, Config};
use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// Every provider. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    all: Arc<Vec<Provider>>,
}

/// A provider at which people sign in.
#[derive(Debug)]
pub struct Provider {
    /// Names it in our URLs.
    pub id: String,
    /// What the button says.
    pub name: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) scopes: Vec<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) mapping: Mapping,
    /// The source that keeps its people here, and the claim with the source's id of a person.
    pub(super) provisioned_by: Option<(String, String)>,
    /// One of its own: what it may reach, nobody else's URL may.
    pub(super) outbound: Outbound,
}

/// What a provider publishes of itself (OpenID Connect Discovery §3).
#[derive(Debug)]
pub(super) struct Discovered {
    /// With its keys.
    pub(super) metadata: CoreProviderMetadata,
    /// Where sessions are ended.
    pub(super) end_session: Option<String>,
    /// Whether its redirects say who sent them (RFC 9207).
    pub(super) says_issuer: bool,
}

impl Providers {
    /// Reads `[[auth.providers]]`.
    ///
    /// # Errors
    /// Names every setting that can't be used.
    pub fn new(config: &Config, clock: &Clock) -> Result<Self, String> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (index, settings) in config.auth.providers.iter().enumerate() {
            match read(settings, config, clock) {
                Ok(provider) => all.push(provider),
                Err(told) => {
                    problems.extend(told.into_iter().map(|told| format!("auth.providers[{index}].{told}")));
                }
            }
        }
        if problems.is_empty() { Ok(Self { all: Arc::new(all) }) } else { Err(problems.join("\n  ")) }
    }

    /// The provider with this id.
    pub fn get(&self, id: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.id == id)
    }

    /// Every provider, in the order of the settings.
    pub fn all(&self) -> &[Provider] {
        &self.all
    }
}

fn read(settings: &config::Provider, config: &Config, clock: &Clock) -> Result<Provider, Vec<String>> {
    let mut problems = Vec::new();
    let mut reached = config.outbound.clone();
    if settings.internal {
        reached.allow.extend(host(&settings.issuer));
    }
    let outbound = Outbound::new(&reached, clock.clone());
    match &outbound {
        Ok(outbound) => {
            problems.extend(outbound.judge(&settings.issuer).err().map(|wrong| match wrong {
                Refused::Scheme | Refused::Port | Refused::Host => {
                    format!("issuer: {wrong}; if it is one of your own network, say so by internal = true")
                }
                wrong => format!("issuer: {wrong}"),
            }));
        }
        Err(told) => problems.push(told.clone()),
    }
    let secret = secret(settings);
    problems.extend(secret.as_ref().err().cloned());
    let mut roles = Vec::new();
    for mapped in &settings.roles {
        match Role::from_code(&mapped.role) {
            Some(Role::System) => {
                problems.push("roles: \"system\" belongs to clients, not to people".to_owned());
            }
            Some(role) => {
                let organization = mapped.organization.clone();
                roles.push((mapped.name.clone(), RoleGrant { role, organization }));
            }
            None => problems.push(format!("roles: \"{}\" is not a role", mapped.role)),
        }
    }
    match (outbound, secret) {
        (Ok(outbound), Ok(client_secret)) if problems.is_empty() => Ok(Provider {
            id: settings.id.clone(),
            name: settings.name.trim().to_owned(),
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            client_secret,
            scopes: settings.scopes.split_whitespace().map(str::to_owned).collect(),
            parameters: settings.parameters.clone(),
            mapping: Mapping {
                roles_claim: settings.roles_claim.clone(),
                roles,
                fhir_user_claim: settings.fhir_user_claim.clone(),
                require_acr: settings.require_acr.clone(),
                require_amr: settings.require_amr.clone(),
            },
            provisioned_by: settings
                .provisioned_by
                .as_ref()
                .map(|client| (format!("scim:{client}"), settings.external_id_claim.clone())),
            outbound,
        }),
        _ => Err(problems),
    }
}

/// Host and port of a URL, as `outbound.allow` has them.
fn host(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

fn secret(settings: &config::Provider) -> Result<SecretString, String> {
    let (setting, text) = if let Some(path) = &settings.client_secret_file {
        ("client_secret_file", read_secret(path).map_err(|told| format!("client_secret_file: {told}"))?)
    } else {
        let name = settings.client_secret_env.clone().unwrap_or_default();
        let text = std::env::var(&name);
        ("client_secret_env", text.map_err(|_| format!("client_secret_env: {name} is not set"))?)
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        Err(format!("{setting}: the secret is empty"))
    } else {
        Ok(SecretString::from(text))
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if std::fs::metadata(path).map_err(failed)?.mode() & 0o007 != 0 {
        return Err(format!("{}: every user of this machine may read it; chmod o= it", path.display()));
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl Provider {
    /// What it publishes of itself, as fresh as it says; with `anew` its keys are fetched again.
    pub(super) async fn discover(&self, anew: bool) -> Result<Discovered, Why> {
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = self.outbound.json(&place).await.map_err(|_| Why::Unreachable)?;
        let metadata: CoreProviderMetadata = self.parse(&document, "discovery document")?;
        // §4.3: anything else may be another issuer's document.
        if metadata.issuer().as_str() != self.issuer {
            return Err(self.unproved("its discovery document is another issuer's"));
        }
        let place = metadata.jwks_uri().as_str();
        let set = if anew { self.outbound.json_again(place).await } else { self.outbound.json(place).await };
        let keys: CoreJsonWebKeySet = self.parse(&*set.map_err(|_| Why::Unreachable)?, "set of keys")?;
        Ok(Discovered {
            metadata: metadata.set_jwks(keys),
            end_session: document.get("end_session_endpoint").and_then(Value::as_str).map(str::to_owned),
            says_issuer: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
        })
    }

    /// Whether a browser may be sent there: plain http leads to listed hosts only.
    pub(super) fn may_lead_to(&self, url: &reqwest::Url) -> bool {
        url.scheme() == "https" || self.outbound.judge(url.as_str()).is_ok()
    }

    fn parse<T: DeserializeOwned>(&self, document: &Value, what: &str) -> Result<T, Why> {
        serde_json::from_str(&document.to_string())
            .map_err(|error| self.unproved(&format!("its {what} can't be read: {error}")))
    }

    /// For the log, where whoever looks after the provider finds it.
    pub(super) fn unproved(&self, reason: &(impl std::fmt::Display + ?Sized)) -> Why {
        tracing::warn!(provider = self.id, %reason, "a sign-in at a provider proves nothing");
        Why::Unproved
    }
}
