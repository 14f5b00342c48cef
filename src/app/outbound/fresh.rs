//! How long an answer may be kept (RFC 9111), never longer than its sender says.

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};
use std::time::Duration;

/// The longest that an answer is kept, whatever its sender allows: a withdrawn key must go some day.
const LONGEST: Duration = Duration::from_hours(1);
/// How long an answer is kept whose sender says nothing.
const UNSAID: Duration = Duration::from_mins(1);

/// How long an answer with these headers may be used without asking again.
pub fn lifetime(headers: &HeaderMap) -> Duration {
    let mut said = false;
    let mut max_age: Option<u64> = None;
    for line in headers.get_all(CACHE_CONTROL) {
        let Ok(line) = line.to_str() else { return Duration::ZERO };
        for directive in line.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            said = true;
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Duration::ZERO,
                "max-age" => {
                    // What can't be read allows nothing; of several, the shortest holds.
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or(0);
                    max_age = Some(max_age.map_or(seconds, |least: u64| least.min(seconds)));
                }
                _ => {}
            }
        }
    }
    let allowed = match max_age {
        Some(seconds) => Duration::from_secs(seconds).saturating_sub(age(headers)),
        None if said => Duration::ZERO,
        None => UNSAID,
    };
    allowed.min(LONGEST)
}

/// How long the answer lay in somebody's cache already.
fn age(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(AGE).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines: &[&str], age: Option<&str>) -> u64 {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, line.parse().unwrap());
        }
        if let Some(age) = age {
            headers.insert(AGE, age.parse().unwrap());
        }
        lifetime(&headers).as_secs()
    }

    #[test]
    fn never_longer_than_said() {
        assert_eq!(kept(&["max-age=300"], None), 300);
        assert_eq!(kept(&["public, Max-Age=\"300\""], None), 300);
        assert_eq!(kept(&["max-age=300"], Some("290")), 10);
        assert_eq!(kept(&["max-age=300"], Some("400")), 0);
        assert_eq!(kept(&["max-age=0"], None), 0);
        assert_eq!(kept(&["max-age=300, no-store"], None), 0);
        assert_eq!(kept(&["max-age=300", "no-cache"], None), 0);
        assert_eq!(kept(&["max-age=300, max-age=20"], None), 20);
        assert_eq!(kept(&["max-age=-1"], None), 0);
        assert_eq!(kept(&["max-age=soon"], None), 0);
        assert_eq!(kept(&["must-revalidate"], None), 0);
    }

    #[test]
    fn never_longer_than_an_hour_and_a_minute_when_nothing_is_said() {
        assert_eq!(kept(&["max-age=31536000"], None), 3600);
        assert_eq!(kept(&["max-age=99999999999999999999999"], None), 0);
        assert_eq!(kept(&[], None), 60);
    }
}
