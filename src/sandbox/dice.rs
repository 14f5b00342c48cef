//! Numbers that look random and are the same every time (SplitMix64), so that a sample clinic can be
//! written about.

/// A repeatable sequence of numbers.
#[derive(Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// The sequence of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `limit` (0 when `limit` is 0).
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as usize).checked_rem(limit).unwrap_or(0)
    }

    /// One of `list`; the empty string when there is none.
    pub(super) fn pick<'a>(&mut self, list: &'a [String]) -> &'a str {
        list.get(self.below(list.len())).map_or("", String::as_str)
    }
}
