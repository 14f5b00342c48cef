//! Who may do what: scopes, principals, roles, tokens. Pure: no I/O, no clock.

pub mod client;
pub mod error;
pub mod jws;
pub mod keys;
pub mod launch;
pub mod lockout;
pub mod password;
pub mod principal;
pub mod scope;
pub mod secret;
pub mod token;
pub mod totp;
