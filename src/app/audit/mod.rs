//! Putting what happens on the record.
//!
//! What a transaction writes is recorded in that transaction. Everything else, reads and refusals, is recorded
//! before its answer leaves, together with what others wait to have recorded.

pub mod archive;
pub mod browse;
mod caller;
mod describe;
pub mod disclosures;
pub mod export;
mod fresh;
pub mod inclusion;
mod judge;
pub mod keys;
mod kin;
mod nodes;
pub mod purge;
pub mod push;
pub mod query;
mod recorder;
pub mod reports;
pub mod review;
mod sequencer;
mod shown;
mod summaries;
mod syslog;
pub mod verify;
mod watch;
mod witness;

pub use caller::Caller;
pub use describe::{Asked, actor, conclude, concluded, decided, refused, scene, written};
pub use recorder::Recorder;
pub use reports::Follower;
pub use sequencer::Sequencer;
pub use shown::shown;
pub use summaries::Summaries;
pub use watch::Report;
pub use witness::keys as witness_keys;

use crate::app::App;
use crate::audit::balp;
use crate::audit::event::{Event, Recorded};
use crate::audit::leaf::recorded_text;
use crate::fhir::outcome::Error;

/// The event as it is kept.
///
/// # Errors
/// When there is no randomness.
pub fn record(app: &App, event: &Event) -> Result<Recorded, Error> {
    let id = app.clock.new_id();
    let recorded_us = app.clock.now();
    let salt = app.clock.random_bytes::<32>().map_err(|e| Error::internal(e.to_string()))?;
    let written = balp::audit_event(event, &id, &recorded_text(recorded_us));
    let (body, terms) = written.map_err(|e| Error::internal(e.to_string()))?;
    Ok(Recorded { id, recorded_us, salt, body, terms })
}
