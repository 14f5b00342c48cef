//! What an appointment claims of actors' time and slots' seats.

use super::Span;
use super::appointment::Appointment;
use std::collections::BTreeSet;

/// A slot that an appointment wants a seat in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSlot {
    /// Internal key.
    pub rid: i64,
    /// Logical id.
    pub id: String,
    /// Its time.
    pub span: Span,
    /// What its owner declared.
    pub declared: String,
    /// How many it takes.
    pub capacity: i64,
    /// The exclusive actors of its schedule.
    pub actors: Vec<String>,
    /// Seats that other appointments had when it was looked at.
    pub taken: i64,
}

/// A claim on the time of an exclusive actor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActorClaim {
    /// `Type/id` of a practitioner, room or device.
    pub actor: String,
    /// Who claims: an appointment, or the slot of a group that meets together.
    pub party: String,
    /// When.
    pub span: Span,
}

/// Claims on actors' time that an appointment makes.
///
/// `exclusive` are the exclusive actors among its participants. The actors of a group slot's schedule are
/// claimed by the slot, once for all who meet there; everyone else by the appointment itself.
pub fn actor_claims(
    appointment_id: &str,
    appointment: &Appointment,
    slots: &[WantedSlot],
    exclusive: &[String],
) -> Vec<ActorClaim> {
    let Some(span) = appointment.span else { return Vec::new() };
    let mut claims = BTreeSet::new();
    let mut with_group = BTreeSet::new();
    for slot in slots.iter().filter(|slot| slot.capacity > 1) {
        for actor in &slot.actors {
            with_group.insert(actor);
            claims.insert(ActorClaim {
                actor: actor.clone(),
                party: format!("Slot/{}", slot.id),
                span: slot.span,
            });
        }
    }
    let of_slots = slots.iter().flat_map(|slot| &slot.actors);
    for actor in exclusive.iter().chain(of_slots).filter(|actor| !with_group.contains(actor)) {
        claims.insert(ActorClaim {
            actor: actor.clone(),
            party: format!("Appointment/{appointment_id}"),
            span,
        });
    }
    claims.into_iter().collect()
}

/// The parts of `span` that `taken` leaves free, in order.
pub fn subtract(span: Span, taken: &[Span]) -> Vec<Span> {
    let mut taken: Vec<Span> = taken.iter().copied().filter(|t| t.overlaps(span)).collect();
    taken.sort_unstable();
    let mut free = Vec::new();
    let mut from = span.start;
    for t in taken {
        if t.start > from {
            free.push(Span { start: from, end: t.start });
        }
        from = from.max(t.end);
    }
    if from < span.end {
        free.push(Span { start: from, end: span.end });
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        proptest::collection::vec((0_i64..50, 1_i64..20), 0..8)
            .prop_map(|v| v.into_iter().map(|(start, len)| Span { start, end: start + len }).collect())
    }

    proptest! {
        #[test]
        fn subtract_leaves_exactly_what_nobody_took(taken in spans(), start in 0_i64..40, len in 1_i64..30) {
            let span = Span { start, end: start + len };
            let free = subtract(span, &taken);
            for t in 0..80 {
                let at = Span { start: t, end: t + 1 };
                let wanted = span.overlaps(at) && !taken.iter().any(|s| s.overlaps(at));
                prop_assert_eq!(free.iter().filter(|f| f.overlaps(at)).count(), usize::from(wanted));
            }
        }
    }
}
