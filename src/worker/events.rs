//! Numbers events, hands them out to subscriptions, sends them on to streams, and forgets them in the end.

use crate::app::App;
use crate::app::events::stream::{Stream, Target};
use crate::app::events::{Sequencer, forget_old};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often it is looked for events of other processes; those of this one are told at once.
const EVERY: Duration = Duration::from_millis(100);

/// How often it is looked for events that are too old.
const FORGET_EVERY: Duration = Duration::from_mins(10);
/// The longest pause after a stream that can't be reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Numbers and hands out until the task is dropped.
pub(super) async fn run(app: App) {
    let sequencer = Sequencer::new(app.clone());
    let mut news = app.events.listen();
    loop {
        if let Err(error) = sequencer.run().await {
            tracing::error!(%error, "events could not be numbered and handed out; trying again");
            tokio::time::sleep(EVERY).await;
        }
        // Either is reason enough to look.
        let _ = tokio::time::timeout(EVERY, news.changed()).await;
    }
}

/// Sends on to every stream of the settings until the task is dropped.
pub(super) async fn streams(app: App) {
    let targets = Target::of(&app.config.stream);
    futures_util::future::join_all(targets.into_iter().map(|target| keep_up(app.clone(), target))).await;
}

/// Each stream is a task of its own, so that neither its client's work nor its client's mistakes are in the way of
/// anything else. It ends with the set that it is in.
async fn keep_up(app: App, target: Target) {
    let mut task = JoinSet::new();
    task.spawn(stream(app.clone(), target));
    while let Some(Err(_)) = task.join_next().await {
        tracing::error!(to = target.name(), "sending events on to the stream broke off; beginning anew");
        tokio::time::sleep(LONGEST_PAUSE).await;
        task.spawn(stream(app.clone(), target));
    }
}

async fn stream(app: App, target: Target) {
    let mut news = app.handed_out.listen();
    let mut stream = match Stream::new(app, target) {
        Ok(stream) => stream,
        Err(reason) => return tracing::error!(reason, "events are not sent on to the stream"),
    };
    let mut pause = EVERY;
    loop {
        match stream.run().await {
            Ok(()) => {
                pause = EVERY;
                // Another process may have gone away, and left something to send.
                let _ = tokio::time::timeout(Duration::from_secs(1), news.changed()).await;
            }
            Err(error) => {
                tracing::warn!(
                    to = target.name(),
                    %error,
                    "events could not be sent on to the stream; trying again"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Forgets what is too old until the task is dropped.
pub(super) async fn forget(app: App) {
    loop {
        let pause = match forget_old(&app).await {
            Ok(true) => EVERY,
            Ok(false) => FORGET_EVERY,
            Err(error) => {
                tracing::warn!(%error, "old events could not be forgotten; trying again");
                FORGET_EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}
