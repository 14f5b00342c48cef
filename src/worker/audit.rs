//! Gives recorded events their place in the audit log.

use crate::app::audit::Sequencer;
use std::time::Duration;

/// How often it is looked for events that wait: well below the second within which they are promised their place.
const EVERY: Duration = Duration::from_millis(200);

/// Gives places until the task is dropped.
pub(super) async fn run(sequencer: Sequencer) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sequencer.run().await {
            tracing::error!(%error, "recorded events could not be given their place; trying again");
        }
    }
}
