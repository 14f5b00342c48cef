//! Lawful purge: after retention the contents of events are removed; their leaves stay, and the tree with them.
//!
//! First an event says which places it is about; when that is under a signed checkpoint, the contents go in small
//! transactions. What is still to go is in a table, so that a purge that was broken off is gone on with by whoever
//! comes next, and the same event never names what is not gone in the end.

use super::record;
use crate::app::App;
use crate::audit::act::Act;
use crate::audit::purge::{DETAIL, detail};
use crate::clock::{Micros, instant_text};
use crate::fhir::outcome::Error;
use crate::store::audit::{event, purge};
use crate::store::{Intent, StoreError};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use std::ops::RangeInclusive;

/// The most events that one purge event names.
const EVENTS: i64 = 10_000;
/// The most ranges of places that it names.
const RANGES: usize = 200;
/// Contents that are removed in one transaction.
const BATCH: i64 = 256;

/// What one step of a purge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to purge.
    Idle,
    /// An event names this many whose contents are to go.
    Named(u64),
    /// That event is not under a signed checkpoint yet.
    Waiting,
    /// Contents of this many events are gone.
    Removed(u64),
}

/// What would be purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Recorded before this time.
    pub before: Micros,
    /// How many, up to [`Outlook::MOST`].
    pub events: u64,
    /// The first place.
    pub first: Option<i64>,
}

impl Outlook {
    /// Counting ends here.
    pub const MOST: i64 = 1_000_000;
}

/// Before when events must have been recorded to be purged at `now`; none when that is before time began.
fn cutoff(app: &App, now: Micros) -> Option<Micros> {
    let years = i64::from(app.config.audit.retention.years());
    let now = Timestamp::from_microsecond(now).ok()?.to_zoned(TimeZone::UTC);
    Some(now.checked_sub(years.years()).ok()?.timestamp().as_microsecond())
}

/// What a purge would do now.
///
/// # Errors
/// When the database does not answer.
pub async fn outlook(app: &App) -> Result<Outlook, StoreError> {
    let Some(before) = cutoff(app, app.clock.now()) else {
        return Ok(Outlook { before: Micros::MIN, events: 0, first: None });
    };
    let places = purge::plan(&mut app.store.reader().await?, before, Outlook::MOST).await?;
    Ok(Outlook { before, events: places.len() as u64, first: places.first().copied() })
}

/// Does the next step: goes on with a purge that was begun, or begins one. Any replica may.
///
/// # Errors
/// When the database does not do its part; the next step goes on where this one began.
pub async fn step(app: &App) -> Result<Step, StoreError> {
    let mut reader = app.store.reader().await?;
    let Some(open) = purge::open(&mut reader).await? else {
        drop(reader);
        return begin(app).await;
    };
    let signed = purge::is_signed(&mut reader, &open.event).await?;
    drop(reader);
    if !signed {
        return Ok(Step::Waiting);
    }
    let removed = app.store.write(Intent::Upsert, move |tx| {
        let open = open.clone();
        Box::pin(async move { purge::remove(tx, &open, BATCH).await })
    });
    Ok(Step::Removed(removed.await? as u64))
}

/// Records which places are purged, and lets them be.
async fn begin(app: &App) -> Result<Step, StoreError> {
    let now = app.clock.now();
    let Some(before) = cutoff(app, now) else { return Ok(Step::Idle) };
    if purge::plan(&mut app.store.reader().await?, before, 1).await?.is_empty() {
        return Ok(Step::Idle);
    }
    let app_ = app.clone();
    let named = app.store.write(Intent::Upsert, move |tx| {
        let app = app_.clone();
        Box::pin(async move {
            if purge::open(tx).await?.is_some() {
                return Ok(0);
            }
            let ranges = ranges(&purge::plan(tx, before, EVENTS).await?);
            let count = ranges.iter().map(|range| (range.end() - range.start() + 1) as u64).sum();
            if count == 0 {
                return Ok(0);
            }
            let told = told(&app, before, count, &ranges)?;
            event::record(tx, std::slice::from_ref(&told)).await?;
            let actor = app.caller.actor();
            purge::begin(tx, before, now, actor.work.unwrap_or("server"), &told.id, &ranges).await?;
            Ok::<_, StoreError>(count)
        })
    });
    match named.await? {
        0 => Ok(Step::Idle),
        count => Ok(Step::Named(count)),
    }
}

/// The event that names what is purged.
fn told(
    app: &App,
    before: Micros,
    count: u64,
    ranges: &[RangeInclusive<i64>],
) -> Result<crate::audit::event::Recorded, StoreError> {
    let years = app.config.audit.retention.years();
    let mut event = app
        .event(Act::Purge)
        .detail("before", instant_text(before))
        .detail("retention", format!("{years} years"))
        .detail("events", count.to_string());
    for range in ranges {
        let place = |place: i64| u64::try_from(place).unwrap_or_default();
        event = event.detail(DETAIL, detail(&(place(*range.start())..=place(*range.end()))));
    }
    record(app, &event).map_err(|error: Error| StoreError::Other(error.to_string()))
}

/// Places, which are in order, as ranges.
fn ranges(places: &[i64]) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for place in places {
        let full = ranges.len() == RANGES;
        match ranges.last_mut() {
            Some(range) if range.end() + 1 == *place => *range = *range.start()..=*place,
            _ if full => break,
            _ => ranges.push(*place..=*place),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_few_ranges() {
        assert_eq!(ranges(&[]), vec![]);
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), vec![0..=2, 5..=5, 7..=8]);
        let apart: Vec<i64> = (0..1000).map(|place| place * 2).collect();
        assert_eq!(ranges(&apart).len(), RANGES);
    }
}
