//! `[[auth.providers]]`: OpenID Connect providers at which people sign in.

use super::MappedRole;
use super::units;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Parameters of the authorization request that are ours to set.
const OURS: &[&str] = &[
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "request",
    "request_uri",
];

/// One of `[[auth.providers]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Names it in our URLs and in the access review.
    pub id: String,
    /// What the button says.
    pub name: String,
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// Whether the issuer's host may be reached by plain http, on other ports and on private addresses.
    #[serde(default)]
    pub internal: bool,
    /// What this server is called there.
    pub client_id: String,
    /// A file that holds the client's secret.
    #[serde(default, deserialize_with = "units::optional_path")]
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable that holds the client's secret.
    #[serde(default)]
    pub client_secret_env: Option<String>,
    /// What is asked for.
    #[serde(default = "scopes")]
    pub scopes: String,
    /// Further parameters of the authorization request.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The claim with names of roles or groups, or names of nested claims with dots between them.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    /// What names in that claim give.
    #[serde(default)]
    pub roles: Vec<MappedRole>,
    /// The claim with the resource that stands for the person; none: it is not taken from the provider.
    #[serde(default, deserialize_with = "units::optional_text")]
    pub fhir_user_claim: Option<String>,
    /// The client whose users (SCIM) are this provider's people; none: they are not linked.
    #[serde(default, deserialize_with = "units::optional_text")]
    pub provisioned_by: Option<String>,
    /// The claim with what those users have as `externalId`.
    #[serde(default = "external_id_claim")]
    pub external_id_claim: String,
    /// `acr` must be one of these; none: any.
    #[serde(default)]
    pub require_acr: Vec<String>,
    /// `amr` must have one of these; none: any.
    #[serde(default)]
    pub require_amr: Vec<String>,
}

fn scopes() -> String {
    "openid profile".to_owned()
}

fn external_id_claim() -> String {
    "sub".to_owned()
}

fn roles_claim() -> String {
    "groups".to_owned()
}

/// Every rule that the providers break.
pub(super) fn problems(providers: &[Provider], local_sign_in: bool, found: &mut Vec<String>) {
    if providers.is_empty() && !local_sign_in {
        found.push(
            "auth.local_sign_in: is false, but auth.providers names nobody to sign in at instead".to_owned(),
        );
    }
    for (index, provider) in providers.iter().enumerate() {
        let mut add = |told: &str| found.push(format!("auth.providers[{index}].{told}"));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=32).contains(&provider.id.len()) || !provider.id.bytes().all(plain) {
            add("id: must have 1 to 32 lower-case letters, digits and hyphens");
        }
        let mut before = providers.iter().take(index);
        if before.any(|other| other.id == provider.id || other.issuer == provider.issuer) {
            add("id: this id or issuer is listed twice");
        }
        if provider.name.trim().is_empty() {
            add("name: is needed, since the button says it");
        }
        if provider.client_id.is_empty() {
            add("client_id: is needed");
        }
        if provider.client_secret_file.is_some() == provider.client_secret_env.is_some() {
            add("client_secret_file: one of client_secret_file and client_secret_env is needed");
        }
        if !provider.scopes.split_whitespace().any(|scope| scope == "openid") {
            add("scopes: must have openid");
        }
        if provider.roles.is_empty() {
            add("roles: are needed, or nobody who signs in there could do anything");
        }
        for name in provider.parameters.keys().filter(|name| OURS.contains(&name.as_str())) {
            add(&format!("parameters: {name} is set by this server"));
        }
    }
}
