//! An event as an R4 AuditEvent, after the patterns of IHE BALP 1.1.4.
//!
//! One is written for every request, so it goes to its canonical form (RFC 8785) in one pass: the members of the types
//! below stand in the order of their names.

use super::act::{Act, Code, DCM, Direction};
use super::clean;
use super::event::{Event, Person};
use super::terms::{self, Terms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::borrow::Cow;

const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const ENTITY_TYPES: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
const CUSTODY: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const OBJECTS: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLES: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCES: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const SECURITY_ROLES: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
const RESOURCES: &str = "http://hl7.org/fhir/resource-types";
const USER_AGENTS: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes";
/// Code system of our roles.
pub const ROLES: &str = "https://slotwright.org/fhir/CodeSystem/role";
/// What the `policy` of an agent begins with when it names a token.
pub const JTI: &str = "urn:ietf:params:oauth:jti:";

type Text<'a> = Cow<'a, str>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditEvent<'a> {
    action: &'a str,
    agent: Vec<Agent<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entity: Vec<Entity<'a>>,
    id: &'a str,
    meta: Meta<'a>,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_desc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose_of_event: Option<[Concept<'a>; 1]>,
    recorded: &'a str,
    resource_type: &'a str,
    source: Source<'a>,
    subtype: [Coding<'a>; 1],
    r#type: Coding<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    last_updated: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<[String; 1]>,
    version_id: &'a str,
}

#[derive(Serialize)]
struct Coding<'a> {
    code: &'a str,
    system: &'a str,
}

#[derive(Serialize)]
struct Concept<'a> {
    coding: [Coding<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Agent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose_of_use: Option<[Concept<'a>; 1]>,
    requestor: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    role: Vec<Concept<'a>>,
    r#type: Concept<'a>,
    who: Named<'a>,
}

#[derive(Serialize)]
struct Network<'a> {
    address: &'a str,
    r#type: &'a str,
}

/// A Reference.
#[derive(Default, Serialize)]
struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<Identifier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Identifier<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    value: Text<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    observer: Named<'a>,
    r#type: [Coding<'a>; 1],
}

#[derive(Default, Serialize)]
struct Entity<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<Detail<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Coding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<Coding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<Named<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    r#type: &'a str,
    value_string: String,
}

/// The AuditEvent with this id, recorded at `recorded` (an R4 `instant`), as canonical JSON, and what it is found by.
///
/// # Errors
/// Never for what is built here; the type is that of the writer.
pub fn audit_event(event: &Event, id: &str, recorded: &str) -> Result<(Vec<u8>, Terms), serde_json::Error> {
    let emergency = matches!(event.act, Act::EmergencyStarted | Act::EmergencyEnded);
    let purpose = event.actor.purpose.as_deref().filter(|_| emergency);
    let event = AuditEvent {
        action: event.act.action(),
        agent: agents(event),
        entity: entities(event),
        id,
        meta: Meta { last_updated: recorded, profile: profile(event).map(|url| [url]), version_id: "1" },
        outcome: event.outcome.code(),
        outcome_desc: event.outcome.description().map(clean::line),
        purpose_of_event: purpose.map(|purpose| [concept(REASONS, purpose)]),
        recorded,
        resource_type: "AuditEvent",
        source: Source { observer: this_server(event), r#type: [coding(SOURCES, "4")] },
        subtype: [event.act.subtype().into()],
        r#type: event.act.kind().into(),
    };
    Ok((serde_json::to_vec(&event)?, event.named().terms()))
}

impl AuditEvent<'_> {
    /// What would be read from its JSON.
    fn named(&self) -> terms::Named<'_> {
        terms::Named {
            r#type: self.r#type.named(),
            subtype: self.subtype.iter().map(Coding::named).collect(),
            action: self.action.into(),
            outcome: self.outcome.into(),
            agent: self.agent.iter().map(Agent::named).collect(),
            entity: self.entity.iter().map(Entity::named).collect(),
            source: terms::Source { observer: self.source.observer.named() },
            ..terms::Named::default()
        }
    }
}

impl Coding<'_> {
    fn named(&self) -> terms::Coding<'_> {
        terms::Coding { code: self.code.into() }
    }
}

impl Agent<'_> {
    fn named(&self) -> terms::Agent<'_> {
        let address = self.network.as_ref().map_or("", |network| network.address);
        terms::Agent { who: self.who.named(), network: terms::Network { address: address.into() } }
    }
}

impl Entity<'_> {
    fn named(&self) -> terms::Entity<'_> {
        terms::Entity { what: self.what.as_ref().map(Named::named).unwrap_or_default() }
    }
}

