//! Checkpoints (C2SP tlog-checkpoint): what the log's keys sign, the tree's size and root at some time.

use super::key::{Kind, Signer, Verifier};
use super::note::{Note, NoteError, Signature, Signed};
use super::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A tree's size and root under the log's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which its keys have too.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A checkpoint whose signatures are not judged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The note that it came in.
    pub note: Note,
}

impl Checkpoint {
    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The note with a signature by each of `signers`, the log's keys: while a key is being replaced there are
    /// two, so that whoever knows either believes it.
    pub fn sign<'a>(&self, signers: impl IntoIterator<Item = &'a Signer>) -> String {
        let text = self.text();
        let mut note = format!("{text}\n");
        for signer in signers {
            note.push_str(&signer.sign(&text, 0).line());
        }
        note
    }

    /// Reads the three lines, and lines of later versions after them.
    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let origin = lines.next().filter(|origin| !origin.is_empty());
        let origin = origin.ok_or(NoteError::Form("the log has no name"))?;
        let size = lines.next().and_then(decimal).ok_or(NoteError::Form("the size is not a number"))?;
        let root = lines.next().and_then(hash).ok_or(NoteError::Form("the root is not a hash"))?;
        if lines.any(str::is_empty) {
            return Err(NoteError::Form("a line is empty"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl SignedCheckpoint {
    /// Reads a checkpoint with its signatures.
    ///
    /// # Errors
    /// When it has not the form of one.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(&note.text)?, note })
    }

    /// Who of the `known` keys signed it.
    ///
    /// # Errors
    /// When a known key's signature is false, or none is by a key of the log itself.
    pub fn verify<'a>(&self, known: &'a [Verifier]) -> Result<Vec<Signed<'a>>, NoteError> {
        let signed = self.note.verify(known)?;
        let own = |by: &Signed<'_>| by.key.kind() == Kind::Log && by.key.name() == self.checkpoint.origin;
        if signed.iter().any(own) { Ok(signed) } else { Err(NoteError::Unsigned) }
    }

    /// Adds a witness's signature, after it was verified.
    pub fn add(&mut self, signature: Signature) {
        self.note.signatures.push(signature);
    }

    /// The note with all its signatures.
    pub fn text(&self) -> String {
        let mut note = format!("{}\n", self.note.text);
        note.extend(self.note.signatures.iter().map(Signature::line));
        note
    }
}

/// A decimal number without leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

/// A hash in base64.
pub(super) fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}
