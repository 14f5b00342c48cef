//! The checkpoint that is shown to others: under proofs and exports.

use crate::clock::Micros;
use crate::store::audit::sequence::{self, Published};
use crate::store::audit::{purge, told};
use crate::store::{StoreError, Tx};

/// A checkpoint that a witness signed is preferred to a newer one for so long.
const PREFERRED: Micros = 10 * 60 * 1_000_000;

/// The newest checkpoint that a witness signed, or, when that is old or is from before contents were purged, the newest;
/// with all signatures of witnesses. None while the log has no checkpoint.
///
/// # Errors
/// When the database does not answer.
pub async fn shown(tx: &mut Tx) -> Result<Option<Published>, StoreError> {
    let Some(newest) = sequence::latest(tx).await? else { return Ok(None) };
    let chosen = match told::newest_cosigned(tx).await? {
        Some(cosigned) if newest.at_us - cosigned.at_us <= PREFERRED => {
            let purged = purge::last(tx).await?;
            if purged.is_some_and(|place| place >= cosigned.size) { newest } else { cosigned }
        }
        _ => newest,
    };
    told::with_cosignatures(tx, chosen).await.map(Some)
}
