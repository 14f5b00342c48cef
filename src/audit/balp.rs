//! An event as an R4 AuditEvent, after the patterns of IHE BALP 1.1.4.

use super::act::{Act, Code, DCM, Direction};
use super::clean;
use super::event::{Event, Person};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const ENTITY_TYPES: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const CUSTODY: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const OBJECTS: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLES: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCES: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const SECURITY_ROLES: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
const USER_AGENTS: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes";
/// Code system of our roles.
pub const ROLES: &str = "https://slotwright.org/fhir/CodeSystem/role";
/// What the `policy` of an agent begins with when it names a token.
pub const JTI: &str = "urn:ietf:params:oauth:jti:";

/// The AuditEvent with this id, recorded at `recorded` (an R4 `instant`).
pub fn audit_event(event: &Event, id: &str, recorded: &str) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("resourceType", json!("AuditEvent"));
    put("id", json!(id));
    let mut meta = json!({ "versionId": "1", "lastUpdated": recorded });
    if let (Some(profile), Value::Object(meta)) = (profile(event), &mut meta) {
        meta.insert("profile".to_owned(), json!([profile]));
    }
    put("meta", meta);
    put("type", coding(event.act.kind()));
    put("subtype", json!([coding(event.act.subtype())]));
    put("action", json!(event.act.action()));
    put("recorded", json!(recorded));
    put("outcome", json!(event.outcome.code()));
    if let Some(text) = event.outcome.description() {
        put("outcomeDesc", json!(clean::line(text)));
    }
    if let (Act::EmergencyStarted | Act::EmergencyEnded, Some(purpose)) = (event.act, &event.actor.purpose) {
        put("purposeOfEvent", json!([concept(REASONS, purpose)]));
    }
    put("agent", agents(event));
    let observer = json!({ "display": "Slotwright", "identifier": { "value": event.scene.server } });
    put("source", json!({ "observer": observer, "type": [{ "system": SOURCES, "code": "4" }] }));
    let entities = entities(event);
    if !entities.is_empty() {
        put("entity", Value::Array(entities));
    }
    Value::Object(body)
}

/// The profile that the event satisfies; those of REST speak of successes alone.
fn profile(event: &Event) -> Option<String> {
    let (plain, with_patient) = event.act.profile()?;
    let complete = event.outcome.description().is_none() && (!event.data.is_empty() || event.query.is_some());
    complete.then(|| format!("{PROFILES}{}", if event.patient.is_some() { with_patient } else { plain }))
}

fn coding(code: Code) -> Value {
    json!({ "system": code.system, "code": code.code })
}

fn concept(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// The agents: the application, this server, and the person if there is one.
fn agents(event: &Event) -> Value {
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
    let own_work = actor.work.map_or(json!({}), |work| json!({ "name": work }));
    let mut own = json!({
        "type": concept(server.0, server.1),
        "who": { "display": "Slotwright", "identifier": { "value": event.scene.server } },
        "requestor": actor.work.is_some(),
        "network": { "address": event.scene.server, "type": "5" }
    });
    if let (Value::Object(own), Value::Object(more)) = (&mut own, own_work) {
        own.extend(more);
    }
    agents.push(own);
    if let Some(person) = &actor.person {
        agents.push(user_agent(event, person, concept(PARTICIPATION, user)));
    }
    Value::Array(agents)
}

fn client_agent(event: &Event, kind: Value) -> Value {
    let actor = &event.actor;
    let who = match &actor.client {
        Some(client) => json!({ "identifier": { "value": clean::line(client) } }),
        None => json!({ "display": "unknown" }),
    };
    let mut agent = json!({ "type": kind, "who": who, "requestor": actor.person.is_none() });
    if let Value::Object(agent) = &mut agent {
        if let Some(address) = &event.scene.address {
            agent.insert("network".to_owned(), json!({ "address": address, "type": "2" }));
        }
        if actor.person.is_none() {
            rights(agent, event);
        }
    }
    agent
}

fn user_agent(event: &Event, person: &Person, kind: Value) -> Value {
    let mut who = json!({
        "identifier": { "system": clean::line(&person.issuer), "value": clean::line(&person.subject) }
    });
    if let (Some(user), Value::Object(who)) = (&person.fhir_user, &mut who) {
        who.insert("reference".to_owned(), json!(user));
    }
    let mut agent = json!({ "type": kind, "who": who, "requestor": true });
    if let Value::Object(agent) = &mut agent {
        rights(agent, event);
    }
    agent
}

/// What the requestor was allowed by: roles, token, and the reason for it.
fn rights(agent: &mut Map<String, Value>, event: &Event) {
    let actor = &event.actor;
    if !actor.roles.is_empty() {
        let roles: Vec<Value> = actor.roles.iter().map(|role| concept(ROLES, role)).collect();
        agent.insert("role".to_owned(), Value::Array(roles));
    }
    if let Some(token) = &actor.token {
        agent.insert("policy".to_owned(), json!([format!("{JTI}{token}")]));
    }
    if let Some(purpose) = &actor.purpose {
        agent.insert("purposeOfUse".to_owned(), json!([concept(REASONS, purpose)]));
    }
}

/// What a token was asked for with: IUA has one entity, so all that is told is in it.
fn token_request(event: &Event, query: &str) -> Value {
    let mut entity = json!({
        "what": { "identifier": { "value": event.scene.request_id } },
        "type": { "system": OBJECTS, "code": "2" },
        "role": { "system": OBJECT_ROLES, "code": "24" },
        "query": STANDARD.encode(query)
    });
    if let (Value::Object(entity), false) = (&mut entity, event.details.is_empty()) {
        entity.insert("detail".to_owned(), details(event));
    }
    entity
}

fn details(event: &Event) -> Value {
    let told = event.details.iter().filter(|(_, value)| !clean::line(value).trim().is_empty());
    told.map(|(name, value)| json!({ "type": name, "valueString": clean::line(value) })).collect()
}

/// What it was about: data, the patient, the query, the request.
fn entities(event: &Event) -> Vec<Value> {
    let kind = |code: &str| json!({ "system": OBJECTS, "code": code });
    let role = |code: &str| json!({ "system": OBJECT_ROLES, "code": code });
    if let (Act::Token, Some(query)) = (event.act, &event.query) {
        return vec![token_request(event, query)];
    }
    let mut entities = Vec::new();
    for reference in &event.data {
        if event.act == Act::ConsentDecision {
            let consent = json!({ "system": "http://hl7.org/fhir/resource-types", "code": "Consent" });
            entities.push(json!({ "what": { "reference": reference }, "type": consent }));
            continue;
        }
        entities.push(json!({ "what": { "reference": reference }, "type": kind("2"), "role": role("4") }));
    }
    if let Some(patient) = &event.patient {
        let what = json!({ "reference": format!("Patient/{patient}") });
        entities.push(json!({ "what": what, "type": kind("1"), "role": role("1") }));
    }
    if let Some(query) = &event.query {
        entities.push(json!({
            "type": kind("2"),
            "role": role("24"),
            "query": STANDARD.encode(query)
        }));
    }
    if !event.details.is_empty() {
        entities.push(json!({ "type": kind("4"), "detail": details(event) }));
    }
    entities.push(json!({
        "what": { "identifier": { "value": event.scene.request_id } },
        "type": { "system": ENTITY_TYPES, "code": "XrequestId" }
    }));
    entities
}
