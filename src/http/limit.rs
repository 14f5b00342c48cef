//! How many requests are taken: from an address, with a client's tokens, from a person.

use super::refusals::Refusals;
use super::{pages, present};
use crate::auth::principal::{Principal, Who};
use crate::clock::Clock;
use crate::config;
use crate::fhir::outcome::{Error, Kind};
use axum::response::{IntoResponse, Response};
use governor::clock::Clock as Measure;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// What part of a minute's requests may come at once.
const AT_ONCE: u32 = 6;

/// The limits of this process, and who used how much of them.
pub(crate) struct Limits {
    address: Limiter<u128>,
    token: Limiter<u128>,
    sign_in: Limiter<u128>,
    client: Limiter<String>,
    user: Limiter<String>,
    /// What was refused.
    pub(super) refusals: Refusals,
}

impl Limits {
    /// Limits as `[limits]` sets them.
    pub(super) fn new(settings: &config::Limits, clock: &Clock) -> Self {
        Self {
            address: Limiter::new(settings.address, clock),
            token: Limiter::new(settings.token, clock),
            sign_in: Limiter::new(settings.sign_in, clock),
            client: Limiter::new(settings.client, clock),
            user: Limiter::new(settings.user, clock),
            refusals: Refusals::default(),
        }
    }

    /// Counts a request from an address, before anything else is done for it; `accepted`: languages that a browser
    /// asks for.
    ///
    /// # Errors
    /// The answer that refuses it.
    pub(super) fn arrives(
        &self,
        from: IpAddr,
        method: &Method,
        path: &str,
        accepted: Option<&str>,
    ) -> Result<(), Box<Response>> {
        let from = origin(from);
        let place = Place::of(path);
        // Whoever watches over the server must not be told that it is gone because somebody else is busy.
        if place == Place::Probe {
            return Ok(());
        }
        let counted = match place {
            // Each of them may leave a row behind.
            Place::Token | Place::Authorize => self.token.take(&from),
            // Looking at the form costs nothing; trying a password does.
            Place::SignIn if *method == Method::POST => self.sign_in.take(&from),
            _ => Ok(()),
        };
        let counted = counted.and_then(|()| self.address.take(&from));
        counted.map_err(|wait| Box::new(refusal(place, wait, accepted)))
    }

    /// Counts a request that was proved to come from `principal`.
    ///
    /// # Errors
    /// 429.
    pub(super) fn acts(&self, principal: &Principal) -> Result<(), Error> {
        let client = principal.client.as_ref().map_or(Ok(()), |client| self.client.take(client));
        let counted = client.and_then(|()| match &principal.who {
            Who::Account(account) => self.user.take(account),
            _ => Ok(()),
        });
        counted.map_err(too_many)
    }

    /// Forgets who has not come for a while; call it every few seconds.
    pub(super) fn forget_old(&self) {
        self.address.forget_old();
        self.token.forget_old();
        self.sign_in.forget_old();
        self.client.forget_old();
        self.user.forget_old();
    }
}

/// What is reached by a path, as far as limits and refusals go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Probe,
    Fhir,
    Token,
    Authorize,
    SignIn,
    Page,
}

impl Place {
    fn of(path: &str) -> Self {
        let below =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            "/livez" | "/readyz" => Self::Probe,
            "/oauth/authorize" => Self::Authorize,
            "/oauth/jwks" => Self::Fhir,
            _ if below("/oauth") => Self::Token,
            _ if below("/sign-in") || below("/account") || below("/emergency") => Self::SignIn,
            _ if below("/fhir") || below("/admin") || below("/scim") || below("/.well-known") => Self::Fhir,
            _ => Self::Page,
        }
    }
}

