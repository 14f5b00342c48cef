//! Attempts are counted before they are judged, so that many at once are no way around the count.

use super::AccountError;
use crate::app::App;
use crate::auth::lockout;
use crate::auth::secret::derived;
use crate::clock::Micros;
use crate::store::account as table;
use crate::store::{Intent, Tx};

/// Where an attempt comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address, or the network that it stands for.
    pub address: String,
    /// Cookie of a browser that somebody signed in from before.
    pub device: Option<String>,
}

impl Origin {
    /// Fingerprint of the device cookie.
    pub(super) fn device_hash(&self) -> Option<String> {
        self.device.as_deref().map(|cookie| derived(cookie, "device"))
    }
}

/// An attempt that was counted as a failure until it proves to be a success.
#[derive(Clone, Debug)]
pub(in crate::app) struct Attempt {
    subject: String,
    origin: String,
    known: bool,
}

/// Counts an attempt on `username` (for `purpose`), or refuses it because there were too many.
pub(in crate::app) async fn begin(
    app: &App,
    purpose: &'static str,
    username: &str,
    origin: &Origin,
) -> Result<Attempt, AccountError> {
    let now = app.clock.now();
    let (subject, username) = (derived(username, purpose), username.to_owned());
    let (address, device) = (origin.address.clone(), origin.device_hash());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (subject, username) = (subject.clone(), username.clone());
        let (address, device) = (address.clone(), device.clone());
        Box::pin(async move {
            let known = match &device {
                Some(hash) => table::is_device_of(tx, hash, &username).await?,
                None => false,
            };
            let origin = device.filter(|_| known).unwrap_or(address);
            let attempt = Attempt { subject, origin, known };
            attempt.count(tx, now).await?;
            Ok(attempt)
        })
    });
    work.await
}

impl Attempt {
    async fn count(&self, tx: &mut Tx, now: Micros) -> Result<(), AccountError> {
        let Self { subject, origin, known } = self;
        let own = table::failures(tx, subject, origin).await?;
        let overall = if *known { None } else { Some(table::failures(tx, subject, "").await?) };
        if let Some(until) = lockout::wait_until(own, overall, now) {
            return Err(AccountError::Wait { until });
        }
        let forget = now - lockout::FORGET;
        table::count_failure(tx, subject, origin, now, forget).await?;
        if !known {
            table::count_failure(tx, subject, "", now, forget).await?;
        }
        Ok(())
    }

    /// It was a success: forgets the failures from here.
    pub(in crate::app) async fn succeeded(&self, tx: &mut Tx) -> Result<(), AccountError> {
        table::forgive(tx, &self.subject, &self.origin).await?;
        if !self.known {
            table::take_back(tx, &self.subject, "").await?;
        }
        Ok(())
    }
}
