//! The event log: what happens to the resources of scheduling is in it, in order, and reaches those who asked for it.

mod doors;
mod handed_out;
mod kafka;
mod numbers;
mod retention;
mod stream;
mod transitions;

use crate::support::TestApp;
use slotwright::store::events::Event;

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
