//! Messages to people: left by the transaction that they tell of, claimed by whoever delivers them.

use super::App;
use crate::clock::Micros;
use crate::store::notice::{self as table, Claimed};
use crate::store::{Intent, StoreError, Tx};

/// How long whoever claimed a message has it alone; longer than one try takes.
const LEASE: Micros = 60 * 1_000_000;
/// The first pause after a try that failed; each later one is twice as long.
const PAUSE: Micros = 5 * 1_000_000;
/// The longest pause.
const LONGEST_PAUSE: Micros = 300 * 1_000_000;

/// Leaves a message to every compliance officer about an emergency; `base` is the FHIR base as it was reached.
pub(super) async fn of_emergency(
    tx: &mut Tx,
    app: &App,
    emergency: &str,
    base: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let origin = base.strip_suffix("/fhir").unwrap_or(base);
    for recipient in &app.config.notify.compliance {
        table::insert(tx, &app.clock.new_id(), emergency, recipient, origin, now).await?;
    }
    Ok(())
}

/// The next message that is due. Whoever gets it delivers it within a minute, and nobody else does meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn claim(app: &App) -> Result<Option<Claimed>, StoreError> {
    let now = app.clock.now();
    if !table::any_due(&mut app.store.reader().await?, now).await? {
        return Ok(None);
    }
    let work = app
        .store
        .write(Intent::Upsert, move |tx| Box::pin(async move { table::claim(tx, now, now + LEASE).await }));
    work.await
}

/// A claimed message was delivered.
///
/// # Errors
/// When the database fails.
pub async fn delivered(app: &App, claimed: &Claimed) -> Result<(), StoreError> {
    let (id, now) = (claimed.id.clone(), app.clock.now());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let id = id.clone();
        Box::pin(async move { table::sent(tx, &id, now).await })
    });
    work.await
}

/// A claimed message could not be delivered: it is due again after a pause that grows with every try.
///
/// # Errors
/// When the database fails.
pub async fn failed(app: &App, claimed: &Claimed) -> Result<(), StoreError> {
    let (id, tries, due) = (claimed.id.clone(), claimed.tries, app.clock.now() + pause(claimed.tries));
    let work = app.store.write(Intent::Upsert, move |tx| {
        let id = id.clone();
        Box::pin(async move { table::again(tx, &id, tries, due).await })
    });
    work.await
}

fn pause(tries: i64) -> Micros {
    let doublings = u32::try_from(tries.saturating_sub(1).max(0)).unwrap_or(u32::MAX).min(16);
    PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!([1, 2, 3].map(pause), [5_000_000, 10_000_000, 20_000_000]);
        assert_eq!(pause(7), LONGEST_PAUSE);
        assert_eq!(pause(i64::MAX), LONGEST_PAUSE);
    }
}
