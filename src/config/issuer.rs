//! `[[auth.issuers]]`: other authorization servers whose tokens are taken.

use super::units;
use serde::Deserialize;

/// One of `[[auth.issuers]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// Where its keys are; none: as its discovery document says.
    #[serde(default, deserialize_with = "units::optional_text")]
    pub jwks_uri: Option<String>,
    /// The claim with names of roles, or names of nested claims with dots between them.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    /// What names of roles give.
    #[serde(default)]
    pub roles: Vec<MappedRole>,
    /// The claim with the resource that stands for the person.
    #[serde(default = "fhir_user_claim")]
    pub fhir_user_claim: String,
    /// The claim with the patient in context.
    #[serde(default = "patient_claim")]
    pub patient_claim: String,
    /// The most that its tokens may give.
    pub max_scopes: String,
    /// What a token gives that has no scopes for resources.
    #[serde(default)]
    pub assumed_scopes: String,
}

/// What a name of a role gives.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedRole {
    /// As tokens have it.
    pub name: String,
    /// One of ours.
    pub role: String,
    /// Logical id of the Organization that it is limited to; none: all.
    #[serde(default)]
    pub organization: Option<String>,
}

fn roles_claim() -> String {
    "roles".to_owned()
}

fn fhir_user_claim() -> String {
    "fhirUser".to_owned()
}

fn patient_claim() -> String {
    "patient".to_owned()
}
