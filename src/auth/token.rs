//! Access tokens and id_tokens as JWTs: their claims, and what is demanded of one that comes back.

use super::jws::Compact;
use super::keys::Keys;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `typ` of an access token (RFC 9068 §2.1).
pub const ACCESS: &str = "at+jwt";
/// `typ` of an id_token.
pub const IDENTITY: &str = "JWT";

/// What an access token says. Roles are not in it: they are looked up at each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer: the server's origin.
    pub iss: String,
    /// The FHIR base that it is for.
    pub aud: String,
    /// The account, or the client that acts for itself.
    pub sub: String,
    /// The client that it was given to.
    pub client_id: String,
    /// Its own id.
    pub jti: String,
    /// Issued at, in seconds.
    pub iat: i64,
    /// Valid before, in seconds.
    pub exp: i64,
    /// Granted scopes.
    pub scope: String,
    /// The authorization that it comes from; none for a client that acts for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Logical id of the Patient in context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// Logical id of the Encounter in context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encounter: Option<String>,
    /// Absolute URL of the resource that stands for the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// When the person signed in, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Purpose of use (v3 ActReason), when it was issued during an emergency. Whether that still runs, the database
    /// says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose_of_use: Option<String>,
    /// Id of that emergency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<String>,
}

/// What an id_token says (OpenID Connect Core §2, SMART "Scopes for requesting identity data").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaims {
    /// The issuer: the server's origin.
    pub iss: String,
    /// The account.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// Valid before, in seconds.
    pub exp: i64,
    /// Issued at, in seconds.
    pub iat: i64,
    /// When the person signed in, in seconds.
    pub auth_time: i64,
    /// As the client sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Absolute URL of the resource that stands for the person.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// The same, for clients of SMART 1 that asked for `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// Why an access token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not a token of ours: shape, type, algorithm, key or signature.
    Unknown,
    /// From another issuer or for another server.
    Elsewhere,
    /// Its time is over.
    Expired,
}

/// What an access token says, once its signature was found to be one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The key that signed it.
    pub kid: String,
    /// What it says.
    pub claims: AccessClaims,
}

impl Proved {
    /// Checks shape, type, algorithm and signature.
    ///
    /// # Errors
    /// [`Refused::Unknown`], whichever it is that is wrong.
    pub fn of(token: &str, keys: &Keys) -> Result<Self, Refused> {
        let read = Compact::parse(token).ok_or(Refused::Unknown)?;
        // The algorithm is ours to choose, not the token's (RFC 8725 §3.1).
        if read.header_text("alg") != Some("RS256") || !is_access_type(read.header_text("typ")) {
            return Err(Refused::Unknown);
        }
        let kid = read.header_text("kid").ok_or(Refused::Unknown)?.to_owned();
        if !keys.find(&kid).ok_or(Refused::Unknown)?.signed(&read) {
            return Err(Refused::Unknown);
        }
        let claims = serde_json::from_value(Value::Object(read.claims)).map_err(|_| Refused::Unknown)?;
        Ok(Self { kid, claims })
    }

    /// Whether it is for this server, and still good. `bases` are the FHIR bases under which this server is
    /// known, `now` is in seconds.
    ///
    /// # Errors
    /// Says as little as the bearer may know.
    pub fn accept(&self, bases: &[&str], now: i64) -> Result<(), Refused> {
        let claims = &self.claims;
        if !bases.iter().any(|base| claims.aud == *base && claims.iss == issuer_of(base)) {
            return Err(Refused::Elsewhere);
        }
        if now >= claims.exp || claims.iat > now.saturating_add(60) {
            return Err(Refused::Expired);
        }
        Ok(())
    }
}

fn is_access_type(typ: Option<&str>) -> bool {
    // RFC 9068 §4 lets the prefix be left out.
    typ.is_some_and(|typ| typ.eq_ignore_ascii_case(ACCESS) || typ.eq_ignore_ascii_case("application/at+jwt"))
}

/// The issuer that belongs to a FHIR base: its origin and path without `/fhir`.
pub fn issuer_of(base: &str) -> &str {
    base.strip_suffix("/fhir").unwrap_or(base)
}
