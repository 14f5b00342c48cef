//! The Merkle tree of RFC 9162 §2.1 with SHA-256.
//!
//! Only complete nodes are kept: `NodeId { level, index }` is the root of the 2^`level` leaves that begin at
//! `index` · 2^`level`. What lies to the right of the last complete node is computed when it is asked for,
//! so nothing that was stored ever changes.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The place of a complete node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Its height; a leaf has 0.
    pub level: u8,
    /// Its number among the nodes of its level, from the left, from 0.
    pub index: u64,
}

/// A complete node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub id: NodeId,
    /// What it says.
    pub hash: Hash,
}

/// The hash of a leaf: its bytes behind a zero byte.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// The hash of a node: those of its children behind a one.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut joined = [1; 65];
    let (first, second) = joined.split_at_mut(33);
    if let Some(place) = first.get_mut(1..) {
        place.copy_from_slice(left);
    }
    second.copy_from_slice(right);
    Sha256::digest(joined).into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The complete nodes that cover the leaves from `from` (inclusive) to `to` (exclusive), from the left. `from`
/// must be where a subtree begins, as it is for all that the RFC's algorithms ask for.
pub(super) fn cover(from: u64, to: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut at = from;
    while let Some(left) = to.checked_sub(at).filter(|left| *left > 0) {
        let level = left.ilog2().min(at.trailing_zeros());
        nodes.push(NodeId { level: level as u8, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The root above the hashes of a [`cover`].
pub(super) fn fold(hashes: &[Hash]) -> Option<Hash> {
    let (last, others) = hashes.split_last()?;
    Some(others.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The complete nodes at the right edge of a tree of `size` leaves, from the left: what [`Frontier::restore`]
/// needs to go on.
pub fn edge(size: u64) -> Vec<NodeId> {
    cover(0, size)
}

/// A tree that grows, of which only the right edge is in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The hashes of [`edge`].
    edge: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves with the hashes of the nodes that [`edge`] names, in that order; `None` when
    /// there are more or fewer.
    pub fn restore(size: u64, edge: Vec<Hash>) -> Option<Self> {
        (edge.len() as u64 == u64::from(size.count_ones())).then_some(Self { size, edge })
    }

    /// The hashes of the nodes that [`edge`] names.
    pub fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and gives the nodes of level 1 and above that are complete by it, from the lowest.
    pub fn append(&mut self, leaf: Hash) -> Vec<Node> {
        let mut made = Vec::new();
        let mut hash = leaf;
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.edge.pop() else { break };
            hash = node_hash(&left, &hash);
            made.push(Node { id: NodeId { level: level as u8, index: self.size >> level }, hash });
        }
        self.edge.push(hash);
        self.size += 1;
        made
    }

    /// The root of the tree as it is.
    pub fn root(&self) -> Hash {
        fold(&self.edge).unwrap_or_else(empty_root)
    }
}
