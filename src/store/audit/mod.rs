//! The audit log: events as they happen, and the place that each is given in the tree.

pub mod event;
pub mod log;
pub mod purge;
pub mod search;
pub mod sequence;
pub mod told;

/// Every static statement of these files.
pub(super) fn statements() -> Vec<(&'static str, &'static str)> {
    [event::STATEMENTS, log::STATEMENTS, purge::STATEMENTS, sequence::STATEMENTS, told::STATEMENTS].concat()
}
