//! `[audit.reports]`

use super::units;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::time::Duration;

/// `[audit.reports]`: what standing reports take for worth a look. A number of 0: not reported.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// More patients than these by one person within an hour.
    pub bulk_patients: u32,
    /// More denials than these of one person, application or address within `denials_within`.
    pub denials: u32,
    /// See `denials`.
    #[serde(deserialize_with = "units::duration")]
    pub denials_within: Duration,
    /// When staff work; empty: access at other times is not reported.
    pub opening_hours: Vec<Opening>,
    /// Where `opening_hours` are.
    pub time_zone: Zone,
}

impl Reports {
    /// Whether it is closed at `at`, in microseconds since the epoch; never, when nobody said when it is open.
    pub fn is_closed(&self, at: i64) -> bool {
        let Ok(at) = jiff::Timestamp::from_microsecond(at) else { return false };
        let local = at.to_zoned(self.time_zone.0.clone());
        let (day, time) = (local.weekday(), local.time());
        !self.opening_hours.is_empty() && !self.opening_hours.iter().any(|hours| hours.holds(day, time))
    }
}

/// A time zone by its IANA name.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let zone = TimeZone::get(&name);
        zone.map(Self)
            .map_err(|_| D::Error::custom(format!("\"{name}\" is not a time zone such as Europe/Madrid")))
    }
}

/// Days and times at which it is open, as in `Mon-Fri 07:00-19:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    days: Vec<Weekday>,
    from: Time,
    until: Time,
}

impl Opening {
    fn holds(&self, day: Weekday, time: Time) -> bool {
        let is_before_end = time < self.until || self.until == Time::midnight();
        self.days.contains(&day) && self.from <= time && is_before_end
    }

    fn parse(text: &str) -> Option<Self> {
        let (days, times) = text.trim().split_once(' ')?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (first, last) = (weekday(first)?, weekday(last)?);
        let mut all = vec![first];
        let mut day = first;
        while day != last {
            day = day.next();
            all.push(day);
        }
        let (from, until) = times.trim().split_once('-')?;
        let (from, until) = (clock(from)?, clock(until)?);
        (from < until || until == Time::midnight()).then_some(Self { days: all, from, until })
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// `HH:MM`; 24:00 is the midnight at the end of the day.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    if (hour, minute) == ("24", "00") {
        return Some(Time::midnight());
    }
    let plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(hour) || !plain(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

impl<'de> Deserialize<'de> for Opening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "\"{text}\" is not a time such as \"Mon-Fri 07:00-19:00\" or \"Sat 08:00-12:00\""
            ))
        })
    }
}

/// Every rule that is broken.
pub(super) fn problems(reports: &Reports, found: &mut Vec<String>) {
    if reports.denials_within.is_zero() || reports.denials_within > Duration::from_hours(1) {
        found.push("audit.reports.denials_within: must be longer than zero and an hour at most".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn it_is_closed_outside_the_hours_of_the_place() {
        let hours = ["Mon-Fri 07:00-19:00", "Sat 08:00-24:00"].map(|text| Opening::parse(text).unwrap());
        let reports = Reports {
            bulk_patients: 0,
            denials: 0,
            denials_within: Duration::from_mins(1),
            opening_hours: hours.to_vec(),
            time_zone: Zone(TimeZone::get("America/New_York").unwrap()),
        };
        // A Monday; New York is five hours behind.
        for open in ["2031-03-03T12:00:00Z", "2031-03-03T23:59:59Z", "2031-03-09T04:59:00Z"] {
            assert!(!reports.is_closed(at(open)), "{open}");
        }
        for closed in ["2031-03-03T11:59:59Z", "2031-03-04T00:00:00Z", "2031-03-09T13:00:00Z"] {
            assert!(reports.is_closed(at(closed)), "{closed}");
        }
        let never = Reports { opening_hours: Vec::new(), ..reports };
        assert!(!never.is_closed(at("2031-03-03T03:00:00Z")));
    }

    #[test]
    fn hours_are_written_in_one_way() {
        for wrong in [
            "",
            "Mon",
            "Mon-Fri",
            "Mon 7-19",
            "Mon 19:00-07:00",
            "Day 07:00-19:00",
            "Mon 07:00-25:00",
            "Mon 7:00-9:00",
        ] {
            assert_eq!(Opening::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Opening::parse("Sat-Mon 07:00-19:00").unwrap().days.len(), 3);
    }
}
