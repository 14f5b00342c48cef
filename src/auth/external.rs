//! Access tokens of other authorization servers: what is demanded of one, and what it makes of its bearer.
//!
//! An administrator lists the issuers. What their tokens say is limited by the list: which roles a claim may
//! give, which scopes at most. Nothing about them is kept here, so they are good until they expire.

use super::jws::Compact;
use super::principal::{Principal, Role, RoleGrant, Who};
use super::scope::{Level, Scope, Scopes};
use super::token::Refused;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::{Map, Value};

/// By how much an issuer's clock may be ahead of ours, in seconds.
const AHEAD: i64 = 30;
/// The longest `sub`, `azp` and `jti`.
const LONGEST_ID: usize = 255;
/// Algorithms that are taken: asymmetric ones, whose keys can be published (RFC 8725 §3.1).
const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
/// Resources that can stand for a person (SMART App Launch 2.2, `fhirUser`).
pub(super) const PEOPLE: &[&str] =
    &["Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person"];

/// An issuer whose tokens are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Trusted {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// Where its keys are; none: its discovery document says so.
    pub jwks_uri: Option<String>,
    /// The claim that holds its names of roles: a name, or names of nested claims with dots between them.
    pub roles_claim: String,
    /// What a name in that claim gives.
    pub roles: Vec<(String, RoleGrant)>,
    /// The claim that names the resource that stands for the person.
    pub fhir_user_claim: String,
    /// The claim that names the patient in context.
    pub patient_claim: String,
    /// The most that its tokens may give.
    pub max_scopes: Scopes,
    /// What a token gives that has no scopes for resources.
    pub assumed_scopes: Scopes,
}

/// Whose token this claims to be; nothing of it is proved.
pub fn claimed_issuer(token: &str) -> Option<String> {
    Compact::parse(token)?.text("iss").map(str::to_owned)
}

/// A token whose claims are in order; its signature is still to be checked.
#[derive(Debug)]
pub struct Unproved<'a> {
    read: Compact<'a>,
    algorithm: Algorithm,
    subject: String,
}

/// Checks everything of a token but its signature; `now` is in seconds.
///
/// # Errors
/// Says as little as the bearer may know.
pub fn check<'a>(token: &'a str, trusted: &Trusted, now: i64) -> Result<Unproved<'a>, Refused> {
    let read = Compact::parse(token).ok_or(Refused::Unknown)?;
    let named = read.header_text("alg").ok_or(Refused::Unknown)?;
    let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == named).ok_or(Refused::Unknown)?.1;
    if !is_access_token(&read) {
        return Err(Refused::Unknown);
    }
    let is_ours = |value: &Value| value.as_str() == Some(&trusted.audience);
    let for_us = match read.claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    };
    if read.text("iss") != Some(&trusted.issuer) || !for_us {
        return Err(Refused::Elsewhere);
    }
    let exp = read.seconds("exp").ok_or(Refused::Unknown)?;
    let early = |claim| match read.claims.get(claim) {
        None => false,
        Some(_) => read.seconds(claim).is_none_or(|at| at > now.saturating_add(AHEAD)),
    };
    if exp <= now || early("nbf") || early("iat") {
        return Err(Refused::Expired);
    }
    let subject = short(read.text("sub")).ok_or(Refused::Unknown)?.to_owned();
    Ok(Unproved { read, algorithm, subject })
}

/// Whether it is an access token: an id_token of the same issuer tells a client who signed in, and must not
/// open anything (RFC 9068 §5, RFC 8725 §3.11).
fn is_access_token(read: &Compact<'_>) -> bool {
    let header = match read.header.get("typ") {
        None => true,
        Some(typ) => typ.as_str().is_some_and(|typ| {
            ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
        }),
    };
    let claim = read.claims.get("typ").is_none_or(|typ| typ == "Bearer" || typ == "DPoP");
    let of_sign_in = ["nonce", "at_hash", "c_hash"].iter().any(|name| read.claims.contains_key(*name));
    // A token bound to a key (RFC 7800) is worth nothing without the proof, which nobody here asks for.
    header && claim && !of_sign_in && !read.claims.contains_key("cnf")
}

