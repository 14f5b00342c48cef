//! The filters that rules name (`@filter`), as search conditions.

use super::rule::FilterKind;
use super::view::STAFF;
use crate::fhir::registry::{ResourceType, resource_type};
use crate::fhir::search::{Condition, ReferenceValue, Rules, Test, TokenValue, compartment_condition, parse};
use crate::fhir::subscription::words;

/// What filters need to know of whoever asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts<'a> {
    /// Logical id of the patient who signed in.
    pub(super) own: Option<&'a str>,
    /// Logical id of the patient in context.
    pub(super) context: Option<&'a str>,
    /// The Practitioner or PractitionerRole who signed in, as type and id.
    pub(super) staff: Option<(&'a str, &'a str)>,
    /// Logical id of the patient of the emergency that is running.
    pub(super) emergency: Option<&'a str>,
    /// Logical id of the organisation that the role is limited to.
    pub(super) organization: Option<&'a str>,
    /// Whoever asks, as the tag of a Subscription names them.
    pub(super) subscriber: Option<&'a str>,
}

/// Which resources a filter leaves.
#[derive(Clone, Debug)]
pub(super) enum Limit {
    /// All.
    Everything,
    /// None, because nothing is known that would choose some.
    Nothing,
    /// These.
    Where(Condition),
}

impl From<Option<Condition>> for Limit {
    fn from(condition: Option<Condition>) -> Self {
        condition.map_or(Self::Nothing, Self::Where)
    }
}

/// Whether a filter has a meaning for a type.
pub(super) fn suits(kind: FilterKind, rt: &'static ResourceType) -> bool {
    let facts = Facts {
        own: Some("1"),
        context: Some("1"),
        staff: Some(("Practitioner", "1")),
        emergency: Some("1"),
        organization: Some("1"),
        subscriber: Some("1"),
    };
    matches!(limit(kind, rt, facts), Limit::Where(_))
}

/// The resources of a type that a filter leaves.
pub(super) fn limit(kind: FilterKind, rt: &'static ResourceType, facts: Facts<'_>) -> Limit {
    match kind {
        FilterKind::Own => facts.own.and_then(|id| compartment(rt, id)).into(),
        FilterKind::InContext => facts.context.and_then(|id| compartment(rt, id)).into(),
        FilterKind::Emergency => {
            facts.emergency.and_then(|id| in_emergency(rt, id, facts.organization)).into()
        }
        FilterKind::OwnAlone => facts.own.and_then(|id| alone(rt, id)).into(),
        FilterKind::Public => public(rt).into(),
        FilterKind::Subscriber => facts.subscriber.and_then(|name| of_subscriber(rt, name)).into(),
        FilterKind::Organization => match facts.organization {
            None => Limit::Everything,
            Some(id) => of_organization(rt, id).into(),
        },
        FilterKind::Treated => facts.staff.and_then(|(rtype, id)| treated(rt, &Me::new(rtype, id)?)).into(),
    }
}

/// The conditions of a granular scope; `None` when one of them means nothing for the type.
pub(super) fn granular(rt: &'static ResourceType, pairs: &[(String, String)]) -> Option<Condition> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    let rules = Rules { base: "", default_count: 1, max_count: 1 };
    let parsed = parse(Some(rt), &query.finish(), None, &rules).ok()?;
    // A result parameter such as `_sort` is no condition, and `ap` depends on when it is asked.
    let understood = parsed.unknown.is_empty() && parsed.conditions.len() == pairs.len();
    let vague = parsed.conditions.iter().any(
        |c| matches!(c, Condition::Param(_, Test::Date(v)) if v.iter().any(|(p, _)| *p == crate::fhir::date::Prefix::Ap)),
    );
    (understood && !vague).then_some(Condition::All(parsed.conditions))
}

/// The compartment of a patient (R4 `compartmentdefinition-patient.html`).
fn compartment(rt: &'static ResourceType, id: &str) -> Option<Condition> {
    compartment_condition(&[rt], "Patient", id).ok()
}

/// About the one patient of an emergency: the patient alone, not those linked, and what is in the compartment. Where
/// the role is limited to an organisation, the patient must belong to it.
fn in_emergency(rt: &'static ResourceType, id: &str, organization: Option<&str>) -> Option<Condition> {
    let this = |patient: &'static ResourceType| {
        let own = TokenValue { system: None, code: Some(id.to_owned()) };
        let is = Condition::Param(patient.param("_id")?, Test::Token { not: false, any: vec![own] });
        let Some(organization) = organization else { return Some(is) };
        let belongs = refers(patient, "organization", "Organization", organization)?;
        Some(Condition::All(vec![is, belongs]))
    };
    if rt.name == "Patient" {
        return this(rt);
    }
    if organization.is_none() {
        return compartment(rt, id);
    }
    let ways: Option<Vec<Condition>> =
        rt.patient_compartment.iter().map(|code| chain(rt, code, "Patient", this)).collect();
    ways.filter(|ways| !ways.is_empty()).map(Condition::Either)
}

