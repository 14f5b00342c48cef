//! What is sent: the notification in the form that was asked for, signed, with the headers that go along. The same
//! events give the same id and the same bytes at every try; only the time of the attempt differs.

use super::endpoint::Message;
use super::sign::{Key, signature};
use crate::clock::{Micros, instant_text};
use crate::fhir::subscription::notification::bundle;
use crate::fhir::subscription::{
    Channel, Content, Definition, Focus, Kind, Mime, NotificationEvent, NotificationKind, Status,
};
use crate::fhir::xml;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Microseconds of a second.
const SECOND: Micros = 1_000_000;

/// A notification that can't be written; a fault of ours or of a Subscription that was accepted under other rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notification could not be written: {0}")]
pub struct Unwritable(String);

fn unwritable(error: impl std::fmt::Display) -> Unwritable {
    Unwritable(error.to_string())
}

/// What a request says, before it is signed.
struct Said {
    method: Method,
    url: String,
    body: Vec<u8>,
    content_type: Option<String>,
}

/// `webhook-id`. An id of FHIR has no underscore and may have dots, which the signed text is split by.
pub fn message_id(subscription: &str, what: &str) -> String {
    format!("{}_{what}", subscription.replace('.', "_"))
}

/// The request for a notification; none when the subscriber gets nothing of it: classic criteria without content, of
/// what may not be told.
///
/// # Errors
/// When it can't be written.
pub fn message(
    definition: &Definition,
    status: &Status,
    base: &str,
    (id, keys): (&str, &[Key]),
    now: Micros,
    longest: Duration,
) -> Result<Option<Message>, Unwritable> {
    let Channel::RestHook { endpoint, headers: theirs } = &definition.channel else {
        return Err(Unwritable("the channel has no endpoint".to_owned()));
    };
    let said = match (&definition.kind, definition.payload.mime) {
        (Kind::Classic { .. }, mime) => match classic(endpoint, mime, status)? {
            Some(said) => said,
            None => return Ok(None),
        },
        (Kind::Topic { .. }, Some(Mime::Json)) => {
            let body = thin(base, status, definition.payload.content).to_string().into_bytes();
            Said { method: Method::POST, url: endpoint.clone(), body, content_type: None }
        }
        (Kind::Topic { .. }, mime) => {
            let body = written(&bundle(base, status, definition.payload.content), mime)?;
            Said { method: Method::POST, url: endpoint.clone(), body, content_type: None }
        }
    };
    let mut headers = HeaderMap::new();
    for (name, value) in theirs {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(unwritable)?;
        let mut value = HeaderValue::from_str(value).map_err(unwritable)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    let content_type = said.content_type.unwrap_or_else(|| definition.payload.content_type.clone());
    if !content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(&content_type).map_err(unwritable)?);
    }
    let at_s = now.div_euclid(SECOND);
    let signed = signature(keys, id, at_s, &said.body).map_err(unwritable)?;
    for (name, value) in
        [("webhook-id", id), ("webhook-timestamp", &at_s.to_string()), ("webhook-signature", &signed)]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).map_err(unwritable)?);
    }
    let timeout = definition.timeout.map_or(longest, |timeout| timeout.min(longest));
    Ok(Some(Message { method: said.method, url: said.url, headers, body: said.body, timeout }))
}

fn written(value: &Value, mime: Option<Mime>) -> Result<Vec<u8>, Unwritable> {
    let json = value.to_string().into_bytes();
    match mime {
        Some(Mime::FhirXml) => xml::to_xml(&json).map_err(|error| unwritable(format!("{error:?}"))),
        _ => Ok(json),
    }
}

/// For those who don't speak FHIR: what, when, and which (Standard Webhooks, "thin payload").
fn thin(base: &str, status: &Status, content: Content) -> Value {
    let mut data = Map::new();
    data.insert("subscription".to_owned(), status.subscription.clone().into());
    let Some(event) = status.events.first() else {
        return json!({
            "type": status.kind.code(),
            "timestamp": instant_text(status.at_us),
            "data": data
        });
    };
    data.insert("number".to_owned(), event.number.into());
    if let Some(focus) = event.focus.as_ref().filter(|_| content != Content::Empty) {
        data.insert("resource".to_owned(), format!("{base}/{}", focus.reference()).into());
        data.insert("version".to_owned(), focus.vid.to_string().into());
    }
    let topic = status.topic.as_deref().filter(|_| content != Content::Empty);
    let kind = topic.and_then(|topic| topic.rsplit('/').next()).unwrap_or_else(|| status.kind.code());
    json!({ "type": kind, "timestamp": instant_text(event.at_us), "data": data })
}

