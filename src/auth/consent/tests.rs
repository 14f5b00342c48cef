//! Rules read from Consents as clients write them, and what always holds of them.

use super::evaluate::Question;
use super::*;
use crate::auth::principal::{Principal, Role, RoleGrant, Who};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-06-15T00:00:00Z
const NOW: Micros = 1_781_481_600_000_000;

fn consent(members: Value) -> Value {
    let mut body = json!({ "resourceType": "Consent", "id": "c", "status": "active",
        "patient": { "reference": "Patient/p" },
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] } });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn provision(provision: Value) -> Value {
    consent(json!({ "provision": provision }))
}

fn counts(body: &Value) -> Consent {
    match read(body) {
        Read::Counts(consent) => consent,
        other => panic!("{other:?}"),
    }
}

fn doctor() -> Asker {
    Asker {
        user: Some(("Practitioner".to_owned(), "d".to_owned())),
        client: Some("app".to_owned()),
        organizations: vec!["o".to_owned()],
        anywhere: false,
        is_person: true,
    }
}

fn machine() -> Asker {
    Asker { client: Some("robot".to_owned()), anywhere: true, ..Asker::default() }
}

fn says(body: &Value, asker: &Asker, of: Use, rtype: &str) -> Decision {
    counts(body).decide(Question { asker, of, rtype, now: NOW })
}

/// What a consent says to a clinician who reads an appointment.
fn to_doctor(body: &Value) -> Decision {
    says(body, &doctor(), Use::Access, "Appointment")
}

fn recipient(reference: Value) -> Value {
    let role = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP" }] });
    json!([{ "role": role, "reference": reference }])
}

fn at(reference: &str) -> Value {
    recipient(json!({ "reference": reference }))
}

fn rule(code: &str) -> Value {
    json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code }] })
}

use Decision::{Deny, Permit, Silent};

#[test]
fn only_active_consents_about_privacy_count() {
    assert!(matches!(read(&provision(json!({ "type": "deny" }))), Read::Counts(_)));
    for status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
        assert_eq!(read(&consent(json!({ "status": status }))), Read::Silent, "{status}");
    }
    for code in ["research", "treatment", "adr"] {
        let scope = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": code }] });
        assert_eq!(read(&consent(json!({ "scope": scope }))), Read::Silent, "{code}");
    }
    assert_eq!(read(&consent(json!({ "scope": { "text": "house rules" } }))), Read::Silent);
    for patient in [
        json!({ "display": "Ann" }),
        json!({ "reference": "Group/g" }),
        json!({ "reference": "https://else.example/Patient/p" }),
        Value::Null,
    ] {
        assert_eq!(read(&consent(json!({ "patient": patient }))), Read::Homeless);
    }
}

