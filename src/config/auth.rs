//! `[auth]`

use super::issuer::Issuer;
use super::provider::{self, Provider};
use super::units;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Directory of the keys that sign tokens.
    pub keys: PathBuf,
    /// How long an access token of a person is good.
    #[serde(deserialize_with = "units::duration")]
    pub access_lifetime: Duration,
    /// How long an access token of a client that acts for itself is good.
    #[serde(deserialize_with = "units::duration")]
    pub system_lifetime: Duration,
    /// How long a refresh token is good; each use gives a new one.
    #[serde(deserialize_with = "units::duration")]
    pub refresh_lifetime: Duration,
    /// How long others may keep the published keys.
    #[serde(deserialize_with = "units::duration")]
    pub jwks_max_age: Duration,
    /// The longest that an emergency lasts, in minutes.
    pub emergency_minutes: u32,
    /// Whether a provisioning source (SCIM) may give the role administrator and change who has it.
    pub provision_administrators: bool,
    /// Other authorization servers whose tokens are taken.
    pub issuers: Vec<Issuer>,
    /// Whether people sign in with passwords and passkeys of this server; administrators always may.
    pub local_sign_in: bool,
    /// OpenID Connect providers at which people sign in.
    pub providers: Vec<Provider>,
}

impl Auth {
    /// How long a new key is published before it signs: whoever keeps the published keys has fetched them anew
    /// by then.
    pub fn activation_delay(&self) -> Duration {
        self.jwks_max_age.saturating_mul(2)
    }
}

/// Every rule that is broken.
pub(super) fn problems(auth: &Auth, found: &mut Vec<String>) {
    let mut between = |setting: &str, value: Duration, least: Duration, most: Duration, told: &str| {
        if value < least || value > most {
            found.push(format!("auth.{setting}: must be between {told}"));
        }
    };
    let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
    between("access_lifetime", auth.access_lifetime, minute, hour, "1m and 1h");
    let five = Duration::from_mins(5);
    between("system_lifetime", auth.system_lifetime, Duration::from_secs(10), five, "10s and 5m");
    between("refresh_lifetime", auth.refresh_lifetime, hour, Duration::from_hours(24 * 366), "1h and 8784h");
    between("jwks_max_age", auth.jwks_max_age, Duration::from_secs(1), hour * 24, "1s and 24h");
    provider::problems(&auth.providers, auth.local_sign_in, found);
    if !(1..=60).contains(&auth.emergency_minutes) {
        found.push("auth.emergency_minutes: must be between 1 and 60".to_owned());
    }
}
