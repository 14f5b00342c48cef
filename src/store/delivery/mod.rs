//! Deliveries to endpoints: who has taken which subscription, the attempts, and the keys that sign.

mod attempt;
mod claim;
mod key;
mod look;
mod webhook;

pub use attempt::{Attempt, Noted, attempts, forget_attempts, note_attempt};
pub use claim::{Claimed, Finished, Outcome, Wanted, claim, due, finish, give_back};
pub use key::{SigningKey, add_key, forget_keys, keys};
pub use look::{Overview, Warned, look, overviews, pause, replay, resume, to_warn, unwarn};
pub use webhook::{Tagged, all_tagged, tagged};

/// Every static statement about deliveries.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [attempt::STATEMENTS, claim::STATEMENTS, key::STATEMENTS, look::STATEMENTS, webhook::STATEMENTS].concat()
}
