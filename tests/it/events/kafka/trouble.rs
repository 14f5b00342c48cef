//! Brokers and servers that go away.

use super::broker::Broker;
use super::{assert_nothing_lost, settings, topic};
use crate::events::stream::Nats;
use crate::support::pg::wait_until;
use crate::support::ports::free_port;
use crate::support::{Client, Database, Engine, ServerProcess, both_engines, clinic};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longer than the longest lease and the longest pause together.
const LIMIT: Duration = Duration::from_mins(2);

/// Somebody who books.
struct Booking {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Booking {
    /// Books until the server does not answer, or it is enough.
    fn start(client: Client, prefix: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut number = 0;
            while !enough.load(Ordering::SeqCst) {
                number += 1;
                let (start, end) = (clinic::at("09:00"), clinic::at("09:30"));
                let visit = clinic::unslotted("booked", &start, &end, "pat-1", &[]);
                let visit = clinic::with_id(visit, &format!("{prefix}-{number}"));
                let path = format!("Appointment/{prefix}-{number}");
                if client.request(reqwest::Method::PUT, &path).json(&visit).try_send().await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        Self { stop, task }
    }

    /// Lets the last booking be answered: one that is given up may still become an event later.
    async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("somebody who books");
    }
}

/// How far a stream is; 0: nothing arrived yet.
async fn sent(database: &Database, name: &str) -> i64 {
    let seq = format!("SELECT CAST(seq AS TEXT) FROM event_stream WHERE name = '{name}'");
    database.texts(&seq).await.first().map_or(0, |seq| seq.parse().expect("a number"))
}

/// The number of the last event.
async fn last(database: &Database) -> i64 {
    let seq = database.texts("SELECT CAST(seq AS TEXT) FROM event_sequencer").await;
    seq[0].parse().expect("a number")
}

/// Waits until the stream has all that was booked, and gives its number.
async fn caught_up(database: &Database, name: &str) -> i64 {
    // What was answered has its number after a moment.
    let pending = "SELECT CAST(COUNT(*) AS TEXT) FROM event_pending";
    let done =
        async || database.texts(pending).await == ["0"] && sent(database, name).await == last(database).await;
    assert!(wait_until(LIMIT, done).await, "{name} stays behind");
    last(database).await
}

both_engines! {
    async fn nothing_is_lost_while_a_broker_is_down_and_nothing_else_waits_for_it(engine: Engine) {
        let mut broker = Broker::prepare();
        let topic = topic(engine, "down");
        let dir = tempfile::tempdir().expect("a directory");
        let nats = Nats::start(dir.path(), free_port()).await;
        let url = nats.url();
        let kafka = settings(&broker.plain, &topic);
        let all = [&kafka[..], &[("SLOTWRIGHT_STREAM__NATS__URL", url.as_str())]].concat();
        let database = Database::create(engine).await;
        let server = ServerProcess::start_with(&database, &all).await;
        clinic::seed(&server.client()).await;

        // Down from the start.
        let booked = Booking::start(server.client(), "before");
        let many = async || sent(&database, "nats").await > 60;
        assert!(wait_until(LIMIT, many).await, "NATS waits for Kafka");
        assert_eq!(sent(&database, "kafka").await, 0);
        broker.start().await;
        broker.make(&topic, 3).await;
        let many = async || sent(&database, "kafka").await > 60;
        assert!(wait_until(LIMIT, many).await, "Kafka gets nothing");

        // Killed while it is being sent to.
        let at = sent(&database, "kafka").await;
        let going_on = async || sent(&database, "kafka").await > at;
        assert!(wait_until(LIMIT, going_on).await);
        broker.kill();
        let at = last(&database).await;
        let going_on = async || last(&database).await > at + 20;
        assert!(wait_until(LIMIT, going_on).await, "bookings wait for Kafka");
        broker.start().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        booked.stop().await;
        let last = caught_up(&database, "kafka").await;
        assert_eq!(caught_up(&database, "nats").await, last);
        assert_nothing_lost(&broker.all(&topic).await, last);
    }

    async fn a_server_that_was_killed_is_succeeded(engine: Engine) {
        let broker = Broker::shared().await;
        let topic = topic(engine, "succession");
        broker.make(&topic, 3).await;
        // NATS is nowhere, which holds nothing up here.
        let nowhere = format!("nats://127.0.0.1:{}", free_port());
        let kafka = settings(&broker.plain, &topic);
        let all = [&kafka[..], &[("SLOTWRIGHT_STREAM__NATS__URL", nowhere.as_str())]].concat();
        let database = Database::create(engine).await;
        let first = ServerProcess::start_with(&database, &all).await;
        clinic::seed(&first.client()).await;
        let booked = Booking::start(first.client(), "first");
        let begun = async || sent(&database, "kafka").await > 30;
        assert!(wait_until(LIMIT, begun).await, "nothing is sent");
        let fence = "SELECT CAST(fence AS TEXT) FROM event_stream WHERE name = 'kafka'";
        assert_eq!(database.texts(fence).await, ["1"]);
        // With PostgreSQL, another was there all along.
        let second = match engine {
            Engine::Postgres => Some(ServerProcess::start_with(&database, &all).await),
            Engine::Sqlite => None,
        };
        let at = sent(&database, "kafka").await;
        let going_on = async || sent(&database, "kafka").await > at;
        assert!(wait_until(LIMIT, going_on).await);
        assert_eq!(database.texts(fence).await, ["1"], "two send at the same time");
        first.kill();
        booked.stop().await;
        let second = match second {
            Some(second) => second,
            None => ServerProcess::start_with(&database, &all).await,
        };
        let booked = Booking::start(second.client(), "second");
        let taken_over = async || database.texts(fence).await == ["2"];
        assert!(wait_until(LIMIT, taken_over).await, "nobody takes over");
        booked.stop().await;
        let last = caught_up(&database, "kafka").await;
        assert_nothing_lost(&broker.all(&topic).await, last);
        assert_eq!(sent(&database, "nats").await, 0);
    }
}