impl Unproved<'_> {
    /// The one key of a JWK Set that can have signed this; none when there is none or more than one.
    pub fn key(&self, set: &Value) -> Option<DecodingKey> {
        let kid = self.read.header_text("kid");
        let all = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        // A key of a kind that is not known must not spoil the others.
        let usable = all.filter_map(|key| Jwk::deserialize(key).ok()).filter(|key| self.may_be(key));
        let mut named = usable.filter(|key| kid.is_none() || key.common.key_id.as_deref() == kid);
        let found = named.next()?;
        if named.next().is_some() {
            return None;
        }
        DecodingKey::from_jwk(&found).ok()
    }

    fn may_be(&self, key: &Jwk) -> bool {
        let common = &key.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let algorithm = common
            .key_algorithm
            .is_none_or(|named| Algorithm::try_from(named).is_ok_and(|named| named == self.algorithm));
        let family = DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == self.algorithm.family());
        for_signatures && algorithm && family
    }

    /// Who brings it, once `key` proves it; `bases` are the FHIR bases under which this server is known.
    ///
    /// # Errors
    /// When `key` did not sign it.
    pub fn principal(
        &self,
        key: &DecodingKey,
        trusted: &Trusted,
        bases: &[&str],
    ) -> Result<Principal, Refused> {
        let signed = self.read.signed.as_bytes();
        let proved = crypto::verify(self.read.signature, signed, key, self.algorithm);
        if !proved.unwrap_or(false) {
            return Err(Refused::Unknown);
        }
        let claims = &self.read.claims;
        let mut roles = roles(claims, trusted);
        let machine = roles.iter().any(|grant| grant.role == Role::System);
        roles.retain(|grant| (grant.role == Role::System) == machine);
        let person = self.read.text(&trusted.fhir_user_claim).filter(|_| !machine);
        let fhir_user = person.and_then(|text| reference(text, bases));
        let fhir_user = fhir_user.filter(|(rtype, _)| PEOPLE.contains(&rtype.as_str()));
        let patient = self.read.text(&trusted.patient_claim).and_then(|text| match reference(text, bases) {
            Some((rtype, id)) => (rtype == "Patient").then_some(id),
            None => is_id(text).then(|| text.to_owned()),
        });
        // Who is a patient is in the context of their own record.
        let own = fhir_user.as_ref().filter(|(rtype, _)| rtype == "Patient").map(|(_, id)| id.clone());
        let named = short(self.read.text("azp").or_else(|| self.read.text("client_id")));
        // Names of another server: they must not meet ours.
        let foreign = |name: &str| format!("{}|{name}", trusted.issuer);
        Ok(Principal {
            who: if machine { Who::Client } else { Who::Account(foreign(&self.subject)) },
            client: Some(foreign(named.unwrap_or_default())),
            roles,
            fhir_user,
            patient: patient.or(own),
            scopes: Some(scopes(self.read.text("scope"), trusted, machine)),
            token: short(self.read.text("jti")).map(str::to_owned),
            grant: None,
            // An emergency is declared with an account of this server.
            emergency: None,
        })
    }
}

/// What the names of roles in a token give; a name that is not listed gives nothing.
fn roles(claims: &Map<String, Value>, trusted: &Trusted) -> Vec<RoleGrant> {
    let names = texts(claim(claims, &trusted.roles_claim));
    let listed = trusted.roles.iter().filter(|(name, _)| names.contains(&name.as_str()));
    listed.map(|(_, grant)| grant.clone()).collect()
}

/// A claim that is a text, or a list of them.
pub(super) fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    }
}

/// A claim by its name, which may have dots, or by the names of nested claims.
pub(super) fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

/// What a token may do: as it says or as is assumed, never more than the issuer may give, and never for a
/// person what is for machines.
fn scopes(said: Option<&str>, trusted: &Trusted, machine: bool) -> Scopes {
    let said = Scopes::parse(said.unwrap_or_default());
    let said = if said.resources().next().is_some() { said } else { trusted.assumed_scopes.clone() };
    let narrowed = said.narrowed_to(&trusted.max_scopes);
    let fits = |scope: &&Scope| match scope {
        Scope::Resource(scope) => (scope.level == Level::System) == machine,
        _ => true,
    };
    narrowed.all().filter(fits).cloned().collect()
}

/// `Type/id`, relative or below one of our bases.
pub(super) fn reference(text: &str, bases: &[&str]) -> Option<(String, String)> {
    let below = bases.iter().find_map(|base| text.strip_prefix(base)?.strip_prefix('/'));
    let (rtype, id) = below.unwrap_or(text).split_once('/')?;
    is_id(id).then(|| (rtype.to_owned(), id.to_owned()))
}

/// Whether a text can be a logical id (R4 `id`).
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// A name of a length that is worth keeping, without control characters.
pub(super) fn short(text: Option<&str>) -> Option<&str> {
    text.filter(|text| (1..=LONGEST_ID).contains(&text.len()) && !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests;
