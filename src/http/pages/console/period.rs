//! Times as officers type and read them, in UTC.

use crate::clock::Micros;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The beginning of what was typed: a day, or a time.
pub(super) fn from(typed: &str) -> Option<Micros> {
    at(typed).map(|(from, _)| from)
}

/// The end of what was typed: that of the day, or the time itself.
pub(super) fn until(typed: &str) -> Option<Micros> {
    at(typed).map(|(_, until)| until)
}

fn at(typed: &str) -> Option<(Micros, Micros)> {
    let typed = typed.trim();
    if typed.len() == 10 {
        let day: Date = typed.parse().ok()?;
        let begins = |day: Date| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond());
        return Some((begins(day)?, begins(day.tomorrow().ok()?)?));
    }
    if let Ok(instant) = typed.parse::<Timestamp>() {
        return Some((instant.as_microsecond(), instant.as_microsecond()));
    }
    let time: DateTime = typed.parse().ok()?;
    let instant = time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
    Some((instant, instant))
}

/// A time to the microsecond, as [`from`] and [`until`] read it.
pub(super) fn exactly(at: Micros) -> String {
    let at = Timestamp::from_microsecond(at).unwrap_or_default();
    format!("{at:.6}")
}

/// A time for machines and for people, to the second.
pub(super) struct Moment {
    pub(super) instant: String,
    pub(super) text: String,
}

impl Moment {
    pub(super) fn of(at: Micros) -> Self {
        let instant = crate::clock::instant_text(at);
        let text = match (instant.get(..10), instant.get(11..19)) {
            (Some(day), Some(time)) => format!("{day} {time} UTC"),
            _ => instant.clone(),
        };
        Self { instant, text }
    }
}

/// The same day so many years before, in UTC.
pub(super) fn years_before(at: Micros, years: i16) -> Micros {
    let now = Timestamp::from_microsecond(at).unwrap_or_default().to_zoned(TimeZone::UTC);
    let then = now.checked_sub(jiff::Span::new().years(years));
    then.map_or(at, |then| then.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_until_its_end_and_a_time_is_itself() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!(from("2031-03-03"), Some(at("2031-03-03T00:00:00Z")));
        assert_eq!(until("2031-03-03"), Some(at("2031-03-04T00:00:00Z")));
        for time in ["2031-03-03T08:00:00Z", "2031-03-03T08:00", " 2031-03-03T09:00:00+01:00 "] {
            assert_eq!(from(time), Some(at("2031-03-03T08:00:00Z")), "{time}");
            assert_eq!(until(time), from(time));
        }
        for wrong in ["", "yesterday", "2031-02-30", "2031-03-03Tx", "9999-12-31T99:00"] {
            assert_eq!(from(wrong), None, "{wrong}");
        }
        let exact = at("2031-03-03T08:00:00.000001Z");
        assert_eq!(from(&exactly(exact)), Some(exact));
        assert_eq!(years_before(at("2032-02-29T08:00:00Z"), 6), at("2026-02-28T08:00:00Z"));
    }
}
