//! C2SP signed notes: a text and, after an empty line, signatures of any number of keys.

use super::key::{Kind, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What begins a line with a signature.
pub const DASH: &str = "\u{2014} ";
/// Bytes of the largest note that is read.
pub const LARGEST: usize = 256 * 1024;
/// The most signatures of a note that is read.
const MOST_SIGNATURES: usize = 100;

/// Why a note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not in the form of a signed note.
    #[error("is not a signed note: {0}")]
    Form(&'static str),
    /// No signature by a key that is known.
    #[error("has no signature by a known key")]
    Unsigned,
    /// A signature by a known key's name and id that this key did not make.
    #[error("has a false signature in the name of {0}")]
    False(String),
}

/// A line with a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id, see [`super::key::key_id`].
    pub id: u32,
    /// What the key made; its form is that of the key's kind.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let mut packed = self.id.to_be_bytes().to_vec();
        packed.extend_from_slice(&self.bytes);
        format!("{DASH}{} {}\n", self.name, STANDARD.encode(packed))
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, packed) = line.strip_prefix(DASH)?.split_once(' ')?;
        let packed = STANDARD.decode(packed).ok()?;
        let (id, bytes) = packed.split_first_chunk::<4>()?;
        let found = Self { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() };
        (is_key_name(name) && !bytes.is_empty()).then_some(found)
    }
}

/// Whether keys may have this name: not empty, without spaces and `+`.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// A text and the signatures below it, which are not judged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed, with the end of its last line.
    pub text: String,
    /// In the order of their lines.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// When it has not the form of one, or is too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > LARGEST {
            return Err(NoteError::Form("it is too large"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("it is not UTF-8"))?;
        if whole.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Form("it has a control character"));
        }
        let (text, signatures) = whole.rsplit_once("\n\n").ok_or(NoteError::Form("it has no empty line"))?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form("its last line has no end"))?;
        if signatures.split('\n').count() > MOST_SIGNATURES {
            return Err(NoteError::Form("it has too many signatures"));
        }
        let signatures: Option<Vec<_>> = signatures.split('\n').map(Signature::parse).collect();
        let signatures = signatures.ok_or(NoteError::Form("a line after the empty one is no signature"))?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// Who signed: of the `known` keys those whose signature is there, each with the time in seconds since the
    /// epoch when it is a witness. Signatures of keys that are not known say nothing.
    ///
    /// # Errors
    /// When a known key's signature is false, or when there is none.
    pub fn verify<'a>(&self, known: &'a [Verifier]) -> Result<Vec<Signed<'a>>, NoteError> {
        let mut signed = Vec::new();
        for signature in &self.signatures {
            let by = known.iter().find(|key| key.id() == signature.id && key.name() == signature.name);
            let Some(key) = by else { continue };
            let at = key
                .verify(&self.text, &signature.bytes)
                .ok_or_else(|| NoteError::False(signature.name.clone()))?;
            signed.push(Signed { key, witnessed: (key.kind() == Kind::Witness).then_some(at) });
        }
        if signed.is_empty() { Err(NoteError::Unsigned) } else { Ok(signed) }
    }
}

/// A signature that holds.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Whose it is.
    pub key: &'a Verifier,
    /// When a witness signed, in seconds since the epoch.
    pub witnessed: Option<u64>,
}
