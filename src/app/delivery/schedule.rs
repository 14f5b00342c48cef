//! When a notification that did not arrive is tried again, and when no more.

use super::endpoint::{Answer, NoAnswer};
use crate::config::Subscriptions;
use std::time::Duration;

/// The longest that an endpoint may ask for.
const LONGEST: Duration = Duration::from_hours(24);

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrived.
    Arrived,
    /// It did not, and may later; the endpoint may have said when.
    Failed {
        /// What went wrong, fit to be told to whoever subscribed.
        told: String,
        /// No earlier than after this.
        earliest: Duration,
        /// Whether the whole host seems to be in trouble, not this subscription alone.
        host: bool,
    },
    /// The endpoint wants no more (410).
    Gone,
}

/// What an answer, or that none came, means.
pub fn judge(answer: &Result<Answer, NoAnswer>, settings: &Subscriptions) -> Verdict {
    let failed = |told: String, earliest, host| Verdict::Failed { told, earliest, host };
    match answer {
        Err(NoAnswer::Refused(refused)) => {
            failed(NoAnswer::Refused(*refused).to_string(), Duration::ZERO, false)
        }
        Err(error) => failed(error.to_string(), Duration::ZERO, true),
        Ok(Answer { status, retry_after }) => match status {
            200..=299 => Verdict::Arrived,
            410 => Verdict::Gone,
            _ => {
                let busy = matches!(status, 429 | 502 | 504);
                let own = if busy { settings.throttle } else { Duration::ZERO };
                let earliest = retry_after.map_or(own, |asked| asked.max(own)).min(LONGEST);
                failed(format!("the endpoint answered {status}"), earliest, *status == 429 || *status >= 500)
            }
        },
    }
}

/// How long to wait before the try behind `failed` tries; none: there is no other. A fifth more or less by `random`,
/// so that not all come back at once.
pub fn pause(settings: &Subscriptions, failed: i64, earliest: Duration, random: u64) -> Option<Duration> {
    let place = usize::try_from(failed.saturating_sub(1)).ok()?;
    let planned = settings.retries.get(place)?;
    // 0.8 to 1.2
    let share = 0.8 + 0.4 * (random as f64 / u64::MAX as f64);
    Some(planned.mul_f64(share).max(earliest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn settings() -> Subscriptions {
        Config::defaults().unwrap().subscriptions
    }

    fn answered(status: u16, retry_after: Option<u64>) -> Verdict {
        judge(&Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs) }), &settings())
    }

    fn earliest(verdict: &Verdict) -> u64 {
        let Verdict::Failed { earliest, .. } = verdict else { panic!("{verdict:?}") };
        earliest.as_secs()
    }

    #[test]
    fn only_a_success_has_arrived() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, None), Verdict::Arrived, "{status}");
        }
        for status in [100, 301, 302, 307, 308, 400, 401, 403, 404, 409, 418, 500, 503] {
            assert!(matches!(answered(status, None), Verdict::Failed { .. }), "{status}");
        }
        assert_eq!(answered(410, None), Verdict::Gone);
    }

    #[test]
    fn who_can_not_keep_up_gets_a_pause() {
        for status in [429, 502, 504] {
            assert_eq!(earliest(&answered(status, None)), 60, "{status}");
            assert_eq!(earliest(&answered(status, Some(5))), 60, "{status}");
            assert_eq!(earliest(&answered(status, Some(600))), 600, "{status}");
        }
        assert_eq!(earliest(&answered(503, Some(30))), 30);
        assert_eq!(earliest(&answered(503, Some(10_000_000))), 24 * 3600);
        assert_eq!(earliest(&answered(500, None)), 0);
    }

    #[test]
    fn only_a_host_in_trouble_counts_against_the_host() {
        let host = |verdict: Verdict| matches!(verdict, Verdict::Failed { host: true, .. });
        assert!(host(answered(500, None)) && host(answered(429, None)));
        assert!(!host(answered(401, None)) && !host(answered(302, None)));
        assert!(host(judge(&Err(NoAnswer::Late), &settings())));
    }

    #[test]
    fn pauses_follow_the_plan_give_or_take_a_fifth_and_end() {
        let settings = settings();
        let planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (failed, seconds) in (1..).zip(planned) {
            for random in [0, u64::MAX / 2, u64::MAX] {
                let pause = pause(&settings, failed, Duration::ZERO, random).unwrap().as_secs_f64();
                let exact = f64::from(seconds);
                assert!((exact * 0.799..exact * 1.201).contains(&pause), "{failed}: {pause}");
            }
        }
        assert_eq!(pause(&settings, 10, Duration::ZERO, 0), None);
        assert_eq!(pause(&settings, i64::MAX, Duration::ZERO, 0), None);
        let asked = Duration::from_mins(15);
        assert_eq!(pause(&settings, 1, asked, 0), Some(asked));
    }
}
