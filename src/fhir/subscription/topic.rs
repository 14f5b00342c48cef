//! The topics that can be subscribed to: one row each, which `profiles/SubscriptionTopic-*.json` describe.

/// A search parameter by which a subscription to a topic may be narrowed.
#[derive(Debug, PartialEq, Eq)]
pub struct FilterBy {
    /// Its code, such as `patient`.
    pub parameter: &'static str,
    /// Modifiers that it may have, such as `not`.
    pub modifiers: &'static [&'static str],
    /// Prefixes that its values may have; empty where values have none.
    pub comparators: &'static [&'static str],
    /// What it means here.
    pub description: &'static str,
}

/// Something that happens to resources of one type, and that can be subscribed to.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its short name, such as `appointment-booked`; also the logical id of its SubscriptionTopic.
    pub code: &'static str,
    /// Its canonical URL.
    pub url: &'static str,
    /// The type of resource that it is about: the focus of its notifications.
    pub resource: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// When it happens.
    pub description: &'static str,
    /// What subscriptions to it may be narrowed by.
    pub filters: &'static [FilterBy],
}

/// The version that the definitions in `profiles/` have, and that `|version` of a canonical may name.
pub const VERSION: &str = "0.1.0";

const COMPARATORS: &[&str] = &["eq", "gt", "lt", "ge", "le", "sa", "eb"];

const fn by(parameter: &'static str, description: &'static str) -> FilterBy {
    FilterBy { parameter, modifiers: &[], comparators: &[], description }
}

const fn by_code(parameter: &'static str, description: &'static str) -> FilterBy {
    FilterBy { parameter, modifiers: &["not"], comparators: &[], description }
}

const fn by_time(parameter: &'static str, description: &'static str) -> FilterBy {
    FilterBy { parameter, modifiers: &[], comparators: COMPARATORS, description }
}

const OF_APPOINTMENT: &[FilterBy] = &[
    by("patient", "Appointments of this patient."),
    by("actor", "Appointments in which this person, room or device takes part."),
    by("practitioner", "Appointments with this practitioner."),
    by("location", "Appointments at this place."),
    by("slot", "Appointments in this slot."),
    by("identifier", "The appointment with this identifier."),
    by("_id", "The appointment with this id."),
    by_code("status", "Appointments whose status is this one after the event."),
    by_code("appointment-type", "Appointments of this kind, such as a follow-up."),
    by_code("service-category", "Appointments for a service of this category."),
    by_code("service-type", "Appointments for this service."),
    by_code("specialty", "Appointments that need this specialty."),
    by_time("date", "Appointments that begin in this time."),
];

const OF_SLOT: &[FilterBy] = &[
    by("schedule", "Slots of this schedule."),
    by("identifier", "The slot with this identifier."),
    by("_id", "The slot with this id."),
    by_code("status", "Slots whose status is this one after the event."),
    by_code("appointment-type", "Slots for appointments of this kind."),
    by_code("service-category", "Slots for services of this category."),
    by_code("service-type", "Slots for this service."),
    by_code("specialty", "Slots for this specialty."),
    by_time("start", "Slots that begin in this time."),
];

const OF_SCHEDULE: &[FilterBy] = &[
    by("actor", "Schedules of this person, room or device."),
    by("identifier", "The schedule with this identifier."),
    by("_id", "The schedule with this id."),
    by("active", "Schedules that are in use, or not."),
    by_code("service-category", "Schedules for services of this category."),
    by_code("service-type", "Schedules for this service."),
    by_code("specialty", "Schedules for this specialty."),
];

const OF_RESPONSE: &[FilterBy] = &[
    by("appointment", "Answers to the invitation to this appointment."),
    by("patient", "Answers of this patient."),
    by("actor", "Answers of this person, room or device."),
    by("practitioner", "Answers of this practitioner."),
    by("location", "Answers for this place."),
    by("_id", "The answer with this id."),
    by_code("part-status", "Answers that say this, such as declined."),
];

/// One row of the table.
macro_rules! topics {
    ($($code:literal, $resource:literal, $filters:expr, $title:literal, $description:literal;)*) => {
        /// Every topic; those of one type from the most specific to the most general.
        pub static TOPICS: &[Topic] = &[$(Topic {
            code: $code,
            url: concat!("https://slotwright.org/fhir/SubscriptionTopic/", $code),
            resource: $resource,
            title: $title,
            description: $description,
            filters: $filters,
        }),*];
    };
}

