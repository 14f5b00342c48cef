//! An authenticator for passkeys in software, which can also answer as none should.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Somebody is there.
const PRESENT: u8 = 0x01;
/// It knows who.
const VERIFIED: u8 = 0x04;
/// A credential follows.
const ATTESTED: u8 = 0x40;

/// One credential and how it answers.
pub struct Authenticator {
    pub id: Vec<u8>,
    pub handle: Option<Vec<u8>>,
    pub counter: u32,
    /// What it says the browser says of where it is.
    pub origin: String,
    pub rp: String,
    pub verifies: bool,
    key: EcdsaKeyPair,
}

impl Authenticator {
    /// A fresh one, at an origin.
    pub fn new(origin: &str) -> Self {
        let mut id = vec![0; 24];
        aws_lc_rs::rand::fill(&mut id).expect("randomness");
        Self {
            id,
            handle: None,
            counter: 0,
            origin: origin.to_owned(),
            rp: origin.trim_start_matches("https://").to_owned(),
            verifies: true,
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = options["publicKey"]["challenge"].as_str().expect("a challenge");
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let flags = flags | PRESENT | if self.verifies { VERIFIED } else { 0 };
        let hash = digest(&SHA256, self.rp.as_bytes());
        [hash.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// Makes the credential that `options` ask for (WebAuthn §6.5.4, attestation "none").
    pub fn create(&mut self, options: &Value) -> String {
        let user = options["publicKey"]["user"]["id"].as_str().expect("a handle");
        self.handle = Some(URL_SAFE_NO_PAD.decode(user).expect("base64url"));
        let point = self.key.public_key().as_ref();
        // COSE: an EC2 key for ES256 on P-256.
        let key = [
            &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20][..],
            &point[1..33],
            &[0x22, 0x58, 0x20],
            &point[33..65],
        ]
        .concat();
        let length = u16::try_from(self.id.len()).expect("a short id").to_be_bytes();
        let data = [&self.data(ATTESTED)[..], &[0; 16], &length, &self.id, &key].concat();
        let object = [
            &[0xa3, 0x63][..],
            b"fmt",
            &[0x64],
            b"none",
            &[0x67],
            b"attStmt",
            &[0xa0, 0x68],
            b"authData",
            &[0x58, u8::try_from(data.len()).expect("short data")],
            &data,
        ]
        .concat();
        let client = self.client_data("webauthn.create", options);
        self.written(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "attestationObject": URL_SAFE_NO_PAD.encode(object),
        }))
    }

    /// Answers a challenge.
    pub fn get(&mut self, options: &Value) -> String {
        self.counter += 1;
        let (data, client) = (self.data(0), self.client_data("webauthn.get", options));
        let signed = [&data, digest(&SHA256, &client).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.written(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(client),
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
            "userHandle": self.handle.as_ref().map(|handle| URL_SAFE_NO_PAD.encode(handle)),
        }))
    }

    fn written(&self, response: &Value) -> String {
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
            .to_string()
    }
}
