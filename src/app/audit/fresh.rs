//! What this process put on the record and the log has not placed yet, so that its sequencer need not read it again.

use crate::audit::leaf::Judged;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most events that are kept. More wait only where another process gives places: then none is needed here.
const MOST: usize = 16_384;

/// Events by their ids. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Fresh(Arc<Mutex<HashMap<String, Arc<Judged>>>>);

impl Fresh {
    /// Keeps events that are about to be recorded.
    pub(super) fn keep(&self, events: impl IntoIterator<Item = (String, Arc<Judged>)>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > MOST {
            kept.clear();
        }
        kept.extend(events);
    }

    /// Takes events out; none for what is not kept.
    pub(super) fn take<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Vec<Option<Arc<Judged>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.map(|id| kept.remove(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> (String, Arc<Judged>) {
        (number.to_string(), Arc::new(Judged::of(&[0; 32], b"{}")))
    }

    #[test]
    fn what_is_taken_is_gone() {
        let fresh = Fresh::default();
        fresh.keep([event(1), event(2)]);
        let found: Vec<bool> = fresh.take(["2", "3", "2"].into_iter()).iter().map(Option::is_some).collect();
        assert_eq!(found, [true, false, false]);
    }

    #[test]
    fn where_nobody_takes_anything_it_stays_small() {
        let fresh = Fresh::default();
        for number in 0..3 * MOST {
            fresh.keep([event(number)]);
            assert!(fresh.0.lock().unwrap().len() <= MOST + 1);
        }
    }
}