/// In the patient's compartment, and no other patient takes part.
fn alone(rt: &'static ResourceType, id: &str) -> Option<Condition> {
    let param =
        rt.patient_compartment.iter().find_map(|code| rt.param(code)).filter(|p| p.code == "actor")?;
    let with = STAFF.iter().map(|rtype| (*rtype).to_owned());
    let with = with.chain(["RelatedPerson".to_owned(), format!("Patient/{id}")]).collect();
    let others = Condition::Param(param, Test::Reference(vec![ReferenceValue::Outside(with)]));
    Some(Condition::All(vec![compartment(rt, id)?, Condition::Not(Box::new(others))]))
}

/// Schedules of staff, rooms and services that are in use, and their slots.
fn public(rt: &'static ResourceType) -> Option<Condition> {
    match rt.name {
        "Schedule" => {
            let code = TokenValue { system: None, code: Some("false".to_owned()) };
            let active = Condition::Param(rt.param("active")?, Test::Token { not: true, any: vec![code] });
            let staff = STAFF.iter().map(|rtype| (*rtype).to_owned()).collect();
            let outside = Test::Reference(vec![ReferenceValue::Outside(staff)]);
            let others = Condition::Param(rt.param("actor")?, outside);
            Some(Condition::All(vec![active, Condition::Not(Box::new(others))]))
        }
        "Slot" => chain(rt, "schedule", "Schedule", public),
        _ => None,
    }
}

/// Subscriptions that carry the tag of whoever set them up.
fn of_subscriber(rt: &'static ResourceType, name: &str) -> Option<Condition> {
    if rt.name != "Subscription" {
        return None;
    }
    let tag = TokenValue { system: Some(words::OWNER.to_owned()), code: Some(name.to_owned()) };
    Some(Condition::Param(rt.param("_tag")?, Test::Token { not: false, any: vec![tag] }))
}

/// Of the calendars of an organisation's staff, rooms, services and devices.
fn of_organization(rt: &'static ResourceType, id: &str) -> Option<Condition> {
    let within = |rt: &'static ResourceType| of_organization(rt, id);
    let belongs = |rt: &'static ResourceType| refers(rt, "organization", "Organization", id);
    let by_actor = || -> Option<Vec<Condition>> {
        let role = resource_type("PractitionerRole")?;
        let has_role = |_: &'static ResourceType| {
            let practitioner = role.param("practitioner")?;
            Some(Condition::Has(role, practitioner, Box::new(belongs(role)?)))
        };
        Some(vec![
            chain(rt, "actor", "Practitioner", has_role)?,
            chain(rt, "actor", "PractitionerRole", belongs)?,
            chain(rt, "actor", "Location", belongs)?,
            chain(rt, "actor", "HealthcareService", belongs)?,
            chain(rt, "actor", "Device", belongs)?,
        ])
    };
    match rt.name {
        "Schedule" => Some(Condition::Either(by_actor()?)),
        "Slot" => chain(rt, "schedule", "Schedule", within),
        "Appointment" => {
            let mut ways = by_actor()?;
            ways.push(chain(rt, "slot", "Slot", within)?);
            Some(Condition::Either(ways))
        }
        "AppointmentResponse" => chain(rt, "appointment", "Appointment", within),
        _ => None,
    }
}

/// The clinician who signed in.
struct Me<'a> {
    rtype: &'static str,
    id: &'a str,
}

impl<'a> Me<'a> {
    fn new(rtype: &str, id: &'a str) -> Option<Self> {
        let rtype = ["Practitioner", "PractitionerRole"].into_iter().find(|known| *known == rtype)?;
        Some(Self { rtype, id })
    }

    /// Named by one of these parameters, in person or through a role.
    fn named_by(&self, rt: &'static ResourceType, codes: &[&str]) -> Option<Vec<Condition>> {
        let mut ways = Vec::new();
        for code in codes {
            ways.push(refers(rt, code, self.rtype, self.id)?);
            if self.rtype == "Practitioner" {
                let own_role = |role| refers(role, "practitioner", "Practitioner", self.id);
                ways.push(chain(rt, code, "PractitionerRole", own_role)?);
            }
        }
        Some(ways)
    }

