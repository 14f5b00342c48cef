//! Posting lists: the places of the events that share a term, many to a row of the index.
//!
//! A row stands under the last of its events; the others are told by their distances. They are at most a moment apart,
//! so whoever looks for a place knows within which rows it can be.

use crate::clock::Micros;
use std::fmt::Write as _;

/// When an event was recorded, and its place in the log. Events are found in this order.
pub type Place = (Micros, i64);

/// The longest time from the first event of a row to the last, in microseconds.
pub const SPAN: Micros = 200_000;
/// The most events of a row: an entry of PostgreSQL's index has it whole, and may have 2,704 bytes.
const MOST: usize = 128;

/// Cuts places, which are in order, into those of one row each.
pub fn rows(mut places: &[Place]) -> impl Iterator<Item = &[Place]> {
    std::iter::from_fn(move || {
        let first = places.first()?;
        let near = places.partition_point(|place| place.0 <= first.0.saturating_add(SPAN));
        let (row, rest) = places.split_at(near.min(MOST));
        places = rest;
        Some(row)
    })
}

/// What a row says of its events, which are in order, beside the last.
pub fn others(places: &[Place]) -> String {
    let mut text = String::new();
    for (before, after) in places.iter().zip(places.iter().skip(1)).rev() {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String can't fail.
        let _ = write!(text, "{comma}{},{}", after.0 - before.0, after.1 - before.1);
    }
    text
}

/// Tells the places of a row, the last first; none as soon as it says what [`others`] never wrote.
pub fn each(last: Place, others: &str, mut tell: impl FnMut(Place)) -> Option<()> {
    tell(last);
    // Most rows have one.
    if others.is_empty() {
        return Some(());
    }
    let mut after = last;
    let mut numbers = others.split(',').map(|number| number.parse::<i64>().ok());
    while let Some(earlier) = numbers.next() {
        let before = (after.0.checked_sub(earlier?)?, after.1.checked_sub(numbers.next()??)?);
        if before >= after || before.0 < last.0.saturating_sub(SPAN) {
            return None;
        }
        tell(before);
        after = before;
    }
    Some(())
}

/// The places of a row, the last first; none when it says what [`others`] never wrote.
pub fn places(last: Place, others: &str) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    each(last, others, |place| places.push(place))?;
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn others_are_told_by_their_distances() {
        let row = [(1_000, 7), (1_000, 9), (1_250, 8)];
        assert_eq!(others(&row), "250,-1,0,2");
        assert_eq!(places((1_250, 8), "250,-1,0,2"), Some(vec![(1_250, 8), (1_000, 9), (1_000, 7)]));
        assert_eq!((others(&row[..1]).as_str(), places((5, 1), "")), ("", Some(vec![(5, 1)])));
    }

    #[test]
    fn what_was_never_written_is_not_read() {
        let far = format!("{},1", SPAN + 1);
        for text in
            ["1", "1,", ",", "x,1", "1,2,3", "-1,1", "0,0", "0,-1", far.as_str(), "1,99999999999999999999"]
        {
            assert_eq!(places((i64::MAX / 2, 5), text), None, "{text}");
        }
        assert_eq!(places((i64::MIN, 0), "1,1"), None);
    }

    proptest! {
        #[test]
        fn what_is_cut_and_written_is_read(mut all in prop::collection::vec((0..2_000_000i64, 0..5_000i64), 0..600)) {
            all.sort_unstable();
            all.dedup();
            let mut read = Vec::new();
            for row in rows(&all) {
                prop_assert!(row.len() <= MOST && row[row.len() - 1].0 - row[0].0 <= SPAN);
                let mut places = places(row[row.len() - 1], &others(row)).unwrap();
                places.reverse();
                read.extend(places);
            }
            prop_assert_eq!(read, all);
        }
    }
}