#[test]
fn the_root_rule_is_told_by_its_type_or_by_the_policy_rule() {
    let with = |rule_code: Option<&str>, provision: Value| {
        let mut body = consent(json!({ "provision": provision }));
        if let Some(code) = rule_code {
            body["policyRule"] = rule(code);
        }
        to_doctor(&body)
    };
    assert_eq!(with(None, json!({ "type": "permit" })), Permit);
    assert_eq!(with(None, json!({ "type": "deny" })), Deny);
    assert_eq!(with(Some("OPTIN"), json!({ "type": "deny" })), Deny);
    assert_eq!(with(Some("OPTIN"), json!({ "period": { "start": "2020" } })), Permit);
    assert_eq!(with(Some("OPTOUT"), json!({ "period": { "start": "2020" } })), Deny);
    // Exceptions, as the examples of R4 write them.
    assert_eq!(with(Some("OPTIN"), json!({ "actor": at("Practitioner/d") })), Deny);
    assert_eq!(with(Some("OPTIN"), json!({ "actor": at("Practitioner/other") })), Silent);
    assert_eq!(with(Some("OPTOUT"), json!({ "actor": at("Practitioner/other") })), Deny);
    // Who opts out permits nobody but those whom a rule names.
    assert_eq!(with(Some("OPTOUT"), json!({ "type": "permit", "actor": at("Practitioner/d") })), Permit);
    assert_eq!(with(Some("OPTOUT"), json!({ "type": "permit", "actor": at("Practitioner/other") })), Deny);
    assert_eq!(with(None, json!({ "type": "permit", "actor": at("Practitioner/other") })), Silent);
    // What can't be told denies.
    assert_eq!(with(None, json!({ "period": { "start": "2020" } })), Deny);
    assert_eq!(with(Some("EMRGONLY"), json!({ "period": { "start": "2020" } })), Deny);
    let mut elsewhere = rule("OPTIN");
    elsewhere["coding"][0]["system"] = json!("https://else.example");
    assert_eq!(to_doctor(&consent(json!({ "policyRule": elsewhere }))), Deny);
    assert_eq!(to_doctor(&consent(json!({ "policy": [{ "uri": "https://clinic.example" }] }))), Deny);
    assert_eq!(to_doctor(&consent(json!({ "policyRule": rule("OPTIN") }))), Permit);
}

#[test]
fn exceptions_reach_no_further_than_the_rule_around_them() {
    let but_me = |inner: Value| to_doctor(&provision(json!({ "type": "deny", "provision": [inner] })));
    assert_eq!(but_me(json!({ "type": "permit", "actor": at("Practitioner/d") })), Permit);
    assert_eq!(but_me(json!({ "type": "permit", "actor": at("Practitioner/other") })), Deny);
    assert_eq!(but_me(json!({ "actor": at("Practitioner/d") })), Deny);
    let excepted = json!({ "type": "deny", "class": [{ "system": "http://hl7.org/fhir/resource-types", "code": "Appointment" }] });
    assert_eq!(but_me(json!({ "type": "permit", "provision": [excepted] })), Deny);
    let elsewhere =
        json!({ "type": "deny", "actor": at("Practitioner/other"), "provision": [{ "type": "permit" }] });
    assert_eq!(to_doctor(&provision(elsewhere)), Silent);
    // Of two exceptions the one that denies.
    let two = json!([{ "type": "permit" }, { "type": "deny" }]);
    assert_eq!(to_doctor(&provision(json!({ "type": "deny", "provision": two }))), Deny);
}

#[test]
fn what_can_not_be_understood_denies() {
    for broken in [
        json!({ "provision": { "type": "permit", "provision": [{ "type": "permit" }] } }),
        json!({ "provision": { "type": "permit", "provision": {} } }),
        json!({ "provision": [] }),
        json!({ "provision": { "type": "permit", "period": { "start": "soon" } } }),
        json!({ "provision": { "type": "permit" }, "modifierExtension": [{ "url": "urn:x", "valueBoolean": true }] }),
        json!({ "provision": { "type": "permit" }, "implicitRules": "urn:x" }),
    ] {
        assert_eq!(to_doctor(&consent(broken.clone())), Deny, "{broken}");
    }
    // What can't be judged of a rule counts against access.
    for condition in ["securityLabel", "code", "data", "dataPeriod", "modifierExtension", "invention"] {
        assert_eq!(to_doctor(&provision(json!({ "type": "deny", condition: [{}] }))), Deny, "{condition}");
        assert_eq!(
            to_doctor(&provision(json!({ "type": "permit", condition: [{}] }))),
            Silent,
            "{condition}"
        );
        let nested = json!({ "type": "deny", "provision": [{ "type": "permit", condition: [{}] }] });
        assert_eq!(to_doctor(&provision(nested)), Deny, "{condition}");
        let under = json!({ "type": "permit", condition: [{}], "provision": [{ "type": "deny", "actor": at("Practitioner/d") }] });
        assert_eq!(to_doctor(&provision(under)), Deny, "{condition}");
    }
}

