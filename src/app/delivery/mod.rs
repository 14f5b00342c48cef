//! Notifications on their way to endpoints.

pub mod endpoint;
pub mod sign;
#[cfg(test)]
mod tests;

pub use endpoint::Endpoints;
