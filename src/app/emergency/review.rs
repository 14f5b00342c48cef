//! The review queue: what was declared, and whether it was justified.

use super::{Declared, EmergencyError};
use crate::app::App;
use crate::audit::act::Act;
use crate::auth::emergency::{Finding, LONGEST_NOTE, cleaned};
use crate::clock::Micros;
use crate::store::Intent;
use crate::store::emergency as table;

/// How long after its end an emergency may wait for its review before it is overdue.
const DUE: Micros = 72 * 3600 * 1_000_000;
/// The most emergencies without review that are shown.
const MOST_OPEN: i64 = 500;

/// How an emergency stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Over, and should have been reviewed by now.
    Overdue,
    /// Over, and to be reviewed.
    Waiting,
    /// Still running.
    Running,
    /// Reviewed.
    Reviewed,
}

impl State {
    /// As the API writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Reviewed => "reviewed",
        }
    }
}

/// How an emergency stands at `now`.
pub fn state(declared: &Declared, now: Micros) -> State {
    let over = declared.ended_us.unwrap_or(declared.until_us);
    match declared {
        Declared { review: Some(_), .. } => State::Reviewed,
        _ if over > now => State::Running,
        _ if over + DUE <= now => State::Overdue,
        _ => State::Waiting,
    }
}

/// Emergencies in the order in which they want attention.
pub type Queue = Vec<(State, Declared)>;

/// Every emergency that nobody reviewed: the overdue first, then those that wait, each the oldest first, then those
/// that run.
///
/// # Errors
/// When the database fails.
pub async fn queue(app: &App) -> Result<Queue, EmergencyError> {
    let now = app.clock.now();
    let open = table::open(&mut app.store.reader().await?, MOST_OPEN).await?;
    let mut queue: Queue = open.into_iter().map(|declared| (state(&declared, now), declared)).collect();
    queue.sort_by_key(|(state, _)| *state);
    Ok(queue)
}

/// Reviewed emergencies, the newest first; `before` is the id of the last one that was shown.
///
/// # Errors
/// When the database fails.
pub async fn reviewed(app: &App, before: Option<&str>, limit: i64) -> Result<Queue, EmergencyError> {
    let mut snapshot = app.store.snapshot().await?;
    let last = match before {
        Some(id) => Some(table::find(&mut snapshot, id).await?.ok_or(EmergencyError::Unknown)?),
        None => None,
    };
    let position = last.as_ref().map_or((Micros::MAX, ""), |last| (last.began_us, last.id.as_str()));
    let page = table::reviewed(&mut snapshot, position, limit).await?;
    Ok(page.into_iter().map(|declared| (State::Reviewed, declared)).collect())
}

/// Adds a review; the caller sees to it that `reviewer` may.
///
/// # Errors
/// [`EmergencyError::Unknown`], [`EmergencyError::Running`], [`EmergencyError::Own`].
pub async fn judge(
    app: &App,
    reviewer: &str,
    id: &str,
    finding: Finding,
    note: &str,
) -> Result<Declared, EmergencyError> {
    let note: String = cleaned(note).chars().take(LONGEST_NOTE).collect();
    let (now, id, reviewer, app_) = (app.clock.now(), id.to_owned(), reviewer.to_owned(), app.clone());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (id, reviewer, note, app_) = (id.clone(), reviewer.clone(), note.clone(), app_.clone());
        Box::pin(async move {
            let declared = table::find(tx, &id).await?.ok_or(EmergencyError::Unknown)?;
            match state(&declared, now) {
                State::Reviewed => return Err(EmergencyError::Unknown),
                State::Running => return Err(EmergencyError::Running),
                State::Overdue | State::Waiting if declared.account == reviewer => {
                    return Err(EmergencyError::Own);
                }
                State::Overdue | State::Waiting => {}
            }
            if !table::review(tx, &id, &reviewer, finding.code(), &note, now).await? {
                return Err(EmergencyError::Unknown);
            }
            let reviewed = table::find(tx, &id).await?.ok_or(EmergencyError::Unknown)?;
            let event = app_.event(Act::Review).patient(&reviewed.patient);
            let event =
                event.detail("emergency", &id).detail("finding", finding.code()).detail("note", &note);
            app_.note_in(tx, event).await?;
            Ok(reviewed)
        })
    });
    let reviewed = work.await?;
    app.caller.noted();
    Ok(reviewed)
}
