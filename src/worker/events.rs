//! Numbers events, and hands them out to subscriptions.

use crate::app::App;
use crate::app::events::Sequencer;
use std::time::Duration;

/// How often it is looked for events of other processes; those of this one are told at once.
const EVERY: Duration = Duration::from_millis(100);

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
