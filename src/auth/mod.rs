//! Who may do what: scopes, principals, roles, tokens. Pure: no I/O, no clock.

pub mod access;
pub mod assertion;
pub mod client;
pub mod consent;
pub mod emergency;
pub mod error;
pub mod external;
mod filter;
pub mod jws;
pub mod keys;
pub mod launch;
pub mod lockout;
pub mod params;
pub mod password;
pub mod permit;
pub mod pkce;
pub mod policy;
pub mod principal;
pub mod report;
pub mod rule;
pub mod scope;
mod search;
pub mod secret;
pub mod token;
pub mod totp;
pub mod upstream;
mod view;

pub use access::Access;
pub use permit::{Denied, Permit, SearchPermit};
pub use policy::Policy;
