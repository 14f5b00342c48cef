//! The booking ledger as its users meet it, through HTTP, on both engines.

mod check;
mod conflicts;
mod holds;
mod idempotency;
mod model;
mod slots;
mod transitions;