/// R4 `subscription.html`: an empty POST, or the resource at its own place below the endpoint.
fn classic(endpoint: &str, mime: Option<Mime>, status: &Status) -> Result<Option<Said>, Unwritable> {
    let Some(mime) = mime else {
        let url = endpoint.to_owned();
        return Ok(Some(Said { method: Method::POST, url, body: Vec::new(), content_type: None }));
    };
    let Some(focus) = status.events.first().and_then(|event| event.focus.as_ref()) else { return Ok(None) };
    let url = below(endpoint, focus)?;
    Ok(Some(match &focus.resource {
        Some(resource) => {
            let body = match mime {
                Mime::FhirXml => xml::to_xml(resource).map_err(|error| unwritable(format!("{error:?}")))?,
                Mime::FhirJson | Mime::Json => resource.clone(),
            };
            Said { method: Method::PUT, url, body, content_type: None }
        }
        None if focus.method == "DELETE" => {
            Said { method: Method::DELETE, url, body: Vec::new(), content_type: Some(String::new()) }
        }
        None => return Ok(None),
    }))
}

fn below(endpoint: &str, focus: &Focus) -> Result<String, Unwritable> {
    let mut url = Url::parse(endpoint).map_err(unwritable)?;
    url.path_segments_mut()
        .map_err(|()| Unwritable("the endpoint has no path".to_owned()))?
        .pop_if_empty()
        .push(&focus.rtype)
        .push(&focus.id);
    Ok(url.into())
}

