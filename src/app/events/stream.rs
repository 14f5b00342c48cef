//! The event log as a stream of NATS JetStream: each event at least once and in order, by one process at a time.

use super::envelope::{MEDIA_TYPE, envelope};
use crate::app::App;
use crate::config::Nats;
use crate::store::events::{Event, after, keep, sequence};
use crate::store::{Intent, StoreError};
use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use secrecy::ExposeSecret;
use std::time::Duration;

/// The row that says how far the stream is.
pub(super) const NAME: &str = "nats";
/// How long one process keeps the right to send on without using it.
const LEASE: Duration = Duration::from_secs(15);
/// The most events that are sent on before it is written down.
const BATCH: i64 = 100;
/// How long the NATS server may take for anything. A batch renews its lease before this could outlast it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the NATS server remembers what it got, to drop doubles.
const DOUBLES: Duration = Duration::from_mins(2);

/// Why events could not be sent on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The database did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The NATS server did not.
    #[error("{0}")]
    Nats(String),
}

fn nats(error: impl std::fmt::Display) -> StreamError {
    StreamError::Nats(error.to_string())
}

/// One process's part in the stream.
pub struct Stream {
    app: App,
    context: Option<jetstream::Context>,
}

impl Stream {
    /// The stream of the settings; none, if they have none.
    pub fn new(app: App) -> Option<Self> {
        app.config.stream.nats.url.is_some().then_some(Self { app, context: None })
    }

    /// Sends on what is new; returns when there is nothing more, or while another process does it.
    ///
    /// # Errors
    /// When the database or the NATS server does not do its part. What has not arrived is sent again.
    pub async fn run(&mut self) -> Result<(), StreamError> {
        while self.is_behind().await?
            && let Some(cursor) = self.take().await?
        {
            let events = after(&mut self.app.store.reader().await?, cursor.seq, BATCH).await?;
            let (last, outcome) = self.send(&events).await;
            if let Some(last) = last
                && !self.note(cursor.fence, last).await?
            {
                return Ok(());
            }
            outcome?;
        }
        Ok(())
    }

    async fn is_behind(&self) -> Result<bool, StoreError> {
        let mut tx = self.app.store.reader().await?;
        Ok(keep::sent_until(&mut tx, NAME).await? < sequence::last(&mut tx).await?)
    }

    async fn take(&self) -> Result<Option<keep::Cursor>, StoreError> {
        let now = self.app.clock.now();
        let until = now + i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        let holder = self.app.instance.clone();
        let taken = self.app.store.write(Intent::Upsert, move |tx| {
            let holder = holder.clone();
            Box::pin(async move { keep::take(tx, NAME, &holder, until, now).await })
        });
        taken.await
    }

    async fn note(&self, fence: i64, seq: i64) -> Result<bool, StoreError> {
        let noted = self
            .app
            .store
            .write(Intent::Upsert, move |tx| Box::pin(async move { keep::sent(tx, NAME, fence, seq).await }));
        noted.await
    }

    /// Sends events one after the other, so that none overtakes another that did not arrive; the last that did, and
    /// what kept the next from it.
    async fn send(&mut self, events: &[Event]) -> (Option<i64>, Result<(), StreamError>) {
        let mut last = None;
        let begun = self.app.clock.instant();
        for event in events {
            // The rest after the lease is renewed.
            if begun.elapsed() + 2 * PATIENCE > LEASE {
                break;
            }
            if let Err(error) = self.send_one(event).await {
                // Whatever it was: begin anew.
                self.context = None;
                return (last, Err(error));
            }
            last = Some(event.seq);
        }
        (last, Ok(()))
    }

    async fn send_one(&mut self, event: &Event) -> Result<(), StreamError> {
        let base = crate::app::delivery::base(&self.app);
        let settings = &self.app.config.stream.nats;
        let context = match &self.context {
            Some(context) => context,
            None => self.context.insert(connect(settings).await?),
        };
        let subject = format!("{}.{}", settings.subject, event.rtype);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{base}#{}", event.seq));
        headers.insert("Content-Type", MEDIA_TYPE);
        let payload = envelope(&base, event).to_string();
        let sent = context.publish_with_headers(subject, headers, payload.into()).await.map_err(nats)?;
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(acknowledged) => acknowledged.map(drop).map_err(nats),
            Err(_) => Err(StreamError::Nats("the NATS server does not acknowledge".to_owned())),
        }
    }
}

/// Connects, and makes the stream if it is not there.
async fn connect(settings: &Nats) -> Result<jetstream::Context, StreamError> {
    let url = settings.url.as_deref().unwrap_or_default();
    let mut options = async_nats::ConnectOptions::new()
        .name("slotwright")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .require_tls(url.starts_with("tls://"));
    if let Some(file) = &settings.credentials_file {
        options = options.credentials_file(file).await.map_err(nats)?;
    }
    if let Some(username) = &settings.username {
        options = options.user_and_password(username.clone(), settings.password.expose_secret().to_owned());
    }
    if let Some(roots) = &settings.roots {
        options = options.add_root_certificates(roots.clone());
    }
    let client = options.connect(url).await.map_err(nats)?;
    let context = jetstream::new(client);
    let wanted = stream::Config {
        name: settings.stream.clone(),
        subjects: vec![format!("{}.>", settings.subject)],
        duplicate_window: DOUBLES,
        ..stream::Config::default()
    };
    tokio::time::timeout(PATIENCE, context.get_or_create_stream(wanted))
        .await
        .map_err(|_| StreamError::Nats("the NATS server does not answer".to_owned()))?
        .map_err(nats)?;
    Ok(context)
}
