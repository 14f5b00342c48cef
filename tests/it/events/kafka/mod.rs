//! The event log at a real Kafka broker.

mod broker;
mod settings;
mod trouble;

use self::broker::{Arrived, Broker};
use super::stream::book;
use super::{sent_by_two, until_sent};
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use slotwright::app::events::stream::{Stream, StreamError, Target};
use slotwright::clock::Clock;
use std::collections::BTreeMap;

/// Settings of a stream to a broker of this machine.
fn settings<'a>(brokers: &'a str, topic: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("SLOTWRIGHT_STREAM__KAFKA__BROKERS", brokers),
        ("SLOTWRIGHT_STREAM__KAFKA__TOPIC", topic),
        ("SLOTWRIGHT_STREAM__KAFKA__TLS", "false"),
    ]
}

async fn streaming(engine: Engine, broker: &Broker, topic: &str) -> TestApp {
    let database = Database::create(engine).await;
    TestApp::start_with(database, Clock::system(), &settings(&broker.plain, topic)).await
}

/// A name that no other test has.
fn topic(engine: Engine, test: &str) -> String {
    format!("events.{test}.{engine:?}").to_lowercase()
}

fn stream(app: &TestApp) -> Stream {
    Stream::new(app.library().clone(), Target::Kafka).expect("a stream")
}

/// What keeps a stream from going on.
async fn reason(stream: &mut Stream) -> String {
    match stream.run().await {
        Err(StreamError::Target(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Fails unless `arrived` has every number from 1 to `last`, those of one key in order and in one partition, and
/// doubles only of what is the same.
fn assert_nothing_lost(arrived: &[Arrived], last: i64) {
    let mut first = BTreeMap::new();
    let mut partitions = BTreeMap::new();
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for one in arrived {
        assert_eq!(one.key, one.envelope["subject"]);
        let id = one.envelope["id"].as_str().expect("an id");
        assert_eq!(id, one.number().to_string());
        let partition = partitions.entry(one.key.as_str()).or_insert(one.partition);
        assert_eq!(*partition, one.partition, "{} is in two partitions", one.key);
        // `source` is the server's address, of which each has its own here.
        let data = &one.envelope["data"];
        if let Some(known) = first.get(&one.number()) {
            assert_eq!(*known, data, "another event under the same id");
        } else {
            first.insert(one.number(), data);
            let before = newest.insert(&one.key, one.number()).unwrap_or(0);
            assert!(before < one.number(), "{} comes after {before} of {}", one.number(), one.key);
        }
    }
    let numbers: Vec<i64> = first.keys().copied().collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
}

/// Fails unless the topic has every event of the log once, in its envelope, and says nothing of any patient.
async fn assert_complete(app: &TestApp, broker: &Broker, topic: &str) {
    let events = app.events().await;
    let mut arrived = broker.all(topic).await;
    assert_nothing_lost(&arrived, i64::try_from(events.len()).expect("a number"));
    arrived.sort_by_key(Arrived::number);
    assert_eq!(arrived.len(), events.len(), "something arrived twice");
    for (event, one) in events.iter().zip(&arrived) {
        assert_eq!(one.number(), event.seq);
        assert_eq!(one.key, event.reference());
        assert_eq!(one.content_type, "application/cloudevents+json; charset=UTF-8");
        assert_eq!(one.envelope["specversion"], "1.0");
        assert_eq!(one.envelope["data"]["version"], event.vid.to_string());
        assert!(!one.envelope.to_string().contains("pat-1"), "{}", one.envelope);
        assert!(one.at.timestamp_micros() + 1000 >= event.at_us, "kept from when it was sent");
    }
}

both_engines! {
    async fn a_topic_has_every_event_once_and_in_order(engine: Engine) {
        let broker = Broker::shared().await;
        let topic = topic(engine, "complete");
        let app = streaming(engine, broker, &topic).await;
        clinic::seed(&app).await;
        book(&app, 0, 150).await;
        let mut stream = stream(&app);
        let reason = reason(&mut stream).await;
        assert!(reason.contains(&topic) && reason.contains("made first"), "{reason}");
        broker.make(&topic, 3).await;
        stream.run().await.expect("sent");
        assert_complete(&app, broker, &topic).await;
        let partitions: std::collections::BTreeSet<i32> =
            broker.all(&topic).await.iter().map(|one| one.partition).collect();
        assert_eq!(partitions, [0, 1, 2].into());

        for number in 0..20 {
            let visit = app.get(&format!("Appointment/a-{number}")).await.is(200).json;
            app.store(&clinic::with(visit, "status", "cancelled")).await;
        }
        app.number_events().await;
        stream.run().await.expect("sent");
        assert_complete(&app, broker, &topic).await;

        // What was sent but not written down is sent again, with the same id.
        app.database().execute("UPDATE event_stream SET seq = seq - 4 WHERE name = 'kafka'").await;
        stream.run().await.expect("sent");
        let arrived = broker.all(&topic).await;
        let count = app.events().await.len();
        assert_eq!(arrived.len(), count + 4);
        assert_nothing_lost(&arrived, i64::try_from(count).expect("a number"));
    }

    async fn two_servers_do_not_send_at_the_same_time(engine: Engine) {
        let broker = Broker::shared().await;
        let topic = topic(engine, "turns");
        broker.make(&topic, 3).await;
        let app = streaming(engine, broker, &topic).await;
        clinic::seed(&app).await;
        let sending = sent_by_two(&app, Target::Kafka).await;
        for part in 0..10 {
            book(&app, part * 5, part * 5 + 5).await;
        }
        until_sent(&app).await;
        drop(sending);
        assert_complete(&app, broker, &topic).await;
    }
}
