//! `slotwright policy`: the access rules, checked and explained.

use super::Failure;
use crate::auth::{Policy, report};
use clap::Subcommand;

/// What to do with the access rules.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Parse and validate the rules, and print the table that they come to
    Check,
    /// Say which rule decides whether ROLE may do ACTION with TYPE
    Explain {
        /// Such as patient or scheduler; patient-scopes for what scopes of one patient reach
        role: String,
        /// create, read, update, delete, search, override or audit
        action: String,
        /// A resource type, or clients, keys or users
        #[arg(value_name = "TYPE")]
        target: String,
    },
}

impl PolicyCommand {
    /// Prints what the rules come to, or why an answer is what it is.
    pub(super) fn run(self) -> Result<(), Failure> {
        let policy = Policy::load()?;
        match self {
            Self::Check => print!("{}", report::table(policy)),
            Self::Explain { role, action, target } => {
                print!("{}", report::explain(policy, &role, &action, &target)?);
            }
        }
        Ok(())
    }
}
