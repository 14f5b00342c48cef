//! Events: what happens to the resources of scheduling is recorded where it happens, and numbered and handed out to
//! subscriptions behind.

mod envelope;
mod index;
mod retention;
mod sequencer;
pub mod stream;

pub use crate::store::{Signal, Waiter};
pub use retention::forget_old;
pub use sequencer::Sequencer;

use crate::clock::Micros;
use crate::scheduling::event::{Change, TYPES, topics};
use crate::store::events::NewEvent;
use serde_json::Value;

/// A version that was written, of whichever type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened<'a> {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: &'a str,
    /// Its number.
    pub vid: i64,
    /// The version before, if there was a resource.
    pub before_vid: Option<i64>,
    /// When.
    pub at_us: Micros,
}

impl Happened<'_> {
    /// What is to be recorded of it; nothing, if it is of a type that has no events.
    pub(super) fn to(
        self,
        rtype: &'static str,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> Option<NewEvent> {
        TYPES.contains(&rtype).then(|| NewEvent {
            rtype,
            rid: self.rid,
            id: self.id.to_owned(),
            vid: self.vid,
            before_vid: self.before_vid,
            topics: topics(rtype, Change { before, after, at: self.at_us }),
            at_us: self.at_us,
        })
    }
}
