//! Who may do what: scopes, principals, roles, tokens. Pure: no I/O, no clock.

pub mod lockout;
pub mod password;
pub mod principal;
pub mod scope;
pub mod secret;
pub mod totp;
