//! The audit log: what goes on the record (after IHE BALP), and its proofs: what a leaf is, the Merkle tree over the
//! leaves, signed checkpoints and the verifier that needs nothing but what was exported.
//!
//! Everything here is computed from what is passed in. The tree is that of RFC 9162 §2.1; checkpoints are
//! C2SP signed notes. Whoever has a checkpoint that was signed at some time can prove any later change to
//! what it covers.

pub mod act;
pub mod balp;
pub mod canonical;
pub mod checkpoint;
pub mod clean;
pub mod event;
pub mod export;
pub mod extract;
pub mod facts;
pub mod import;
pub mod key;
pub mod leaf;
pub mod note;
pub mod packed;
mod part;
pub mod path;
pub mod patients;
pub mod posting;
pub mod proof;
pub mod purge;
pub mod report;
pub mod terms;
pub mod tiles;
pub mod tree;
pub mod verify;
