//! An Appointment as the ledger sees it, and its lifecycle.

use super::{CANONICAL, Span, instant, reference_key, text};
use crate::clock::{Micros, instant_text};
use crate::fhir::outcome::{Error, Issue};
use serde_json::{Value, json};

/// R4 `appointmentstatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Suggested; takes no time.
    Proposed,
    /// A hold: takes time until it lapses.
    Pending,
    /// Agreed.
    Booked,
    /// The patient is here.
    Arrived,
    /// All is ready to begin.
    CheckedIn,
    /// It took place.
    Fulfilled,
    /// It will not take place.
    Cancelled,
    /// The patient did not come.
    NoShow,
    /// It should never have been recorded.
    EnteredInError,
    /// Waiting for time.
    Waitlist,
}

use Status::{
    Arrived, Booked, Cancelled, CheckedIn, EnteredInError, Fulfilled, NoShow, Pending, Proposed, Waitlist,
};

const CODES: &[(Status, &str)] = &[
    (Proposed, "proposed"),
    (Pending, "pending"),
    (Booked, "booked"),
    (Arrived, "arrived"),
    (CheckedIn, "checked-in"),
    (Fulfilled, "fulfilled"),
    (Cancelled, "cancelled"),
    (NoShow, "noshow"),
    (EnteredInError, "entered-in-error"),
    (Waitlist, "waitlist"),
];

impl Status {
    /// From the R4 code.
    pub fn parse(code: &str) -> Option<Self> {
        CODES.iter().find(|(_, c)| *c == code).map(|(status, _)| *status)
    }

    /// The R4 code.
    pub fn code(self) -> &'static str {
        CODES.iter().find(|(status, _)| *status == self).map_or("", |(_, code)| code)
    }

    /// Whether an appointment in this state claims its time. A visit that took place keeps it.
    pub fn claims_time(self) -> bool {
        matches!(self, Pending | Booked | Arrived | CheckedIn | Fulfilled)
    }

    /// The states that may come next, besides itself.
    pub fn next(self) -> &'static [Self] {
        match self {
            Proposed => &[Pending, Booked, Cancelled, EnteredInError],
            Pending => &[Booked, Waitlist, Cancelled, EnteredInError],
            Booked => &[Arrived, CheckedIn, Cancelled, NoShow, EnteredInError],
            Arrived => &[CheckedIn, Cancelled, Fulfilled, NoShow],
            CheckedIn => &[Fulfilled, Cancelled, NoShow],
            Waitlist => &[Proposed, Pending, Booked, Cancelled],
            Fulfilled | Cancelled | NoShow => &[EnteredInError],
            EnteredInError => &[],
        }
    }
}

/// Refuses a change of state that the lifecycle does not have.
///
/// # Errors
/// 422 naming both states and what may follow.
pub fn check_transition(from: Status, to: Status) -> Result<(), Error> {
    if from == to || from.next().contains(&to) {
        return Ok(());
    }
    let allowed: Vec<&str> = from.next().iter().map(|s| s.code()).collect();
    let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    let issue = Issue::error(
        "business-rule",
        format!("An appointment that is {} can't become {}; it may become {may}", from.code(), to.code()),
    );
    Err(Error::unprocessable(issue.at("Appointment.status")))
}

/// What the ledger needs to know of an Appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// Where it is in its lifecycle.
    pub status: Status,
    /// `start` and `end`; absent only where R4's app-3 allows it.
    pub span: Option<Span>,
    /// Ids of its Slots.
    pub slots: Vec<String>,
    /// `Type/id` of every participant that has not declined.
    pub actors: Vec<String>,
    /// `Type/id` of every participant.
    pub participants: Vec<String>,
    /// When a hold lapses.
    pub held_until: Option<Micros>,
}

impl Appointment {
    /// Reads a validated Appointment; `None` when its status is not an R4 code.
    pub fn from_json(body: &Value) -> Option<Self> {
        let status = Status::parse(text(body, "status")?)?;
        let start = instant(body, "start");
        let end = instant(body, "end");
        let elements = |name: &str| body.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let slots = elements("slot").iter().filter_map(reference_key).collect::<Vec<_>>();
        let mut actors = Vec::new();
        let mut participants = Vec::new();
        for participant in elements("participant") {
            let Some(actor) = participant.get("actor").and_then(reference_key) else { continue };
            if text(&participant, "status") != Some("declined") && !actors.contains(&actor) {
                actors.push(actor.clone());
            }
            if !participants.contains(&actor) {
                participants.push(actor);
            }
        }
        Some(Self {
            status,
            span: start.zip(end).map(|(start, end)| Span { start, end }),
            slots: slots.iter().filter_map(|s| s.strip_prefix("Slot/")).map(str::to_owned).collect(),
            actors,
            participants,
            held_until: held_until(body),
        })
    }

    /// Whether it claims time.
    pub fn claims_time(&self) -> bool {
        self.status.claims_time()
    }

    /// Whether the two claim the same time of the same actors and slots.
    pub fn same_claims(&self, other: &Self) -> bool {
        self.span == other.span && self.slots == other.slots && self.actors == other.actors
    }
}

fn held_until_url() -> String {
    format!("{CANONICAL}/StructureDefinition/held-until")
}

fn held_until(body: &Value) -> Option<Micros> {
    let url = held_until_url();
    let extensions = body.get("extension")?.as_array()?;
    let held = extensions.iter().find(|e| text(e, "url") == Some(url.as_str()))?;
    instant(held, "valueInstant")
}

/// Writes when the hold lapses into the resource, or takes it out.
pub fn set_held_until(body: &mut Value, until: Option<Micros>) {
    let url = held_until_url();
    let Some(body) = body.as_object_mut() else { return };
    let mut extensions = body.get("extension").and_then(Value::as_array).cloned().unwrap_or_default();
    extensions.retain(|e| text(e, "url") != Some(url.as_str()));
    if let Some(until) = until {
        extensions.push(json!({ "url": url, "valueInstant": instant_text(until) }));
    }
    if extensions.is_empty() {
        body.shift_remove("extension");
    } else {
        body.insert("extension".to_owned(), Value::Array(extensions));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifecycle_ends_only_in_error() {
        for (status, _) in CODES {
            assert_eq!(Status::parse(status.code()), Some(*status));
            assert!(check_transition(*status, *status).is_ok());
            assert!(*status == EnteredInError || !status.next().is_empty());
        }
        assert!(check_transition(Cancelled, Booked).is_err());
    }

    #[test]
    fn a_hold_can_be_written_and_taken_out() {
        let mut body = json!({ "resourceType": "Appointment", "status": "pending", "participant": [] });
        set_held_until(&mut body, Some(1_700_000_000_000_000));
        assert_eq!(Appointment::from_json(&body).unwrap().held_until, Some(1_700_000_000_000_000));
        set_held_until(&mut body, None);
        assert!(body.get("extension").is_none());
    }
}
