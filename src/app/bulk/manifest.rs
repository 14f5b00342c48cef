//! How an export goes, and the list of its files.

use super::asked::Over;
use super::{PLACE, export_of, find, may_export, plan};
use crate::app::App;
use crate::app::audit::export::PURGES;
use crate::auth::Access;
use crate::clock::{Micros, instant_text};
use crate::fhir::outcome::Error;
use crate::store::bulk::{self as store, File, Job};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a poll waits for the files to be known.
const PATIENCE: Duration = Duration::from_secs(2);
/// Names of the files that prove an export of the audit log, besides its events.
pub(super) const PROOFS: &[&str] = &["checkpoint", "key", "export.json", "README.txt", PURGES];
/// The file of those events; under this name only when there is none of them.
pub(super) const EVENTS: &str = "events.ndjson";
/// What names those files in the manifest.
const EXTENSION: &str = "https://slotwright.org/fhir/audit-export";

/// How an export goes.
#[derive(Clone, Debug)]
pub enum Status {
    /// Its files are not known yet.
    Planning(String),
    /// It can be fetched.
    Ready {
        /// The manifest.
        manifest: Value,
        /// Until then.
        expires: Micros,
    },
}

/// How an export goes; `base` is the FHIR base. What is left to be done for it is done now.
///
/// # Errors
/// 404 when whoever asks has no such export, 403 when they may not export any more.
pub async fn status(app: &App, access: &Arc<Access>, base: &str, id: &str) -> Result<Status, Error> {
    let mut job = find(app, access, id).await?;
    may_export(access, job.log.is_some())?;
    if !job.planned {
        if let Some(claim) = app.planning.claim(id) {
            // It goes on when nobody waits any more.
            let work = tokio::spawn(plan::run(app.clone(), Arc::clone(access), job, claim));
            if let Ok(done) = tokio::time::timeout(PATIENCE, work).await {
                done.map_err(|error| Error::internal(error.to_string()))??;
            }
        }
        job = find(app, access, id).await?;
    }
    if !job.planned {
        return Ok(Status::Planning(plan::progress(&job)?));
    }
    let files = store::files(&mut app.store.reader().await?, id).await?;
    Ok(Status::Ready { manifest: manifest(base, &job, &files)?, expires: job.expires_us })
}

fn manifest(base: &str, job: &Job, files: &[File]) -> Result<Value, Error> {
    let export = export_of(job)?;
    let url = |name: &str| format!("{base}/{PLACE}/{}/{name}", job.id);
    let of_kind = |kinds: &[&str], rtype: Option<&str>| -> Value {
        let some = files.iter().filter(|file| kinds.contains(&file.kind.as_str()));
        some.map(|file| json!({ "type": rtype.unwrap_or(&file.rtype), "url": url(&file.number.to_string()) }))
            .collect()
    };
    let mut manifest = Map::new();
    let mut put = |name: &str, value: Value| manifest.insert(name.to_owned(), value);
    put("transactionTime", instant_text(job.at_us).into());
    put("request", export.request.as_str().into());
    put("requiresAccessToken", true.into());
    put("output", of_kind(&["output", "event"], None));
    if export.since.is_some() && export.over != Over::Log {
        put("deleted", of_kind(&["deleted"], Some("Bundle")));
    }
    let outcome = json!({ "type": "OperationOutcome", "url": url("outcome") });
    put("error", if export.ignored.is_empty() { json!([]) } else { json!([outcome]) });
    if job.log.is_some() {
        let mut proofs: Vec<Value> =
            PROOFS.iter().map(|name| json!({ "name": name, "url": url(name) })).collect();
        let mut events: Vec<String> = files.iter().map(|file| format!("{}-proved", file.number)).collect();
        if events.is_empty() {
            events.push(EVENTS.to_owned());
        }
        let events = events.into_iter();
        proofs.extend(events.map(|name| json!({ "name": EVENTS, "url": url(&name) })));
        put("extension", json!({ EXTENSION: { "files": proofs } }));
    }
    Ok(Value::Object(manifest))
}
