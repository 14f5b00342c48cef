//! Puts the sample clinic into a database, through the same use case that a transaction over HTTP goes
//! through.

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Error, clinic, zone};
use crate::app::{App, Body, Context, execute};
use crate::fhir::interaction::Interaction;
use crate::store::sandbox::{is_empty, is_marked};
use crate::store::{Intent, resource};

/// Setting that says: this database is a sandbox, and may be removed by `--reset`.
pub(super) const SANDBOX: &str = crate::store::sandbox::MARK;
/// Setting that says: the sample clinic is complete.
const LOADED: &str = "sandbox-loaded";
/// Resources in one transaction: large enough to share its cost, small enough to show progress.
const CHUNK: usize = 200;

/// What [`fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// So many resources were stored.
    Loaded(usize),
    /// The clinic was there already and was left alone.
    Kept,
}

/// Loads the sample clinic, starting today in its own zone, unless it is there.
///
/// An interrupted load is taken up again: every resource has an id of its own, so that storing it twice
/// changes nothing.
///
/// # Errors
/// When the database holds something else than a sandbox, or can't be written.
pub async fn fill(app: &App) -> Result<Filled, Error> {
    let mut reader = app.store.reader().await?;
    let (empty, marked) = (is_empty(&mut reader).await?, is_marked(&mut reader, SANDBOX).await?);
    let loaded = is_marked(&mut reader, LOADED).await?;
    drop(reader);
    if loaded {
        return Ok(Filled::Kept);
    }
    if !empty && !marked {
        return Err(Error::NotASandbox);
    }
    mark(app, SANDBOX).await?;
    let now = Timestamp::from_microsecond(app.clock.now()).map_err(Error::calendar)?;
    let resources = clinic(now.to_zoned(zone()?).date())?;
    let count = resources.len();
    let progress = progress(count as u64);
    for chunk in resources.chunks(CHUNK) {
        store(app, chunk).await?;
        progress.inc(chunk.len() as u64);
    }
    mark(app, LOADED).await?;
    progress.finish_and_clear();
    Ok(Filled::Loaded(count))
}

/// A bar on standard error; invisible when that is not a terminal.
fn progress(count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    if let Ok(style) = ProgressStyle::with_template("Loading the clinic {bar:30} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}

async fn mark(app: &App, name: &'static str) -> Result<(), Error> {
    let marked = app.store.write(Intent::Upsert, move |tx| {
        Box::pin(async move { resource::setting(tx, name, b"1").await.map(drop) })
    });
    Ok(marked.await?)
}

/// Stores resources under their own ids in one transaction.
async fn store(app: &App, resources: &[Value]) -> Result<(), Error> {
    let entries: Vec<Value> = resources.iter().map(entry).collect();
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    let context = Context::of_server(app, "sandbox");
    execute(app, &context, Interaction::Bundle, Body::Resource(bundle)).await?;
    Ok(())
}

fn entry(resource: &Value) -> Value {
    let text = |key| resource.get(key).and_then(Value::as_str).unwrap_or_default();
    let url = format!("{}/{}", text("resourceType"), text("id"));
    json!({ "request": { "method": "PUT", "url": url }, "resource": resource })
}
