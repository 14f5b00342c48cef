//! The one integration test binary. `support` says how to write a test.

#![allow(clippy::needless_pass_by_value, clippy::items_after_statements)]
// The lints against panicking are for the server: a test that meets the unexpected must fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

mod access;
mod audit;
mod bulk;
mod bundle;
mod connections;
mod crash;
mod delivery;
mod emergency;
mod events;
mod examples;
mod http;
mod interactions;
mod ledger;
mod oauth;
mod pages;
mod patch;
mod races;
mod registry;
mod sandbox;
mod scim;
mod search;
mod smart_rows;
mod structure;
mod subscription_rows;
mod subscriptions;
