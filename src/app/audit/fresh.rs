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
