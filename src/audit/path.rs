//! Proofs that a leaf is in a tree (RFC 9162 §2.1.3) and that one tree is the beginning of another (§2.1.4):
//! which stored nodes they are made of, and whether one holds.

use super::tree::{self, Hash, NodeId, cover, fold, node_hash};

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is beyond the tree, or the older tree is the larger one.
    #[error("is about a place that the tree does not have")]
    Range,
    /// More or fewer hashes than the place asks for.
    #[error("has not the number of hashes that its place asks for")]
    Length,
    /// It leads to another root.
    #[error("leads to another root")]
    Root,
}

/// The stored nodes that a proof is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For each hash of the proof the nodes below it.
    parts: Vec<Vec<NodeId>>,
}

impl Plan {
    /// That leaf `index` is in the tree of `size` leaves; `None` when it can't be.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let (mut from, mut to) = (0, size);
        let mut parts = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                parts.push(cover(middle, to));
                to = middle;
            } else {
                parts.push(cover(from, middle));
                from = middle;
            }
        }
        parts.reverse();
        Some(Self { parts })
    }

    /// That the tree of `old` leaves is the beginning of that of `new` leaves; `None` when it can't be. From
    /// the empty tree, and from a tree to itself, there is nothing to show.
    pub fn consistency(old: u64, new: u64) -> Option<Self> {
        if old > new {
            return None;
        }
        let mut parts = Vec::new();
        if old > 0 && old < new {
            let (mut from, mut to) = (0, new);
            while old < to {
                let middle = from + split(to - from);
                if old <= middle {
                    parts.push(cover(middle, to));
                    to = middle;
                } else {
                    parts.push(cover(from, middle));
                    from = middle;
                }
            }
            // From the first leaf on it is the old tree itself, whose root is known.
            if from > 0 {
                parts.push(cover(from, to));
            }
            parts.reverse();
        }
        Some(Self { parts })
    }

    /// How many hashes the proof has.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether the proof has no hash, as that of the only leaf.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The nodes to fetch; those of level 0 are leaf hashes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.parts.iter().flatten().copied()
    }

    /// The hashes of the proof, made from those that `hash` knows.
    ///
    /// # Errors
    /// With the first node that `hash` does not know.
    pub fn assemble(&self, hash: impl Fn(NodeId) -> Option<Hash>) -> Result<Vec<Hash>, NodeId> {
        let mut proof = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let below: Vec<Hash> =
                part.iter().map(|id| hash(*id).ok_or(*id)).collect::<Result<_, NodeId>>()?;
            proof.extend(fold(&below));
        }
        Ok(proof)
    }
}

/// Where a tree of `size` > 1 leaves is split: the largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root to which `proof` leads from leaf `index` of a tree of `size` leaves.
fn root_of(index: u64, size: u64, leaf: &Hash, proof: &[Hash]) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::Range);
    }
    // `place` and `last` go up level by level: the node at hand, and the last node of its level.
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place % 2 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            // A last node without a sibling is its own parent.
            let alone = if place % 2 == 1 { 0 } else { place.trailing_zeros().min(63) };
            place >>= alone;
            last >>= alone;
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(hash) } else { Err(ProofError::Length) }
}

/// Whether `proof` shows that `leaf` (its hash) is leaf `index` of the tree of `size` leaves under `root`.
///
/// # Errors
/// When it does not.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_of(index, size, leaf, proof)? == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Whether `proof` shows that the tree of `old` leaves under `old_root` is the beginning of the tree of `new`
/// leaves under `new_root`. Every tree begins with the empty one, which needs an empty proof.
///
/// # Errors
/// When it does not.
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Range);
    }
    if old == 0 || old == new {
        let expected = if old == 0 { &tree::empty_root() } else { new_root };
        return match proof {
            [] if old_root == expected => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    // The proof goes up from the old tree's last complete node. When the old tree is one complete node, its
    // hash is known and left out.
    let (seed, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return Err(ProofError::Length),
    };
    let level = old.trailing_zeros();
    let (mut place, mut last) = ((old - 1) >> level, (new - 1) >> level);
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place % 2 == 1 || place == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            let alone = if place % 2 == 1 { 0 } else { place.trailing_zeros().min(63) };
            place >>= alone;
            last >>= alone;
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
