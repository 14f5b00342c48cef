//! The leaves: what the tree says about each event.
//!
//! A leaf names the event, its place and time, and a hash of its content. The hash is salted, so that when
//! content and salt are deleted after the time of retention, nobody can try out what the content was, and
//! the tree stays whole.

use super::canonical::write_text;
use super::terms::Terms;
use super::tree::{Hash, leaf_hash};
use crate::clock::Micros;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Random bytes before the content under its hash.
pub type Salt = [u8; 32];

/// The version of the leaves' form.
const VERSION: u8 = 1;
/// More than any leaf has: an id has 64 characters at most.
const LONGEST: usize = 512;

/// What the tree says about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place in the log, from 0.
    pub seq: u64,
    /// `AuditEvent.id`.
    pub id: String,
    /// `AuditEvent.recorded` in microseconds since the epoch.
    pub recorded: Micros,
    /// The [`content_hash`].
    pub content: Hash,
}

/// Why bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Not JSON with the members of a leaf.
    #[error("is not a leaf")]
    Form,
    /// The same content, but not in canonical form.
    #[error("is not written in canonical form")]
    NotCanonical,
    /// Of another version than this program knows.
    #[error("is of a version that is not known")]
    Version,
}

/// The members of a leaf in the order of their names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    h: String,
    id: String,
    recorded: String,
    seq: u64,
    v: u8,
}

impl Leaf {
    /// The leaf as JSON in canonical form (RFC 8785): `h` the content hash in base64, `id`, `recorded`, `seq`
    /// and `v`.
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(192);
        out.push_str(r#"{"h":""#);
        STANDARD.encode_string(self.content, &mut out);
        out.push_str(r#"","id":"#);
        write_text(&self.id, &mut out);
        out.push_str(r#","recorded":""#);
        out.push_str(&recorded_text(self.recorded));
        out.push_str(r#"","seq":"#);
        out.push_str(&self.seq.to_string());
        out.push_str(r#","v":1}"#);
        out
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Hash {
        leaf_hash(self.text().as_bytes())
    }

    /// Reads what [`Leaf::text`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > LONGEST {
            return Err(LeafError::Form);
        }
        let members: Members = serde_json::from_slice(bytes).map_err(|_| LeafError::Form)?;
        if members.v != VERSION {
            return Err(LeafError::Version);
        }
        let content = STANDARD.decode(&members.h).ok().and_then(|hash| hash.try_into().ok());
        let recorded: jiff::Timestamp = members.recorded.parse().map_err(|_| LeafError::Form)?;
        let leaf = Self {
            seq: members.seq,
            id: members.id,
            recorded: recorded.as_microsecond(),
            content: content.ok_or(LeafError::Form)?,
        };
        if leaf.text().as_bytes() == bytes { Ok(leaf) } else { Err(LeafError::NotCanonical) }
    }
}

/// What the log takes from an event: all that does not depend on its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The [`content_hash`].
    pub content: Hash,
    /// What it is found by.
    pub terms: Terms,
}

impl Judged {
    /// Of an event in canonical form.
    pub fn of(salt: &Salt, event: &[u8]) -> Self {
        Self { content: content_hash(salt, event), terms: Terms::of(event) }
    }
}

/// The hash of an event's content: `salt`, then the AuditEvent in canonical form.
pub fn content_hash(salt: &Salt, event: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(event);
    hasher.finalize().into()
}

/// `AuditEvent.recorded`, and that of its leaf: an instant in UTC with six digits of the second's fraction.
pub fn recorded_text(at: Micros) -> String {
    let at = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
    format!("{at:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf() -> Leaf {
        Leaf {
            seq: 7,
            id: "e-1".to_owned(),
            recorded: 1_767_225_600_000_001,
            content: content_hash(&[1; 32], b"{}"),
        }
    }

    #[test]
    fn a_leaf_is_canonical_json() {
        let text = leaf().text();
        let hash = STANDARD.encode(Sha256::digest([&[1; 32][..], b"{}"].concat()));
        let expected =
            format!(r#"{{"h":"{hash}","id":"e-1","recorded":"2026-01-01T00:00:00.000001Z","seq":7,"v":1}}"#);
        assert_eq!(text, expected);
        let value = serde_json::from_str(&text).unwrap();
        assert_eq!(super::super::canonical::to_string(&value).unwrap(), text);
    }

    #[test]
    fn only_its_own_text_is_read() {
        let text = leaf().text();
        assert_eq!(Leaf::parse(text.as_bytes()), Ok(leaf()));
        let refused = [
            (text.replace(r#","v":1"#, r#","v":2"#), LeafError::Version),
            (text.replace(r#","v":1"#, r#","v":1,"w":1"#), LeafError::Form),
            (text.replace("\"seq\":7", "\"seq\": 7"), LeafError::NotCanonical),
            (text.replace(".000001Z", ".0000010Z"), LeafError::NotCanonical),
            (text.replace("\"seq\":7", "\"seq\":-7"), LeafError::Form),
            (text.replace(r#""id":"e-1","#, ""), LeafError::Form),
            (format!("{text}\n"), LeafError::NotCanonical),
            (text.replace("e-1", &"e".repeat(LONGEST)), LeafError::Form),
            (String::new(), LeafError::Form),
        ];
        for (text, error) in refused {
            assert_eq!(Leaf::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seq in 0..1u64 << 53, id in ".{0,40}", recorded in 0..4_000_000_000_000_000i64, content: [u8; 32]) {
            let leaf = Leaf { seq, id, recorded, content };
            let text = leaf.text();
            let value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&super::super::canonical::to_string(&value).unwrap(), &text);
            prop_assert_eq!(Leaf::parse(text.as_bytes()), Ok(leaf));
        }
    }
}