#[test]
fn periods_are_those_of_the_request() {
    for (period, during) in [
        (json!({ "start": "2026-06-15", "end": "2026-06-15" }), true),
        (json!({ "start": "2026-06-16" }), false),
        (json!({ "end": "2026-06-14" }), false),
        (json!({ "end": "2026-06" }), true),
        (json!({ "start": "2026-06-15T02:00:00+02:00" }), true),
        (json!({ "start": "2026-06-15T02:00:00+01:00" }), false),
    ] {
        let root = to_doctor(&provision(json!({ "type": "deny", "period": period })));
        assert_eq!(root, if during { Deny } else { Silent }, "{period}");
        let opted_out = consent(json!({ "policyRule": rule("OPTOUT"), "provision": { "period": period } }));
        assert_eq!(to_doctor(&opted_out), if during { Deny } else { Silent }, "{period}");
        let nested = json!({ "type": "deny", "provision": [{ "type": "permit", "period": period }] });
        assert_eq!(to_doctor(&provision(nested)), if during { Permit } else { Deny }, "{period}");
    }
    let unreadable =
        json!({ "type": "deny", "provision": [{ "type": "permit", "period": { "end": "late" } }] });
    assert_eq!(to_doctor(&provision(unreadable)), Deny);
}

#[test]
fn actors_are_people_organizations_and_clients() {
    // (what a deny of this actor says, what a permit of it within a deny says)
    let says_of = |actor: &Value, asker: &Asker| {
        let deny = provision(json!({ "type": "deny", "actor": actor }));
        let permit =
            provision(json!({ "type": "deny", "provision": [{ "type": "permit", "actor": actor }] }));
        (says(&deny, asker, Use::Access, "Patient"), says(&permit, asker, Use::Access, "Patient"))
    };
    let (yes, no, perhaps) = ((Deny, Permit), (Silent, Deny), (Deny, Deny));
    let client =
        |system: &str, id: &str| recipient(json!({ "identifier": { "system": system, "value": id } }));
    let mut author = at("Practitioner/d");
    author[0]["role"]["coding"][0]["code"] = json!("AUT");
    for (actor, doctors, machines) in [
        (at("Practitioner/d"), yes, no),
        (at("Practitioner/d/_history/2"), yes, no),
        (at("Practitioner/other"), no, no),
        (at("PractitionerRole/r"), perhaps, no),
        (at("Patient/p"), no, no),
        (at("Organization/o"), yes, perhaps),
        (at("Organization/other"), no, perhaps),
        (client(CLIENT, "app"), yes, no),
        (client(CLIENT, "robot"), no, yes),
        (client("urn:else", "app"), perhaps, perhaps),
        (at("https://else.example/Practitioner/d"), perhaps, perhaps),
        (at("Group/g"), perhaps, perhaps),
        (at("Device/v"), perhaps, perhaps),
        (recipient(json!({ "display": "The night shift" })), perhaps, perhaps),
        (author, perhaps, perhaps),
        (json!([{ "reference": { "reference": "Practitioner/d" } }]), perhaps, perhaps),
    ] {
        assert_eq!(says_of(&actor, &doctor()), doctors, "{actor}");
        assert_eq!(says_of(&actor, &machine()), machines, "{actor}");
    }
    let role = Asker { user: Some(("PractitionerRole".to_owned(), "r".to_owned())), ..doctor() };
    assert_eq!(says_of(&at("PractitionerRole/r"), &role), yes);
    assert_eq!(says_of(&at("Practitioner/d"), &role), perhaps);
    // One of several is enough.
    let several = json!([at("Practitioner/other")[0], at("Practitioner/d")[0]]);
    assert_eq!(says_of(&several, &doctor()), yes);
}

