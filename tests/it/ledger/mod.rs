//! The booking ledger as its users meet it, through HTTP, on both engines.

mod conflicts;
mod idempotency;
mod slots;
mod transitions;
