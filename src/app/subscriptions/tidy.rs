//! Switching off what is over: subscriptions whose end has come, and those whose owner has no access any more. Deliveries
//! look for themselves; this is so that the status says so although nothing happens.

use super::{owner, switch_off};
use crate::app::App;
use crate::fhir::outcome::Error;
use crate::store::{state, subscription as table};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The state in which owners were looked at last: the change of anybody's access and of what is subscribed to; and the
/// owners that had access then.
#[derive(Debug, Default)]
pub struct Looked(Mutex<((i64, i64), BTreeSet<String>)>);

/// Switches off what is over.
///
/// # Errors
/// When the database fails; what is left is found again.
pub async fn tidy(app: &App, looked: &Looked) -> Result<(), Error> {
    loop {
        let ended = table::ended(&mut app.store.reader().await?, app.clock.now()).await?;
        let mut any = false;
        for id in ended {
            any |= switch_off(app, &id, "its end has come").await?;
        }
        if !any {
            break;
        }
    }
    look_at_owners(app, looked).await
}

/// Asks again about every owner when anybody's access has changed, and about new owners.
async fn look_at_owners(app: &App, looked: &Looked) -> Result<(), Error> {
    let mut tx = app.store.reader().await?;
    let state = (state::access(&mut tx).await?, table::state(&mut tx).await?);
    let known = {
        let last = looked.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == state {
            return Ok(());
        }
        if last.0.0 == state.0 { last.1.clone() } else { BTreeSet::new() }
    };
    let owners = table::owners(&mut tx).await?;
    drop(tx);
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
    *looked.0.lock().unwrap_or_else(PoisonError::into_inner) = (state, standing);
    Ok(())
}
