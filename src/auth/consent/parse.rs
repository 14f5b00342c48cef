//! A Consent becomes rules.

use super::{Actor, CLIENT, Consent, Effect, Limit, Purpose, Rule, Use};
use crate::fhir::date::{self, Interval};
use crate::fhir::extract::{Target, target};
use serde_json::{Map, Value};

const SCOPES: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
const ACTIONS: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const POLICIES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const TYPES: &str = "http://hl7.org/fhir/resource-types";

const ALWAYS: Interval = Interval { lo: Interval::MIN, hi: Interval::MAX };

/// Roles (R4 `security-role-type`) in which an actor is the one who gets at the data.
const RECIPIENTS: [&str; 11] = [
    "PRCP",
    "IRCP",
    "REFT",
    "TRC",
    "CST",
    "PROV",
    "ASSIGNED",
    "AGNT",
    "humanuser",
    "datacollector",
    "dataprocessor",
];

/// Purposes (v3-ActReason) of an emergency.
const EMERGENCIES: [&str; 3] = ["ETREAT", "BTG", "ERTREAT"];

/// Purposes (v3-ActReason) that are not care, so that nobody here acts for them.
const NOT_CARE: [&str; 32] = [
    "HMARKT",
    "HRESCH",
    "BIORCH",
    "CLINTRCH",
    "CLINTRCHNPC",
    "CLINTRCHPC",
    "PRECLINTRCH",
    "DSRCH",
    "POARCH",
    "TRANSRCH",
    "HPAYMT",
    "CLMATTCH",
    "COVAUTH",
    "COVERAGE",
    "ELIGDTRM",
    "ELIGVER",
    "ENROLLM",
    "MILDCRG",
    "REMITADV",
    "PUBHLTH",
    "DISASTER",
    "THREAT",
    "PATRQT",
    "FAMRQT",
    "PWATRNY",
    "SUPNWK",
    "HLEGAL",
    "HACCRED",
    "HCOMPL",
    "HDECD",
    "TRAIN",
    "FRAUD",
];

/// What a Consent is to access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It says nothing: it is not active, or not about privacy.
    Silent,
    /// It would count, but names no patient of this server whom it could be for.
    Homeless,
    /// It counts.
    Counts(Consent),
}

/// Reads a Consent.
pub fn read(body: &Value) -> Read {
    let status = body.get("status").and_then(Value::as_str);
    if status.is_some_and(|status| status != "active") || !is_about_privacy(body) {
        return Read::Silent;
    }
    let patient = body.get("patient").and_then(|patient| patient.get("reference")).and_then(Value::as_str);
    let Some(Target::Local("Patient", patient)) = patient.and_then(target) else { return Read::Homeless };
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut consent = rules(body).unwrap_or_else(denying);
    id.clone_into(&mut consent.id);
    patient.clone_into(&mut consent.patient);
    Read::Counts(consent)
}

/// A scope that can't be read counts as one about privacy.
fn is_about_privacy(body: &Value) -> bool {
    let codings = body.get("scope").and_then(|scope| scope.get("coding")).and_then(Value::as_array);
    let Some(codings) = codings else {
        return body.get("scope").and_then(|scope| scope.get("text")).is_none();
    };
    codings.iter().any(|coding| {
        let (system, code) = coding_of(coding);
        code == Some("patient-privacy") && system.is_none_or(|system| system == SCOPES)
    })
}

/// Denies everything to everybody.
fn denying() -> Consent {
    let root = Rule { effect: Effect::Deny, conditions: Vec::new(), exceptions: Vec::new() };
    Consent { id: String::new(), patient: String::new(), during: ALWAYS, denies_rest: true, root }
}

/// The rules of a consent; `None` when they can't be understood.
fn rules(body: &Value) -> Option<Consent> {
    let body = body.as_object()?;
    if body.contains_key("modifierExtension") || body.contains_key("implicitRules") {
        return None;
    }
    let policy = policy(body.get("policyRule"));
    let none = Map::new();
    let root = match body.get("provision") {
        Some(provision) => provision.as_object()?,
        None => &none,
    };
    let during = match root.get("period") {
        Some(period) => period_of(period)?,
        None => ALWAYS,
    };
    // The period is that of the consent as a whole.
    let conditions = conditions(root, |name| name != "period");
    let told = effect(root.get("type"));
    let own = match (told, policy) {
        (Some(told), _) => told,
        (None, Some(Effect::Permit)) if conditions.is_empty() => Effect::Permit,
        _ => Effect::Deny,
    };
    let denies_rest = match policy {
        Some(policy) => policy == Effect::Deny,
        None => told.is_none(),
    };
    let root = Rule { effect: own, conditions, exceptions: exceptions(root, own)? };
    Some(Consent { during, denies_rest, root, ..denying() })
}

/// What holds where no provision says otherwise.
fn policy(rule: Option<&Value>) -> Option<Effect> {
    let codings = rule?.get("coding")?.as_array()?;
    let effects = codings.iter().filter_map(|coding| match coding_of(coding) {
        (_, Some("OPTOUT" | "OPTOUTE")) => Some(Effect::Deny),
        (Some(POLICIES), Some("OPTIN" | "OPTINR")) => Some(Effect::Permit),
        _ => None,
    });
    effects.reduce(|one, other| if one == Effect::Deny { one } else { other })
}

fn effect(code: Option<&Value>) -> Option<Effect> {
    match code?.as_str()? {
        "permit" => Some(Effect::Permit),
        "deny" => Some(Effect::Deny),
        _ => None,
    }
}