/// The state that a notification begins with.
pub fn status(
    definition: &Definition,
    said: &str,
    kind: NotificationKind,
    seen: i64,
    at_us: Micros,
    events: Vec<NotificationEvent>,
) -> Status {
    Status {
        subscription: definition.id.clone(),
        topic: definition.topic().map(str::to_owned),
        status: said.to_owned(),
        kind,
        events_since_start: seen,
        at_us,
        events,
        error: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::delivery::sign;

    const BASE: &str = "https://clinic.example/fhir";

    fn definition(criteria: &str, payload: Option<&str>, content: Option<&str>) -> Definition {
        let mut channel = json!({
            "type": "rest-hook",
            "endpoint": "https://receiver.example/hook?tenant=7",
            "header": ["Authorization: Bearer secret", "X-Tenant: 7"]
        });
        let channel_of = channel.as_object_mut().unwrap();
        if let Some(payload) = payload {
            channel_of.insert("payload".to_owned(), payload.into());
        }
        if let Some(content) = content {
            let url =
                "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
            let extension = json!({ "extension": [{ "url": url, "valueCode": content }] });
            channel_of.insert("_payload".to_owned(), extension);
        }
        let resource = json!({
            "resourceType": "Subscription", "id": "s.1", "status": "requested", "reason": "x",
            "criteria": criteria, "channel": channel
        });
        Definition::read(&resource).unwrap()
    }

    fn event(number: i64, resource: Option<&str>) -> NotificationEvent {
        let method = if resource.is_some() { "PUT" } else { "DELETE" };
        let focus = Focus {
            rtype: "Appointment".to_owned(),
            id: "a1".to_owned(),
            vid: 2,
            method: method.to_owned(),
            resource: resource.map(|text| text.as_bytes().to_vec()),
        };
        NotificationEvent { number, at_us: 1_800_000_000_000_000, focus: Some(focus) }
    }

    fn sent(definition: &Definition, events: Vec<NotificationEvent>, now: Micros) -> Option<Message> {
        let kind = NotificationKind::EventNotification;
        let status = status(definition, "active", kind, 9, 1_800_000_000_000_000, events);
        let key = Key::new(sign::Kind::Hmac, vec![7; 32]).unwrap();
        let id = message_id(&definition.id, "3_3");
        message(definition, &status, BASE, (&id, &[key]), now, Duration::from_secs(20)).unwrap()
    }

    const TOPIC: &str = "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked";
    const RESOURCE: &str =
        r#"{"resourceType":"Appointment","id":"a1","status":"booked","participant":[{"status":"accepted"}]}"#;

    #[test]
    fn every_try_says_the_same_but_when_it_was_made() {
        let definition = definition(TOPIC, Some("application/fhir+json"), Some("full-resource"));
        let first = sent(&definition, vec![event(3, Some(RESOURCE))], 1_000_000).unwrap();
        let again = sent(&definition, vec![event(3, Some(RESOURCE))], 61_000_000).unwrap();
        assert_eq!(first.body, again.body);
        assert_eq!(first.headers["webhook-id"], "s_1_3_3");
        assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
        assert_eq!(
            (&first.headers["webhook-timestamp"], &again.headers["webhook-timestamp"]),
            (&HeaderValue::from(1), &HeaderValue::from(61))
        );
        assert_ne!(first.headers["webhook-signature"], again.headers["webhook-signature"]);
        assert_eq!(first.headers["content-type"], "application/fhir+json");
        assert_eq!(first.headers["authorization"], "Bearer secret");
        assert_eq!(first.headers["x-tenant"], "7");
        assert_eq!(
            (first.method, first.url.as_str()),
            (Method::POST, "https://receiver.example/hook?tenant=7")
        );
        assert!(!format!("{:?}", first.headers).contains("Bearer secret"));
    }

    #[test]
    fn xml_is_xml() {
        let definition = definition(TOPIC, Some("application/fhir+xml"), Some("id-only"));
        let message = sent(&definition, vec![event(3, Some(RESOURCE))], 0).unwrap();
        let text = String::from_utf8(message.body).unwrap();
        assert!(text.contains("<Bundle xmlns=\"http://hl7.org/fhir\">"), "{text}");
        assert!(text.contains("Appointment/a1") && !text.contains("participant"), "{text}");
        assert_eq!(message.headers["content-type"], "application/fhir+xml");
    }

    #[test]
    fn thin_json_tells_ids_and_no_more() {
        let ids = definition(TOPIC, Some("application/json"), Some("id-only"));
        let message = sent(&ids, vec![event(3, Some(RESOURCE))], 0).unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(
            body,
            json!({
                "type": "appointment-booked", "timestamp": "2027-01-15T08:00:00.000Z",
                "data": { "subscription": "s.1", "number": 3, "resource": format!("{BASE}/Appointment/a1"), "version": "2" }
            })
        );
        let empty = definition(TOPIC, Some("application/json"), Some("empty"));
        let message = sent(&empty, vec![event(3, Some(RESOURCE))], 0).unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(body["type"], "event-notification");
        assert_eq!(body["data"], json!({ "subscription": "s.1", "number": 3 }));
    }

    #[test]
    fn classic_criteria_get_the_resource_at_its_place_or_an_empty_post() {
        let bare = definition("Appointment?status=booked", None, None);
        let message = sent(&bare, vec![event(3, Some(RESOURCE))], 0).unwrap();
        assert_eq!((message.method, message.body.len()), (Method::POST, 0));
        assert!(!message.headers.contains_key("content-type"));
        assert!(message.headers.contains_key("webhook-signature"));

        let full = definition("Appointment?status=booked", Some("application/fhir+json"), None);
        let message = sent(&full, vec![event(3, Some(RESOURCE))], 0).unwrap();
        assert_eq!(message.method, Method::PUT);
        assert_eq!(message.url, "https://receiver.example/hook/Appointment/a1?tenant=7");
        assert_eq!(message.body, RESOURCE.as_bytes());
        let gone = sent(&full, vec![event(3, None)], 0).unwrap();
        assert_eq!((gone.method, gone.body.len()), (Method::DELETE, 0));
        let hidden = NotificationEvent { focus: None, ..event(3, None) };
        assert!(sent(&full, vec![hidden], 0).is_none());
    }
}