#[test]
fn actions_purposes_and_classes() {
    let coded = |system: &str, code: &str| json!({ "system": system, "code": code });
    let action = |code: &str| json!([{ "coding": [coded("http://terminology.hl7.org/CodeSystem/consentaction", code)] }]);
    let denies = |condition: &str, value: Value, asker: &Asker, of: Use| {
        says(&provision(json!({ "type": "deny", condition: value })), asker, of, "Appointment") == Deny
    };
    let permits = |condition: &str, value: Value, asker: &Asker, of: Use| {
        let nested = json!({ "type": "deny", "provision": [{ "type": "permit", condition: value }] });
        says(&provision(nested), asker, of, "Appointment") == Permit
    };
    for (code, uses) in [
        ("access", vec![Use::Access]),
        ("use", vec![Use::Access]),
        ("disclose", vec![Use::Access]),
        ("collect", vec![Use::Collect]),
        ("correct", vec![Use::Correct]),
    ] {
        for of in [Use::Collect, Use::Access, Use::Correct] {
            assert_eq!(denies("action", action(code), &doctor(), of), uses.contains(&of), "{code}");
            assert_eq!(permits("action", action(code), &doctor(), of), uses.contains(&of), "{code}");
        }
    }
    assert!(denies("action", action("juggle"), &doctor(), Use::Access));
    assert!(!permits("action", action("juggle"), &doctor(), Use::Access));
    let reason = |code: &str| json!([coded("http://terminology.hl7.org/CodeSystem/v3-ActReason", code)]);
    // (code, whether a deny applies to people, whether a permit does, and to clients)
    for (code, people, clients) in [
        ("TREAT", (true, true), (true, false)),
        ("HRESCH", (false, false), (true, false)),
        ("ETREAT", (false, false), (false, false)),
        ("BTG", (false, false), (false, false)),
        ("HOPERAT", (true, false), (true, false)),
        ("PIRACY", (true, false), (true, false)),
    ] {
        for (asker, (deny, permit)) in [(doctor(), people), (machine(), clients)] {
            assert_eq!(denies("purpose", reason(code), &asker, Use::Access), deny, "{code} {asker:?}");
            assert_eq!(permits("purpose", reason(code), &asker, Use::Access), permit, "{code} {asker:?}");
        }
    }
    let class = |system: &str, code: &str| json!([coded(system, code)]);
    let types = "http://hl7.org/fhir/resource-types";
    assert!(denies("class", class(types, "Appointment"), &doctor(), Use::Access));
    assert!(!denies("class", class(types, "Encounter"), &doctor(), Use::Access));
    assert!(permits("class", class(types, "Appointment"), &doctor(), Use::Access));
    assert!(denies("class", class("urn:ietf:bcp:13", "application/pdf"), &doctor(), Use::Access));
    assert!(!permits("class", class("urn:ietf:bcp:13", "application/pdf"), &doctor(), Use::Access));
}

#[test]
fn an_asker_is_what_was_proved() {
    let grant =
        |role, organization: Option<&str>| RoleGrant { role, organization: organization.map(str::to_owned) };
    let person = Principal {
        who: Who::Account("a".to_owned()),
        client: Some("app".to_owned()),
        roles: vec![grant(Role::Clinician, Some("o")), grant(Role::Patient, None)],
        fhir_user: Some(("Practitioner".to_owned(), "d".to_owned())),
        ..Principal::default()
    };
    // Being a patient is no role in all organisations.
    assert_eq!(Asker::of(&person), doctor());
    let robot = Principal {
        client: Some("robot".to_owned()),
        roles: vec![grant(Role::System, None)],
        ..Principal::default()
    };
    assert_eq!(Asker::of(&robot), machine());
}

fn index(bodies: &[Value]) -> Index {
    let rows = bodies.iter().zip(1..).map(|(body, rid)| Row { rid, consent: Some(counts(body)) });
    Index::new(1, rows.collect())
}

