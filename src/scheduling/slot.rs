//! A Slot as the ledger sees it, and the status it is served with.

use super::{Span, instant, reference_key, text};
use serde_json::Value;

/// Extensions that say how many may book a slot (SMART Scheduling Links, before and after the move to HL7).
pub const CAPACITY_EXTENSIONS: [&str; 2] = [
    "http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity",
    "http://hl7.org/fhir/uv/smart-scheduling-links/StructureDefinition/slot-capacity",
];

/// What the ledger needs to know of a Slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `Schedule/id`.
    pub schedule: String,
    /// `start` and `end`.
    pub span: Span,
    /// `status` as written.
    pub status: String,
    /// How many appointments it takes; 1 unless an extension says more.
    pub capacity: i64,
}

impl Slot {
    /// Reads a validated Slot; `None` when a required element is missing.
    pub fn from_json(body: &Value) -> Option<Self> {
        Some(Self {
            schedule: reference_key(body.get("schedule")?)?,
            span: Span { start: instant(body, "start")?, end: instant(body, "end")? },
            status: text(body, "status")?.to_owned(),
            capacity: capacity(body).unwrap_or(1),
        })
    }
}

fn capacity(body: &Value) -> Option<i64> {
    let extensions = body.get("extension")?.as_array()?;
    let said =
        extensions.iter().find(|e| text(e, "url").is_some_and(|url| CAPACITY_EXTENSIONS.contains(&url)))?;
    said.get("valueInteger")?.as_i64()
}

/// How far claims fill a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Seats taken.
    pub seats: i64,
    /// Of these, seats that are only held.
    pub held_seats: i64,
    /// Whether an actor of its schedule is taken by another party at an overlapping time.
    pub actor_taken: bool,
    /// Whether all that takes those actors is only held.
    pub actor_held: bool,
}

/// The status a slot is served with: what its owner declared until claims fill it.
pub fn served_status(declared: &str, capacity: i64, fill: Fill) -> &str {
    if declared != "free" {
        return declared;
    }
    let full = fill.seats >= capacity;
    if !full && !fill.actor_taken {
        return "free";
    }
    let only_held = (!full || fill.held_seats > 0) && (!fill.actor_taken || fill.actor_held);
    if only_held { "busy-tentative" } else { "busy" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_speaks_until_claims_fill_the_slot() {
        let taken = Fill { seats: 1, ..Fill::default() };
        let held = Fill { seats: 1, held_seats: 1, ..Fill::default() };
        let elsewhere = Fill { actor_taken: true, ..Fill::default() };
        assert_eq!(served_status("free", 1, Fill::default()), "free");
        assert_eq!(served_status("free", 1, taken), "busy");
        assert_eq!(served_status("free", 8, taken), "free");
        assert_eq!(served_status("free", 1, held), "busy-tentative");
        assert_eq!(served_status("free", 1, elsewhere), "busy");
        assert_eq!(served_status("busy-unavailable", 1, Fill::default()), "busy-unavailable");
    }
}
