//! The authorization server: SMART App Launch 2.2, OAuth 2.0, OpenID Connect.

mod answer;
mod authenticate;
pub mod authorize;
pub mod brand;
pub mod clients;
pub mod discovery;
mod exchange;
pub mod introspect;
pub mod invitations;
pub mod keys;
pub mod launch;
pub mod pending;
pub mod proved;
pub mod register;
pub mod revoke;
pub mod tokens;

pub use authenticate::{Credentials, authenticate};
pub use exchange::exchange;
