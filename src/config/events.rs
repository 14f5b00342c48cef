//! `[events]`

use super::units;
use serde::Deserialize;
use std::time::Duration;

/// `[events]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How long the event log goes back.
    #[serde(deserialize_with = "units::duration")]
    pub retention: Duration,
}

/// The shortest time that the log goes back: deliveries are tried for days.
const SHORTEST: Duration = Duration::from_hours(24);

/// Every rule that is broken.
pub(super) fn problems(events: &Events, found: &mut Vec<String>) {
    if events.retention < SHORTEST {
        found.push("events.retention: must be at least 24h".to_owned());
    }
}
