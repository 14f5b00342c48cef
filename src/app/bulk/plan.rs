//! Which files an export comes to: ranges of keys, found type by type and kept as they are found, so that whoever polls
//! next goes on from there, in whatever process.

use super::asked::Export;
use super::select::{Whose, selection, whose};
use super::{export_of, log};
use crate::app::App;
use crate::auth::Access;
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::ResourceType;
use crate::store::bulk::{self as store, Job, NewFile, Reached};
use crate::store::history::{Deletions, deletions};
use crate::store::search::{Slice, as_of};
use crate::store::{Intent, StoreError};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The most resources that one statement looks at.
const CHUNK: i64 = 5_000;

/// Exports whose files this process is finding. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Planning(Arc<Mutex<HashSet<String>>>);

impl Planning {
    /// Takes an export on; none while it is taken.
    pub fn claim(&self, id: &str) -> Option<Claim> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(id.to_owned()).then(|| Claim { planning: self.clone(), id: id.to_owned() })
    }
}

/// The right to find the files of one export, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    planning: Planning,
    id: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.planning.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// What is looked for, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Output(&'static ResourceType),
    Deleted(&'static ResourceType),
    Events,
}

fn steps(export: &Export, job: &Job) -> Vec<Step> {
    if job.log.is_some() {
        return vec![Step::Events];
    }
    let output = export.types().map(Step::Output);
    output.chain(export.types().filter(|_| export.since.is_some()).map(Step::Deleted)).collect()
}

/// How far the files of an export are known.
pub(super) fn progress(job: &Job) -> Result<String, Error> {
    let all = steps(&export_of(job)?, job).len();
    Ok(format!("{} of {all} types looked through", job.reached.step))
}

/// Finds the files of an export, until all are known or another process does so.
pub(super) async fn run(app: App, access: Arc<Access>, mut job: Job, _claim: Claim) -> Result<(), Error> {
    let export = export_of(&job)?;
    let steps = steps(&export, &job);
    let whose = whose(&app, &access, &export, job.at_us).await?;
    loop {
        let at = usize::try_from(job.reached.step).unwrap_or(usize::MAX);
        let next = Reached { step: job.reached.step + 1, behind: -1 };
        let (file, to) = match steps.get(at) {
            None => (None, job.reached),
            Some(step) => {
                let (file, behind) = find(&app, &access, &export, &whose, &job, *step).await?;
                (file, behind.map_or(next, |behind| Reached { behind, ..job.reached }))
            }
        };
        let done = usize::try_from(to.step).unwrap_or(usize::MAX) >= steps.len();
        let planned = done.then(|| app.clock.now());
        let (id, from) = (job.id.clone(), job.reached);
        let ours = app.store.write(Intent::Upsert, move |tx| {
            let id = id.clone();
            Box::pin(async move { store::advance(tx, &id, from, to, planned, file).await })
        });
        let ours: Result<bool, StoreError> = ours.await;
        if done || !ours? {
            return Ok(());
        }
        job.reached = to;
    }
}

/// The next file of a step, and the key behind which the step goes on, if it does.
async fn find(
    app: &App,
    access: &Access,
    export: &Export,
    whose: &Whose,
    job: &Job,
    step: Step,
) -> Result<(Option<NewFile>, Option<i64>), Error> {
    let most = i64::try_from(app.config.bulk.file_size).unwrap_or(i64::MAX);
    let (rtype, kind) = match step {
        Step::Events => return log::plan(app, export, job, most).await,
        Step::Output(rtype) => (rtype, "output"),
        Step::Deleted(rtype) => (rtype, "deleted"),
    };
    let (query, permits) = match selection(access, export, whose, rtype) {
        Ok(selected) => selected,
        // What whoever asked may not see any more has no file.
        Err(error) if error.kind == Kind::Forbidden => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    let since = export.since.unwrap_or(i64::MIN);
    let (mut first, mut last, mut count) = (None, 0, 0);
    let mut after = job.reached.behind;
    loop {
        let limit = (most - count).min(CHUNK);
        let mut tx = app.store.snapshot().await?;
        let (keys, next): (Vec<i64>, _) = if kind == "deleted" {
            let part = Deletions { since, until: job.at_us, after, last: i64::MAX, limit };
            let (found, next) = deletions(&mut tx, &permits, &query, part).await?;
            (found.into_iter().map(|(key, _)| key).collect(), next)
        } else {
            let slice = Slice { at: job.at_us, since, after, last: i64::MAX, limit, content: false };
            let found = as_of(&mut tx, &permits, &query, slice).await?;
            (found.resources.into_iter().map(|(key, _)| key).collect(), found.next)
        };
        first = first.or(keys.first().copied());
        last = keys.last().copied().unwrap_or(last);
        count += keys.len() as i64;
        match next {
            Some(next) if count < most => after = next,
            _ => {
                let file = first.map(|first| NewFile { kind, rtype: rtype.name, first, last, count });
                return Ok((file, next));
            }
        }
    }
}
