//! FHIR date, dateTime and instant as intervals of microseconds.
//!
//! A value stands for all the time that its precision leaves open: `2026-03` is the whole of March 2026
//! (R4 `search.html#date`). Without a zone, UTC is meant.

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A half-open interval `[lo, hi)` in microseconds since the epoch; open ends are [`Interval::MIN`] and
/// [`Interval::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// First microsecond that belongs to it.
    pub lo: Micros,
    /// First microsecond after it.
    pub hi: Micros,
}

impl Interval {
    /// The `lo` of an interval without a beginning.
    pub const MIN: Micros = i64::MIN;
    /// The `hi` of an interval without an end.
    pub const MAX: Micros = i64::MAX;

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: Self) -> bool {
        other.lo >= self.lo && other.hi <= self.hi
    }

    /// Whether the two have a microsecond in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.lo < other.hi && other.lo < self.hi
    }

    /// The interval that `ap` compares with: widened on both sides by a tenth of its distance from `now`.
    #[must_use]
    pub fn approximate(self, now: Micros) -> Self {
        let distance =
            if now < self.lo { self.lo.saturating_sub(now) } else { now.saturating_sub(self.hi).max(0) };
        let slack = distance / 10;
        Self { lo: self.lo.saturating_sub(slack), hi: self.hi.saturating_add(slack) }
    }
}

/// How a search compares an ordered value (R4 `search.html#prefix`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `eq`: the search value contains the resource's value.
    Eq,
    /// `ne`: it does not.
    Ne,
    /// `gt`: the resource's value reaches above the search value.
    Gt,
    /// `lt`: the resource's value reaches below the search value.
    Lt,
    /// `ge`: `gt` or `eq`.
    Ge,
    /// `le`: `lt` or `eq`.
    Le,
    /// `sa`: the resource's value starts after the search value.
    Sa,
    /// `eb`: the resource's value ends before the search value.
    Eb,
    /// `ap`: near the search value.
    Ap,
}

impl Prefix {
    /// Takes the prefix off `text`; `eq` when there is none.
    pub fn split(text: &str) -> (Self, &str) {
        let prefix = match text.get(..2) {
            Some("eq") => Self::Eq,
            Some("ne") => Self::Ne,
            Some("gt") => Self::Gt,
            Some("lt") => Self::Lt,
            Some("ge") => Self::Ge,
            Some("le") => Self::Le,
            Some("sa") => Self::Sa,
            Some("eb") => Self::Eb,
            Some("ap") => Self::Ap,
            _ => return (Self::Eq, text),
        };
        (prefix, text.get(2..).unwrap_or_default())
    }
}

/// Whether a resource's value `target` passes `prefix` against the search value `search`; `now` is for
/// [`Prefix::Ap`].
pub fn matches(prefix: Prefix, search: Interval, target: Interval, now: Micros) -> bool {
    match prefix {
        Prefix::Eq => search.contains(target),
        Prefix::Ne => !search.contains(target),
        Prefix::Gt => target.hi > search.hi,
        Prefix::Lt => target.lo < search.lo,
        Prefix::Ge => target.hi > search.hi || search.contains(target),
        Prefix::Le => target.lo < search.lo || search.contains(target),
        Prefix::Sa => target.lo >= search.hi,
        Prefix::Eb => target.hi <= search.lo,
        Prefix::Ap => search.approximate(now).overlaps(target),
    }
}

/// The test that a prefix makes of a single point of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointTest {
    /// Inside the interval.
    Within(Interval),
    /// Anywhere but inside.
    Outside(Interval),
    /// At this microsecond or later.
    From(Micros),
    /// Before this microsecond.
    Before(Micros),
}

