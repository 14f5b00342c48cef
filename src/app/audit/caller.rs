//! Who calls a use case that is no FHIR interaction, in what scene, and what of it is on the record.

use super::{actor, record};
use crate::app::App;
use crate::app::account::{Live, principal};
use crate::audit::act::Act;
use crate::audit::event::{Actor, Event, Outcome, Recorded, Scene};
use crate::auth::principal::{Principal, Who};
use crate::store::{self, Intent, Retry, StoreError, Tx};
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What one call of a use case leaves on the record speaks of this. Clones speak of the same call.
#[derive(Clone, Debug, Default)]
pub struct Caller(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    scene: Scene,
    actor: Mutex<Actor>,
    noted: AtomicBool,
}

impl Caller {
    /// Somebody who is not known yet.
    pub fn in_scene(scene: Scene) -> Self {
        Self(Arc::new(Inner { scene, ..Inner::default() }))
    }

    /// This server's own work, or that of whoever is at its command line.
    pub fn of_work(work: &'static str) -> Self {
        let caller = Self::in_scene(Scene { request_id: work.replace(' ', "-"), ..Scene::default() });
        caller.is(Actor { work: Some(work), ..Actor::default() });
        caller
    }

    /// They proved who they are. What is proved later takes the place of what was before.
    pub fn is(&self, actor: Actor) {
        *self.0.actor.lock().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    /// They have this session.
    pub fn is_signed_in(&self, live: &Live) {
        self.is(actor(&principal(live), &self.0.scene.server));
    }

    /// They proved to be this client.
    pub fn is_client(&self, client: &str) {
        self.is(Actor { client: Some(client.to_owned()), ..Actor::default() });
    }

    /// They are whoever has this account, with whatever client.
    pub fn account(&self, id: &str, fhir_user: Option<&str>, client: Option<&str>) -> Actor {
        let fhir_user = fhir_user.and_then(|user| user.split_once('/'));
        let principal = Principal {
            who: Who::Account(id.to_owned()),
            client: client.map(str::to_owned),
            fhir_user: fhir_user.map(|(rtype, id)| (rtype.to_owned(), id.to_owned())),
            ..Principal::default()
        };
        actor(&principal, &self.0.scene.server)
    }

    /// Who they are, as far as they proved it.
    pub fn actor(&self) -> Actor {
        self.0.actor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anything that they did is on the record.
    pub fn is_noted(&self) -> bool {
        self.0.noted.load(Ordering::Acquire)
    }

    /// Something that they did is on the record.
    pub fn noted(&self) {
        self.0.noted.store(true, Ordering::Release);
    }
}

impl App {
    /// The same, for what this caller does.
    #[must_use]
    pub fn called_by(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// An event of what the caller does; it succeeded, and is about nothing yet.
    pub fn event(&self, act: Act) -> Event {
        Event::new(act, self.caller.actor(), self.caller.0.scene.clone())
    }

    /// Something that an administrator did: `what`, to `target`.
    pub fn administration(&self, what: &'static str, target: &str) -> Event {
        self.event(Act::Administration).detail("what", what).detail("target", target)
    }

    /// Puts an event on the record, before the answer leaves.
    ///
    /// # Errors
    /// When it can't be; then nothing may be answered but that.
    pub async fn note(&self, event: Event) -> Result<(), StoreError> {
        let recorder = self.recorder.record(vec![recorded(self, &event)?]);
        recorder.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        self.caller.noted();
        Ok(())
    }

    /// Puts an event on the record in the transaction of what it tells. When that is committed, tell it to
    /// [`Caller::noted`].
    ///
    /// # Errors
    /// When it can't be; the transaction must not commit then.
    pub async fn note_in(&self, tx: &mut Tx, event: Event) -> Result<(), StoreError> {
        store::audit::event::record(tx, &[recorded(self, &event)?]).await
    }

    /// Carries out `work` in one transaction, and puts `event` on the record in it when it succeeds.
    ///
    /// # Errors
    /// Those of `work`, and when the event can't be recorded; then nothing of it happened.
    pub async fn noting<F, T, E>(&self, event: Event, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Retry + Send + 'static,
    {
        let shared = Arc::new((work, [recorded(self, &event)?]));
        let done = self.store.write(Intent::Upsert, move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (work, events) = shared.as_ref();
                let done = work(tx).await?;
                store::audit::event::record(tx, events).await?;
                Ok::<_, E>(done)
            })
        });
        let done = done.await?;
        self.caller.noted();
        Ok(done)
    }

    /// Puts on the record how something ended that is nobody's transaction.
    ///
    /// # Errors
    /// When it can't be.
    pub async fn note_outcome(&self, event: Event, status: u16, told: &str) -> Result<(), StoreError> {
        self.note(Event { outcome: Outcome::of_status(status, told), ..event }).await
    }
}

fn recorded(app: &App, event: &Event) -> Result<Recorded, StoreError> {
    record(app, event).map_err(|error| StoreError::Other(error.to_string()))
}
