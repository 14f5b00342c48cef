//! What an export of the log is made of.
//!
//! | file | what is in it |
//! |---|---|
//! | `checkpoint` | the checkpoint that all of it leads to, a signed note |
//! | `key` | the log's public keys, one a line; compare them with those that you were given |
//! | `export.json` | what the export covers: [`Manifest`] |
//! | `events.ndjson` | one event a line: [`Line`] |
//! | `purges.ndjson` | beside a part of which contents were purged: the events that say so, as lines |
//! | `tile/…` | for the whole log: its hashes and leaves as C2SP tlog-tiles |
//! | `consistency` | that an older checkpoint is the beginning of this one: [`consistency`] |
//! | `README.txt` | how anyone checks it |
//!
//! An export of a part has the inclusion proof in the event's own line. A file for each would be a million
//! files, and a second file beside the first would have to be read in step with it; so one stream, which can
//! be cut and gone on with, carries all that proves an event. [`super::proof::TlogProof`] makes the file of
//! one of them.

use super::canonical::write_text;
use super::checkpoint::SignedCheckpoint;
use super::key::Verifier;
use super::leaf::{Leaf, Salt, recorded_text};
use super::tree::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// How anyone checks an export.
pub const README: &str = include_str!("export.txt");

/// What an export covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// Every event up to the checkpoint, with the tree.
    Log,
    /// Every event between two places.
    Range,
    /// Those events that were asked for, such as one patient's.
    Selection,
}

/// The content of `export.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the export's form, 1.
    pub v: u8,
    /// What it covers.
    pub covers: Coverage,
    /// The lines of `events.ndjson`.
    pub events: u64,
    /// The place of the first event, if there is one.
    pub first: Option<u64>,
    /// The place of the last event.
    pub last: Option<u64>,
}

impl Manifest {
    /// Of an export of `events` events from `first` to `last`.
    pub fn new(covers: Coverage, events: u64, first: Option<u64>, last: Option<u64>) -> Self {
        Self { v: 1, covers, events, first, last }
    }

    /// The content of the file.
    pub fn text(&self) -> String {
        serde_json::to_string(self).map(|text| text + "\n").unwrap_or_default()
    }
}

/// How the line of a part's export is bound to the log.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The place of the event in the line before, so that a line that is taken out is missed.
    pub after: Option<u64>,
    /// The leaf's inclusion proof.
    pub proof: &'a [Hash],
}

/// A line of `events.ndjson`: `seq`, `id`, `recorded`; `salt` in base64, or `purged` and the content's hash
/// `h`; for a part `after` and `proof`; and at the end `event`, the bytes that were hashed.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// What the log says about the event.
    pub leaf: &'a Leaf,
    /// The salt and the AuditEvent in canonical form; `None` when they were purged.
    pub content: Option<(&'a Salt, &'a str)>,
    /// For an export of a part.
    pub bound: Option<Bound<'a>>,
}

impl Line<'_> {
    /// The line, with its end.
    pub fn text(&self) -> String {
        let body = self.content.map_or("", |(_, body)| body);
        let mut out = String::with_capacity(body.len() + 256);
        out.push_str(r#"{"seq":"#);
        out.push_str(&self.leaf.seq.to_string());
        out.push_str(r#","id":"#);
        write_text(&self.leaf.id, &mut out);
        out.push_str(r#","recorded":""#);
        out.push_str(&recorded_text(self.leaf.recorded));
        if let Some((salt, _)) = self.content {
            out.push_str(r#"","salt":""#);
            STANDARD.encode_string(salt, &mut out);
            out.push('"');
        } else {
            out.push_str(r#"","purged":true,"h":""#);
            STANDARD.encode_string(self.leaf.content, &mut out);
            out.push('"');
        }
        if let Some(bound) = self.bound {
            if let Some(after) = bound.after {
                out.push_str(r#","after":"#);
                out.push_str(&after.to_string());
            }
            out.push_str(r#","proof":["#);
            for (index, hash) in bound.proof.iter().enumerate() {
                out.push_str(if index == 0 { "\"" } else { ",\"" });
                STANDARD.encode_string(hash, &mut out);
                out.push('"');
            }
            out.push(']');
        }
        if self.content.is_some() {
            out.push_str(r#","event":"#);
            out.push_str(body);
        }
        out.push_str("}\n");
        out
    }
}

/// The content of `key`.
pub fn keys(keys: &[Verifier]) -> String {
    keys.iter().map(|key| key.to_string() + "\n").collect()
}

/// The content of `consistency`: the hashes of the proof, one a line, an empty line and the older checkpoint.
pub fn consistency(older: &SignedCheckpoint, proof: &[Hash]) -> String {
    let mut out: String = proof.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
    out.push('\n');
    out.push_str(&older.text());
    out
}
