//! Takes the proof of one event out of an export.

use super::checkpoint::SignedCheckpoint;
use super::export::{Coverage, Manifest};
use super::import::{Files, part_proof, small};
use super::path::Plan;
use super::proof::TlogProof;
use super::tiles::{self, Tile, WIDTH};
use super::tree::{Frontier, Hash, NodeId};
use std::collections::BTreeMap;

/// The proof of the event at `seq`; `None` when the export does not have it.
///
/// # Errors
/// When a file can't be read.
pub fn proof(files: &dyn Files, seq: u64) -> std::io::Result<Option<TlogProof>> {
    let manifest =
        small(files, "export.json")?.and_then(|text| serde_json::from_slice::<Manifest>(&text).ok());
    let note = small(files, "checkpoint")?.and_then(|note| SignedCheckpoint::parse(&note).ok());
    let Some((manifest, checkpoint)) = manifest.zip(note) else { return Ok(None) };
    let hashes = match manifest.covers {
        Coverage::Log => from_tiles(files, seq, checkpoint.checkpoint.size)?,
        Coverage::Range | Coverage::Selection => part_proof(files, seq)?,
    };
    Ok(hashes.map(|hashes| TlogProof { extra: None, index: seq, hashes, checkpoint }))
}

fn from_tiles(files: &dyn Files, seq: u64, size: u64) -> std::io::Result<Option<Vec<Hash>>> {
    let Some(plan) = Plan::inclusion(seq, size) else { return Ok(None) };
    let mut known = BTreeMap::new();
    for id in plan.nodes() {
        if let Some(hash) = node(files, id, size)? {
            known.insert(id, hash);
        }
    }
    Ok(plan.assemble(|id| known.get(&id).copied()).ok())
}

/// The hash of a node: the root over the hashes of a tile that are below it.
fn node(files: &dyn Files, id: NodeId, size: u64) -> std::io::Result<Option<Hash>> {
    let level = id.level / 8;
    let below = 1u64 << (id.level % 8);
    let first = id.index * below;
    let index = first / WIDTH;
    let width = ((size >> (u32::from(level) * 8)) - index * WIDTH).min(WIDTH);
    let content = small(files, &Tile { level, index, width }.path())?;
    let from = (first % WIDTH) as usize;
    let hashes =
        content.as_deref().and_then(tiles::hashes).and_then(|all| all.get(from..from + below as usize));
    Ok(hashes.map(|hashes| {
        let mut tree = Frontier::new();
        for hash in hashes {
            tree.append(*hash);
        }
        tree.root()
    }))
}
