//! How many notifications go to one host at a time, and whether it is left alone for a while because it fails.
//! In memory, since it is about this process's connections.

use crate::clock::Micros;
use crate::config::Subscriptions;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every host that something is on its way to, or that failed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hosts {
    known: Arc<Mutex<HashMap<String, Host>>>,
    most: usize,
    breaker: u32,
    pause: Micros,
}

#[derive(Debug, Default)]
struct Host {
    /// Notifications on their way.
    busy: usize,
    /// Failures in a row.
    failures: u32,
    /// Left alone until then; 0: not.
    until: Micros,
}

impl Hosts {
    /// None yet.
    pub fn new(settings: &Subscriptions) -> Self {
        Self {
            known: Arc::default(),
            most: settings.host_concurrency,
            breaker: settings.breaker,
            pause: Micros::try_from(settings.breaker_pause.as_micros()).unwrap_or(Micros::MAX),
        }
    }

    /// How many more may go to this host at `now`. One that was left alone gets a single one first.
    pub fn room(&self, host: &str, now: Micros) -> usize {
        self.known().get(host).map_or(self.most, |host| self.room_of(host, now))
    }

    fn room_of(&self, host: &Host, now: Micros) -> usize {
        let most = match host.failures >= self.breaker {
            true if host.until > now => 0,
            true => 1,
            false => self.most,
        };
        most.saturating_sub(host.busy)
    }

    /// The hosts that get nothing at `now`.
    pub fn full(&self, now: Micros) -> Vec<String> {
        let known = self.known();
        let full = known.iter().filter(|(_, host)| self.room_of(host, now) == 0);
        full.map(|(name, _)| name.clone()).collect()
    }

    /// Something goes to this host, until the pass is dropped.
    pub fn enter(&self, host: &str) -> Pass {
        self.known().entry(host.to_owned()).or_default().busy += 1;
        Pass { hosts: self.clone(), host: host.to_owned() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One notification's place on the way to its host.
#[derive(Debug)]
pub struct Pass {
    hosts: Hosts,
    host: String,
}

impl Pass {
    /// The host answered, or is in trouble, at `now`. Whether it is left alone from now on.
    pub fn went(&self, well: bool, now: Micros) -> bool {
        let mut known = self.hosts.known();
        let host = known.entry(self.host.clone()).or_default();
        if well {
            host.failures = 0;
            return false;
        }
        host.failures = host.failures.saturating_add(1);
        let open = host.failures >= self.hosts.breaker;
        if open {
            host.until = now.saturating_add(self.hosts.pause);
        }
        open
    }

    /// Whether the host is left alone at `now`.
    pub fn is_left_alone(&self, now: Micros) -> bool {
        let known = self.hosts.known();
        known.get(&self.host).is_some_and(|host| host.failures >= self.hosts.breaker && host.until > now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut known = self.hosts.known();
        if let Some(host) = known.get_mut(&self.host) {
            host.busy = host.busy.saturating_sub(1);
            if host.busy == 0 && host.failures == 0 {
                known.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SECOND: Micros = 1_000_000;

    fn hosts() -> Hosts {
        let mut settings = Config::defaults().unwrap().subscriptions;
        settings.host_concurrency = 2;
        settings.breaker = 3;
        Hosts::new(&settings)
    }

    #[test]
    fn a_host_gets_so_many_at_a_time_and_others_are_not_concerned() {
        let hosts = hosts();
        let first = hosts.enter("https://a.example");
        let _second = hosts.enter("https://a.example");
        assert_eq!(hosts.full(0), ["https://a.example"]);
        assert_eq!(hosts.room("https://b.example", 0), 2);
        drop(first);
        assert_eq!(hosts.room("https://a.example", 0), 1);
    }

    #[test]
    fn a_host_that_fails_is_left_alone_then_tried_by_one() {
        let hosts = hosts();
        let fail = |now| hosts.enter("a").went(false, now);
        assert_eq!([fail(0), fail(0), fail(0)], [false, false, true]);
        assert_eq!(hosts.room("a", 29 * SECOND), 0);
        assert_eq!(hosts.room("a", 31 * SECOND), 1);
        let probe = hosts.enter("a");
        assert_eq!(hosts.room("a", 31 * SECOND), 0);
        assert!(probe.went(false, 31 * SECOND));
        drop(probe);
        assert_eq!(hosts.room("a", 60 * SECOND), 0);
        hosts.enter("a").went(true, 62 * SECOND);
        assert_eq!(hosts.room("a", 62 * SECOND), 2);
    }

    #[test]
    fn hosts_that_do_well_are_forgotten() {
        let hosts = hosts();
        for number in 0..100 {
            hosts.enter(&format!("https://{number}.example")).went(true, 0);
        }
        assert!(hosts.known().is_empty());
    }
}
