//! Sends notifications to endpoints, and tells people of endpoints that can't be reached for long.

use crate::app::App;
use crate::app::delivery::{Courier, manage, warn};
use crate::clock::instant_text;
use crate::notify::{Mail, Mailer};
use crate::store::StoreError;
use crate::store::delivery::Warned;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked for what is to be said or forgotten.
const EVERY: Duration = Duration::from_secs(30);

/// Delivers until the task is dropped.
pub async fn run(app: App) {
    tokio::join!(Courier::new(app.clone()).run(), tend(app));
}

async fn tend(app: App) {
    let mailer = Mailer::new(&app.config.notify.email, &app.config.outbound).unwrap_or_else(|error| {
        tracing::error!(error, "nobody is told of subscribers that can't be reached");
        None
    });
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = warn_all(&app, mailer.as_ref()).await {
            tracing::warn!(%error, "it could not be looked for subscribers that can't be reached; trying again");
        }
        if let Err(error) = manage::forget_old(&app).await {
            tracing::warn!(%error, "old attempts could not be forgotten; trying again");
        }
    }
}

async fn warn_all(app: &App, mailer: Option<&Mailer>) -> Result<(), StoreError> {
    while let Some((warned, taken)) = warn::next(app).await? {
        let Warned { id, host, failing_us, error } = &warned;
        let since = instant_text(*failing_us);
        tracing::warn!(subscription = id, host, since, error, "a subscriber can't be reached");
        let Some(mailer) = mailer else { continue };
        for address in &app.config.notify.operations {
            if let Err(error) = mailer.send(&written(&warned, address)).await {
                tracing::warn!(subscription = id, %error, "a message was not delivered; trying again");
                return warn::again(app, &warned, taken).await;
            }
        }
    }
    Ok(())
}

/// Says which subscription fails, and nothing of what it is about.
fn written(warned: &Warned, address: &str) -> Mail {
    let Warned { id, host, failing_us, error } = warned;
    let since = instant_text(*failing_us);
    Mail {
        // The same at every try: who was told already recognises it.
        id: format!("subscription-{id}-{failing_us}"),
        to: address.to_owned(),
        subject: "A subscriber can't be reached".to_owned(),
        text: format!(
            "Notifications for Subscription/{id} have not arrived at {host} since {since}: {error}.\r\n\r\nThey \
             are tried again until the plan of retries ends; then the subscription is in error, and its events \
             wait until its owner asks for it to be active again.\r\n\r\nSee /console/deliveries.\r\n"
        ),
    }
}