/// What `prefix` and `search` ask of a value that is a point, such as `Slot.start`.
pub fn point_test(prefix: Prefix, search: Interval, now: Micros) -> PointTest {
    match prefix {
        Prefix::Eq => PointTest::Within(search),
        Prefix::Ne => PointTest::Outside(search),
        Prefix::Gt | Prefix::Sa => PointTest::From(search.hi),
        Prefix::Lt | Prefix::Eb => PointTest::Before(search.lo),
        Prefix::Ge => PointTest::From(search.lo),
        Prefix::Le => PointTest::Before(search.hi),
        Prefix::Ap => PointTest::Within(search.approximate(now)),
    }
}

/// The interval that a date, dateTime or instant stands for; `None` when it is not one, or names a day that
/// no calendar has. Minutes without seconds are taken, as searches may be written so.
pub fn parse(text: &str) -> Option<Interval> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map(|p| number(p, 2).ok_or(())).transpose().ok()?;
    let day = parts.next().map(|p| number(p, 2).ok_or(())).transpose().ok()?;
    if parts.next().is_some() || year == 0 {
        return None;
    }
    let span = |from: i64, to: i64| Some(Interval { lo: from * DAY, hi: to * DAY });
    let Some(month) = month else {
        return if time.is_none() { span(days(year, 1, 1), days(year + 1, 1, 1)) } else { None };
    };
    if !(1..=12).contains(&month) {
        return None;
    }
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    let first = days(year, month, 1);
    let Some(day) = day else {
        return if time.is_none() { span(first, next) } else { None };
    };
    if day < 1 || first + day > next {
        return None;
    }
    let midnight = first + day - 1;
    let Some(time) = time else { return span(midnight, midnight + 1) };
    let (since, width) = clock_time(time)?;
    let lo = midnight * DAY + since;
    Some(Interval { lo, hi: lo + width })
}

/// The first microsecond of a dateTime or instant.
pub fn instant(text: &str) -> Option<Micros> {
    parse(text).map(|i| i.lo)
}

/// `hh:mm[:ss[.f+]][zone]` as microseconds after midnight UTC (which may be the day before or after) and the
/// width that the precision leaves open.
fn clock_time(text: &str) -> Option<(i64, i64)> {
    let hour = number(text.get(..2)?, 2)?;
    let minute = number(text.get(3..5)?, 2)?;
    if text.get(2..3)? != ":" || hour > 23 || minute > 59 {
        return None;
    }
    let mut rest = text.get(5..)?;
    let (mut second, mut fraction, mut width) = (0, 0, 60 * SECOND);
    if let Some(after) = rest.strip_prefix(':') {
        second = number(after.get(..2)?, 2)?;
        // A leap second is the first instant of the next minute.
        if second > 60 {
            return None;
        }
        width = SECOND;
        rest = after.get(2..)?;
        if let Some(after) = rest.strip_prefix('.') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            for digit in after.bytes().take(digits.min(6)) {
                width /= 10;
                fraction += i64::from(digit - b'0') * width;
            }
            rest = after.get(digits..)?;
        }
    }
    let offset = match rest.as_bytes().first() {
        None => 0,
        Some(b'Z') if rest.len() == 1 => 0,
        Some(sign @ (b'+' | b'-')) => {
            let (hours, minutes) = rest.get(1..)?.split_once(':')?;
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            if hours > 14 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if *sign == b'-' { -1 } else { 1 }
        }
        Some(_) => return None,
    };
    Some(((hour * 3600 + minute * 60 + second - offset) * SECOND + fraction, width))
}

