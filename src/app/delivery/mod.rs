//! Notifications on their way to endpoints.

pub mod endpoint;
pub mod sign;
#[cfg(test)]
mod tests;

use super::outbound::{Refused, system};
use crate::clock::Clock;
use crate::config::Config;
use endpoint::Endpoints;
use std::sync::Arc;
use tokio::sync::Notify;

/// What deliveries share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Deliveries {
    endpoints: Arc<Endpoints>,
    wake: Arc<Notify>,
}

impl Deliveries {
    /// Prepares deliveries as `[subscriptions]` says.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub fn new(config: &Config, clock: &Clock) -> Result<Self, String> {
        let endpoints = Endpoints::new(config, clock.clone(), system())?;
        Ok(Self { endpoints: Arc::new(endpoints), wake: Arc::default() })
    }

    /// Whether notifications may go to this URL. Its name may still stand for an address that is refused when it is
    /// connected to.
    ///
    /// # Errors
    /// What is wrong with it, fit to be told to whoever subscribes.
    pub fn judge(&self, endpoint: &str) -> Result<(), Refused> {
        self.endpoints.judge(endpoint).map(drop)
    }

    /// Scheme, host and port of an endpoint, which share a limit and a circuit breaker: `subscription.host`.
    ///
    /// # Errors
    /// What is wrong with it, fit to be told to whoever subscribes.
    pub fn host(&self, endpoint: &str) -> Result<String, Refused> {
        self.endpoints.judge(endpoint).map(|url| url.origin().ascii_serialization())
    }

    /// Something may be due: there are new events, or a subscription was changed.
    pub fn notify(&self) {
        self.wake.notify_one();
    }

    /// Waits until something may be due.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }
}
