//! The sandbox: a sample clinic and what to try with it.