impl Named<'_> {
    fn named(&self) -> terms::Reference<'_> {
        let value = self.identifier.as_ref().map(|identifier| identifier.value.as_ref());
        terms::Reference {
            identifier: terms::Identifier { value: value.unwrap_or_default().into() },
            reference: self.reference.as_deref().unwrap_or_default().into(),
        }
    }
}

/// The profile that the event satisfies; those of REST speak of successes alone.
fn profile(event: &Event) -> Option<String> {
    let (plain, with_patient) = event.act.profile()?;
    let complete = event.outcome.description().is_none() && (!event.data.is_empty() || event.query.is_some());
    complete.then(|| format!("{PROFILES}{}", if event.patient.is_some() { with_patient } else { plain }))
}

impl From<Code> for Coding<'static> {
    fn from(Code { system, code }: Code) -> Self {
        Self { code, system }
    }
}

fn coding<'a>(system: &'a str, code: &'a str) -> Coding<'a> {
    Coding { code, system }
}

fn concept<'a>(system: &'a str, code: &'a str) -> Concept<'a> {
    Concept { coding: [coding(system, code)] }
}

fn identified<'a>(value: impl Into<Text<'a>>) -> Named<'a> {
    Named { identifier: Some(Identifier { system: None, value: value.into() }), ..Named::default() }
}

fn this_server(event: &Event) -> Named<'_> {
    Named { display: Some("Slotwright"), ..identified(event.scene.server.as_str()) }
}

/// The agents: the application, this server, and the person if there is one.
fn agents(event: &Event) -> Vec<Agent<'_>> {
    let (client, server, user) = match event.act.direction() {
        Direction::In => ((DCM, "110153"), (DCM, "110152"), "AUT"),
        Direction::Out => ((DCM, "110152"), (DCM, "110153"), "IRCP"),
        Direction::Asked => ((DCM, "110153"), (DCM, "110152"), "IRCP"),
        Direction::Gone => ((DCM, "110150"), (CUSTODY, "custodian"), "AUT"),
        Direction::None if event.act == Act::Token => {
            ((DCM, "110150"), (USER_AGENTS, "AuthzOauthService"), "IRCP")
        }
        Direction::None if event.act == Act::ConsentDecision => {
            ((DCM, "110150"), (SECURITY_ROLES, "authserver"), "IRCP")
        }
        Direction::None => ((DCM, "110150"), (DCM, "110152"), "IRCP"),
    };
    let actor = &event.actor;
    let mut agents = Vec::with_capacity(3);
    if actor.work.is_none() {
        agents.push(client_agent(event, concept(client.0, client.1)));
    }
    agents.push(Agent {
        name: actor.work,
        network: Some(Network { address: &event.scene.server, r#type: "5" }),
        requestor: actor.work.is_some(),
        ..agent(concept(server.0, server.1), this_server(event))
    });
    if let Some(person) = &actor.person {
        agents.push(user_agent(event, person, concept(PARTICIPATION, user)));
    }
    if event.act == Act::ConsentDecision {
        agents.push(organization_agent(event));
    }
    agents
}

/// An agent of whom no more is known.
fn agent<'a>(kind: Concept<'a>, who: Named<'a>) -> Agent<'a> {
    Agent {
        name: None,
        network: None,
        policy: None,
        purpose_of_use: None,
        requestor: false,
        role: Vec::new(),
        r#type: kind,
        who,
    }
}

fn client_agent<'a>(event: &'a Event, kind: Concept<'a>) -> Agent<'a> {
    let actor = &event.actor;
    let who = match &actor.client {
        Some(client) => identified(clean::line(client)),
        None => Named { display: Some("unknown"), ..Named::default() },
    };
    let network = event.scene.address.as_deref().map(|address| Network { address, r#type: "2" });
    let agent = Agent { network, ..agent(kind, who) };
    if actor.person.is_none() { requestor(agent, event) } else { agent }
}

fn user_agent<'a>(event: &'a Event, person: &'a Person, kind: Concept<'a>) -> Agent<'a> {
    let identifier =
        Identifier { system: Some(clean::line(&person.issuer)), value: clean::line(&person.subject).into() };
    let who = Named {
        identifier: Some(identifier),
        reference: person.fhir_user.as_deref().map(Text::from),
        ..Named::default()
    };
    requestor(agent(kind, who), event)
}

/// The organisation of whoever asks (`userorg` of a consent decision): the one that their role was given for, else
/// whoever runs this server.
fn organization_agent(event: &Event) -> Agent<'_> {
    let who = match event.actor.organizations.as_slice() {
        [only] => Named { reference: Some(format!("Organization/{only}").into()), ..Named::default() },
        _ => identified(clean::line(&event.scene.server)),
    };
    agent(concept(ROLE_CLASS, "PROV"), who)
}

