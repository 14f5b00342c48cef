//! Notifications on their way to endpoints.
//!
//! A subscription with something due is taken by one process at a time, by a lease with a fence (`courier`). Its events
//! go in their order (`turn`): the next notification is not begun before the last one arrived. What is due, and what
//! became of it, is in the database alone, so any process goes on with what another left.

mod courier;
pub mod endpoint;
mod hosts;
pub mod keys;
pub mod manage;
mod message;
mod report;
mod schedule;
pub mod sign;
#[cfg(test)]
mod tests;
mod turn;
pub mod warn;
pub mod webhook;

pub use courier::Courier;
pub use endpoint::Endpoints;

use super::App;

/// The FHIR base that notifications speak of: the public one, or the address that this server listens on.
pub fn base(app: &App) -> String {
    let server = &app.config.server;
    let scheme = if app.config.tls.files().is_some() { "https" } else { "http" };
    match &server.public_base_url {
        Some(url) => format!("{url}/fhir"),
        None => format!("{scheme}://{}/fhir", server.listen),
    }
}
