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

/// The checkpoints in a file to which each was appended: all that can be read; what can't is the rest of a write that
/// a crash cut short. When nothing can be read, all of it, so that whoever reads it says why.
pub fn kept(bytes: &[u8]) -> Vec<&[u8]> {
    let mut notes: Vec<&[u8]> = Vec::new();
    // A paragraph, and the signatures below it.
    let (mut from, mut at, mut signed) = (0, 0, false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let signature = line.starts_with(super::note::DASH.as_bytes());
        if signed && !signature {
            notes.extend(bytes.get(from..at));
            (from, signed) = (at, false);
        }
        let next = at + line.len();
        let below = bytes.get(next..).is_some_and(|rest| rest.starts_with(super::note::DASH.as_bytes()));
        if line == b"\n" && !below {
            from = next;
        }
        signed |= signature;
        at = next;
    }
    notes.extend(bytes.get(from..at));
    notes.retain(|note| SignedCheckpoint::parse(note).is_ok());
    if notes.is_empty() { vec![bytes] } else { notes }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_checkpoints_are_read_one_by_one() {
        let signer = Signer::from_seed("clinic.example/audit", &[1; 32]).unwrap();
        let note = |size| {
            let checkpoint = Checkpoint { origin: "clinic.example/audit".to_owned(), size, root: [2; 32] };
            checkpoint.sign([&signer, &signer])
        };
        let (one, two) = (note(1), note(20));
        let split = |text: &str| -> Vec<String> {
            kept(text.as_bytes()).into_iter().map(|note| String::from_utf8(note.to_vec()).unwrap()).collect()
        };
        assert_eq!(split(&one), std::slice::from_ref(&one));
        assert_eq!(split(&format!("{one}{two}{one}")), [one.clone(), two.clone(), one.clone()]);
        // What a crash left of a note, at any byte, does not hide the next.
        for end in (0..two.len()).filter(|end| two.is_char_boundary(*end)) {
            let found = split(&format!("{one}{}\n\n{two}", &two[..end]));
            assert!(found.first() == Some(&one) && found.last() == Some(&two), "{end}: {found:?}");
        }
        assert_eq!(split("nonsense"), ["nonsense"]);
    }
}
