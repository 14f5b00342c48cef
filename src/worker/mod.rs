//! Background work. It starts from rows that a transaction wrote, never from memory, so a crash loses none
//! of it and any replica may do it.

mod audit;
pub mod delivery;
mod events;
pub mod mail;
mod reports;

use crate::app::audit::Sequencer;
use crate::app::oauth::revoke;
use crate::app::{App, account, booking, bulk, idempotent, subscriptions};
use std::time::Duration;

/// How often lapsed holds are tidied away. Queries do not depend on it: a lapsed hold is free at once.
const EVERY: Duration = Duration::from_secs(1);

/// Works until the task is dropped: places events in the audit log, purges it after retention, tells
/// others of its checkpoints, follows it for reports, numbers what happens and hands it out, sends notifications,
/// tidies, and delivers messages.
pub async fn run(app: App, sequencer: Sequencer) {
    tokio::join!(
        audit::run(sequencer),
        audit::purge(app.clone()),
        audit::push(app.clone()),
        audit::summaries(app.clone()),
        delivery::run(app.clone()),
        reports::run(app.clone()),
        events::run(app.clone()),
        events::streams(app.clone()),
        events::forget(app.clone()),
        tidy(app.clone()),
        mail::run(app)
    );
}

/// Switches subscriptions off that are over, cancels lapsed holds, forgets old idempotency keys, sessions and tokens.
async fn tidy(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let looked = subscriptions::Looked::default();
    loop {
        ticks.tick().await;
        if let Err(error) = subscriptions::tidy(&app, &looked).await {
            tracing::warn!(%error, "subscriptions that are over could not be switched off; trying again");
        }
        if let Err(error) = booking::lapse_due(&app).await {
            tracing::warn!(%error, "lapsed holds could not be cancelled; trying again");
        }
        if let Err(error) = revoke::forget_old(&app).await {
            tracing::warn!(%error, "expired codes and tokens could not be forgotten; trying again");
        }
        if let Err(error) = bulk::forget_old(&app).await {
            tracing::warn!(%error, "expired exports could not be removed; trying again");
        }
        if let Err(error) = idempotent::forget_old(&app).await {
            tracing::warn!(%error, "old idempotency keys could not be forgotten; trying again");
        }
        if let Err(error) = account::forget_old(&app).await {
            tracing::warn!(%error, "old sessions could not be forgotten; trying again");
        }
    }
}
