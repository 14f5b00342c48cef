//! `[subscriptions]`

use super::units;
use serde::Deserialize;
use std::time::Duration;

/// `[subscriptions]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscriptions {
    /// Hosts (`host` or `host:port`) that notifications may go to by plain http and on addresses that are not public.
    pub allow: Vec<String>,
    /// Longest time for one attempt, unless the Subscription asks for less.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// Pauses between the attempts of one notification; after the last the subscription is in error.
    #[serde(deserialize_with = "units::durations")]
    pub retries: Vec<Duration>,
    /// Shortest pause after an endpoint said that it can't keep up.
    #[serde(deserialize_with = "units::duration")]
    pub throttle: Duration,
    /// The most events in one notification, unless the Subscription asks for less.
    pub batch: u32,
    /// Notifications on their way at a time.
    pub concurrency: usize,
    /// The same to one host.
    pub host_concurrency: usize,
    /// After so many failures in a row a host is left alone for a while.
    pub breaker: u32,
    /// For how long.
    #[serde(deserialize_with = "units::duration")]
    pub breaker_pause: Duration,
    /// Whoever is in `notify.operations` hears of a subscription that has failed for so long.
    #[serde(deserialize_with = "units::duration")]
    pub warn_after: Duration,
    /// How long a replaced key signs along.
    #[serde(deserialize_with = "units::duration")]
    pub overlap: Duration,
    /// How long it is remembered how attempts went.
    #[serde(deserialize_with = "units::duration")]
    pub keep_attempts: Duration,
}

/// Every rule that is broken.
pub(super) fn problems(settings: &Subscriptions, found: &mut Vec<String>) {
    let second = Duration::from_secs(1);
    if !(Duration::from_millis(100)..=60 * second).contains(&settings.timeout) {
        found.push("subscriptions.timeout: must be between 100ms and 60s".to_owned());
    }
    if settings.retries.is_empty() || settings.retries.len() > 50 {
        found.push("subscriptions.retries: must have 1 to 50 pauses".to_owned());
    }
    if !(1..=1000).contains(&settings.batch) {
        found.push("subscriptions.batch: must be between 1 and 1000".to_owned());
    }
    if !(2..=10_000).contains(&settings.concurrency) {
        found.push("subscriptions.concurrency: must be between 2 and 10000".to_owned());
    }
    if !(1..=settings.concurrency).contains(&settings.host_concurrency) {
        found.push(
            "subscriptions.host_concurrency: must be between 1 and subscriptions.concurrency".to_owned(),
        );
    }
    if settings.breaker == 0 {
        found.push("subscriptions.breaker: must be at least 1".to_owned());
    }
}
