//! To Kafka: a record for each event, whose key is the resource.
//!
//! What happens to one resource is in one partition. Of a batch, each partition gets its records by one request, and
//! all partitions at the same time; so within a partition events keep their order, and one whose broker is gone does
//! not hold up the records of the others, although the log is not left behind further than every event arrived.

mod partition;

use super::{PATIENCE, Stopped};
use crate::app::encryption::{self, Named};
use crate::app::events::envelope::{MEDIA_TYPE, envelope};
use crate::clock::Micros;
use crate::config::{self, Sasl};
use crate::store::events::Event;
use rskafka::chrono::{DateTime, Utc};
use rskafka::client::error::Error;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use rskafka::{BackoffConfig, BackoffError, ConnectionError};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection that broke is looked for again at once: brokers end those that were idle for long.
const AT_ONCE: Duration = Duration::from_millis(500);
/// What the client says when signing in failed.
const REFUSED: &str = "Sasl handshake failed";

/// The brokers, and what of the log they have already beyond what is written down.
pub(super) struct Kafka {
    settings: config::Kafka,
    encryption: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
    /// Numbers that arrived although one before them did not. They are not sent again by this process.
    ahead: BTreeSet<i64>,
}

struct Connection {
    client: Client,
    /// The topic's partitions, in order.
    partitions: Vec<i32>,
    /// Connections to their leaders.
    leaders: BTreeMap<i32, PartitionClient>,
}

/// What goes to one partition, and what came of it.
struct Handed {
    partition: i32,
    numbers: Vec<i64>,
    outcome: Result<PartitionClient, String>,
}

impl Kafka {
    /// The brokers of the settings.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub(super) fn new(settings: &config::Kafka) -> Result<Self, String> {
        let named = |setting, path| Named { setting, path };
        let roots = settings.roots.as_deref().map(|path| named("stream.kafka.roots", path));
        let identity =
            settings.certificate.as_deref().zip(settings.key.as_deref()).map(|(certificate, key)| {
                (named("stream.kafka.certificate", certificate), named("stream.kafka.key", key))
            });
        let encryption =
            if settings.tls { Some(Arc::new(encryption::client(roots, identity)?)) } else { None };
        Ok(Self { settings: settings.clone(), encryption, connection: None, ahead: BTreeSet::new() })
    }

    /// Sends events, which are in order; `now` is when.
    pub(super) async fn send(&mut self, base: &str, now: Micros, events: &[Event]) -> Result<(), Stopped> {
        let Some(first) = events.first() else { return Ok(()) };
        self.ahead = self.ahead.split_off(&first.seq);
        let outcome = self.hand_over(base, now, events).await;
        let arrived = |event: &&Event| self.ahead.contains(&event.seq);
        let last = events.iter().take_while(arrived).last().map(|event| event.seq);
        outcome.map_err(|reason| Stopped { last, reason })
    }

    /// Gives each partition what is its own, and notes what arrived.
    async fn hand_over(&mut self, base: &str, now: Micros, events: &[Event]) -> Result<(), String> {
        // It is put back if nothing was wrong; whatever it was: begin anew.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => in_time("the Kafka brokers do not answer", self.connect()).await?,
        };
        let mut waiting: BTreeMap<i32, (Vec<i64>, Vec<Record>)> = BTreeMap::new();
        for event in events.iter().filter(|event| !self.ahead.contains(&event.seq)) {
            let key = event.reference();
            let partition = partition::of(key.as_bytes(), &connection.partitions)
                .ok_or_else(|| format!("the topic {} has no partitions", self.settings.topic))?;
            let (numbers, records) = waiting.entry(partition).or_default();
            numbers.push(event.seq);
            records.push(record(base, now, key, event));
        }
        let handed = waiting.into_iter().map(|(partition, (numbers, records))| {
            let leader = connection.leaders.remove(&partition);
            let (client, topic) = (&connection.client, self.settings.topic.as_str());
            async move {
                let put = put(client, topic, partition, leader, records);
                let outcome = in_time("the Kafka broker does not acknowledge", put).await;
                Handed { partition, numbers, outcome }
            }
        });
        let handed: Vec<_> = handed.collect();
        let mut outcome = Ok(());
        for Handed { partition, numbers, outcome: one } in futures_util::future::join_all(handed).await {
            match one {
                Ok(leader) => {
                    connection.leaders.insert(partition, leader);
                    self.ahead.extend(numbers);
                }
                Err(reason) => outcome = Err(reason),
            }
        }
        if outcome.is_ok() {
            self.connection = Some(connection);
            self.ahead.clear();
        }
        outcome
    }

    async fn connect(&self) -> Result<Connection, String> {
        let settings = &self.settings;
        let mut builder =
            ClientBuilder::new(settings.brokers.clone()).client_id("slotwright").backoff_config(
                BackoffConfig { max_backoff: AT_ONCE, deadline: Some(AT_ONCE), ..BackoffConfig::default() },
            );
        if let Some(encryption) = &self.encryption {
            builder = builder.tls_config(Arc::clone(encryption));
        }
        if let Some(sasl) = settings.sasl {
            let password = settings.password.expose_secret().to_owned();
            let credentials = Credentials::new(settings.username.clone(), password);
            builder = builder.sasl_config(match sasl {
                Sasl::Plain => SaslConfig::Plain(credentials),
                Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
                Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
            });
        }
        let client = builder.build().await.map_err(|error| self.refused(&told(&error)))?;
        let topics = client.list_topics().await.map_err(|error| told(&error))?;
        let Some(topic) = topics.into_iter().find(|topic| topic.name == settings.topic) else {
            return Err(format!(
                "there is no topic {} at the Kafka brokers, or it may not be seen: it has to be made first",
                settings.topic
            ));
        };
        let partitions = topic.partitions.into_iter().collect();
        Ok(Connection { client, partitions, leaders: BTreeMap::new() })
    }

    /// Why there is no connection. The client says in its text alone that signing in was refused.
    fn refused(&self, reason: &str) -> String {
        match self.settings.sasl {
            Some(sasl) if reason.contains(REFUSED) => format!(
                "the Kafka brokers do not let {} sign in by {}: {reason}",
                self.settings.username,
                sasl.name()
            ),
            _ => reason.to_owned(),
        }
    }
}

