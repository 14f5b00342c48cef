//! The domain: what an appointment claims, which states follow which, what stands in the way.
//!
//! Pure: the ledger itself is in `store::ledger`, and `app::booking` settles one against the other.

pub mod appointment;
pub mod claims;
pub mod conflict;
pub mod event;
pub mod slot;

use crate::clock::Micros;
use serde_json::Value;

/// Canonical base of what Slotwright itself defines.
pub const CANONICAL: &str = "https://slotwright.org/fhir";

/// A half-open interval of time, `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First microsecond.
    pub start: Micros,
    /// First microsecond after it.
    pub end: Micros,
}

impl Span {
    /// Whether the two share a moment.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// An R4 `instant` of the resource's top level, in microseconds. The validator has checked its form.
fn instant(body: &Value, element: &str) -> Option<Micros> {
    let text = body.get(element)?.as_str()?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// A string of the resource's top level.
fn text<'a>(body: &'a Value, element: &str) -> Option<&'a str> {
    body.get(element)?.as_str()
}

/// The `Type/id` of a Reference, its version left off.
pub fn reference_key(reference: &Value) -> Option<String> {
    let text = reference.get("reference")?.as_str()?;
    Some(text.split_once("/_history/").map_or(text, |(key, _)| key).to_owned())
}
