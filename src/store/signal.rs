//! Tells tasks of this process that there is something to look for in the database.

use std::sync::Arc;
use tokio::sync::watch;

/// Something that may be waited for. It says that there is something new, never what: whoever wakes looks it up in
/// the database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Signal(Arc<watch::Sender<u64>>);

impl Default for Signal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Signal {
    /// Wakes everybody who waits, and those who are about to.
    pub fn notify(&self) {
        self.0.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// A place from which to wait: what is notified from now on is not missed.
    pub fn listen(&self) -> Waiter {
        Waiter(self.0.subscribe())
    }
}

/// One task's place in waiting for a [`Signal`].
#[derive(Debug)]
pub struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// Returns when there was a notification since it last returned; at once, if there was one meanwhile.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could notify.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_notified_before_the_wait_is_not_missed() {
        let signal = Signal::default();
        let mut waiter = signal.listen();
        signal.notify();
        signal.notify();
        waiter.changed().await;
        let again = tokio::time::timeout(std::time::Duration::from_millis(20), waiter.changed());
        assert!(again.await.is_err(), "two notifications before the wait are one");
    }
}
