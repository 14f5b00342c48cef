//! States that the server gives: each is a new version of the Subscription, so that reads, searches and history show it.

use super::hooks::write_back;
use crate::app::write::{Work, Written, location, parse, stamp};
use crate::app::{App, Context};
use crate::audit::act::Act;
use crate::auth::Permit;
use crate::fhir::outcome::Error;
use crate::fhir::registry::resource_type;
use crate::store::resource::{self, Method, NewVersion};
use crate::store::subscription as table;
use crate::store::{Intent, Tx, index};
use std::collections::BTreeSet;

/// Gives a subscription another status in this transaction; false when it is not `from` any more, or gone. `error` says
/// what is wrong, for its owner to read; empty: nothing is. It goes on the record as the server's own work.
///
/// # Errors
/// When the database fails.
pub async fn change_status(
    tx: &mut Tx,
    app: &App,
    id: &str,
    from: &str,
    to: &str,
    error: &str,
) -> Result<bool, Error> {
    let mut work = Work::begin(app, &Context::of_server(app, "state of subscriptions"));
    let Some(rtype) = resource_type("Subscription") else { return Ok(false) };
    let permit = Permit::of_server("state of subscriptions");
    let Some(stored) = resource::find(tx, &permit, rtype, id).await?.filter(|stored| !stored.deleted) else {
        return Ok(false);
    };
    if !table::set_status(tx, id, from, to, error, work.now).await? {
        return Ok(false);
    }
    let old = parse(&stored)?;
    let mut body = old.clone();
    write_back(&mut body, to, Some(error));
    let at_us = work.now.max(stored.updated_us);
    let body = stamp(body, id, stored.vid + 1, at_us);
    let bytes = serde_json::to_vec(&body).map_err(|e| Error::internal(e.to_string()))?;
    let new = NewVersion { rtype: rtype.name, id, method: Method::Put, at_us, body: &bytes };
    let vid = resource::replace(tx, &permit, &stored, new).await?;
    index::write(tx, stored.rid, rtype, Some(&old), Some(&body)).await?;
    let version = location(rtype, id, vid);
    work.written.push(Written { act: Act::Update, version, patients: BTreeSet::new(), followed: Vec::new() });
    work.settle(tx, app).await?;
    Ok(true)
}

/// Switches a subscription off, whatever its status, and says why; false when it is off already, or gone.
///
/// # Errors
/// When the database fails.
pub async fn switch_off(app: &App, id: &str, why: &str) -> Result<bool, Error> {
    let (shared, id, why) = (app.clone(), id.to_owned(), why.to_owned());
    app.store
        .write(Intent::Upsert, move |tx| {
            let (app, id, why) = (shared.clone(), id.clone(), why.clone());
            Box::pin(async move {
                let Some(current) = table::find(tx, &id).await? else { return Ok(false) };
                if current.status == "off" {
                    return Ok(false);
                }
                change_status(tx, &app, &id, &current.status, "off", &why).await
            })
        })
        .await
}
