//! Proofs from the stored nodes.

use crate::audit::path::Plan;
use crate::audit::tree::{Hash, NodeId};
use crate::store::audit::log;
use crate::store::{StoreError, Tx};
use std::collections::{BTreeSet, HashMap};

/// Nodes that are kept: neighbours share most of them.
const KEPT: usize = 100_000;

/// Stored nodes that were read before.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<NodeId, Hash>);

impl Nodes {
    /// The inclusion proofs of these leaves in the tree of `size` leaves; none where a node is missing.
    pub(super) async fn inclusion(
        &mut self,
        tx: &mut Tx,
        leaves: &[u64],
        size: u64,
    ) -> Result<Vec<Option<Vec<Hash>>>, StoreError> {
        if self.0.len() > KEPT {
            self.0.clear();
        }
        let plans: Vec<Option<Plan>> = leaves.iter().map(|leaf| Plan::inclusion(*leaf, size)).collect();
        let wanted: BTreeSet<NodeId> = plans.iter().flatten().flat_map(Plan::nodes).collect();
        let wanted: Vec<NodeId> = wanted.into_iter().filter(|id| !self.0.contains_key(id)).collect();
        for node in log::nodes_at(tx, &wanted).await? {
            self.0.insert(node.id, node.hash);
        }
        let assemble = |plan: Option<Plan>| plan?.assemble(|id| self.0.get(&id).copied()).ok();
        Ok(plans.into_iter().map(assemble).collect())
    }
}
