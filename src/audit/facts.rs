//! What an AuditEvent says, whoever wrote it: for people who read the log, and for the reports that follow it.

use super::balp::JTI;
use super::terms;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// v3-ActReason of accesses in an emergency.
const EMERGENCY: [&str; 2] = ["ETREAT", "BTG"];
/// DICOM: where data came from, and where it went.
const DESTINATION: &str = "110152";

/// An AuditEvent in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Code of `type`.
    pub kind: String,
    /// Code of the first `subtype`, empty when there is none.
    pub subtype: String,
    /// Codes of all subtypes.
    pub subtypes: Vec<String>,
    /// `action`, empty when absent.
    pub action: String,
    /// `outcome`, empty when absent.
    pub outcome: String,
    /// `outcomeDesc`
    pub told: String,
    /// Everybody and everything that took part.
    pub agents: Vec<Agent>,
    /// What it was about.
    pub entities: Vec<Entity>,
    /// Logical id of the patient whom it is about.
    pub patient: Option<String>,
    /// `X-Request-Id` of what this server was asked.
    pub request: Option<String>,
    /// `source.observer`: who saw it happen.
    pub observer: String,
    /// Whether this server saw it.
    pub ours: bool,
    /// Codes of `purposeOfEvent`.
    pub purposes: Vec<String>,
}

/// An agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Code of its `type`.
    pub part: String,
    /// `who.identifier.system`: who vouches for the name.
    pub system: String,
    /// `who.identifier.value`
    pub id: String,
    /// `who.reference`
    pub reference: String,
    /// `who.display`, or `name`.
    pub name: String,
    /// `name`: what this server's own work is called.
    pub called: String,
    /// `requestor`
    pub requestor: bool,
    /// `network.address`
    pub address: String,
    /// Codes of `role`.
    pub roles: Vec<String>,
    /// `jti` of the token, or another policy.
    pub policies: Vec<String>,
    /// Codes of `purposeOfUse`.
    pub purposes: Vec<String>,
}

/// An entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Code of its `type`.
    pub kind: String,
    /// `what.reference`
    pub reference: String,
    /// `what.identifier.value`
    pub identifier: String,
    /// `what.display`, `name` or `description`.
    pub name: String,
    /// `query`, decoded.
    pub query: String,
    /// Names and values of `detail`.
    pub details: Vec<(String, String)>,
}

impl Agent {
    /// Whether it is a person: somebody vouches for the name, or a reference says so.
    pub fn is_person(&self) -> bool {
        !self.system.is_empty() || is_human(&self.reference)
    }

    /// What it is called, in the words of the log: the identifier, else the reference, else the name.
    pub fn key(&self) -> &str {
        let known = [&self.id, &self.reference, &self.name].into_iter().find(|name| !name.is_empty());
        known.map_or("", String::as_str)
    }
}

fn is_human(reference: &str) -> bool {
    let types = ["Practitioner/", "PractitionerRole/", "Patient/", "RelatedPerson/", "Person/"];
    types.iter().any(|rtype| reference.starts_with(rtype))
}

impl Facts {
    /// Reads an AuditEvent.
    pub fn of(event: &Value) -> Self {
        let entities: Vec<Entity> = list(event, "entity").map(entity).collect();
        let subtypes: Vec<String> = list(event, "subtype").map(|coding| text(coding, "/code")).collect();
        let named = |kind: &str| entities.iter().find(|entity| entity.kind == kind);
        let patients = entities.iter().filter(|entity| patient_of(&entity.reference).is_some());
        let said = patients.clone().find(|entity| entity.kind == "1").or_else(|| patients.clone().next());
        let observer = event.pointer("/source/observer");
        let shown = |pointer: &str| observer.map(|observer| text(observer, pointer)).unwrap_or_default();
        let names = [shown("/display"), shown("/identifier/value"), shown("/reference")];
        Self {
            kind: text(event, "/type/code"),
            subtype: subtypes.first().cloned().unwrap_or_default(),
            subtypes,
            action: text(event, "/action"),
            outcome: text(event, "/outcome"),
            told: text(event, "/outcomeDesc"),
            agents: list(event, "agent").map(agent).collect(),
            patient: said.and_then(|entity| patient_of(&entity.reference)).map(str::to_owned),
            request: named("XrequestId")
                .or_else(|| entities.iter().find(|entity| !entity.query.is_empty()))
                .map(|entity| entity.identifier.clone())
                .filter(|id| !id.is_empty()),
            ours: names.first().is_some_and(|name| name == "Slotwright"),
            observer: names.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
            purposes: concepts(event, "purposeOfEvent"),
            entities,
        }
    }

    /// The person in it, if there is one.
    pub fn person(&self) -> Option<&Agent> {
        let people = || self.agents.iter().filter(|agent| agent.is_person());
        people().find(|agent| agent.requestor).or_else(|| people().next())
    }

    /// Who did it: the person, else whatever asked for it, else what is named first.
    pub fn who(&self) -> Option<&Agent> {
        self.person()
            .or_else(|| self.agents.iter().find(|agent| agent.requestor))
            .or_else(|| self.agents.first())
    }

    /// The application, as far as it is known.
    pub fn client(&self) -> Option<&Agent> {
        let is_client =
            |agent: &&Agent| !agent.is_person() && agent.name != "Slotwright" && !agent.id.is_empty();
        self.agents.iter().filter(is_client).find(|agent| agent.part != "dataset")
    }

