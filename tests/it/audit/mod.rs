//! The audit log's proofs, against a second implementation of what the RFC and C2SP say.

mod acts;
mod attacks;
mod checkpoint;
mod commands;
mod consents;
mod console;
mod console_files;
mod console_marks;
pub mod coverage;
mod crash;
pub mod database_export;
mod export;
mod listener;
mod postings;
mod purge;
mod push;
mod query;
mod recording;
mod reference;
mod reports;
mod success;
mod summaries;
mod tamper;
mod tree;
mod vectors;
mod witness;
