//! The sandbox: a sample clinic and what to try with it.
//!
//! `sandbox/clinic/*.json` says what the clinic is made of; [`clinic`] turns it into FHIR resources.

mod calendar;
mod clinic;
mod data;
mod dice;
mod people;
mod staff;
#[cfg(test)]
mod tests;

pub use clinic::{clinic, zone};

/// Why the sandbox could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of `sandbox/clinic/` can't be read.
    #[error("sandbox/clinic/{file}: {reason}")]
    Data {
        /// The file's name.
        file: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A file of `sandbox/clinic/` names something that is not there.
    #[error("sandbox/clinic: no {what} called {name}")]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A date, time or zone that does not exist.
    #[error("sandbox/clinic: {0}")]
    Calendar(String),
}

impl Error {
    fn unknown(what: &'static str, name: &str) -> Self {
        Self::Unknown { what, name: name.to_owned() }
    }

    fn calendar(error: jiff::Error) -> Self {
        Self::Calendar(error.to_string())
    }
}
