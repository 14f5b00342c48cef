//! Ed25519 keys that sign checkpoints, and the text form of public ones (C2SP signed-note, "vkey").

use super::note::{Signature, is_key_name};
use super::tree::Hash;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PKCS #8 in PEM nor a seed.
    #[error("is neither an Ed25519 private key in PKCS #8 PEM nor a seed of 32 bytes in base64")]
    NotPrivate,
    /// Spaces or `+` in its name, or no name.
    #[error("has a name with a space or a plus sign, or none")]
    Name,
    /// Not `<name>+<id>+<key>`.
    #[error("is not a public key of the form <name>+<id>+<base64>")]
    NotPublic,
    /// Well formed, but its id is that of another key.
    #[error("has an id that is not that of its key")]
    Id,
    /// A signature algorithm that this program does not know.
    #[error("is of a kind that is not known; Ed25519 is")]
    Kind,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text itself (Ed25519): the log.
    Log,
    /// The text with a time (C2SP tlog-cosignature v1, Ed25519): a witness.
    Witness,
}

impl Kind {
    /// The byte that stands for it before the key and in its id.
    fn code(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// The id of a public key: the beginning of a hash of its name, kind and bytes.
pub fn key_id(name: &str, kind: Kind, public: &[u8; 32]) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind.code()]);
    hasher.update(public);
    let [a, b, c, d, ..]: Hash = hasher.finalize().into();
    u32::from_be_bytes([a, b, c, d])
}

/// A public key with its name. Its text is `<name>+<id in hexadecimal>+<base64 of kind and key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    kind: Kind,
    public: [u8; 32],
}

impl Verifier {
    /// The key's name; a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// See [`key_id`].
    pub fn id(&self) -> u32 {
        key_id(&self.name, self.kind, &self.public)
    }

    /// Whether the key made `signature` for `text`; for a witness the time that it put in, in seconds since
    /// the epoch, and 0 for a log.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.kind {
            Kind::Log => key.verify(text.as_bytes(), signature).ok().map(|()| 0),
            Kind::Witness => {
                let (at, signature) = signature.split_first_chunk::<8>()?;
                let at = u64::from_be_bytes(*at);
                let message = witnessed_text(text, at);
                let sound = i64::try_from(at).is_ok() && key.verify(message.as_bytes(), signature).is_ok();
                sound.then_some(at)
            }
        }
    }
}

/// What a witness signs at `at` (seconds since the epoch).
fn witnessed_text(text: &str, at: u64) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut packed = vec![self.kind.code()];
        packed.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(packed))
    }
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(packed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::NotPublic);
        };
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let packed = STANDARD.decode(packed).map_err(|_| KeyError::NotPublic)?;
        let (code, public) = packed.split_first().ok_or(KeyError::NotPublic)?;
        let kind = [Kind::Log, Kind::Witness].into_iter().find(|kind| kind.code() == *code);
        let kind = kind.ok_or(KeyError::Kind)?;
        let public = public.try_into().map_err(|_| KeyError::NotPublic)?;
        let key = Self { name: name.to_owned(), kind, public };
        if format!("{:08x}", key.id()) == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// A private key with its name.
pub struct Signer {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key of `seed`, 32 random bytes.
    ///
    /// # Errors
    /// When keys can't have this name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::NotPrivate)?;
        Self::new(name, Kind::Log, pair)
    }

    /// Reads the text of a key file: PKCS #8 in PEM (what `openssl genpkey -algorithm ed25519` writes), or 32
    /// bytes in base64.
    ///
    /// # Errors
    /// When it is anything else, or keys can't have this name.
    pub fn from_text(name: &str, text: &str) -> Result<Self, KeyError> {
        let pem = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
        let packed: String = pem.map_or(text, |(inside, _)| inside).split_whitespace().collect();
        let bytes = STANDARD.decode(packed).map_err(|_| KeyError::NotPrivate)?;
        let pair = match pem {
            Some(_) => Ed25519KeyPair::from_pkcs8(&bytes),
            None => Ed25519KeyPair::from_seed_unchecked(&bytes),
        };
        Self::new(name, Kind::Log, pair.map_err(|_| KeyError::NotPrivate)?)
    }

    /// The same key as a witness, who puts a time into what it signs.
    #[must_use]
    pub fn as_witness(self) -> Self {
        Self { verifier: Verifier { kind: Kind::Witness, ..self.verifier }, pair: self.pair }
    }

    fn new(name: &str, kind: Kind, pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::NotPrivate)?;
        Ok(Self { pair, verifier: Verifier { name: name.to_owned(), kind, public } })
    }

    /// PKCS #8 in PEM: a secret.
    ///
    /// # Errors
    /// When the key can't be written.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| KeyError::NotPrivate)?;
        // 48 bytes: one line.
        Ok(format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der.as_ref())))
    }

    /// Its public key.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs `text`; a witness puts in `at`, seconds since the epoch.
    pub fn sign(&self, text: &str, at: u64) -> Signature {
        let bytes = match self.verifier.kind {
            Kind::Log => self.pair.sign(text.as_bytes()).as_ref().to_vec(),
            Kind::Witness => {
                let signature = self.pair.sign(witnessed_text(text, at).as_bytes());
                [&at.to_be_bytes(), signature.as_ref()].concat()
            }
        };
        Signature { name: self.verifier.name.clone(), id: self.verifier.id(), bytes }
    }
}