/// One limit. None: whoever set it to 0 wants none.
struct Limiter<K: Hash + Eq + Clone>(
    Option<RateLimiter<K, DashMapStateStore<K>, Monotonic, NoOpMiddleware<Instant>>>,
);

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(a_minute: u32, clock: &Clock) -> Self {
        let at_once = NonZeroU32::new(a_minute.div_ceil(AT_ONCE));
        let quota = NonZeroU32::new(a_minute).zip(at_once);
        let quota = quota.map(|(a_minute, at_once)| Quota::per_minute(a_minute).allow_burst(at_once));
        let clock = Monotonic(clock.clone());
        Self(quota.map(|quota| RateLimiter::new(quota, DashMapStateStore::default(), clock)))
    }

    /// Counts one request; the time to wait when it is one too many.
    fn take(&self, key: &K) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
    }

    fn forget_old(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// Our clock as governor reads it: steady, whatever is done to the time of day.
#[derive(Clone)]
struct Monotonic(Clock);

impl Measure for Monotonic {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0.instant()
    }
}

/// What counts as one address: of IPv6, all that one subscriber has.
pub(super) fn origin(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// 429, which says when to come again.
fn too_many(wait: Duration) -> Error {
    let seconds = wait.as_secs() + 1;
    let message = format!("Too many requests; try again in {seconds} s");
    Error { retry_after: Some(seconds), ..Error::new(Kind::TooManyRequests, message) }
}

/// The refusal in the words of the protocol that is spoken at `place`.
fn refusal(place: Place, wait: Duration, accepted: Option<&str>) -> Response {
    let error = too_many(wait);
    let seconds = error.retry_after.unwrap_or(1);
    let mut response = match place {
        Place::Fhir | Place::Probe => present::refusal(&error),
        Place::Token => {
            let body = serde_json::json!({
                "error": "temporarily_unavailable",
                "error_description": format!("Too many requests; try again in {seconds} s"),
            });
            (StatusCode::TOO_MANY_REQUESTS, axum::Json(body)).into_response()
        }
        Place::Authorize | Place::SignIn | Place::Page => pages::too_many(seconds, accepted),
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(a_minute: u32) -> Limits {
        let each = config::Limits {
            address: a_minute,
            token: a_minute,
            sign_in: a_minute,
            client: a_minute,
            user: a_minute,
        };
        Limits::new(&each, &Clock::system())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_sixth_at_once_and_the_next_one_waits() {
        let limiter = Limiter::new(60, &Clock::system());
        let taken = (0..100).take_while(|_| limiter.take(&1u128).is_ok()).count();
        assert_eq!(taken, 10);
        let wait = limiter.take(&1).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limiter.take(&2).is_ok(), "another one is not concerned");
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = limits(0);
        for _ in 0..1000 {
            assert!(limits.arrives(address("192.0.2.1"), &Method::POST, "/oauth/token", None).is_ok());
        }
    }

    #[test]
    fn each_protocol_is_refused_in_its_own_words() {
        let limits = limits(1);
        for (path, kind) in [
            ("/fhir/Slot", "application/fhir+json; charset=utf-8"),
            ("/oauth/token", "application/json"),
            ("/oauth/authorize", "text/html; charset=utf-8"),
            ("/sign-in", "text/html; charset=utf-8"),
        ] {
            let from = address(&format!("192.0.2.{}", path.len()));
            assert!(limits.arrives(from, &Method::POST, path, None).is_ok());
            let refused = limits.arrives(from, &Method::POST, path, None).unwrap_err();
            assert_eq!(refused.status(), 429);
            assert_eq!(refused.headers()[http::header::CONTENT_TYPE], kind, "{path}");
            let wait: u64 = refused.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        }
        assert!(limits.arrives(address("192.0.2.10"), &Method::GET, "/livez", None).is_ok());
    }

    #[test]
    fn one_subscriber_has_one_limit() {
        assert_eq!(origin(address("2001:db8::1")), origin(address("2001:db8::ffff:1")));
        assert_ne!(origin(address("2001:db8::1")), origin(address("2001:db8:0:1::1")));
        assert_ne!(origin(address("192.0.2.1")), origin(address("192.0.2.2")));
    }

    #[test]
    fn who_came_long_ago_is_forgotten() {
        let limits = limits(60_000);
        for number in 0..1000_u32 {
            let _ = limits.address.take(&u128::from(number));
        }
        std::thread::sleep(Duration::from_millis(50));
        limits.forget_old();
        assert_eq!(limits.address.0.as_ref().unwrap().len(), 0);
    }
}
