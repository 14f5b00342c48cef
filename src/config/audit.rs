//! `[audit]`

use super::units;
use serde::Deserialize;
use std::path::PathBuf;

/// `[audit]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Directory of the keys that sign checkpoints.
    pub keys: PathBuf,
    /// The name of the log; none: made from the name of this server.
    #[serde(deserialize_with = "units::optional_text")]
    pub origin: Option<String>,
}

/// Every rule that is broken.
pub(super) fn problems(audit: &Audit, found: &mut Vec<String>) {
    let is_name = |name: &String| !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    if !audit.origin.as_ref().is_none_or(is_name) {
        found.push("audit.origin: must have no spaces and no '+'".to_owned());
    }
}
