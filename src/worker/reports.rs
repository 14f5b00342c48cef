//! Follows the audit log for the standing reports.

use crate::app::App;
use crate::app::audit::Follower;
use std::time::Duration;

/// How often it is looked for events that were not taken in.
const EVERY: Duration = Duration::from_secs(2);

/// Follows until the task is dropped.
pub(super) async fn run(app: App) {
    let mut follower = Follower::new(app);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = follower.run().await {
            tracing::warn!(%error, "the standing reports could not follow the audit log; trying again");
        }
    }
}
