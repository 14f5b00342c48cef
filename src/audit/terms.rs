//! What an AuditEvent is found by, read from the event itself, so that an index can be made again from the log.

use serde_json::Value;

/// The terms of one event. A text is empty when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Code of `type`.
    pub kind: String,
    /// Code of the first `subtype`.
    pub subtype: String,
    /// `action`
    pub action: String,
    /// `outcome`: 0, 4, 8 or 12.
    pub outcome: i64,
    /// Logical id of the patient.
    pub patient: String,
    /// The person's name at the issuer that vouches for them.
    pub person: String,
    /// The application's client id.
    pub client: String,
    /// Address of the requesting agent.
    pub address: String,
    /// `X-Request-Id`.
    pub request: String,
    /// `Type/id` of the first resource that it is about and that is not the patient.
    pub entity: String,
}

impl Terms {
    /// The terms of an AuditEvent, whoever wrote it.
    pub fn of(event: &Value) -> Self {
        let mut terms = Self {
            kind: text(event, "/type/code"),
            subtype: text(event, "/subtype/0/code"),
            action: text(event, "/action"),
            outcome: text(event, "/outcome").parse().unwrap_or_default(),
            ..Self::default()
        };
        for agent in list(event, "agent") {
            terms.read_agent(agent);
        }
        for entity in list(event, "entity") {
            terms.read_entity(entity);
        }
        terms
    }

    fn read_agent(&mut self, agent: &Value) {
        let who = text(agent, "/who/identifier/value");
        // A person's identifier has the issuer that vouches for it, a client's has none.
        if agent.pointer("/who/identifier/system").is_some() {
            keep(&mut self.person, who);
            return;
        }
        if agent.pointer("/network/type").and_then(Value::as_str) == Some("2") {
            keep(&mut self.client, who);
            keep(&mut self.address, text(agent, "/network/address"));
        }
    }

    fn read_entity(&mut self, entity: &Value) {
        let reference = text(entity, "/what/reference");
        let role = text(entity, "/role/code");
        if text(entity, "/type/code") == "XrequestId" {
            keep(&mut self.request, text(entity, "/what/identifier/value"));
        } else if role == "1" {
            keep(&mut self.patient, reference.rsplit('/').next().unwrap_or_default().to_owned());
        } else if !reference.is_empty() {
            let mut parts = reference.split('/');
            if let (Some(rtype), Some(id)) = (parts.next(), parts.next()) {
                keep(&mut self.entity, format!("{rtype}/{id}"));
            }
        }
    }
}

/// The first one counts.
fn keep(place: &mut String, value: String) {
    if place.is_empty() {
        *place = value;
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}
