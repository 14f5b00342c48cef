//! Client assertions (`private_key_jwt`: RFC 7523 §3, SMART "Client Authentication: Asymmetric").

use super::jws::{self, Compact};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA384, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// `client_assertion_type`
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest that an assertion may be good, in seconds.
pub const LONGEST: i64 = 300;
/// By how much a client's clock may be ahead of ours, in seconds.
const AHEAD: i64 = 30;
/// The longest `jti`.
const LONGEST_ID: usize = 256;

/// An assertion whose claims are in order; whose key is still to be found.
#[derive(Debug)]
pub struct Assertion<'a> {
    read: Compact<'a>,
    alg: Alg,
    /// The key that the client says it used.
    pub kid: String,
    /// Where the client says its keys are.
    pub jku: Option<String>,
    /// Its own id, good once.
    pub jti: String,
    /// Valid before, in seconds.
    pub exp: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alg {
    Rs384,
    Es384,
}

/// Whose assertion this claims to be, to look the client up by; nothing of it is proved.
pub fn claimed_client(token: &str) -> Option<String> {
    Compact::parse(token)?.text("iss").map(str::to_owned)
}

/// Checks everything of an assertion but its signature. `audiences` are what it may be for; `now` is
/// in seconds.
///
/// # Errors
/// What is wrong, for the client's developer.
pub fn check<'a>(
    token: &'a str,
    client: &str,
    audiences: &[String],
    now: i64,
) -> Result<Assertion<'a>, &'static str> {
    let read = Compact::parse(token).ok_or("the assertion is not a signed JWT")?;
    let alg = match read.header_text("alg") {
        Some("RS384") => Alg::Rs384,
        Some("ES384") => Alg::Es384,
        _ => return Err("the assertion is signed with RS384 or ES384"),
    };
    if read
        .header
        .get("typ")
        .is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")))
    {
        return Err("the assertion's typ is JWT");
    }
    let kid = read.header_text("kid").filter(|kid| !kid.is_empty()).ok_or("the assertion has no kid")?;
    let jku = match read.header.get("jku") {
        None => None,
        Some(Value::String(url)) => Some(url.clone()),
        Some(_) => return Err("jku is a URL"),
    };
    if read.text("iss") != Some(client) || read.text("sub") != Some(client) {
        return Err("iss and sub of the assertion are the client_id");
    }
    let is_ours = |value: &Value| value.as_str().is_some_and(|url| audiences.iter().any(|own| own == url));
    let aud = match read.claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    };
    if !aud {
        return Err("aud of the assertion is the URL of the token endpoint, or the issuer");
    }
    let exp = read.seconds("exp").ok_or("the assertion has no exp")?;
    if exp <= now {
        return Err("the assertion has expired");
    }
    if exp > now + LONGEST + AHEAD {
        return Err("the assertion is good for more than five minutes");
    }
    for claim in ["nbf", "iat"] {
        if read.claims.contains_key(claim) && read.seconds(claim).is_none_or(|at| at > now + AHEAD) {
            return Err("the assertion is not valid yet");
        }
    }
    let jti = read.text("jti").filter(|jti| (1..=LONGEST_ID).contains(&jti.len()));
    let jti = jti.ok_or("the assertion has no jti")?.to_owned();
    Ok(Assertion { alg, kid: kid.to_owned(), jku, jti, exp, read })
}

impl Assertion<'_> {
    /// Whether `set` has exactly one key of this `kid`. None: it has none, and might have it when it is fetched
    /// again.
    pub fn key<'s>(&self, set: &'s Value) -> Result<Option<&'s Value>, &'static str> {
        let mut named = keys(set).filter(|key| text(key, "kid") == Some(&self.kid));
        let found = named.next();
        if named.next().is_some() { Err("several keys have this kid") } else { Ok(found) }
    }

    /// Whether `key` made the signature.
    pub fn is_signed_by(&self, key: &Value) -> bool {
        let signed = self.read.signed.as_bytes();
        let Some(signature) = self.read.signature_bytes() else { return false };
        match (self.alg, usable(key)) {
            (Alg::Rs384, Some(Usable::Rsa { n, e })) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA384, signed, &signature).is_ok()
            }
            (Alg::Es384, Some(Usable::P384(point))) => {
                let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point);
                key.verify(signed, &signature).is_ok()
            }
            _ => false,
        }
    }
}

enum Usable {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P384(Vec<u8>),
}

/// A public key that can check one of our algorithms.
fn usable(key: &Value) -> Option<Usable> {
    if text(key, "use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let part = |name| jws::from_base64url(text(key, name)?);
    let alg = text(key, "alg");
    match text(key, "kty")? {
        "RSA" if alg.is_none_or(|alg| alg == "RS384") => {
            let (n, e) = (part("n")?, part("e")?);
            (n.len() >= 256).then_some(Usable::Rsa { n, e })
        }
        "EC" if alg.is_none_or(|alg| alg == "ES384") && text(key, "crv") == Some("P-384") => {
            let (x, y) = (part("x")?, part("y")?);
            (x.len() == 48 && y.len() == 48).then(|| Usable::P384([&[4], &x[..], &y[..]].concat()))
        }
        _ => None,
    }
}

/// What is wrong with a JWK Set that a client wants to be known by, if anything.
pub fn problem(set: &Value) -> Option<&'static str> {
    let mut seen = BTreeSet::new();
    let mut any = false;
    for key in keys(set) {
        if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|part| key.get(part).is_some()) {
            return Some("the JWK Set holds a private or symmetric key");
        }
        match text(key, "kid") {
            Some(kid) if !kid.is_empty() && seen.insert(kid) => {}
            _ => return Some("every key has a kid of its own"),
        }
        any |= usable(key).is_some();
    }
    (!any).then_some("no key can check RS384 (RSA, 2048 bits or more) or ES384 (P-384)")
}

fn keys(set: &Value) -> impl Iterator<Item = &Value> {
    set.get("keys").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(key: &'a Value, name: &str) -> Option<&'a str> {
    key.get(name).and_then(Value::as_str)
}
