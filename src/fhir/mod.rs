//! The wire: R4 types, parsing, validation, search grammar, patch, Bundle, OperationOutcome,
//! CapabilityStatement. Pure: no I/O, no clock, no SQL, no HTTP.

pub(crate) mod at;
pub mod bundle;
pub mod capability;
pub mod date;
pub mod extract;
pub mod fold;
pub mod interaction;
pub mod openapi;
pub mod outcome;
pub mod parse;
pub mod patch;
pub mod registry;
pub mod search;
pub mod subscription;
pub mod summary;
pub mod validate;
pub mod xml;

#[cfg(test)]
mod mutation_tests;
