//! `[bulk]`

use super::units;
use serde::Deserialize;
use std::time::Duration;

/// `[bulk]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// How long an export can be fetched.
    #[serde(deserialize_with = "units::duration")]
    pub keep: Duration,
    /// The most resources of one file.
    pub file_size: usize,
    /// The most exports that one client keeps at a time.
    pub max_jobs: usize,
}

/// Every rule that is broken.
pub(super) fn problems(bulk: &Bulk, found: &mut Vec<String>) {
    if bulk.keep.is_zero() {
        found.push("bulk.keep: must be longer than zero".to_owned());
    }
    if !(1..=1_000_000).contains(&bulk.file_size) {
        found.push("bulk.file_size: must be between 1 and 1000000".to_owned());
    }
    if bulk.max_jobs == 0 {
        found.push("bulk.max_jobs: must be at least 1".to_owned());
    }
}
