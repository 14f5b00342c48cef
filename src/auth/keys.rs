//! The keys that sign our tokens, and the set that we publish (RFC 7517).

use super::jws::{self, Compact};
use crate::clock::Micros;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// Bytes of the smallest modulus.
const SMALLEST: usize = 256;

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM of PKCS #8.
    #[error("is not a private key in PKCS #8 PEM")]
    NotPem,
    /// Not RSA, or broken.
    #[error("is not a valid RSA key")]
    NotRsa,
    /// Fewer than 2048 bits.
    #[error("has fewer than 2048 bits")]
    TooSmall,
    /// The signature could not be made.
    #[error("could not sign")]
    Signing,
}

/// An RSA key pair and the time from which it signs.
pub struct SigningKey {
    /// `kid`: the key's thumbprint (RFC 7638).
    pub kid: String,
    /// From when on it may sign. It is published before.
    pub activates_us: Micros,
    pair: RsaKeyPair,
    public: ParsedPublicKey,
    modulus: String,
    exponent: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a private key in PKCS #8 PEM.
    ///
    /// # Errors
    /// When it is anything else than an RSA key of 2048 bits or more.
    pub fn from_pem(pem: &str, activates_us: Micros) -> Result<Self, KeyError> {
        let inside =
            pem.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).ok_or(KeyError::NotPem)?;
        let packed: String = inside.0.split_whitespace().collect();
        let der = STANDARD.decode(packed).map_err(|_| KeyError::NotPem)?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::NotRsa)?;
        if pair.public_modulus_len() < SMALLEST {
            return Err(KeyError::TooSmall);
        }
        let key = pair.public_key();
        let modulus = jws::base64url(key.modulus().big_endian_without_leading_zero());
        let exponent = jws::base64url(key.exponent().big_endian_without_leading_zero());
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref());
        let public = public.map_err(|_| KeyError::NotRsa)?;
        let kid = thumbprint(&modulus, &exponent);
        Ok(Self { kid, activates_us, pair, public, modulus, exponent })
    }

    /// A token of `typ` over `claims`, signed with RS256.
    ///
    /// # Errors
    /// When the claims can't be written or the key can't sign.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = json!({ "alg": "RS256", "typ": typ, "kid": self.kid });
        let signed = jws::to_sign(&header, claims).map_err(|_| KeyError::Signing)?;
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Signing)?;
        Ok(format!("{signed}.{}", jws::base64url(&signature)))
    }

    /// Whether this key signed `token`.
    pub fn signed(&self, token: &Compact<'_>) -> bool {
        let Some(signature) = token.signature_bytes() else { return false };
        self.public.verify_sig(token.signed.as_bytes(), &signature).is_ok()
    }

    /// The public key as it is published.
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "key_ops": ["verify"],
            "kid": self.kid, "n": self.modulus, "e": self.exponent
        })
    }
}

/// RFC 7638 of an RSA key; both parts in base64url.
fn thumbprint(modulus: &str, exponent: &str) -> String {
    // The members that count, in lexicographic order and without spaces, as the RFC demands.
    let canonical = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
    jws::base64url(&Sha256::digest(canonical.as_bytes()))
}

/// PKCS #8 as PEM.
pub fn to_pem(pkcs8: &[u8]) -> String {
    let text = STANDARD.encode(pkcs8);
    let mut pem = format!("{BEGIN}\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(END);
    pem.push('\n');
    pem
}

/// Every key that is not retired.
#[derive(Debug, Default)]
pub struct Keys(Vec<std::sync::Arc<SigningKey>>);

impl Keys {
    /// The key that signs at `now`: of those that are active the one that became so last.
    pub fn signer(&self, now: Micros) -> Option<&SigningKey> {
        let active = self.0.iter().filter(|key| key.activates_us <= now);
        active.max_by(|a, b| (a.activates_us, &a.kid).cmp(&(b.activates_us, &b.kid))).map(AsRef::as_ref)
    }

    /// The key with this `kid`, which is compared and never used as a name of anything.
    pub fn find(&self, kid: &str) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.kid == kid).map(AsRef::as_ref)
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &std::sync::Arc<SigningKey>> {
        self.0.iter()
    }

    /// The JWK Set that we publish.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.0.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
    }
}

impl FromIterator<std::sync::Arc<SigningKey>> for Keys {
    fn from_iter<T: IntoIterator<Item = std::sync::Arc<SigningKey>>>(keys: T) -> Self {
        Self(keys.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use std::sync::Arc;

    fn pem() -> String {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        to_pem(pair.as_der().unwrap().as_ref())
    }

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 7638 §3.1.
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(thumbprint(modulus, "AQAB"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn keys_sign_and_recognise_their_own() {
        let (first, second) = (pem(), pem());
        let keys: Keys = [(&first, 10), (&second, 20)]
            .into_iter()
            .map(|(pem, at)| Arc::new(SigningKey::from_pem(pem, at).unwrap()))
            .collect();
        assert!(keys.signer(9).is_none());
        let old = keys.signer(19).unwrap();
        let new = keys.signer(20).unwrap();
        assert_ne!(old.kid, new.kid);
        let token = old.sign("at+jwt", &json!({"iat": 1})).unwrap();
        let read = Compact::parse(&token).unwrap();
        assert!(old.signed(&read) && !new.signed(&read));
        let mut forged = token.clone();
        forged.replace_range(0..1, if token.starts_with('e') { "f" } else { "e" });
        assert!(Compact::parse(&forged).is_none_or(|read| !old.signed(&read)));
        assert_eq!(keys.jwks()["keys"].as_array().map(Vec::len), Some(2));
        assert!(!keys.jwks().to_string().contains("\"d\""));
    }

    #[test]
    fn what_is_no_sound_key_is_refused() {
        assert_eq!(SigningKey::from_pem("", 0).unwrap_err(), KeyError::NotPem);
        let garbage = to_pem(b"no key at all");
        assert_eq!(SigningKey::from_pem(&garbage, 0).unwrap_err(), KeyError::NotRsa);
    }
}
