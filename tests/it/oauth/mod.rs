//! The authorization server: discovery, authorization, tokens, and what a token opens.

mod authorize;
pub mod backend;
mod bearer;
mod brand;
mod discovery;
pub mod flow;
mod journey;
mod jwks_url;
mod launch;
mod libraries;
mod refresh;
mod registration;
pub mod signer;
mod tokens;
pub mod withdrawal;
