//! Notifications that a client fetches over a connection that it keeps open: what a WebSocket and server-sent events
//! have in common. Nothing is remembered of who listens; whoever was away asks for events from a number on.

use super::{Told, change_status, definition, owner, state, switch_off, tell, token};
use crate::app::App;
use crate::app::audit::{actor, record};
use crate::app::events::Waiter;
use crate::audit::act::Act;
use crate::audit::event::{Event, Scene};
use crate::auth::Access;
use crate::clock::Micros;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::resource_type;
use crate::fhir::subscription::notification::{self, NotificationKind, Status};
use crate::fhir::subscription::{Content, Definition};
use crate::store::subscription::{self as table, Subscription};
use crate::store::{Intent, events};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// After so long without anything a connection is shown to be alive, and its subscription looked at.
const IDLE: Duration = Duration::from_secs(15);
/// A connection asks the database at most this often.
const APART: Duration = Duration::from_millis(20);

/// In what a connection was made: for the record.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Public base of the FHIR endpoint as the client knows it.
    pub base: String,
    /// Address that the connection comes from.
    pub address: String,
    /// `X-Request-Id` of the request that it began with.
    pub request_id: String,
}

/// The notifications of one subscription, one after the other.
pub struct Stream {
    app: App,
    listener: Listener,
    id: String,
    channel: &'static str,
    /// The last event that was told.
    told: i64,
    news: Waiter,
    /// When the database was asked last.
    asked: Instant,
    /// When something was told last.
    spoke: Instant,
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// A notification, and the number of the last event that it tells of.
    Told(Value, i64),
    /// Nothing happened for a while.
    Idle,
    /// It is over, and why.
    Over(String),
}

/// The subscriptions that a WebSocket may be bound to by a token; `None` for one that is not ours or not good any more.
pub fn bound(app: &App, token: &str) -> Option<Vec<String>> {
    token::read(app, token).map(|binding| binding.subscriptions)
}

/// Whether the subscription is one of whoever asks.
///
/// # Errors
/// 404 when there is none that they may read, 403 when it is somebody else's.
pub async fn may_listen(app: &App, access: &Access, id: &str) -> Result<(), Error> {
    let rtype = resource_type("Subscription").ok_or_else(|| Error::internal("no row of Subscription"))?;
    super::operations::own(&mut app.store.reader().await?, access, rtype, id).await.map(drop)
}

impl Stream {
    /// Begins to listen; with what a handshake says. Events are told from the one after `after` on: those to come, if
    /// there is none.
    ///
    /// # Errors
    /// 422 when the subscription is for another channel or off, 404 when it is gone.
    pub async fn open(
        app: &App,
        listener: Listener,
        id: &str,
        channel: &'static str,
        after: Option<i64>,
    ) -> Result<(Self, Value), Error> {
        let news = app.handed_out.listen();
        let found = table::find(&mut app.store.reader().await?, id).await?;
        let found = found.ok_or_else(|| Error::not_found("Subscription", id))?;
        if found.channel != channel || found.status == "off" {
            let told = format!("Subscription/{id} is not for this channel, or it is off");
            return Err(Error::unprocessable(Issue::error("business-rule", told)));
        }
        let access = match owner(app, &found.owner).await? {
            Ok(access) => access,
            Err(gone) => {
                switch_off(app, id, &gone.to_string()).await?;
                return Err(Error::new(Kind::Forbidden, "Your access was withdrawn"));
            }
        };
        let definition = definition(&found)?;
        let base = listener.base.clone();
        let handshake = Status {
            status: "requested".to_owned(),
            at_us: app.clock.now(),
            ..state(&found, Some(&definition), NotificationKind::Handshake)
        };
        let now = app.clock.instant().into();
        let told = after.unwrap_or(found.count).clamp(0, found.count);
        let stream = Self {
            app: app.clone(),
            listener,
            id: id.to_owned(),
            channel,
            told,
            news,
            asked: now,
            spoke: now,
        };
        stream.note(&access, "handshake", 0, &Told::default()).await?;
        if found.status == "requested" {
            stream.activate().await?;
        }
        Ok((stream, notification::bundle(&base, &handshake, definition.payload.content)))
    }

    fn now(&self) -> Instant {
        self.app.clock.instant().into()
    }

