//! What stands in the way of a booking, each reason named.

use super::Span;
use super::claims::WantedSlot;
use crate::clock::instant_text;
use crate::fhir::outcome::{Error, Issue, Kind};

/// Code system of the reasons below.
pub const CONFLICT_CODES: &str = "https://slotwright.org/fhir/CodeSystem/booking-conflict";

/// One reason why a booking is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The actor is taken at an overlapping time.
    ActorTaken {
        /// `Type/id`.
        actor: String,
        /// The time that is taken.
        taken: Span,
    },
    /// Every seat of the slot is taken.
    SlotFull {
        /// Logical id.
        slot: String,
        /// Its time.
        span: Span,
        /// Number of seats.
        capacity: i64,
        /// The exclusive actors of its schedule.
        actors: Vec<String>,
    },
    /// The owner of the slot does not offer it.
    SlotNotOffered {
        /// Logical id.
        slot: String,
        /// What its owner declared.
        declared: String,
    },
}

impl Conflict {
    /// Every seat of the slot is taken.
    pub fn slot_full(slot: &WantedSlot) -> Self {
        Self::SlotFull {
            slot: slot.id.clone(),
            span: slot.span,
            capacity: slot.capacity,
            actors: slot.actors.clone(),
        }
    }

    /// The issue that names actor or slot, interval and rule; never who took it.
    pub fn issue(&self) -> Issue {
        match self {
            Self::ActorTaken { actor, taken } => Issue::error(
                "conflict",
                format!("{actor} is taken from {} to {}", instant_text(taken.start), instant_text(taken.end)),
            )
            .coded(CONFLICT_CODES, "actor-taken")
            .at(format!("Appointment.participant.where(actor.reference = '{actor}')")),
            Self::SlotFull { slot, span, capacity, actors } => Issue::error(
                "conflict",
                format!(
                    "Slot/{slot}{} from {} to {} is taken: {capacity} of {capacity} seats",
                    if actors.is_empty() { String::new() } else { format!(" with {}", actors.join(", ")) },
                    instant_text(span.start),
                    instant_text(span.end)
                ),
            )
            .coded(CONFLICT_CODES, "slot-full")
            .at(format!("Appointment.slot.where(reference = 'Slot/{slot}')")),
            Self::SlotNotOffered { slot, declared } => Issue::error(
                "conflict",
                format!("Slot/{slot} is not offered: its owner declared it {declared}"),
            )
            .coded(CONFLICT_CODES, "slot-not-offered")
            .at(format!("Appointment.slot.where(reference = 'Slot/{slot}')")),
        }
    }
}

/// 409 with every reason named.
pub fn refusal(conflicts: &[Conflict]) -> Error {
    Error::of(Kind::Conflict, conflicts.iter().map(Conflict::issue).collect())
}
