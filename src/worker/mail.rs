//! Delivers the messages that transactions left.

use super::EVERY;
use crate::app::{App, notices};
use crate::clock::instant_text;
use crate::notify::{Mail, Mailer};
use crate::store::StoreError;
use crate::store::notice::Claimed;
use tokio::time::MissedTickBehavior;

/// Delivers until the task is dropped; nothing, when no mail server is set.
pub async fn run(app: App) {
    let mailer = match Mailer::new(&app.config.notify.email, &app.config.outbound) {
        Ok(Some(mailer)) => mailer,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error, "no mail is sent");
            return;
        }
    };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = deliver(&app, &mailer).await {
            tracing::warn!(%error, "messages could not be delivered; trying again");
        }
    }
}

/// Delivers what is due, one after the other.
async fn deliver(app: &App, mailer: &Mailer) -> Result<(), StoreError> {
    while let Some(claimed) = notices::claim(app).await? {
        match mailer.send(&written(&claimed)).await {
            Ok(()) => notices::delivered(app, &claimed).await?,
            Err(error) => {
                let (notice, tries) = (claimed.id.as_str(), claimed.tries);
                tracing::warn!(notice, tries, %error, "a message was not delivered; trying again");
                notices::failed(app, &claimed).await?;
            }
        }
    }
    Ok(())
}

/// Says who declared an emergency and where to look, and nothing of the patient.
fn written(claimed: &Claimed) -> Mail {
    let Claimed { id, recipient, origin, username, name, began_us, .. } = claimed;
    let when = instant_text(*began_us);
    // A name is one line, whatever it was made with.
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let (name, username) = (plain(name), plain(username));
    Mail {
        id: id.clone(),
        to: recipient.clone(),
        subject: "An emergency was declared".to_owned(),
        text: format!(
            "{name} ({username}) declared an emergency at {when} to reach the record of a patient whom they may \
             not see otherwise.\r\n\r\nPlease review it: {origin}/emergencies\r\n\r\nThis message was sent by \
             Slotwright. Of the patient it says nothing on purpose.\r\n"
        ),
    }
}