    /// Somebody listens: it works.
    async fn activate(&self) -> Result<(), Error> {
        let (app, id) = (self.app.clone(), self.id.clone());
        self.app
            .store
            .write(Intent::Upsert, move |tx| {
                let (app, id) = (app.clone(), id.clone());
                Box::pin(async move { change_status(tx, &app, &id, "requested", "active", "").await })
            })
            .await
            .map(drop)
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// When the database fails or nothing can be put on the record; then nothing is told.
    pub async fn next(&mut self) -> Result<Next, Error> {
        loop {
            tokio::time::sleep_until(self.asked + APART).await;
            self.asked = self.now();
            let mut tx = self.app.store.reader().await?;
            let Some(found) = table::find(&mut tx, &self.id).await? else {
                return Ok(Next::Over("The subscription was deleted".to_owned()));
            };
            drop(tx);
            if found.status == "off" || found.channel != self.channel {
                return Ok(Next::Over("The subscription is off, or for another channel".to_owned()));
            }
            let definition = definition(&found)?;
            if found.count > self.told && !found.paused {
                if let Some(next) = self.events(&found, &definition).await? {
                    return Ok(next);
                }
                continue;
            }
            let beat = definition.heartbeat.map(|period| self.spoke + period);
            let idle = self.now() + IDLE;
            tokio::select! {
                () = self.news.changed() => {}
                () = tokio::time::sleep_until(beat.map_or(idle, |beat| beat.min(idle))) => {
                    return match beat.filter(|beat| *beat <= self.now()) {
                        Some(_) => self.heartbeat(&found, &definition).await,
                        None => Ok(Next::Idle),
                    };
                }
            }
        }
    }

    /// The next events, as far as the owner may know of them now; nothing when these have been forgotten.
    async fn events(&mut self, found: &Subscription, definition: &Definition) -> Result<Option<Next>, Error> {
        let access = match owner(&self.app, &found.owner).await? {
            Ok(access) => access,
            Err(gone) => {
                switch_off(&self.app, &self.id, &gone.to_string()).await?;
                return Ok(Some(Next::Over(gone.to_string())));
            }
        };
        let most = definition.max_count.unwrap_or(u32::MAX).min(self.app.config.subscriptions.batch);
        let content = definition.payload.content;
        let mut tx = self.app.store.reader().await?;
        let some =
            events::of_subscription(&mut tx, &self.id, self.told + 1, found.count, most.into()).await?;
        let Some(last) = some.last().map(|(number, _)| *number) else {
            self.told = found.count;
            return Ok(None);
        };
        let told = tell(&mut tx, &access, content, some).await?;
        drop(tx);
        self.note(&access, "event-notification", last, &told).await?;
        self.told = last;
        self.spoke = self.now();
        let at_us = told.events.last().map_or(found.changed_us, |event| event.at_us);
        let status = Status {
            events: told.events,
            at_us,
            ..state(found, Some(definition), NotificationKind::EventNotification)
        };
        Ok(Some(Next::Told(notification::bundle(&self.listener.base, &status, content), last)))
    }

    async fn heartbeat(&mut self, found: &Subscription, definition: &Definition) -> Result<Next, Error> {
        self.spoke = self.now();
        let at_us: Micros = self.app.clock.now();
        let status = Status { at_us, ..state(found, Some(definition), NotificationKind::Heartbeat) };
        let content: Content = definition.payload.content;
        match owner(&self.app, &found.owner).await? {
            Ok(_) => Ok(Next::Told(notification::bundle(&self.listener.base, &status, content), self.told)),
            Err(gone) => {
                switch_off(&self.app, &self.id, &gone.to_string()).await?;
                Ok(Next::Over(gone.to_string()))
            }
        }
    }

    /// Puts a notification on the record before it is sent: one event for each patient, or one for none.
    async fn note(&self, access: &Access, kind: &str, last: i64, told: &Told) -> Result<(), Error> {
        let scene = Scene {
            address: Some(self.listener.address.clone()),
            server: self.listener.base.clone(),
            request_id: self.listener.request_id.clone(),
        };
        let mut event = Event::new(Act::Delivery, actor(access.principal(), &self.listener.base), scene)
            .detail("kind", kind)
            .detail("channel", self.channel);
        if let Some(first) = told.events.first() {
            event = event.detail("events", format!("{}-{last}", first.number));
        }
        event.data.push(format!("Subscription/{}", self.id));
        event.data.extend(told.versions.iter().cloned());
        let whose: &BTreeSet<String> = &told.patients;
        let recorded = if whose.is_empty() {
            vec![record(&self.app, &event)?]
        } else {
            let each = whose.iter().map(|id| record(&self.app, &event.clone().patient(id.as_str())));
            each.collect::<Result<_, _>>()?
        };
        self.app.recorder.record(recorded).await
    }
}