topics! {
    "hold-lapsed", "Appointment", OF_APPOINTMENT, "Hold lapsed",
        "An appointment that was only held (pending) was not confirmed in time and let go.";
    "waitlist-offer", "Appointment", OF_APPOINTMENT, "Offer to the waiting list",
        "A time was offered to somebody on the waiting list: an appointment went from waitlist to proposed, or to pending, which holds the time until it is confirmed or lapses.";
    "appointment-booked", "Appointment", OF_APPOINTMENT, "Appointment booked",
        "An appointment became booked: it was created so, or a proposal, a hold or a place on the waiting list was confirmed.";
    "appointment-arrived", "Appointment", OF_APPOINTMENT, "Patient arrived",
        "The patient is here: an appointment became arrived, or checked-in without having been arrived.";
    "appointment-noshow", "Appointment", OF_APPOINTMENT, "Patient did not come",
        "An appointment became noshow.";
    "appointment-cancelled", "Appointment", OF_APPOINTMENT, "Appointment cancelled",
        "An appointment that was still to take place will not: it became cancelled or entered-in-error, or was deleted. Holds that lapse are a topic of their own.";
    "appointment-rescheduled", "Appointment", OF_APPOINTMENT, "Appointment rescheduled",
        "An appointment that is still to take place begins or ends at another time than before.";
    "appointment-changed", "Appointment", OF_APPOINTMENT, "Appointment changed",
        "Anything about an appointment changed: it was created, changed or deleted. Whatever the other topics about appointments tell is also told here.";
    "slot-freed", "Slot", OF_SLOT, "Slot freed",
        "There is time to book that was not there before: a slot became free, was offered, or was moved while it was free.";
    "slot-taken", "Slot", OF_SLOT, "Slot taken",
        "A slot that was free no longer is: it was booked to the last seat, held, withdrawn or deleted.";
    "schedule-changed", "Schedule", OF_SCHEDULE, "Schedule changed",
        "A schedule was created, changed or deleted.";
    "response-received", "AppointmentResponse", OF_RESPONSE, "Response received",
        "A participant answered the invitation to an appointment, or changed the answer.";
}

/// The topic with this canonical URL, which may name our version of it (`url|0.1.0`).
pub fn topic(canonical: &str) -> Option<&'static Topic> {
    let (url, version) = canonical.split_once('|').map_or((canonical, None), |(url, v)| (url, Some(v)));
    if version.is_some_and(|version| version != VERSION) {
        return None;
    }
    TOPICS.iter().find(|topic| topic.url == url)
}

/// The topic with this code.
pub fn by_short_name(code: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.code == code)
}

/// The `SubscriptionTopic` resources (R5; R4 has none) that describe the table: `(id, JSON)`.
pub fn definitions() -> &'static [(&'static str, &'static str)] {
    macro_rules! file {
        ($($code:literal),*) => {
            &[$(($code, include_str!(concat!("../../../profiles/SubscriptionTopic-", $code, ".json")))),*]
        };
    }
    file![
        "appointment-arrived",
        "appointment-booked",
        "appointment-cancelled",
        "appointment-changed",
        "appointment-noshow",
        "appointment-rescheduled",
        "hold-lapsed",
        "response-received",
        "schedule-changed",
        "slot-freed",
        "slot-taken",
        "waitlist-offer"
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::{ParamKind, resource_type};
    use serde_json::{Value, json};

    #[test]
    fn canonicals_find_their_topic_in_our_version_only() {
        let booked = "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked";
        assert_eq!(topic(booked).unwrap().code, "appointment-booked");
        assert_eq!(topic(&format!("{booked}|{VERSION}")).unwrap().code, "appointment-booked");
        for other in [&format!("{booked}|9.9"), &format!("{booked}/"), "appointment-booked", ""] {
            assert!(topic(other).is_none(), "{other}");
        }
    }

    #[test]
    fn filters_are_search_parameters_of_the_type() {
        for topic in TOPICS {
            let rtype = resource_type(topic.resource).unwrap();
            for filter in topic.filters {
                let param = rtype.param(filter.parameter);
                let param = param.unwrap_or_else(|| panic!("{}: {}", topic.code, filter.parameter));
                assert_eq!(param.kind == ParamKind::Date, !filter.comparators.is_empty());
                assert!(filter.modifiers.is_empty() || param.kind == ParamKind::Token);
            }
        }
    }

    #[test]
    fn profiles_say_what_the_table_says() {
        assert_eq!(definitions().len(), TOPICS.len());
        for topic in TOPICS {
            let (_, text) = definitions().iter().find(|(id, _)| *id == topic.code).unwrap();
            let told: Value = serde_json::from_str(text).unwrap();
            assert_eq!(told, definition(topic), "{}", topic.code);
        }
    }

    fn definition(topic: &Topic) -> Value {
        let filters = topic.filters.iter().map(|filter| {
            let mut told = json!({
                "description": filter.description,
                "resource": topic.resource,
                "filterParameter": filter.parameter,
            });
            let parameter = resource_type(topic.resource).and_then(|rtype| rtype.param(filter.parameter));
            told["filterDefinition"] = json!(parameter.unwrap().url);
            if !filter.comparators.is_empty() {
                told["comparator"] = json!(filter.comparators);
            }
            if !filter.modifiers.is_empty() {
                told["modifier"] = json!(filter.modifiers);
            }
            told
        });
        json!({
            "resourceType": "SubscriptionTopic",
            "id": topic.code,
            "url": topic.url,
            "version": VERSION,
            "title": topic.title,
            "status": "active",
            "date": "2026-11-22",
            "publisher": "Slotwright",
            "description": topic.description,
            "resourceTrigger": [{
                "description": topic.description,
                "resource": format!("http://hl7.org/fhir/StructureDefinition/{}", topic.resource),
                "supportedInteraction": ["create", "update", "delete"],
            }],
            "canFilterBy": filters.collect::<Vec<_>>(),
            "notificationShape": [{ "resource": topic.resource }],
        })
    }
}
