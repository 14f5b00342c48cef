//! Signatures of notifications (Standard Webhooks 1.0): over id, time of the attempt and the bytes of the body, with
//! every key that the endpoint has at that time, so that a key is replaced without a gap.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HMAC-SHA256 (`v1`): both sides have the secret.
    Hmac,
    /// Ed25519 (`v1a`): the receiver has the public key, and nothing that has to be kept secret.
    Ed25519,
}

impl Kind {
    /// As it is stored, asked for and shown.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The kind with this [`Kind::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Hmac, Self::Ed25519].into_iter().find(|kind| kind.code() == code)
    }
}

/// A key that notifications to one endpoint are signed with.
#[derive(Clone, Debug)]
pub struct Key {
    kind: Kind,
    secret: SecretSlice<u8>,
}

/// A key that can't be used: an Ed25519 seed has 32 bytes, an HMAC secret 24 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key has a length that keys of its kind don't have")]
pub struct BadKey;

impl Key {
    /// The key of these bytes: the secret, or the seed of an Ed25519 key.
    ///
    /// # Errors
    /// When there are too few or too many of them.
    pub fn new(kind: Kind, secret: Vec<u8>) -> Result<Self, BadKey> {
        let fits = match kind {
            Kind::Hmac => (24..=64).contains(&secret.len()),
            Kind::Ed25519 => Ed25519KeyPair::from_seed_unchecked(&secret).is_ok(),
        };
        if fits { Ok(Self { kind, secret: secret.into() }) } else { Err(BadKey) }
    }

    /// How it signs.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a receiver verifies with: `whsec_…`, which is a secret, or the public key `whpk_…`, which is none.
    ///
    /// # Errors
    /// Never, for a key that could be made.
    pub fn for_receiver(&self) -> Result<SecretString, BadKey> {
        Ok(SecretString::from(match self.kind {
            Kind::Hmac => format!("whsec_{}", STANDARD.encode(self.secret.expose_secret())),
            Kind::Ed25519 => format!("whpk_{}", STANDARD.encode(self.pair()?.public_key().as_ref())),
        }))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, BadKey> {
        Ed25519KeyPair::from_seed_unchecked(self.secret.expose_secret()).map_err(|_| BadKey)
    }

    fn sign(&self, content: &[u8]) -> Result<String, BadKey> {
        Ok(match self.kind {
            Kind::Hmac => {
                let mac = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret()).map_err(|_| BadKey)?;
                format!("v1,{}", STANDARD.encode(mac.chain_update(content).finalize().into_bytes()))
            }
            Kind::Ed25519 => format!("v1a,{}", STANDARD.encode(self.pair()?.sign(content).as_ref())),
        })
    }
}

/// `webhook-signature` of a message: one signature for each key, in their order. `at_s` is `webhook-timestamp`, in
/// seconds since the epoch. An id of ours has no dot, so no two messages are signed as the same text.
///
/// # Errors
/// Never, for keys that could be made.
pub fn signature(keys: &[Key], id: &str, at_s: i64, body: &[u8]) -> Result<String, BadKey> {
    let content = [format!("{id}.{at_s}.").as_bytes(), body].concat();
    let all: Result<Vec<String>, BadKey> = keys.iter().map(|key| key.sign(&content)).collect();
    Ok(all?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = b"{\"test\": 2432232314}";

    fn hmac() -> Key {
        Key::new(Kind::Hmac, STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()).unwrap()
    }

    fn ed25519() -> Key {
        // RFC 8032 §7.1, test 1.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        Key::new(Kind::Ed25519, seed.to_vec()).unwrap()
    }

    #[test]
    fn an_hmac_is_that_of_the_reference_libraries() {
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&[hmac()], ID, AT, BODY).unwrap(), expected);
        assert_eq!(hmac().for_receiver().unwrap().expose_secret(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn an_ed25519_signature_is_that_of_another_implementation() {
        let expected =
            "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";
        assert_eq!(signature(&[ed25519()], ID, AT, BODY).unwrap(), expected);
        let public = ed25519().for_receiver().unwrap();
        assert_eq!(public.expose_secret(), "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    }

    #[test]
    fn every_key_signs_in_its_order() {
        let both = signature(&[ed25519(), hmac()], ID, AT, BODY).unwrap();
        let each: Vec<&str> = both.split(' ').collect();
        assert!(each[0].starts_with("v1a,") && each[1].starts_with("v1,"), "{both}");
        assert_eq!(each.len(), 2);
    }

    #[test]
    fn id_time_and_body_are_all_signed() {
        let first = signature(&[hmac()], ID, AT, BODY).unwrap();
        assert_ne!(first, signature(&[hmac()], "other", AT, BODY).unwrap());
        assert_ne!(first, signature(&[hmac()], ID, AT + 1, BODY).unwrap());
        assert_ne!(first, signature(&[hmac()], ID, AT, b"{}").unwrap());
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert_eq!(Key::new(Kind::Hmac, vec![0; 23]).unwrap_err(), BadKey);
        assert_eq!(Key::new(Kind::Hmac, vec![0; 65]).unwrap_err(), BadKey);
        assert_eq!(Key::new(Kind::Ed25519, vec![0; 31]).unwrap_err(), BadKey);
        assert!(!format!("{:?}", hmac()).contains("MfKQ"));
    }
}
