//! What notifications hold (`channel.payload` and its content level).

use super::channel::Channel;
use super::words;
use crate::fhir::outcome::Issue;
use serde_json::Value;

const AT: &str = "Subscription.channel.payload";

/// What notifications hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The format; absent: notifications have no body (classic criteria only).
    pub mime: Option<Mime>,
    /// The format as it was asked for, which is the Content-Type of notifications; empty without a format.
    pub content_type: String,
    /// How much is told.
    pub content: Content,
}

/// A format of notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mime {
    /// `application/fhir+json`
    FhirJson,
    /// `application/fhir+xml`
    FhirXml,
    /// `application/json`: a few words for those who don't speak FHIR.
    Json,
}

/// How much a notification tells (`backport-payload-content`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// That something happened.
    Empty,
    /// With which resource.
    IdOnly,
    /// The resource itself.
    FullResource,
}

impl Content {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::IdOnly => "id-only",
            Self::FullResource => "full-resource",
        }
    }

    /// The level with this [`Content::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Empty, Self::IdOnly, Self::FullResource].into_iter().find(|content| content.code() == code)
    }
}

/// Reads the payload of a channel.
pub(super) fn read(channel: &Value, is_topic: bool) -> Result<Payload, Issue> {
    let said = channel.get("payload").and_then(Value::as_str);
    let beside = channel.get("_payload").unwrap_or(&Value::Null);
    let level = level(beside)?;
    let mime = said.map(mime).transpose()?;
    let content_type = said.unwrap_or_default().to_owned();
    if !is_topic {
        if level.is_some() {
            let told = "A content level belongs to a topic; classic criteria send the resource, or nothing";
            return Err(Issue::error("business-rule", told).at(AT));
        }
        let content = if mime.is_some() { Content::FullResource } else { Content::Empty };
        return Ok(Payload { mime, content_type, content });
    }
    if mime.is_none() {
        let told =
            "A topic needs a payload format: application/fhir+json, application/fhir+xml or application/json";
        return Err(Issue::error("required", told).at(AT));
    }
    let Some(content) = level else {
        let told = "A topic needs a content level: the extension backport-payload-content with a valueCode";
        return Err(Issue::error("required", told).at(AT));
    };
    Ok(Payload { mime, content_type, content })
}

fn level(beside: &Value) -> Result<Option<Content>, Issue> {
    let mut found = words::extensions(beside, "backport-payload-content");
    let Some(extension) = found.next() else { return Ok(None) };
    let code = extension.get("valueCode").and_then(Value::as_str).unwrap_or_default();
    match Content::from_code(code) {
        Some(content) if found.next().is_none() => Ok(Some(content)),
        _ => {
            let told = format!("{code:.40?} is not one content level of empty, id-only and full-resource");
            Err(Issue::error("not-supported", told).at(AT))
        }
    }
}

/// Reads a format and its parameters: the FHIR version must be R4, the charset UTF-8.
fn mime(text: &str) -> Result<Mime, Issue> {
    let refused = |told: String| Err(Issue::error("not-supported", told).at(AT));
    let mut parts = text.split(';').map(str::trim);
    let mime = match parts.next().unwrap_or_default() {
        "application/fhir+json" => Mime::FhirJson,
        "application/fhir+xml" => Mime::FhirXml,
        "application/json" => Mime::Json,
        _ => {
            return refused(format!(
                "{text:.80?} is not a payload format of this server: application/fhir+json, application/fhir+xml and application/json are"
            ));
        }
    };
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        let fits = match name.as_str() {
            "fhirversion" => matches!(value, "4.0" | "4.0.1"),
            "charset" => value.eq_ignore_ascii_case("utf-8"),
            _ => false,
        };
        if !fits {
            return refused(format!(
                "{part:.80?}: notifications are FHIR 4.0 in UTF-8, without other parameters"
            ));
        }
    }
    Ok(mime)
}

/// What payload and channel can't be together.
pub(super) fn fits(payload: &Payload, channel: &Channel, is_topic: bool) -> Option<Issue> {
    let told = match (channel, payload.mime) {
        (Channel::RestHook { .. }, Some(Mime::Json)) if !is_topic => {
            "application/json is offered for topics; classic criteria send the resource as FHIR JSON or XML"
        }
        (Channel::RestHook { .. }, Some(Mime::Json)) if payload.content == Content::FullResource => {
            "application/json tells no more than ids; full-resource needs application/fhir+json or application/fhir+xml"
        }
        (Channel::RestHook { .. }, _) => return None,
        _ if !is_topic => "Classic criteria are delivered by rest-hook; other channels need a topic",
        (_, Some(Mime::FhirJson)) => return None,
        _ => "This channel sends application/fhir+json",
    };
    Some(Issue::error("not-supported", told).at(AT))
}