/// The provisions within one whose effect is `around`; `None` when they can't be understood.
fn exceptions(provision: &Map<String, Value>, around: Effect) -> Option<Vec<Rule>> {
    let Some(nested) = provision.get("provision") else { return Some(Vec::new()) };
    nested.as_array()?.iter().map(|nested| rule(nested.as_object()?, around)).collect()
}

fn rule(provision: &Map<String, Value>, around: Effect) -> Option<Rule> {
    let effect = effect(provision.get("type")).unwrap_or(Effect::Deny);
    // No exception at all: whoever wrote it meant something else.
    if effect == Effect::Permit && around == Effect::Permit {
        return None;
    }
    let conditions = conditions(provision, |_| true);
    Some(Rule { effect, conditions, exceptions: exceptions(provision, effect)? })
}

/// The conditions of a provision, of the elements that are `wanted`.
fn conditions(provision: &Map<String, Value>, wanted: impl Fn(&str) -> bool) -> Vec<Limit> {
    let told = provision.iter().filter(|(name, _)| wanted(name.as_str()));
    let limits = told.filter_map(|(name, value)| {
        Some(match name.as_str() {
            "type" | "provision" | "id" | "extension" => return None,
            "period" => period_of(value).map_or(Limit::Unjudgeable, Limit::Period),
            "actor" => list(value, actor).map_or(Limit::Unjudgeable, Limit::Actor),
            "action" => list(value, action).map_or(Limit::Unjudgeable, Limit::Action),
            "purpose" => list(value, purpose).map_or(Limit::Unjudgeable, Limit::Purpose),
            "class" => list(value, class).map_or(Limit::Unjudgeable, Limit::Class),
            // Labels, codes, data, modifiers, and whatever else there may be.
            _ => Limit::Unjudgeable,
        })
    });
    limits.collect()
}

/// What each element of a list is; `None` when it is no list, or has none.
fn list<T>(value: &Value, of: impl Fn(&Value) -> T) -> Option<Vec<T>> {
    value.as_array().filter(|list| !list.is_empty()).map(|list| list.iter().map(of).collect())
}

/// A Period; `None` when an end that it has can't be read.
fn period_of(period: &Value) -> Option<Interval> {
    let period = period.as_object()?;
    if period.keys().any(|name| !matches!(name.as_str(), "start" | "end" | "id" | "extension")) {
        return None;
    }
    let end = |name: &str| match period.get(name) {
        Some(text) => date::parse(text.as_str()?).map(Some),
        None => Some(None),
    };
    let (start, end) = (end("start")?, end("end")?);
    let lo = start.map_or(Interval::MIN, |start| start.lo);
    Some(Interval { lo, hi: end.map_or(Interval::MAX, |end| end.hi) })
}

fn actor(actor: &Value) -> Actor {
    let in_role = actor.get("role").is_some_and(|role| {
        codings(role).any(|(_, code)| code.is_some_and(|code| RECIPIENTS.contains(&code)))
    });
    let only = |name: &String| matches!(name.as_str(), "role" | "reference" | "id" | "extension");
    if !in_role || !actor.as_object().is_some_and(|actor| actor.keys().all(only)) {
        return Actor::Unjudgeable;
    }
    let Some(whom) = actor.get("reference") else { return Actor::Unjudgeable };
    if let Some(reference) = whom.get("reference").and_then(Value::as_str) {
        return match target(reference) {
            Some(Target::Local("Organization", id)) => Actor::Organization(id.to_owned()),
            Some(Target::Local(
                rtype @ ("Practitioner" | "PractitionerRole" | "Patient" | "RelatedPerson"),
                id,
            )) => Actor::Person(rtype.to_owned(), id.to_owned()),
            _ => Actor::Unjudgeable,
        };
    }
    let identifier = whom.get("identifier");
    let text = |name: &str| identifier.and_then(|identifier| identifier.get(name)).and_then(Value::as_str);
    match (text("system"), text("value")) {
        (Some(CLIENT), Some(client)) => Actor::Client(client.to_owned()),
        _ => Actor::Unjudgeable,
    }
}

fn action(action: &Value) -> Option<Use> {
    codings(action).find_map(|coding| match coding {
        (Some(ACTIONS), Some("access" | "use" | "disclose")) => Some(Use::Access),
        (Some(ACTIONS), Some("collect")) => Some(Use::Collect),
        (Some(ACTIONS), Some("correct")) => Some(Use::Correct),
        _ => None,
    })
}

fn purpose(purpose: &Value) -> Purpose {
    match coding_of(purpose) {
        (Some(REASONS), Some("TREAT")) => Purpose::Treatment,
        (Some(REASONS), Some(code)) if EMERGENCIES.contains(&code) => Purpose::Emergency,
        (Some(REASONS), Some(code)) if NOT_CARE.contains(&code) => Purpose::Other,
        _ => Purpose::Unjudgeable,
    }
}

fn class(class: &Value) -> Option<String> {
    match coding_of(class) {
        (Some(TYPES), Some(code)) => Some(code.to_owned()),
        _ => None,
    }
}

/// The codings of a CodeableConcept.
fn codings(concept: &Value) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
    let codings = concept.get("coding").and_then(Value::as_array).into_iter().flatten();
    codings.map(coding_of)
}

/// System and code of a Coding.
fn coding_of(coding: &Value) -> (Option<&str>, Option<&str>) {
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    (text("system"), text("code"))
}
