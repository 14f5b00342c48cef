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
pub struct Nodes(HashMap<NodeId, Hash>);

impl Nodes {
    /// The inclusion proofs of these leaves in the tree of `size` leaves; none where a node is missing.
    pub async fn inclusion(
        &mut self,
        tx: &mut Tx,
        leaves: &[u64],
        size: u64,
    ) -> Result<Vec<Option<Vec<Hash>>>, StoreError> {
        let plans = leaves.iter().map(|leaf| Plan::inclusion(*leaf, size)).collect();
        self.assembled(tx, plans).await
    }

    /// The proof that the tree of `new` leaves grew from that of `old`; none where a node is missing, or it can't have.
    pub(super) async fn consistency(
        &mut self,
        tx: &mut Tx,
        old: u64,
        new: u64,
    ) -> Result<Option<Vec<Hash>>, StoreError> {
        let proofs = self.assembled(tx, vec![Plan::consistency(old, new)]).await?;
        Ok(proofs.into_iter().next().flatten())
    }

    async fn assembled(
        &mut self,
        tx: &mut Tx,
        plans: Vec<Option<Plan>>,
    ) -> Result<Vec<Option<Vec<Hash>>>, StoreError> {
        if self.0.len() > KEPT {
            self.0.clear();
        }
        let wanted: BTreeSet<NodeId> = plans.iter().flatten().flat_map(Plan::nodes).collect();
        let wanted: Vec<NodeId> = wanted.into_iter().filter(|id| !self.0.contains_key(id)).collect();
        for node in log::nodes_at(tx, &wanted).await? {
            self.0.insert(node.id, node.hash);
        }
        let assemble = |plan: Option<Plan>| plan?.assemble(|id| self.0.get(&id).copied()).ok();
        Ok(plans.into_iter().map(assemble).collect())
    }
}
