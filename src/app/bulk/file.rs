//! The files of an export, read as they are fetched.

use super::asked::{Export, Over};
use super::log::{self, Events};
use super::manifest::{EVENTS, PROOFS};
use super::select::{Whose, selection, whose};
use super::{event_of, export_of, find, may_export, not_there};
use crate::app::App;
use crate::app::audit::export::PURGES;
use crate::audit::export::README;
use crate::auth::Access;
use crate::fhir::outcome::{Error, Issue, operation_outcome};
use crate::fhir::registry::{ResourceType, resource_type};
use crate::store::bulk::{self as store, File, Job};
use crate::store::history::{Deletions, deletions};
use crate::store::search::{Slice, as_of};
use bytes::Bytes;
use serde_json::json;

/// How many resources are read at once.
const CHUNK: i64 = 500;

/// What a file is made of.
pub enum Content {
    /// A short text, and whether it is NDJSON of FHIR resources.
    Text(String, bool),
    /// NDJSON, to be read piece by piece.
    Lines(Box<Lines>),
}

/// The lines of a file, in the state of the transaction time.
pub struct Lines {
    app: App,
    job: Job,
    export: Export,
    whose: Whose,
    kind: Kinds,
}

enum Kinds {
    Output { rtype: &'static ResourceType, file: File },
    Deleted { rtype: &'static ResourceType, file: File },
    Events(Events),
    Done,
}

/// Opens a file of an export by its name, and puts that on the record.
///
/// # Errors
/// 404 when there is no such file for whoever asks, 403 when they may not have it any more.
pub async fn open(app: &App, access: &Access, id: &str, name: &str) -> Result<Content, Error> {
    let job = find(app, access, id).await?;
    let export = export_of(&job)?;
    may_export(access, export.over == Over::Log)?;
    log::check(app, &job).await?;
    let told = event_of(app, &export, &job).detail("what", "file").detail("file", name);
    if let Some(text) = text(app, &job, &export, name).await? {
        app.note(told).await?;
        return Ok(text);
    }
    let (number, proved) = match name.strip_suffix("-proved") {
        Some(number) if job.log.is_some() => (number, true),
        _ => (name, false),
    };
    let number: i64 = number.parse().map_err(|_| not_there())?;
    let file = store::one_file(&mut app.store.reader().await?, id, number).await?.ok_or_else(not_there)?;
    let told = told.detail("type", &file.rtype);
    let whose = whose(app, access, &export, job.at_us).await?;
    let kind = match (file.kind.as_str(), resource_type(&file.rtype)) {
        ("event", _) => Kinds::Events(Events::open(app, &export, &job, &file, proved).await?),
        ("output", Some(rtype)) => Kinds::Output { rtype, file },
        ("deleted", Some(rtype)) => Kinds::Deleted { rtype, file },
        _ => return Err(not_there()),
    };
    if let Kinds::Output { rtype, .. } | Kinds::Deleted { rtype, .. } = &kind {
        selection(access, &export, &whose, rtype)?;
    }
    app.note(told).await?;
    Ok(Content::Lines(Box::new(Lines { app: app.clone(), job, export, whose, kind })))
}

/// The short files.
async fn text(app: &App, job: &Job, export: &Export, name: &str) -> Result<Option<Content>, Error> {
    if name == "outcome" && !export.ignored.is_empty() {
        let warning = |name: &String| {
            Issue::warning("not-supported", format!("$export does not know the parameter {name}"))
        };
        let issues: Vec<Issue> = export.ignored.iter().map(warning).collect();
        return Ok(Some(Content::Text(format!("{}\n", operation_outcome(&issues)), true)));
    }
    let proves = name == EVENTS || PROOFS.contains(&name);
    let Some(log) = job.log.as_ref().filter(|_| proves) else { return Ok(None) };
    let text = match name {
        EVENTS => {
            let files = store::files(&mut app.store.reader().await?, &job.id).await?;
            if !job.planned || !files.is_empty() {
                return Err(not_there());
            }
            String::new()
        }
        "checkpoint" => log.note.clone(),
        "key" => log.keys.clone(),
        "README.txt" => README.to_owned(),
        PURGES => log::purges(app, export, job).await?,
        _ if job.planned => {
            let files = store::files(&mut app.store.reader().await?, &job.id).await?;
            log::manifest(export, &files).text()
        }
        _ => return Err(not_there()),
    };
    Ok(Some(Content::Text(text, false)))
}

impl Lines {
    /// The next lines, as far as whoever fetches them may see them now; none when there are no more.
    ///
    /// # Errors
    /// When they may not export any more, or the database does not answer.
    pub async fn next(&mut self, access: &Access) -> Result<Option<Bytes>, Error> {
        may_export(access, self.export.over == Over::Log)?;
        // A piece of which nothing may be seen is no end.
        loop {
            let lines = match &mut self.kind {
                Kinds::Done => return Ok(None),
                Kinds::Events(events) => match events.next(&self.app).await? {
                    Some(lines) => lines,
                    None => return Ok(None),
                },
                Kinds::Output { .. } => self.resources(access).await?,
                Kinds::Deleted { .. } => self.deleted(access).await?,
            };
            if !lines.is_empty() {
                return Ok(Some(Bytes::from(lines)));
            }
        }
    }

    async fn resources(&mut self, access: &Access) -> Result<Vec<u8>, Error> {
        let Kinds::Output { rtype, file } = &mut self.kind else { return Ok(Vec::new()) };
        let (query, permits) = selection(access, &self.export, &self.whose, rtype)?;
        let slice = Slice {
            at: self.job.at_us,
            since: self.export.since.unwrap_or(i64::MIN),
            after: file.first - 1,
            last: file.last,
            limit: CHUNK,
            content: true,
        };
        let mut tx = self.app.store.snapshot().await?;
        let found = as_of(&mut tx, &permits, &query, slice).await?;
        let mut lines = Vec::with_capacity(found.resources.iter().map(|(_, body)| body.len() + 1).sum());
        for (_, body) in &found.resources {
            lines.extend_from_slice(body);
            lines.push(b'\n');
        }
        match found.next {
            Some(next) => file.first = next + 1,
            None => self.kind = Kinds::Done,
        }
        Ok(lines)
    }

    async fn deleted(&mut self, access: &Access) -> Result<Vec<u8>, Error> {
        let Kinds::Deleted { rtype, file } = &mut self.kind else { return Ok(Vec::new()) };
        let (query, permits) = selection(access, &self.export, &self.whose, rtype)?;
        let part = Deletions {
            since: self.export.since.unwrap_or(i64::MIN),
            until: self.job.at_us,
            after: file.first - 1,
            last: file.last,
            limit: CHUNK,
        };
        let mut tx = self.app.store.snapshot().await?;
        let (found, next) = deletions(&mut tx, &permits, &query, part).await?;
        let mut lines = Vec::new();
        for (_, id) in found {
            let request = json!({ "method": "DELETE", "url": format!("{}/{id}", rtype.name) });
            let bundle =
                json!({ "resourceType": "Bundle", "type": "transaction", "entry": [{ "request": request }] });
            lines.extend_from_slice(bundle.to_string().as_bytes());
            lines.push(b'\n');
        }
        match next {
            Some(next) => file.first = next + 1,
            None => self.kind = Kinds::Done,
        }
        Ok(lines)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(..) => "a text",
            Self::Lines(_) => "lines",
        })
    }
}
