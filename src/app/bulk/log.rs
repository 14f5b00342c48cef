//! Exports of the audit log: its events as FHIR resources, and the same with what proves them.
//!
//! What is exported is settled by the checkpoint that was the newest when it was asked for, so it is the same whenever
//! it is fetched.

use super::asked::Export;
use crate::app::App;
use crate::app::audit::export::{self as proof, ExportError, Nodes};
use crate::audit::export::{Coverage, Manifest};
use crate::audit::terms;
use crate::clock::Micros;
use crate::fhir::outcome::{Error, Kind};
use crate::store::Tx;
use crate::store::audit::{log, postings, purge};
use crate::store::bulk::{File, Job, NewFile};
use std::ops::RangeInclusive;

fn period(export: &Export) -> (Micros, Micros) {
    (export.since.unwrap_or(i64::MIN), export.until.unwrap_or(i64::MAX))
}

/// Places of the events that an export has, from `first` to `last`.
async fn places(
    tx: &mut Tx,
    export: &Export,
    size: i64,
    (first, last): (i64, i64),
) -> Result<Vec<i64>, Error> {
    if let Some(patient) = export.patients.first() {
        let word = terms::reference("Patient", patient);
        let mut places = postings::places_of(tx, &word, period(export), size).await?;
        places.retain(|place| (first..=last).contains(place));
        return Ok(places);
    }
    let span = log::span(tx, period(export), size).await?;
    Ok(span.map(|(from, until)| (from.max(first)..=until.min(last)).collect()).unwrap_or_default())
}

/// The next file, and the place behind which there are more.
pub(super) async fn plan(
    app: &App,
    export: &Export,
    job: &Job,
    most: i64,
) -> Result<(Option<NewFile>, Option<i64>), Error> {
    let size = job.log.as_ref().map_or(0, |log| log.size);
    let first = job.reached.behind.saturating_add(1);
    let mut tx = app.store.snapshot().await?;
    // A period is every place in it, so no more need be looked at than fit.
    let last = if export.patients.is_empty() {
        from_start(&mut tx, export, size, first, most).await?
    } else {
        i64::MAX
    };
    let mut places = places(&mut tx, export, size, (first, last)).await?;
    let more = places.len() as i64 > most;
    places.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let (Some(first), Some(last)) = (places.first().copied(), places.last().copied()) else {
        return Ok((None, None));
    };
    let count = places.len() as i64;
    let file = NewFile { kind: "event", rtype: "AuditEvent", first, last, count };
    Ok((Some(file), more.then_some(last)))
}

/// The place one beyond the most that a file has.
async fn from_start(tx: &mut Tx, export: &Export, size: i64, first: i64, most: i64) -> Result<i64, Error> {
    let start = log::span(tx, period(export), size).await?.map_or(first, |(start, _)| start.max(first));
    Ok(start.saturating_add(most))
}

/// What `export.json` says of the files of an export.
pub(super) fn manifest(export: &Export, files: &[File]) -> Manifest {
    let covers = if export.patients.is_empty() { Coverage::Range } else { Coverage::Selection };
    let place = |seq: i64| u64::try_from(seq).unwrap_or_default();
    let count: i64 = files.iter().map(|file| file.count).sum();
    let (first, last) = (files.first().map(|f| place(f.first)), files.last().map(|f| place(f.last)));
    Manifest::new(covers, place(count), first, last)
}

/// Whether what an export leads to still says why contents are gone.
///
/// # Errors
/// 410 when contents were purged since: a newer checkpoint covers the event that says so.
pub(super) async fn check(app: &App, job: &Job) -> Result<(), Error> {
    let Some(log) = &job.log else { return Ok(()) };
    match purge::last(&mut app.store.reader().await?).await? {
        Some(place) if place >= log.size => {
            let message =
                "Events were purged after their retention since this export was asked for; ask again";
            Err(Error::new(Kind::Gone, message))
        }
        _ => Ok(()),
    }
}

/// The events that say why contents are gone, with what proves them.
pub(super) async fn purges(app: &App, export: &Export, job: &Job) -> Result<String, Error> {
    let size = job.log.as_ref().map_or(0, |log| log.size);
    let mut tx = app.store.snapshot().await?;
    let places = places(&mut tx, export, size, (0, i64::MAX)).await?;
    let size = u64::try_from(size).unwrap_or_default();
    let concerns = |range: &RangeInclusive<u64>| {
        let from = places.partition_point(|seq| u64::try_from(*seq).unwrap_or_default() < *range.start());
        places.get(from).and_then(|seq| u64::try_from(*seq).ok()).is_some_and(|seq| range.contains(&seq))
    };
    proof::purges_of(&mut tx, &mut Nodes::default(), concerns, size).await.map_err(failed)
}

/// The events of one file, as they are fetched.
pub(super) struct Events {
    places: std::vec::IntoIter<i64>,
    nodes: Nodes,
    size: u64,
    after: Option<u64>,
    /// With what proves them.
    proved: bool,
}

/// How many are read at once.
const CHUNK: usize = 256;

impl Events {
    pub(super) async fn open(
        app: &App,
        export: &Export,
        job: &Job,
        file: &File,
        proved: bool,
    ) -> Result<Self, Error> {
        let size = job.log.as_ref().map_or(0, |log| log.size);
        let mut tx = app.store.snapshot().await?;
        let places = places(&mut tx, export, size, (file.first, file.last)).await?;
        let place = |seq: i64| u64::try_from(seq).unwrap_or_default();
        Ok(Self {
            places: places.into_iter(),
            nodes: Nodes::default(),
            size: place(size),
            after: file.previous.map(place),
            proved,
        })
    }

    /// The next lines; none when there are no more.
    pub(super) async fn next(&mut self, app: &App) -> Result<Option<Vec<u8>>, Error> {
        let places: Vec<i64> = self.places.by_ref().take(CHUNK).collect();
        if places.is_empty() {
            return Ok(None);
        }
        let mut tx = app.store.snapshot().await?;
        let lines = if self.proved {
            let (nodes, after) = (&mut self.nodes, &mut self.after);
            let lines = proof::lines_of(&mut tx, nodes, &places, self.size, after).await;
            lines.map_err(failed)?.into_bytes()
        } else {
            proof::bodies(&mut tx, &places).await.map_err(failed)?
        };
        Ok(Some(lines))
    }
}

fn failed(error: ExportError) -> Error {
    match error {
        ExportError::Store(error) => error.into(),
        other => Error::internal(other.to_string()),
    }
}
