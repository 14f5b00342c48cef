//! Requests refused because there were too many: told on the record in sums, or they would fill it.

use crate::audit::event::Event;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long what is refused to the same key is summed up.
const SUM: Duration = Duration::from_secs(10);

/// What was refused to whom, and is not on the record yet.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Sum>>);

#[derive(Debug)]
struct Sum {
    since: Instant,
    count: u64,
    event: Event,
}

impl Refusals {
    /// Counts a refusal to `key`; the event to record now, if one is due.
    pub(super) fn count(&self, key: String, now: Instant, event: Event) -> Option<Event> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&key) {
            Some(sum) if now.duration_since(sum.since) < SUM => {
                sum.count += 1;
                sum.event = event;
                None
            }
            Some(sum) => {
                let count = std::mem::take(&mut sum.count) + 1;
                sum.since = now;
                Some(told(event, count))
            }
            None => {
                all.insert(key, Sum { since: now, count: 0, event: event.clone() });
                Some(told(event, 1))
            }
        }
    }

    /// The sums whose time is over, to be recorded; who was refused nothing since is forgotten.
    pub(super) fn due(&self, now: Instant) -> Vec<Event> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        all.retain(|_, sum| {
            if now.duration_since(sum.since) < SUM {
                return true;
            }
            if sum.count == 0 {
                return false;
            }
            due.push(told(sum.event.clone(), std::mem::take(&mut sum.count)));
            sum.since = now;
            true
        });
        due
    }
}

fn told(event: Event, count: u64) -> Event {
    event.detail("count", count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::act::Act;
    use crate::audit::event::{Actor, Scene};
    use crate::clock::Clock;

    #[test]
    fn one_event_for_a_key_and_ten_seconds_and_none_is_lost() {
        let (refusals, begin) = (Refusals::default(), Clock::fixed(0).instant());
        let event = || Event::new(Act::Limited, Actor::default(), Scene::default());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let counts = |event: Option<Event>| event.map(|event| event.details[0].1.clone());
        assert_eq!(counts(refusals.count("a".into(), at(0), event())).as_deref(), Some("1"));
        assert_eq!(counts(refusals.count("b".into(), at(1), event())).as_deref(), Some("1"));
        for second in 1..5 {
            assert!(refusals.count("a".into(), at(second), event()).is_none());
        }
        assert!(refusals.due(at(9)).is_empty());
        assert_eq!(counts(refusals.count("a".into(), at(10), event())).as_deref(), Some("5"));
        assert!(refusals.count("a".into(), at(11), event()).is_none());
        let due: Vec<_> = refusals.due(at(20)).into_iter().map(|event| event.details[0].1.clone()).collect();
        assert_eq!(due, ["1"]);
        assert!(refusals.due(at(40)).is_empty() && refusals.0.lock().unwrap().is_empty());
    }
}
