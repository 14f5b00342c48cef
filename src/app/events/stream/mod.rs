//! The event log as a stream of other systems: each event at least once and in order, by one process at a time.
//!
//! What all of them have in common is here: how far each is, who may send, and until when. What differs is how events
//! are handed over (`nats`, `kafka`).

mod kafka;
mod nats;

use crate::app::App;
use crate::config;
use crate::store::events::{Event, after, keep, sequence};
use crate::store::{Intent, StoreError};
use std::time::Duration;

/// How long one process keeps the right to send on without using it.
const LEASE: Duration = Duration::from_secs(15);
/// The most events that are sent on before it is written down.
const BATCH: i64 = 100;
/// How long the other side may take to let us in, and then for what it is given. A batch renews its lease before
/// both could outlast it.
const PATIENCE: Duration = Duration::from_secs(5);

const BEHIND: &str = "event_stream_behind";
const FAILURES: &str = "event_stream_failures_total";

/// Why events could not be sent on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The database did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The other side did not, and says why. No secret is in it.
    #[error("{0}")]
    Target(String),
}

/// A system that the event log is sent on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// NATS JetStream.
    Nats,
    /// Kafka.
    Kafka,
}

impl Target {
    /// Those that the settings name.
    pub fn of(settings: &config::Stream) -> Vec<Self> {
        let is_on = |target: &Self| match target {
            Self::Nats => settings.nats.url.is_some(),
            Self::Kafka => !settings.kafka.brokers.is_empty(),
        };
        [Self::Nats, Self::Kafka].into_iter().filter(is_on).collect()
    }

    /// Its name in logs and metrics, and of the row that says how far it is.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }
}

/// What in the settings of streams can't be used, such as a file that is not there.
pub fn problems(app: &App) -> Vec<String> {
    let targets = Target::of(&app.config.stream);
    targets.into_iter().filter_map(|target| Sink::new(&app.config.stream, target).err()).collect()
}

/// The other side.
enum Sink {
    Nats(Box<nats::Nats>),
    Kafka(Box<kafka::Kafka>),
}

/// How far events got before something kept the next one.
struct Stopped {
    /// The last that arrived together with all before it; none: none did.
    last: Option<i64>,
    /// What it was.
    reason: String,
}

impl Sink {
    fn new(settings: &config::Stream, target: Target) -> Result<Self, String> {
        Ok(match target {
            Target::Nats => Self::Nats(Box::new(nats::Nats::new(&settings.nats)?)),
            Target::Kafka => Self::Kafka(Box::new(kafka::Kafka::new(&settings.kafka)?)),
        })
    }

    /// How many events are handed over at a time.
    fn at_once(&self) -> usize {
        match self {
            Self::Nats(_) => 1,
            Self::Kafka(_) => usize::try_from(BATCH).unwrap_or(1),
        }
    }

    /// Hands events over, and waits until they are kept there.
    async fn send(&mut self, app: &App, events: &[Event]) -> Result<(), Stopped> {
        let base = crate::app::delivery::base(app);
        match self {
            Self::Nats(nats) => nats.send(&base, events).await,
            Self::Kafka(kafka) => kafka.send(&base, app.clock.now(), events).await,
        }
    }
}

/// One process's part in a stream.
pub struct Stream {
    app: App,
    target: Target,
    sink: Sink,
}

impl Stream {
    /// The stream to `target`.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub fn new(app: App, target: Target) -> Result<Self, String> {
        let sink = Sink::new(&app.config.stream, target)?;
        Ok(Self { app, target, sink })
    }

    /// Sends on what is new; returns when there is nothing more, or while another process does it.
    ///
    /// # Errors
    /// When the database or the other side does not do its part. What has not arrived is sent again.
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
        let sent = keep::sent_until(&mut tx, self.target.name()).await?;
        let behind = (sequence::last(&mut tx).await? - sent).max(0);
        metrics::gauge!(BEHIND, "to" => self.target.name()).set(behind as f64);
        Ok(behind > 0)
    }

    async fn take(&self) -> Result<Option<keep::Cursor>, StoreError> {
        let now = self.app.clock.now();
        let until = now + i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        let (name, holder) = (self.target.name(), self.app.instance.clone());
        let taken = self.app.store.write(Intent::Upsert, move |tx| {
            let holder = holder.clone();
            Box::pin(async move { keep::take(tx, name, &holder, until, now).await })
        });
        taken.await
    }

    async fn note(&self, fence: i64, seq: i64) -> Result<bool, StoreError> {
        let name = self.target.name();
        let noted = self
            .app
            .store
            .write(Intent::Upsert, move |tx| Box::pin(async move { keep::sent(tx, name, fence, seq).await }));
        noted.await
    }

    /// Sends events some after the others, so that none overtakes another that did not arrive; the last that did, and
    /// what kept the next from it.
    async fn send(&mut self, events: &[Event]) -> (Option<i64>, Result<(), StreamError>) {
        let mut last = None;
        let begun = self.app.clock.instant();
        for some in events.chunks(self.sink.at_once()) {
            // The rest after the lease is renewed.
            if begun.elapsed() + 2 * PATIENCE > LEASE {
                break;
            }
            match self.sink.send(&self.app, some).await {
                Ok(()) => last = some.last().map(|event| event.seq),
                Err(stopped) => {
                    metrics::counter!(FAILURES, "to" => self.target.name()).increment(1);
                    return (stopped.last.or(last), Err(StreamError::Target(stopped.reason)));
                }
            }
        }
        (last, Ok(()))
    }
}
