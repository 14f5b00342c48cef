//! Gives recorded events their place in the audit log, and does what follows from it.

use crate::app::App;
use crate::app::audit::Sequencer;
use crate::app::audit::purge::{Step, step};
use crate::app::audit::push::{Listener, listeners};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often it is looked for events that wait: well below the second within which they are promised their place.
const EVERY: Duration = Duration::from_millis(200);
/// How often it is looked for events whose time of retention is over.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// Between the small transactions of a purge, so that others get their turn.
const PURGE_PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked for a new checkpoint to tell others of.
const PUSH_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked for counts whose minute is over.
const SUM_EVERY: Duration = Duration::from_secs(5);

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Gives places until the task is dropped.
pub(super) async fn run(sequencer: Sequencer) {
    let mut ticks = every(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = sequencer.run().await {
            tracing::error!(%error, "recorded events could not be given their place; trying again");
        }
    }
}

/// Purges what is older than its retention until the task is dropped.
pub(super) async fn purge(app: App) {
    loop {
        let pause = match step(&app).await {
            Ok(Step::Idle) => PURGE_EVERY,
            Ok(Step::Named(events)) => {
                tracing::info!(events, "old events are purged from the audit log");
                PURGE_PAUSE
            }
            Ok(Step::Waiting | Step::Removed(_)) => PURGE_PAUSE,
            Err(error) => {
                tracing::error!(%error, "old events could not be purged from the audit log; trying again");
                PURGE_EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Tells others of checkpoints until the task is dropped; each has a loop of its own, so that none waits for another.
pub(super) async fn push(app: App) {
    match listeners(&app.config) {
        Ok(listeners) => drop(join_all(listeners.iter().map(|one| tell(&app, one))).await),
        Err(error) => tracing::error!(error, "nobody is told of the audit log's checkpoints"),
    }
}

async fn tell(app: &App, listener: &Listener) {
    let mut ticks = every(PUSH_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = listener.turn(app).await {
            tracing::warn!(to = listener.name(), %error, "checkpoints could not be read or noted; trying again");
        }
    }
}

/// Puts counted reads on the record until the task is dropped.
pub(super) async fn summaries(app: App) {
    let mut ticks = every(SUM_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = app.summaries.flush(&app, false).await {
            tracing::error!(?error, "counted reads could not be put on the record; trying again");
        }
    }
}
