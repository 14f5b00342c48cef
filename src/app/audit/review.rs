//! Review marks: an officer says that they looked at an event, a finding or a period. Each is on the record.

use crate::app::App;
use crate::app::account::AccountError;
use crate::audit::act::Act;
use crate::audit::clean;
use crate::audit::facts::Facts;
use crate::audit::terms;
use crate::clock::{Micros, instant_text};
use crate::store::audit::review as table;
use crate::store::audit::{finding, page};
use crate::store::{Intent, Retry, StoreError, Tx};
use serde_json::Value;
use std::sync::Arc;

pub use crate::store::audit::review::{Mark, Recipient};

/// The longest note, in characters; longer ones are cut.
pub const LONGEST_NOTE: usize = 1000;
/// The longest name, address or purpose of a recipient, in characters.
const LONGEST_TEXT: usize = 300;

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The event with this id.
    Event(String),
    /// The finding with this id.
    Finding(String),
    /// Everything recorded from one time (inclusive) until another (exclusive).
    Period(Micros, Micros),
}

/// Why a mark was not made.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is nothing of the kind.
    #[error("there is no such event or finding")]
    Unknown,
    /// The finding is closed.
    #[error("the finding was reviewed already")]
    Closed,
    /// It is about the reviewer.
    #[error("nobody reviews what they did themselves")]
    Own,
    /// The period is none.
    #[error("a period begins before it ends")]
    Period,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retry for ReviewError {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Store(error) if error.may_retry())
    }
}

/// Makes a mark; the caller sees to it that `reviewer` (an account's id) may.
///
/// # Errors
/// See [`ReviewError`].
pub async fn mark(app: &App, reviewer: &str, subject: Subject, note: &str) -> Result<(), ReviewError> {
    let (kind, named, period) = match &subject {
        Subject::Event(id) => ("event", id.clone(), None),
        Subject::Finding(id) => ("finding", id.clone(), None),
        Subject::Period(from, until) if from < until => ("period", String::new(), Some((*from, *until))),
        Subject::Period(..) => return Err(ReviewError::Period),
    };
    let mark = Mark {
        id: app.clock.new_id(),
        kind: kind.to_owned(),
        subject: named,
        period,
        account: reviewer.to_owned(),
        username: String::new(),
        at_us: app.clock.now(),
        note: text(note, LONGEST_NOTE),
    };
    let shared = Arc::new((app.clone(), subject, mark));
    let work = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (app, subject, mark) = shared.as_ref();
            let mut event = app.event(Act::Review).detail("mark", &mark.id).detail("note", &mark.note);
            match subject {
                Subject::Event(id) => {
                    event.patient = reviewed_event(tx, id, &mark.account).await?;
                    event.data.push(format!("AuditEvent/{id}"));
                }
                Subject::Finding(id) => {
                    event.patient = open_finding(tx, id, &mark.account).await?;
                    event = event.detail("finding", id);
                }
                Subject::Period(from, until) => {
                    event = event.detail("from", instant_text(*from)).detail("until", instant_text(*until));
                }
            }
            table::insert(tx, mark).await?;
            if let Subject::Finding(id) = subject
                && !finding::close(tx, id, &mark.id).await?
            {
                return Err(ReviewError::Closed);
            }
            app.note_in(tx, event).await?;
            Ok(())
        })
    });
    work.await?;
    app.caller.noted();
    Ok(())
}

/// The patient of an event that is not the reviewer's own.
async fn reviewed_event(tx: &mut Tx, id: &str, reviewer: &str) -> Result<Option<String>, ReviewError> {
    let seq = page::leaf_of(tx, id).await?.ok_or(ReviewError::Unknown)?;
    let body = page::listed(tx, &[seq]).await?.pop().and_then(|event| event.body);
    let event: Option<Value> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let Some(facts) = event.as_ref().map(Facts::of) else { return Ok(None) };
    if facts.person().is_some_and(|person| person.id == reviewer) {
        return Err(ReviewError::Own);
    }
    Ok(facts.patient)
}

/// The patient of a finding that is open and not about the reviewer.
async fn open_finding(tx: &mut Tx, id: &str, reviewer: &str) -> Result<Option<String>, ReviewError> {
    let found = finding::find(tx, id).await?.ok_or(ReviewError::Unknown)?;
    if found.review.is_some() {
        return Err(ReviewError::Closed);
    }
    if found.who == terms::identifier(reviewer) {
        return Err(ReviewError::Own);
    }
    Ok(Some(found.patient).filter(|patient| !patient.is_empty()))
}

/// The marks of an event or a finding, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn of(app: &App, subject: &str) -> Result<Vec<Mark>, StoreError> {
    table::of(&mut app.store.reader().await?, subject).await
}

/// Marks, the newest first, behind the one made at this time with this id, `limit` at most.
///
/// # Errors
/// When the database fails.
pub async fn marks(app: &App, behind: Option<(Micros, &str)>, limit: i64) -> Result<Vec<Mark>, StoreError> {
    table::page(&mut app.store.reader().await?, behind.unwrap_or((Micros::MAX, "")), limit).await
}

/// Everything that was said of who receives data.
///
/// # Errors
/// When the database fails.
pub async fn recipients(app: &App) -> Result<Vec<Recipient>, StoreError> {
    table::recipients(&mut app.store.reader().await?).await
}

/// Keeps what an officer (an account's id) says of a recipient; it is on the record as administration.
///
/// # Errors
/// [`AccountError::Invalid`] when it names no recipient.
pub async fn say_of_recipient(app: &App, by: &str, said: &Recipient) -> Result<(), AccountError> {
    let named = said.recipient.trim();
    let is_known = |prefix: &str| named.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    if !(is_known("client:") || is_known("issuer:")) || named.chars().count() > LONGEST_TEXT {
        return Err(AccountError::Invalid("a recipient is a client or an issuer"));
    }
    let said = Recipient {
        recipient: text(named, LONGEST_TEXT),
        name: text(&said.name, LONGEST_TEXT),
        address: text(&said.address, LONGEST_TEXT),
        purpose: text(&said.purpose, LONGEST_TEXT),
        counts: said.counts,
    };
    let counts = if said.counts { "yes" } else { "no" };
    let event = app
        .administration("say who receives data", &said.recipient)
        .detail("name", &said.name)
        .detail("address", &said.address)
        .detail("purpose", &said.purpose)
        .detail("disclosure", counts);
    let (now, by) = (app.clock.now(), by.to_owned());
    let work = app.noting(event, move |tx| {
        let (said, by) = (said.clone(), by.clone());
        Box::pin(async move { table::keep(tx, &said, &by, now).await })
    });
    Ok(work.await?)
}

/// What somebody typed, cleaned and bounded.
fn text(typed: &str, longest: usize) -> String {
    clean::line(typed).trim().chars().take(longest).collect()
}