#[test]
fn of_several_consents_the_one_that_denies_is_named() {
    let mut denies = provision(json!({ "type": "deny", "actor": at("Practitioner/d") }));
    denies["id"] = json!("z");
    let index = index(&[provision(json!({ "type": "permit" })), denies]);
    let verdict = |asker: &Asker| index.decide(asker, Use::Access, "Appointment", "p", NOW);
    assert_eq!(verdict(&doctor()), Verdict { decision: Deny, consent: Some("z") });
    assert_eq!(verdict(&machine()), Verdict { decision: Permit, consent: Some("c") });
    assert_eq!(index.decide(&doctor(), Use::Access, "Appointment", "q", NOW), Verdict::SILENT);
}

#[test]
fn the_denied_are_those_of_the_time_and_of_the_state() {
    let index = index(&[provision(
        json!({ "type": "deny", "period": { "start": "2026-06-15", "end": "2026-06-15" } }),
    )]);
    let denied = |index: &Index, now| {
        index.denied(&doctor(), Use::Access, "Patient", now).is_some_and(|set| set.contains("p"))
    };
    let day = 86_400_000_000;
    for _ in 0..2 {
        assert!(!denied(&index, NOW - 1) && denied(&index, NOW));
        assert!(denied(&index, NOW + day - 1) && !denied(&index, NOW + day));
    }
    let standing = Standing::new(std::sync::Arc::new(index.with(2, Vec::new())), NOW);
    assert!(standing.hold_at(NOW + day - 1) && !standing.hold_at(NOW + day) && !standing.hold_at(NOW - 1));
    let withdrawn = index.with(3, vec![Row { rid: 1, consent: None }]);
    assert_eq!(withdrawn.seq(), 3);
    assert!(!denied(&withdrawn, NOW) && denied(&index, NOW));
}

#[test]
fn consents_and_the_audit_trail_stay_readable() {
    let standing = Standing::new(std::sync::Arc::new(index(&[provision(json!({ "type": "deny" }))])), NOW);
    for rt in crate::fhir::registry::TYPES {
        let limited = standing.limit(&doctor(), Act::Read, rt, None).is_some();
        let in_compartment = !rt.patient_compartment.is_empty() && rt.name != "Consent";
        assert_eq!(limited, in_compartment, "{}", rt.name);
        // Of the only one who denies an emergency leaves nothing.
        assert!(standing.limit(&doctor(), Act::Read, rt, Some("p")).is_none(), "{}", rt.name);
        assert_eq!(standing.limit(&doctor(), Act::Read, rt, Some("q")).is_some(), limited, "{}", rt.name);
    }
    assert_eq!(standing.decide(&doctor(), Act::Read, "Consent", "p"), Verdict::SILENT);
    assert_eq!(standing.decide(&doctor(), Act::Read, "AuditEvent", "p"), Verdict::SILENT);
}

/// A condition of any kind, readable or not.
fn conditions() -> impl Strategy<Value = Value> {
    let types = "http://hl7.org/fhir/resource-types";
    let one = prop_oneof![
        Just(json!({})),
        Just(json!({ "actor": at("Practitioner/d") })),
        Just(json!({ "actor": at("Practitioner/other") })),
        Just(json!({ "actor": at("Organization/o") })),
        Just(json!({ "actor": at("Group/g") })),
        Just(json!({ "class": [{ "system": types, "code": "Appointment" }] })),
        Just(json!({ "class": [{ "system": types, "code": "Encounter" }] })),
        Just(json!({ "period": { "end": "2020" } })),
        Just(json!({ "period": { "start": "2020" } })),
        Just(json!({ "securityLabel": [{ "code": "R" }] })),
        Just(
            json!({ "action": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "access" }] }] })
        ),
    ];
    prop::collection::vec(one, 0..3).prop_map(|all| {
        let mut merged = serde_json::Map::new();
        for one in all {
            merged.extend(one.as_object().unwrap().clone());
        }
        Value::Object(merged)
    })
}

