//! The one integration test binary. `support` says how to write a test.

#![allow(clippy::needless_pass_by_value, clippy::items_after_statements)]

mod support;

mod crash;
mod examples;
mod ledger;
mod races;
mod search;
mod structure;
