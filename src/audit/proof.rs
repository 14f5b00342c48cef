//! Proofs as files (C2SP tlog-proof@v1): the place of a leaf, its inclusion proof and the checkpoint that it
//! leads to, so that one file and the event prove that the event was logged.

use super::checkpoint::{SignedCheckpoint, decimal, hash};
use super::key::Verifier;
use super::note::{LARGEST, NoteError};
use super::path::{ProofError, verify_inclusion};
use super::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HEAD: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^63 leaves needs no more.
const MOST_HASHES: usize = 63;

/// A proof that leaf `index` is in the tree of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// What whoever made it added; nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The place of the leaf, from 0.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling up.
    pub hashes: Vec<Hash>,
    /// The checkpoint as it was signed.
    pub checkpoint: SignedCheckpoint,
}

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not in the form of a proof.
    #[error("is not a proof: {0}")]
    Form(&'static str),
    /// Its checkpoint is not one, or nobody who is known signed it.
    #[error("the checkpoint {0}")]
    Checkpoint(#[from] NoteError),
    /// It does not lead from the leaf to the checkpoint's root.
    #[error("the inclusion proof {0}")]
    Inclusion(#[from] ProofError),
}

impl TlogProof {
    /// The file's content.
    pub fn text(&self) -> String {
        let mut out = format!("{HEAD}\n");
        if let Some(extra) = &self.extra {
            out += "extra ";
            STANDARD.encode_string(extra, &mut out);
            out.push('\n');
        }
        out += "index ";
        out += &self.index.to_string();
        out.push('\n');
        for hash in &self.hashes {
            STANDARD.encode_string(hash, &mut out);
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.checkpoint.text());
        out
    }

    /// Reads a file's content.
    ///
    /// # Errors
    /// When it is not a proof with a checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        use TlogProofError::Form;
        if bytes.len() > LARGEST {
            return Err(Form("it is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Form("it is not UTF-8"))?;
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(Form("it has no empty line"))?;
        let mut lines = proof.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(Form("its first line is another"));
        }
        let mut line = lines.next().ok_or(Form("it has no index"))?;
        let mut extra = None;
        if let Some(packed) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(packed).map_err(|_| Form("the extra data is not base64"))?);
            line = lines.next().ok_or(Form("it has no index"))?;
        }
        let index = line.strip_prefix("index ").and_then(decimal).ok_or(Form("the index is not a number"))?;
        let mut hashes = Vec::new();
        for line in lines {
            hashes.push(hash(line).ok_or(Form("a line is not a hash"))?);
            if hashes.len() > MOST_HASHES {
                return Err(Form("it has too many hashes"));
            }
        }
        Ok(Self { extra, index, hashes, checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())? })
    }

    /// Whether it shows that `leaf` (its hash) is in a tree that one of the `known` keys of the log signed.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(&self, leaf: &Hash, known: &[Verifier]) -> Result<(), TlogProofError> {
        self.checkpoint.verify(known)?;
        let tree = &self.checkpoint.checkpoint;
        Ok(verify_inclusion(self.index, tree.size, leaf, &self.hashes, &tree.root)?)
    }
}
