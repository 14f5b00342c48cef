//! What is written down of an attempt, in one transaction: how it went, what is due next, the state of the
//! subscription, and on the record to whom what was told.

use super::base;
use crate::app::audit::{actor, record};
use crate::app::{App, subscriptions};
use crate::audit::act::Act;
use crate::audit::event::{Event, Outcome as Ended, Recorded, Scene};
use crate::auth::Access;
use crate::fhir::outcome::Error;
use crate::store::delivery::{self as table, Attempt, Claimed, Finished, Outcome};
use crate::store::{Intent, audit};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that is written down of one attempt.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it went; none, when nothing was tried.
    pub attempt: Option<Attempt>,
    /// What goes on the record.
    pub recorded: Vec<Recorded>,
    /// What is due next.
    pub outcome: Outcome,
    /// Another status, with what its owner is told.
    pub status: Option<(&'static str, String)>,
}

/// Writes it down. What was told is on the record even when somebody else has taken the subscription meanwhile.
///
/// # Errors
/// When the database fails: then all of it will be tried again.
pub async fn write_down(app: &App, claimed: &Claimed, report: Report) -> Result<Finished, Error> {
    let shared = Arc::new((app.clone(), claimed.clone(), report));
    let written = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (app, claimed, report) = shared.as_ref();
            if let Some(attempt) = &report.attempt {
                table::note_attempt(tx, &claimed.id, attempt).await?;
            }
            audit::event::record(tx, &report.recorded).await?;
            let finished = table::finish(tx, claimed, app.clock.now(), &report.outcome).await?;
            if finished != Finished::Lost
                && let Some((to, told)) = &report.status
            {
                subscriptions::change_status(tx, app, &claimed.id, &claimed.status, to, told).await?;
            }
            Ok::<_, Error>(finished)
        })
    });
    written.await
}

/// What goes on the record of a notification, before it is sent and, when it did not arrive, again with the reason: for
/// each patient of whom it tells one event, or one for none.
///
/// # Errors
/// When there is no randomness.
pub fn recorded(
    app: &App,
    access: &Access,
    (claimed, attempt): (&Claimed, &Attempt),
    (versions, patients): (&[String], &BTreeSet<String>),
) -> Result<Vec<Recorded>, Error> {
    let base = base(app);
    let request_id = format!("delivery-{}", claimed.id);
    let scene = Scene { address: None, server: base.clone(), request_id };
    let mut event = Event::new(Act::Delivery, actor(access.principal(), &base), scene)
        .detail("kind", attempt.kind.as_str())
        .detail("endpoint", claimed.host.as_str());
    if attempt.last > 0 {
        event = event.detail("events", format!("{}-{}", attempt.first, attempt.last));
    }
    event.data.push(format!("Subscription/{}", claimed.id));
    event.data.extend(versions.iter().cloned());
    if !attempt.error.is_empty() {
        event.outcome = Ended::Failed(attempt.error.clone());
    }
    if patients.is_empty() {
        return Ok(vec![record(app, &event)?]);
    }
    patients.iter().map(|id| record(app, &event.clone().patient(id.as_str()))).collect()
}