    /// Where data went, as far as it is said.
    pub fn destination(&self) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.part == DESTINATION)
    }

    /// The address that it came from.
    pub fn address(&self) -> &str {
        let foreign = self.agents.iter().filter(|agent| agent.name != "Slotwright");
        foreign.map(|agent| agent.address.as_str()).find(|address| !address.is_empty()).unwrap_or_default()
    }

    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        self.outcome == "0"
    }

    /// Whether it was not allowed.
    pub fn denied(&self) -> bool {
        self.outcome == "8"
    }

    /// Whether somebody learned something of a patient by it.
    pub fn shows_data(&self) -> bool {
        self.succeeded()
            && matches!(
                self.subtype.as_str(),
                "read"
                    | "vread"
                    | "search"
                    | "history"
                    | "batch"
                    | "transaction"
                    | "operation"
                    | "search-type"
                    | "search-system"
                    | "history-instance"
                    | "history-type"
                    | "history-system"
            )
    }

    /// Whether it was done in an emergency.
    pub fn in_emergency(&self) -> bool {
        let mut purposes = self.agents.iter().flat_map(|agent| &agent.purposes);
        purposes.any(|purpose| EMERGENCY.contains(&purpose.as_str()))
    }

    /// Whether the person did it as a member of staff, as far as their roles say.
    pub fn by_staff(&self) -> bool {
        let is_staff = |role: &String| !matches!(role.as_str(), "patient" | "system");
        self.person().is_some_and(|person| person.roles.iter().any(is_staff))
    }
}

fn agent(value: &Value) -> Agent {
    let (display, called) = (text(value, "/who/display"), text(value, "/name"));
    let policies = list(value, "policy").filter_map(Value::as_str);
    Agent {
        part: value.pointer("/type/coding/0/code").and_then(Value::as_str).unwrap_or_default().to_owned(),
        system: text(value, "/who/identifier/system"),
        id: text(value, "/who/identifier/value"),
        reference: text(value, "/who/reference"),
        name: if display.is_empty() { called.clone() } else { display },
        called,
        requestor: value.get("requestor").and_then(Value::as_bool).unwrap_or_default(),
        address: text(value, "/network/address"),
        roles: concepts(value, "role"),
        policies: policies.map(|policy| policy.strip_prefix(JTI).unwrap_or(policy).to_owned()).collect(),
        purposes: concepts(value, "purposeOfUse"),
    }
}

fn entity(value: &Value) -> Entity {
    let names = ["/what/display", "/name", "/description"].map(|pointer| text(value, pointer));
    let query = STANDARD.decode(text(value, "/query")).unwrap_or_default();
    let details = list(value, "detail").map(|detail| {
        let said = [text(detail, "/valueString"), text(detail, "/valueBase64Binary")];
        (text(detail, "/type"), said.into_iter().find(|said| !said.is_empty()).unwrap_or_default())
    });
    Entity {
        kind: text(value, "/type/code"),
        reference: text(value, "/what/reference"),
        identifier: text(value, "/what/identifier/value"),
        name: names.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        query: String::from_utf8_lossy(&query).into_owned(),
        details: details.collect(),
    }
}

/// The logical id of the Patient that a reference names.
pub fn patient_of(reference: &str) -> Option<&str> {
    let (rtype, id) = terms::referred(reference)?;
    (rtype == "Patient").then_some(id)
}

/// Codes of a list of CodeableConcepts, or of a list of Codings.
fn concepts(value: &Value, name: &str) -> Vec<String> {
    let codings = list(value, name).flat_map(|concept| list(concept, "coding"));
    codings.map(|coding| text(coding, "/code")).filter(|code| !code.is_empty()).collect()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::act::Act;
    use crate::audit::balp::audit_event;
    use crate::audit::event::{Actor, Event, Outcome, Person, Scene};

    fn event(act: Act) -> Event {
        let person = Person {
            issuer: "https://x.example".to_owned(),
            subject: "acc-1".to_owned(),
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
            server: "https://x.example/fhir".to_owned(),
            request_id: "req-1".to_owned(),
        };
        Event::new(act, actor, scene).patient("p1")
    }

    fn facts(event: &Event) -> Facts {
        let (body, _) = audit_event(event, "e", "2031-01-01T00:00:00.000000Z").unwrap();
        Facts::of(&serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let mut written = event(Act::Search);
        written.query = Some("Patient?name=x".to_owned());
        let facts = facts(&written);
        let person = facts.person().unwrap();
        assert_eq!((person.id.as_str(), person.reference.as_str()), ("acc-1", "Practitioner/d"));
        assert_eq!((person.roles[0].as_str(), person.policies[0].as_str()), ("clinician", "jti-1"));
        assert_eq!(facts.client().unwrap().id, "app");
        assert_eq!((facts.patient.as_deref(), facts.request.as_deref()), (Some("p1"), Some("req-1")));
        assert_eq!((facts.address(), facts.subtype.as_str()), ("192.0.2.7", "search"));
        assert!(facts.ours && facts.shows_data() && facts.in_emergency() && facts.by_staff());
        assert!(facts.entities.iter().any(|entity| entity.query == "Patient?name=x"));
    }

    #[test]
    fn a_client_that_acts_for_itself_is_no_person() {
        let mut written = event(Act::Read);
        written.actor.person = None;
        written.outcome = Outcome::Denied("no".to_owned());
        let facts = facts(&written);
        assert!(facts.person().is_none() && facts.denied() && !facts.shows_data() && !facts.by_staff());
        assert_eq!(facts.who().unwrap().id, "app");
        assert_eq!(facts.told, "no");
    }
}
