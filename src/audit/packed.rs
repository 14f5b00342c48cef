//! Events as they are stored: packed, because most of an AuditEvent are the addresses of code systems, which are the
//! same in every other.
//!
//! What is stored begins with `{` when it is the canonical JSON itself. Otherwise its first byte is the number of the
//! dictionary, the next four are the length of the JSON (the lowest first), and the rest is an LZ4 block. What was
//! logged is the JSON: hashes, exports and proofs know of no packing.

use lz4_flex::block::{compress_with_dict, decompress_with_dict};

/// Parts of events as they often are. What was packed with it can't be read without it, so it stays as it is: a better
/// one gets a number of its own.
const DICTIONARY: &[u8] = include_bytes!("packed/1.txt");
/// Its number.
const NUMBER: u8 = 1;
/// Bytes before the LZ4 block.
pub const HEAD: usize = 5;
/// The longest JSON that is packed, so that no stored length makes a reader take more memory than this.
const LONGEST: usize = 16 << 20;

/// Packs canonical JSON.
pub fn pack(json: &[u8]) -> Vec<u8> {
    match u32::try_from(json.len()) {
        Ok(length) if json.len() <= LONGEST => {
            let mut packed = vec![NUMBER];
            packed.extend(length.to_le_bytes());
            packed.extend(compress_with_dict(json, DICTIONARY));
            packed
        }
        _ => json.to_vec(),
    }
}

/// The canonical JSON of what is stored. What can't be unpacked was not packed here: it is returned as it is, and is
/// not what its hash says.
pub fn unpack(stored: Vec<u8>) -> Vec<u8> {
    let json = match stored.split_at_checked(HEAD) {
        Some((head, block)) if is_packed(head) => {
            let length = length(head, stored.len());
            let json = (length <= LONGEST).then(|| decompress_with_dict(block, length, DICTIONARY).ok());
            json.flatten().filter(|json| json.len() == length)
        }
        _ => None,
    };
    json.unwrap_or(stored)
}

/// The length of the JSON, by the first [`HEAD`] bytes of what is stored and by how much is stored.
pub fn length(head: &[u8], stored: usize) -> usize {
    match head {
        [NUMBER, length @ ..] => {
            length.try_into().map_or(stored, |length| u32::from_le_bytes(length) as usize)
        }
        _ => stored,
    }
}

fn is_packed(head: &[u8]) -> bool {
    head.first() == Some(&NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let event = br#"{"action":"R","agent":[{"network":{"address":"127.0.0.1","type":"2"}}],"id":"1"}"#;
        let long = vec![b'x'; 100_000];
        for json in [&event[..], b"{}", b"", &long] {
            let packed = pack(json);
            assert_eq!(length(&packed[..HEAD], packed.len()), json.len());
            assert_eq!(unpack(packed), json);
        }
        assert!(pack(event).len() < event.len() / 2, "{}", pack(event).len());
    }

    #[test]
    fn what_was_never_packed_stays_as_it_is() {
        for stored in [
            &b"{\"a\":1}"[..],
            b"",
            b"\x01",
            b"\x01\x05\x00\x00\x00",
            b"\x01\xff\xff\xff\xff\x10a",
            b"\x02abcdefg",
        ] {
            assert_eq!(unpack(stored.to_vec()), stored);
        }
        let mut longer = pack(b"{\"a\":1}");
        longer[1] += 1;
        assert_eq!(unpack(longer.clone()), longer);
    }

    #[test]
    fn the_dictionary_is_the_one_that_stored_events_were_packed_with() {
        let hash = STANDARD.encode(leaf_hash(DICTIONARY));
        assert_eq!(hash, "CORvgT245WTNZK1oki7645k7/5vvZZuxBh8LzLOZ49U=");
    }
}