    /// Takes part in a resource.
    fn takes_part(&self, rt: &'static ResourceType) -> Option<Vec<Condition>> {
        match rt.name {
            "Appointment" | "AppointmentResponse" => self.named_by(rt, &["actor"]),
            "Encounter" => self.named_by(rt, &["participant"]),
            "ServiceRequest" => self.named_by(rt, &["performer", "requester"]),
            "Communication" => self.named_by(rt, &["sender", "recipient"]),
            "DiagnosticReport" | "Observation" | "Procedure" => self.named_by(rt, &["performer"]),
            "MedicationRequest" => self.named_by(rt, &["requester"]),
            _ => Some(Vec::new()),
        }
    }
}

/// Of patients whom a clinician treats, or in which the clinician takes part.
fn treated(rt: &'static ResourceType, me: &Me<'_>) -> Option<Condition> {
    let of_patient = |code| chain(rt, code, "Patient", |patient| treated_patient(patient, me));
    let mut ways = me.takes_part(rt)?;
    match rt.name {
        "Patient" => return treated_patient(rt, me),
        "AllergyIntolerance"
        | "Appointment"
        | "AppointmentResponse"
        | "CarePlan"
        | "CareTeam"
        | "Communication"
        | "Condition"
        | "Coverage"
        | "DiagnosticReport"
        | "DocumentReference"
        | "Encounter"
        | "Goal"
        | "Immunization"
        | "MedicationDispense"
        | "MedicationRequest"
        | "Observation"
        | "Procedure"
        | "Provenance"
        | "RelatedPerson"
        | "ServiceRequest" => ways.push(of_patient("patient")?),
        _ => return None,
    }
    Some(Condition::Either(ways))
}

/// The patient's general practitioner, or whoever has met or will meet the patient.
fn treated_patient(rt: &'static ResourceType, me: &Me<'_>) -> Option<Condition> {
    let mut ways = me.named_by(rt, &["general-practitioner"])?;
    let appointment = resource_type("Appointment")?;
    let meets = ["pending", "booked", "arrived", "checked-in", "fulfilled"];
    let any = meets.map(|code| TokenValue { system: None, code: Some(code.to_owned()) }).to_vec();
    let status = Condition::Param(appointment.param("status")?, Test::Token { not: false, any });
    let meeting = Condition::All(vec![status, Condition::Either(me.takes_part(appointment)?)]);
    ways.push(Condition::Has(appointment, appointment.param("patient")?, Box::new(meeting)));
    let encounter = resource_type("Encounter")?;
    let met = Condition::Either(me.takes_part(encounter)?);
    ways.push(Condition::Has(encounter, encounter.param("patient")?, Box::new(met)));
    Some(Condition::Either(ways))
}

/// A reference by a parameter to one resource.
fn refers(rt: &'static ResourceType, code: &str, rtype: &str, id: &str) -> Option<Condition> {
    let value = ReferenceValue::Local(vec![rtype.to_owned()], id.to_owned());
    Some(Condition::Param(rt.param(code)?, Test::Reference(vec![value])))
}

/// A reference by a parameter to a resource of a type that satisfies `there`.
fn chain(
    rt: &'static ResourceType,
    code: &str,
    target: &str,
    there: impl Fn(&'static ResourceType) -> Option<Condition>,
) -> Option<Condition> {
    let target = resource_type(target)?;
    Some(Condition::Chain(rt.param(code)?, vec![(target, there(target)?)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::registry::TYPES;

    #[test]
    fn a_granular_scope_that_means_nothing_gives_nothing() {
        let rt = resource_type("Appointment").unwrap();
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert!(granular(rt, &pair("status", "booked")).is_some());
        for (name, value) in
            [("colour", "red"), ("date", "nonsense"), ("date", "ap2026"), ("status", ","), ("_sort", "date")]
        {
            assert!(granular(rt, &pair(name, value)).is_none(), "{name}={value}");
        }
    }

    #[test]
    fn filters_that_lack_what_they_need_leave_nothing() {
        for kind in FilterKind::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, FilterKind::Organization | FilterKind::Public))
        {
            for rt in TYPES {
                assert!(matches!(limit(kind, rt, Facts::default()), Limit::Nothing), "{kind:?} {}", rt.name);
            }
        }
        let patient = Facts { staff: Some(("Patient", "1")), ..Facts::default() };
        let rt = resource_type("Appointment").unwrap();
        assert!(matches!(limit(FilterKind::Treated, rt, patient), Limit::Nothing));
    }
}
