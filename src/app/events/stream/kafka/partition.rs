//! Which partition a key belongs to: as Kafka's own producers choose it, so that others who write by key agree.

/// The partition of `key` among `partitions`, which are in order; none, if there are none.
pub(super) fn of(key: &[u8], partitions: &[i32]) -> Option<i32> {
    let count = u32::try_from(partitions.len()).ok()?;
    let place = (hash(key) & 0x7fff_ffff).checked_rem(count)?;
    partitions.get(usize::try_from(place).ok()?).copied()
}

/// MurmurHash2 with 32 bits and the seed that Kafka uses.
fn hash(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word = (word ^ (word >> 24)).wrapping_mul(FACTOR);
        hash = hash.wrapping_mul(FACTOR) ^ word;
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| (last << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafkas_own_producers() {
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(hash(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn a_key_has_one_partition_of_those_that_there_are() {
        assert_eq!(of(b"abc", &[]), None);
        assert_eq!(of(b"abc", &[0]), Some(0));
        assert_eq!(of(b"abc", &[0, 1, 2, 3]), Some(479_470_107 % 4));
    }
}
