//! Clients' keys, and the assertions that they sign.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair,
};
use serde_json::{Value, json};
use slotwright::auth::jws::{base64url, to_sign};
use std::sync::OnceLock;

/// A client's key.
pub enum Signer {
    Rsa(RsaKeyPair),
    P384(EcdsaKeyPair),
}

impl Signer {
    /// One of two RSA keys, since making them takes a while.
    pub fn rsa(index: usize) -> Self {
        static DER: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let make = || {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            pair.as_der().expect("DER").as_ref().to_vec()
        };
        Self::Rsa(RsaKeyPair::from_pkcs8(&DER.get_or_init(|| [make(), make()])[index]).expect("a key"))
    }

    pub fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"))
    }

    /// The public key.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA", "alg": "RS384", "kid": kid,
                    "n": base64url(key.modulus().big_endian_without_leading_zero()),
                    "e": base64url(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Self::P384(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-384", "alg": "ES384", "kid": kid,
                    "x": base64url(&point[1..49]), "y": base64url(&point[49..]),
                })
            }
        }
    }

    /// A JWT with this header and these claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = to_sign(header, claims).expect("JSON");
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = if header["alg"] == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PKCS1_SHA384 };
                pair.sign(encoding, &random, signed.as_bytes(), &mut signature).expect("a signature");
                signature
            }
            Self::P384(pair) => pair.sign(&random, signed.as_bytes()).expect("a signature").as_ref().to_vec(),
        };
        format!("{signed}.{}", base64url(&signature))
    }
}