/// Writes records to a partition, all or none, and waits until every copy that has to has them.
async fn put(
    client: &Client,
    topic: &str,
    partition: i32,
    leader: Option<PartitionClient>,
    records: Vec<Record>,
) -> Result<PartitionClient, String> {
    let leader = match leader {
        Some(leader) => leader,
        None => client
            .partition_client(topic, partition, UnknownTopicHandling::Error)
            .await
            .map_err(|error| told(&error))?,
    };
    leader.produce(records, Compression::NoCompression).await.map_err(|error| told(&error))?;
    Ok(leader)
}

/// An event as a record: CloudEvents in the structured mode of its Kafka binding, so that whoever copies values alone
/// keeps all of it. Its time is when it is sent: by that brokers decide how long they keep it.
fn record(base: &str, now: Micros, key: String, event: &Event) -> Record {
    let headers =
        BTreeMap::from([("content-type".to_owned(), format!("{MEDIA_TYPE}; charset=UTF-8").into_bytes())]);
    let timestamp = DateTime::<Utc>::from_timestamp_micros(now).unwrap_or_default();
    let value = envelope(base, event).to_string().into_bytes();
    Record { key: Some(key.into_bytes()), value: Some(value), headers, timestamp }
}

async fn in_time<T>(late: &str, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late.to_owned()))
}

/// What was wrong, without that it was tried for a while.
fn told(error: &Error) -> String {
    match error {
        Error::RetryFailed(BackoffError::DeadlineExceded { source, .. })
        | Error::Connection(ConnectionError::RetryFailed(BackoffError::DeadlineExceded { source, .. })) => {
            source.to_string()
        }
        other => other.to_string(),
    }
}
