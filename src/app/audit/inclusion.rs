//! One event with all that proves it, and this server's own check of it.

use super::keys;
use super::nodes::Nodes;
use super::shown;
use crate::app::App;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::key::Verifier;
use crate::audit::leaf::{Leaf, content_hash};
use crate::audit::path::verify_inclusion;
use crate::audit::tree::Hash;
use crate::store::StoreError;
use crate::store::audit::log::{self, Stored};
use crate::store::audit::page;
use crate::store::audit::sequence::{self, Published};

/// An event, its leaf, and the way from it to the newest checkpoint.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What the log says of it.
    pub leaf: Leaf,
    /// Salt and canonical JSON; none when they are not there any more.
    pub content: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether events of its time may have been purged.
    pub may_be_purged: bool,
    /// The hashes from the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The newest checkpoint.
    pub checkpoint: Published,
    /// The log's public keys, as this server has them.
    pub keys: Vec<Verifier>,
    /// What this server finds.
    pub verdict: Verdict,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the content is what the leaf says; none when there is no content.
    pub content: Option<bool>,
    /// Whether the leaf is where it says in the checkpoint's tree.
    pub place: bool,
    /// Whether a key of the log signed the checkpoint; none when this server has no key.
    pub signature: Option<bool>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn holds(self) -> bool {
        self.content != Some(false) && self.place && self.signature != Some(false)
    }
}

/// The event with this id, with its proof; none when there is no such event that has its place.
///
/// # Errors
/// When the database fails, or holds what can't be a leaf.
pub async fn proven(app: &App, id: &str) -> Result<Option<Proven>, StoreError> {
    let mut tx = app.store.snapshot().await?;
    let Some(seq) = page::leaf_of(&mut tx, id).await? else { return Ok(None) };
    let Some(row) = log::stored(&mut tx, seq, 1).await?.pop().filter(|row| row.seq == seq) else {
        return Ok(None);
    };
    // One that a witness signed is preferred, if the event is below it.
    let cosigned = shown(&mut tx).await?.filter(|shown| shown.size > seq);
    let checkpoint = match cosigned {
        Some(cosigned) => Some(cosigned),
        None => sequence::latest(&mut tx).await?,
    };
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let leaf = leaf(&row)?;
    let size = u64::try_from(checkpoint.size).unwrap_or_default();
    let path = Nodes::default().inclusion(&mut tx, &[leaf.seq], size).await?.pop().flatten();
    let may_be_purged = page::may_be_purged(&mut tx, leaf.recorded).await?;
    drop(tx);
    // A key that can't be read leaves the signature unjudged, and is said so.
    let keys: Vec<Verifier> = keys::load(&app.config)
        .map(|signers| signers.iter().map(|signer| signer.verifier().clone()).collect())
        .unwrap_or_default();
    let content = row.event.map(|event| (event.salt, event.body));
    let verdict = judge(&leaf, &row.hash, content.as_ref(), path.as_deref(), &checkpoint, &keys);
    let path = path.unwrap_or_default();
    Ok(Some(Proven { leaf, content, may_be_purged, path, checkpoint, keys, verdict }))
}

fn leaf(row: &Stored) -> Result<Leaf, StoreError> {
    let content = row.content.as_slice().try_into();
    let content =
        content.map_err(|_| StoreError::Other("a leaf's digest is not 32 bytes long".to_owned()))?;
    let seq = u64::try_from(row.seq).unwrap_or_default();
    Ok(Leaf { seq, id: row.id.clone(), recorded: row.recorded_us, content })
}

fn judge(
    leaf: &Leaf,
    stored: &[u8],
    content: Option<&(Vec<u8>, Vec<u8>)>,
    path: Option<&[Hash]>,
    checkpoint: &Published,
    keys: &[Verifier],
) -> Verdict {
    let hash = leaf.hash();
    let signed = SignedCheckpoint::parse(checkpoint.note.as_bytes()).ok();
    let leads = |path: &[Hash]| {
        signed.as_ref().is_some_and(|signed| {
            let tree = &signed.checkpoint;
            tree.root.as_slice() == checkpoint.root
                && verify_inclusion(leaf.seq, tree.size, &hash, path, &tree.root).is_ok()
        })
    };
    Verdict {
        content: content.map(|(salt, body)| {
            salt.as_slice().try_into().is_ok_and(|salt| content_hash(salt, body) == leaf.content)
        }),
        place: stored == hash && path.is_some_and(leads),
        signature: (!keys.is_empty())
            .then(|| signed.as_ref().is_some_and(|signed| signed.verify(keys).is_ok())),
    }
}
