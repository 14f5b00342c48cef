//! Switching off what is over: subscriptions whose end has come, and those whose owner has no access any more. Deliveries
//! look for themselves; this is so that the status says so although nothing happens.

use super::{owner, switch_off};
use crate::app::App;
use crate::fhir::outcome::Error;
use crate::store::{state, subscription as table};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;

/// The change of anybody's access by which owners were looked at last, and the owners that had access then.
#[derive(Debug, Default)]
pub struct Looked(Mutex<(i64, BTreeSet<String>)>);

/// Switches off what is over.
///
/// # Errors
/// When the database fails; what is left is found again.
pub async fn tidy(app: &App, looked: &Looked) -> Result<(), Error> {
    loop {
        let ended = table::ended(&mut app.store.reader().await?, app.clock.now()).await?;
        if ended.is_empty() {
            break;
        }
        for id in ended {
            switch_off(app, &id, "its end has come").await?;
        }
    }
    look_at_owners(app, looked).await
}

/// Asks again about every owner when anybody's access has changed, and about new owners.
async fn look_at_owners(app: &App, looked: &Looked) -> Result<(), Error> {
    let (seq, owners) = {
        let mut tx = app.store.reader().await?;
        (state::access(&mut tx).await?, table::owners(&mut tx).await?)
    };
    let known = {
        let last = looked.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == seq { last.1.clone() } else { BTreeSet::new() }
    };
    let mut standing = BTreeSet::new();
    for text in owners {
        if !known.contains(&text)
            && let Err(gone) = owner(app, &text).await?
        {
            for id in table::of_owner(&mut app.store.reader().await?, &text).await? {
                switch_off(app, &id, &gone.to_string()).await?;
            }
            continue;
        }
        standing.insert(text);
    }
    *looked.0.lock().unwrap_or_else(PoisonError::into_inner) = (seq, standing);
    Ok(())
}
