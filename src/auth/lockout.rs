//! How long somebody must wait who failed to sign in.
//!
//! Failures are counted twice: for a username *from one origin* (an address, or a browser that signed in
//! before), with a back-off that grows quickly; and for a username from *all unknown origins together*, with a
//! slower brake. A stranger can make strangers wait, but not the owner, whose browser is known.

use crate::clock::Micros;

/// Failures from one origin that cost nothing: people mistype.
const FREE: i64 = 4;
/// The longest wait for one origin.
const LONGEST: Micros = 15 * 60 * 1_000_000;
/// Failures from all unknown origins that cost nothing.
const FREE_OVERALL: i64 = 40;
/// The longest wait between attempts from unknown origins.
const LONGEST_OVERALL: Micros = 30 * 1_000_000;
/// After so long without a failure, all is forgotten.
pub const FORGET: Micros = 24 * 3600 * 1_000_000;

/// Failures since the last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// When the last one was.
    pub last_us: Micros,
}

impl Failures {
    fn wait_until(self, now: Micros, free: i64, longest: Micros) -> Option<Micros> {
        if self.last_us + FORGET <= now {
            return None;
        }
        let over = u32::try_from(self.count - free).ok()?;
        let wait = 1_000_000_i64.saturating_mul(1_i64 << over.min(20)).min(longest);
        let until = self.last_us + wait;
        (until > now).then_some(until)
    }
}

/// When the next attempt is taken, if it is not taken at `now`: after `own` failures from this origin and, for
/// an origin that is not known, `overall` failures from everywhere.
pub fn wait_until(own: Failures, overall: Option<Failures>, now: Micros) -> Option<Micros> {
    let own = own.wait_until(now, FREE, LONGEST);
    let overall = overall.and_then(|all| all.wait_until(now, FREE_OVERALL, LONGEST_OVERALL));
    own.max(overall)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;
    const NOW: Micros = 1_900_000_000 * SECOND;

    fn failed(count: i64) -> Failures {
        Failures { count, last_us: NOW }
    }

    #[test]
    fn the_wait_grows_and_ends() {
        let wait = |count| wait_until(failed(count), None, NOW).map(|until| (until - NOW) / SECOND);
        assert_eq!(wait(3), None);
        assert_eq!([4, 5, 6, 10].map(wait), [Some(1), Some(2), Some(4), Some(64)]);
        assert_eq!(wait(1_000_000), Some(15 * 60));
        assert_eq!(wait_until(failed(5), None, NOW + 2 * SECOND), None);
    }

    #[test]
    fn strangers_slow_each_other_but_not_a_known_browser() {
        let strangers = Some(failed(60));
        assert_eq!(wait_until(failed(0), strangers, NOW), Some(NOW + 30 * SECOND));
        assert_eq!(wait_until(failed(0), None, NOW), None);
        assert_eq!(wait_until(failed(0), strangers, NOW + 30 * SECOND), None);
    }

    #[test]
    fn a_quiet_day_forgives() {
        assert_eq!(wait_until(failed(100), Some(failed(100)), NOW + FORGET), None);
    }
}
