//! FHIR dates and times as spans of UTC microseconds, and whether the calendar has them.

/// The span that a date, dateTime or instant covers: first microsecond, and the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Reads a date, dateTime or instant whose lexical form is right.
///
/// # Errors
/// What is wrong with it, when the calendar or the clock has no such moment.
pub(super) fn span(text: &str) -> Result<Span, &'static str> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(|part| part.parse::<i64>().map_err(|_| "it is not a date"));
    let year = parts.next().ok_or("it is not a date")??;
    let month = parts.next().transpose()?;
    let day = parts.next().transpose()?;
    if year == 0 {
        return Err("there is no year 0000");
    }
    if month.is_some_and(|month| !(1..=12).contains(&month)) {
        return Err("there is no such month");
    }
    if let (Some(month), Some(day)) = (month, day)
        && !(1..=days_in(year, month)).contains(&day)
    {
        return Err("that month has no such day");
    }
    let first = days_from_epoch(year, month.unwrap_or(1), day.unwrap_or(1)) * DAY;
    if let Some(time) = time {
        let (of_day, length) = time_of_day(time)?;
        return Ok(Span { from: first + of_day, to: first + of_day + length });
    }
    let next = match (month, day) {
        (_, Some(_)) => first + DAY,
        (Some(12), None) | (None, None) => days_from_epoch(year + 1, 1, 1) * DAY,
        (Some(month), None) => days_from_epoch(year, month + 1, 1) * DAY,
    };
    Ok(Span { from: first, to: next })
}

/// `hh:mm:ss[.f]zone` as microseconds after midnight UTC, and the length of its last digit.
fn time_of_day(text: &str) -> Result<(i64, i64), &'static str> {
    const BAD: &str = "it is not a time with a zone";
    let zone_at = text.find(['Z', '+', '-']).ok_or(BAD)?;
    let (clock, zone) = text.split_at(zone_at);
    let mut parts = clock.split(':');
    let hour = number(parts.next()).ok_or(BAD)?;
    let minute = number(parts.next()).ok_or(BAD)?;
    let (second, fraction) = match parts.next().ok_or(BAD)?.split_once('.') {
        Some((second, fraction)) => (second, Some(fraction)),
        None => (parts_second(clock), None),
    };
    let second = number(Some(second)).ok_or(BAD)?;
    if hour > 23 || minute > 59 || second > 60 {
        return Err("there is no such time of day");
    }
    let (micros, length) = match fraction {
        None => (0, SECOND),
        Some(digits) => {
            let kept = digits.get(..digits.len().min(6)).ok_or(BAD)?;
            let scale = 10_i64.pow(6_u32.saturating_sub(kept.len() as u32));
            (number(Some(kept)).ok_or(BAD)? * scale, scale)
        }
    };
    let offset = match zone {
        "Z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.get(1..).and_then(|zone| zone.split_once(':')).ok_or(BAD)?;
            let (hours, minutes) = (number(Some(hours)).ok_or(BAD)?, number(Some(minutes)).ok_or(BAD)?);
            if hours > 14 || minutes > 59 || (hours == 14 && minutes > 0) {
                return Err("no zone is more than 14 hours from UTC");
            }
            sign * (hours * 3600 + minutes * 60)
        }
    };
    Ok(((hour * 3600 + minute * 60 + second - offset) * SECOND + micros, length))
}

fn parts_second(clock: &str) -> &str {
    clock.rsplit(':').next().unwrap_or_default()
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counting years from March.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_agree_with_the_calendar() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let cases = [
            ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2026-03-29T02:30:00+02:00", "2026-03-29T00:30:00Z", "2026-03-29T00:30:01Z"),
            ("2026-03-29T02:30:00.5-00:30", "2026-03-29T03:00:00.5Z", "2026-03-29T03:00:00.6Z"),
        ];
        for (text, from, to) in cases {
            assert_eq!(span(text), Ok(Span { from: at(from), to: at(to) }), "{text}");
        }
    }

    #[test]
    fn impossible_moments_are_refused() {
        for text in [
            "2026-02-30",
            "2025-02-29",
            "2026-04-31",
            "2026-13",
            "2026-00",
            "2026-01-00",
            "0000",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00+15:00",
            "x",
            "2026-01-01T",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
        assert!(span("2024-02-29").is_ok());
        assert!(span("2016-12-31T23:59:60Z").is_ok());
    }
}
