//! The audit log: events as they happen, the place that each is given in the tree, and what officers do with them.

pub mod event;
pub mod finding;
pub mod log;
pub mod page;
pub mod postings;
pub mod purge;
pub mod review;
pub mod scan;
pub mod search;
pub mod sequence;
pub mod told;

/// Every static statement of these files.
pub(super) fn statements() -> Vec<(&'static str, &'static str)> {
    [
        event::STATEMENTS,
        finding::STATEMENTS,
        log::STATEMENTS,
        page::STATEMENTS,
        postings::STATEMENTS,
        purge::STATEMENTS,
        review::STATEMENTS,
        scan::STATEMENTS,
        search::STATEMENTS,
        sequence::STATEMENTS,
        told::STATEMENTS,
    ]
    .concat()
}
