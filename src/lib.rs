//! Slotwright: a FHIR R4 scheduling gateway that never sells a minute twice.
//!
//! `http` parses a request, `app` carries it out in one transaction, `store` holds the only SQL;
//! `fhir` and `scheduling` are pure. See ARCHITECTURE.md for the way through the house.

pub mod app;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod fhir;
pub mod http;
pub mod notify;
pub mod sandbox;
pub mod scheduling;
pub mod store;
pub mod telemetry;
pub mod worker;
