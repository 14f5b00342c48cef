//! The authorization server: SMART App Launch 2.2, OAuth 2.0, OpenID Connect.

pub mod clients;
pub mod keys;
pub mod pending;
pub mod tokens;
