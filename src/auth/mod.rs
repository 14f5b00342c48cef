//! Who may do what: scopes, principals, roles, tokens. Pure: no I/O, no clock.

pub mod principal;
pub mod scope;