/// A tree of provisions.
fn trees() -> impl Strategy<Value = Value> {
    let kind = || prop_oneof![Just(Some("permit")), Just(Some("deny")), Just(None)];
    let build = |kind: Option<&str>, mut conditions: Value, nested: Vec<Value>| {
        if let Some(kind) = kind {
            conditions["type"] = json!(kind);
        }
        if !nested.is_empty() {
            conditions["provision"] = json!(nested);
        }
        conditions
    };
    let leaf = (kind(), conditions()).prop_map(move |(kind, conditions)| build(kind, conditions, Vec::new()));
    leaf.prop_recursive(3, 16, 3, move |inner| {
        (kind(), conditions(), prop::collection::vec(inner, 0..3))
            .prop_map(move |(kind, conditions, nested)| build(kind, conditions, nested))
    })
}

fn askers() -> impl Strategy<Value = Asker> {
    prop_oneof![Just(doctor()), Just(machine())]
}

fn uses() -> impl Strategy<Value = Use> {
    prop_oneof![Just(Use::Collect), Just(Use::Access), Just(Use::Correct)]
}

/// How much a decision allows.
fn width(decision: Decision) -> u8 {
    match decision {
        Deny => 0,
        Silent => 1,
        Permit => 2,
    }
}

proptest! {
    #[test]
    fn a_further_deny_never_widens(tree in trees(), condition in conditions(), asker in askers(), of in uses(), deep in any::<bool>()) {
        let before = says(&provision(tree.clone()), &asker, of, "Appointment");
        let mut deny = condition;
        deny["type"] = json!("deny");
        let mut more = tree;
        let place = match more.pointer_mut("/provision/0") {
            Some(inner) if deep => inner,
            _ => &mut more,
        };
        match place.get_mut("provision").and_then(Value::as_array_mut) {
            Some(nested) => nested.push(deny),
            None => place["provision"] = json!([deny]),
        }
        let after = says(&provision(more), &asker, of, "Appointment");
        prop_assert!(width(after) <= width(before), "{before:?} became {after:?}");
    }

    #[test]
    fn a_nested_permit_never_reaches_beyond_its_parent(tree in trees(), condition in conditions(), asker in askers(), of in uses()) {
        // What the rule around it does not apply to, and what denies besides, is left as it was.
        let mut parent = condition;
        parent["type"] = json!("deny");
        let alone = says(&provision(parent.clone()), &asker, of, "Appointment");
        let mut permit = tree;
        permit["type"] = json!("permit");
        parent["provision"] = json!([permit]);
        let with = says(&provision(parent), &asker, of, "Appointment");
        prop_assert!(alone != Silent || with == Silent || with == Deny, "{alone:?} became {with:?}");
    }

    #[test]
    fn what_can_not_be_judged_never_widens(tree in trees(), asker in askers(), of in uses()) {
        let before = says(&provision(tree.clone()), &asker, of, "Appointment");
        let mut vague = tree;
        if vague.get("type") == Some(&json!("permit")) {
            vague["data"] = json!([{}]);
            let after = says(&provision(vague), &asker, of, "Appointment");
            prop_assert!(width(after) <= width(before), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn a_further_consent_that_denies_never_widens(trees in prop::collection::vec(trees(), 1..4), asker in askers(), of in uses()) {
        let bodies: Vec<Value> = trees.into_iter().map(provision).collect();
        let decided = |bodies: &[Value]| index(bodies).decide(&asker, of, "Appointment", "p", NOW).decision;
        let all = decided(&bodies);
        let some = decided(&bodies[..bodies.len() - 1]);
        prop_assert!(some != Deny || all == Deny, "a further consent lifted a deny");
        // The set of the denied is what the decisions say.
        let set = index(&bodies).denied(&asker, of, "Appointment", NOW);
        prop_assert_eq!(set.is_some_and(|set| set.contains("p")), all == Deny);
    }
}