/// The same as the one who asked, with what they were allowed by: roles, token, and the reason for it.
fn requestor<'a>(agent: Agent<'a>, event: &'a Event) -> Agent<'a> {
    let actor = &event.actor;
    Agent {
        requestor: true,
        role: actor.roles.iter().map(|role| concept(ROLES, role)).collect(),
        policy: actor.token.as_ref().map(|token| [format!("{JTI}{token}")]),
        purpose_of_use: actor.purpose.as_deref().map(|purpose| [concept(REASONS, purpose)]),
        ..agent
    }
}

fn details(event: &Event) -> Vec<Detail<'_>> {
    let told = event.details.iter().map(|(name, value)| (name, clean::line(value)));
    let told = told.filter(|(_, value)| !value.trim().is_empty());
    told.map(|(name, value)| Detail { r#type: name, value_string: value }).collect()
}

/// An entity of a type, in a role (R4 `audit-entity-type`, `object-role`).
fn object<'a>(kind: &'a str, role: &'a str) -> Entity<'a> {
    Entity {
        r#type: Some(coding(OBJECTS, kind)),
        role: Some(coding(OBJECT_ROLES, role)),
        ..Entity::default()
    }
}

/// What it was about: data, the patient, the query, the request.
fn entities(event: &Event) -> Vec<Entity<'_>> {
    let request_id = || Some(identified(event.scene.request_id.as_str()));
    let query = event.query.as_ref().map(|query| STANDARD.encode(query));
    if event.act == Act::Token && query.is_some() {
        // IUA has one entity, so all that is told is in it.
        return vec![Entity { what: request_id(), query, detail: details(event), ..object("2", "24") }];
    }
    let data = event.data.iter().map(|reference| {
        let kind = match event.act {
            Act::ConsentDecision => {
                Entity { r#type: Some(coding(RESOURCES, "Consent")), ..Entity::default() }
            }
            _ => object("2", "4"),
        };
        let reference = Some(Text::from(reference));
        Entity { what: Some(Named { reference, ..Named::default() }), ..kind }
    });
    let mut entities: Vec<Entity> = data.collect();
    // BALP has one entity of a system object, which is what was asked to be changed.
    entities.extend(event.followed.iter().map(|reference| {
        let reference = Some(Text::from(reference));
        let what = Some(Named { reference, ..Named::default() });
        Entity { what, r#type: Some(coding(OBJECTS, "4")), ..Entity::default() }
    }));
    if let Some(patient) = &event.patient {
        let reference = Some(format!("Patient/{patient}").into());
        entities.push(Entity { what: Some(Named { reference, ..Named::default() }), ..object("1", "1") });
    }
    if query.is_some() {
        entities.push(Entity { query, ..object("2", "24") });
    }
    if !event.details.is_empty() {
        let other = Some(coding(OBJECTS, "4"));
        entities.push(Entity { r#type: other, detail: details(event), ..Entity::default() });
    }
    entities.push(Entity {
        what: request_id(),
        r#type: Some(coding(ENTITY_TYPES, "XrequestId")),
        ..Entity::default()
    });
    entities
}

#[cfg(test)]
mod tests {
    use super::super::canonical;
    use super::super::event::{Actor, Outcome, Scene};
    use super::*;
    use serde_json::Value;

    #[test]
    fn events_are_written_in_canonical_form() {
        let person = Person {
            issuer: "https://clinic.example".to_owned(),
            subject: "ann\u{1}\"\\é".to_owned(),
            fhir_user: Some("Practitioner/d".to_owned()),
        };
        let actor = Actor {
            client: Some("app".to_owned()),
            person: Some(person),
            roles: vec!["clinician"],
            organizations: Vec::new(),
            token: Some("jti-1".to_owned()),
            purpose: Some("BTG".to_owned()),
            work: None,
        };
        let scene = Scene {
            address: Some("192.0.2.7".to_owned()),
            server: "https://clinic.example/fhir".to_owned(),
            request_id: "r-1".to_owned(),
        };
        for act in
            [Act::Read, Act::Search, Act::Delete, Act::Token, Act::ConsentDecision, Act::EmergencyStarted]
        {
            for outcome in [Outcome::Success, Outcome::Denied("no\ttab \u{2028}".to_owned())] {
                let mut event = Event::new(act, actor.clone(), scene.clone());
                event = event.patient("p").detail("reason", "because \u{7f} 🩺");
                event.data = vec!["Consent/c".to_owned()];
                event.query = Some("Appointment?patient=p".to_owned());
                event.outcome = outcome;
                let (text, terms) = audit_event(&event, "e-1", "2031-03-03T08:00:00.000001Z").unwrap();
                assert_eq!(terms, Terms::of(&text));
                assert!(terms.words.len() > 5, "{terms:?}");
                let value: Value = serde_json::from_slice(&text).unwrap();
                assert_eq!(String::from_utf8(text).unwrap(), canonical::to_string(&value).unwrap());
            }
        }
    }
}
