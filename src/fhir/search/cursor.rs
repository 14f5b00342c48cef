//! Where a page ends, as the opaque, signed `_page` of a `next` link.

use super::SearchQuery;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of the signature that a link carries.
const SIGNATURE: usize = 16;

/// The place of a match in the order of a search: the next page starts behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Values of the sort keys.
    pub keys: Vec<Key>,
    /// Internal key, which breaks ties.
    pub rid: i64,
}

/// The value of a sort key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Key {
    /// A time or other whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// The resource has no such value.
    Null,
}

/// Writes a position for the `next` link of `query`; it is good for no other search.
pub fn encode(position: &Position, query: &SearchQuery, key: &[u8; 32]) -> String {
    let mut bytes = serde_json::to_vec(position).unwrap_or_default();
    let signature = signature(&bytes, query, key);
    bytes.extend(signature);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a position; `None` when it was not written by [`encode`] with this key for this search.
pub fn decode(text: &str, query: &SearchQuery, key: &[u8; 32]) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (payload, signed) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
    let expected = signature(payload, query, key);
    // The whole is compared whatever differs, so that timing tells nothing.
    let differs = expected.iter().zip(signed).fold(0, |acc, (a, b)| acc | (a ^ b));
    if differs != 0 {
        return None;
    }
    serde_json::from_slice(payload).ok()
}

fn signature(payload: &[u8], query: &SearchQuery, key: &[u8; 32]) -> [u8; SIGNATURE] {
    // HMAC itself pads a short key with zeros to the block of its hash.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(b"page\0");
    for rt in &query.types {
        mac.update(rt.name.as_bytes());
        mac.update(b",");
    }
    if let Some((owner, id)) = &query.compartment {
        mac.update(format!("\0{owner}/{id}").as_bytes());
    }
    for (name, value) in &query.used {
        // Lengths keep one pair from passing for another.
        mac.update(format!("\0{}:{}:{name}{value}", name.len(), value.len()).as_bytes());
    }
    mac.update(b"\0\0");
    mac.update(payload);
    let full = mac.finalize().into_bytes();
    let mut short = [0; SIGNATURE];
    short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    short
}