/// Exactly `width` ASCII digits.
fn number(text: &str, width: usize) -> Option<i64> {
    if text.len() != width || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Days from the epoch to a day of the proleptic Gregorian calendar. Years count from March, so that the leap
/// day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn span(lo: &str, hi: &str) -> Interval {
        Interval { lo: at(lo), hi: at(hi) }
    }

    #[test]
    fn precision_gives_the_width() {
        assert_eq!(parse("2026"), Some(span("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")));
        assert_eq!(parse("2026-12"), Some(span("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")));
        assert_eq!(parse("2024-02-29"), Some(span("2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z")));
        assert_eq!(parse("2026-03-01T09:30"), Some(span("2026-03-01T09:30:00Z", "2026-03-01T09:31:00Z")));
        assert_eq!(
            parse("2026-03-01T09:30:00+01:00"),
            Some(span("2026-03-01T08:30:00Z", "2026-03-01T08:30:01Z"))
        );
        assert_eq!(
            parse("2026-03-01T09:30:00.25Z"),
            Some(span("2026-03-01T09:30:00.25Z", "2026-03-01T09:30:00.26Z"))
        );
        assert_eq!(parse("2026-12-31T23:59:60Z"), Some(span("2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z")));
        assert!(parse("0001").is_some() && parse("9999-12-31T23:59:59.999999-14:00").is_some());
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "2023-02-29",
            "2026-00",
            "2026-01-00",
            "0000",
            "2026-1-1",
            "2026-01-01T",
            "2026T10:00",
            "2026-01T10:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:60Z",
            "2026-01-01T10",
            "2026-01-01T10:00:61Z",
            "2026-01-01T10:00:00.Z",
            "2026-01-01T10:00:00z",
            "2026-01-01T10:00:00+15:00",
            "2026-01-01T10:00:00+1:00",
            "2026-01-01 10:00",
            "2026-01-01-01",
            "+026-01-01",
            "２０２６",
            "2026-01-01T10:00:00Zé",
            "2026-01-01Té0:00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn prefixes_compare_intervals() {
        let month = parse("2026-03").unwrap();
        let inside = parse("2026-03-10").unwrap();
        let across = Interval { lo: parse("2026-02-15").unwrap().lo, hi: parse("2026-04-15").unwrap().hi };
        let after = parse("2026-04-01").unwrap();
        let before = parse("2026-02").unwrap();
        let hits = |prefix| {
            [inside, across, after, before].map(|target| u8::from(matches(prefix, month, target, month.lo)))
        };
        assert_eq!(hits(Prefix::Eq), [1, 0, 0, 0]);
        assert_eq!(hits(Prefix::Ne), [0, 1, 1, 1]);
        assert_eq!(hits(Prefix::Gt), [0, 1, 1, 0]);
        assert_eq!(hits(Prefix::Lt), [0, 1, 0, 1]);
        assert_eq!(hits(Prefix::Ge), [1, 1, 1, 0]);
        assert_eq!(hits(Prefix::Le), [1, 1, 0, 1]);
        assert_eq!(hits(Prefix::Sa), [0, 0, 1, 0]);
        assert_eq!(hits(Prefix::Eb), [0, 0, 0, 1]);
        assert_eq!(hits(Prefix::Ap), [1, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC*") {
            if let Some(interval) = parse(&text) {
                prop_assert!(interval.lo < interval.hi);
            }
        }

        #[test]
        fn agrees_with_another_calendar(micros in -62_135_596_800_000_000_i64..253_370_764_800_000_000) {
            let text = jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
            prop_assert_eq!(instant(&text), Some(micros));
        }

        #[test]
        fn a_point_passes_as_its_microsecond_does(
            lo in -1000_i64..1000, width in 1_i64..100, point in -1000_i64..1100, which in 0_usize..9
        ) {
            let prefix = [
                Prefix::Eq, Prefix::Ne, Prefix::Gt, Prefix::Lt, Prefix::Ge, Prefix::Le, Prefix::Sa, Prefix::Eb,
                Prefix::Ap,
            ][which];
            let search = Interval { lo, hi: lo + width };
            let passes = match point_test(prefix, search, 0) {
                PointTest::Within(i) => point >= i.lo && point < i.hi,
                PointTest::Outside(i) => point < i.lo || point >= i.hi,
                PointTest::From(from) => point >= from,
                PointTest::Before(before) => point < before,
            };
            prop_assert_eq!(passes, matches(prefix, search, Interval { lo: point, hi: point + 1 }, 0));
        }
    }
}
