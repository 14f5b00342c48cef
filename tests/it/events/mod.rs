//! The event log: what happens to the resources of scheduling is in it, in order, and reaches those who asked for it.

mod doors;
mod handed_out;
mod kafka;
mod numbers;
mod retention;
mod stream;
mod transitions;

use crate::support::pg::wait_until;
use crate::support::{Engine, TestApp};
use slotwright::app::App;
use slotwright::app::events::stream::{Stream, Target};
use slotwright::store::events::Event;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// `Type/id: topics` of every event after the first `after`, in their order.
async fn told(app: &TestApp, after: usize) -> Vec<String> {
    let events = app.events().await;
    events
        .iter()
        .skip(after)
        .map(|event| format!("{}: {}", event.reference(), event.topics.join(" ")))
        .collect()
}

/// How many events there are.
async fn count(app: &TestApp) -> usize {
    app.events().await.len()
}

/// Fails unless events are numbered 1, 2, 3 and tell the versions of each resource in their order, all of them.
fn assert_in_order(events: &[Event]) {
    let mut last = std::collections::BTreeMap::new();
    for (event, number) in events.iter().zip(1..) {
        assert_eq!(event.seq, number, "a gap before {event:?}");
        let before = last.insert(event.reference(), event.vid).unwrap_or(0);
        assert_eq!(event.vid, before + 1, "{} out of order", event.reference());
    }
}

/// Two servers on one database that send to a stream, until what is returned is dropped.
async fn sent_by_two(app: &TestApp, target: Target) -> JoinSet<()> {
    let one = app.library().clone();
    let other = match app.database().engine {
        Engine::Sqlite => App { instance: "other".into(), ..one.clone() },
        Engine::Postgres => App::start(Arc::clone(&one.config), one.clock.clone()).await.expect("an app"),
    };
    let mut sending = JoinSet::new();
    for app in [one, other] {
        sending.spawn(async move {
            let mut stream = Stream::new(app, target).expect("a stream");
            loop {
                stream.run().await.expect("sent");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    sending
}

/// Waits until the one stream that there is has all events.
async fn until_sent(app: &TestApp) {
    let behind = "SELECT CAST((SELECT seq FROM event_sequencer) - seq AS TEXT) FROM event_stream";
    let done = async || app.database().texts(behind).await == ["0"];
    assert!(wait_until(Duration::from_secs(30), done).await, "the stream stays behind");
}
