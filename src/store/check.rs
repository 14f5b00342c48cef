//! Reads for `slotwright check`: does the ledger agree with the appointments?

pub(crate) const STATEMENTS: &[(&str, &str)] = &[];
