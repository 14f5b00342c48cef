//! Answers and errors as HTTP responses.

use super::bearer;
use super::endpoint::Done;
use super::negotiate::{Format, Wanted};
use super::pages;
use super::prefer::Return;
use crate::app::Answer;
use crate::clock::Micros;
use crate::fhir::interaction::Interaction;
use crate::fhir::outcome::{Error, Kind, operation_outcome};
use crate::fhir::summary::Subset;
use crate::fhir::xml;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CONTENT_LOCATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A carried-out interaction.
///
/// # Errors
/// 500 when what is stored can't be written in the wanted format.
pub(super) fn answer(done: Done) -> Result<Response, Error> {
    let Done { wanted, prefer, interaction, query, base, answer } = done;
    let writes = is_write(&interaction);
    let mut status = StatusCode::from_u16(answer.status).map_err(|e| Error::internal(e.to_string()))?;
    let returning = if writes { prefer.returning } else { None };
    let body = match returning {
        Some(Return::Minimal) => None,
        Some(Return::OperationOutcome) => {
            if status == StatusCode::NO_CONTENT {
                status = StatusCode::OK;
            }
            Some(Bytes::from(operation_outcome(&answer.issues).to_string()))
        }
        _ => part(&interaction, &query, answer.resource.clone())?,
    };
    let empty = matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
    let mut response = match body.filter(|_| !empty) {
        Some(body) => written(&body, wanted)?,
        None => Response::new(Body::empty()),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    version_headers(headers, &answer);
    if let Some(place) = &answer.location {
        let name = if status == StatusCode::CREATED { LOCATION } else { CONTENT_LOCATION };
        set(headers, name, &format!("{base}/{place}"));
    }
    if let Some(applied) = prefer.applied(writes) {
        headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static(applied));
    }
    Ok(response)
}

/// A refused interaction. Internal detail goes to the log and nowhere else.
pub(super) fn error(error: &Error, wanted: Wanted) -> Response {
    if let Some(detail) = &error.detail {
        tracing::error!(status = error.kind.status(), detail, "refused");
    }
    let outcome = Bytes::from(error.outcome().to_string());
    let written = written(&outcome, wanted).or_else(|_| written(&outcome, Wanted::PLAIN));
    let mut response = written.unwrap_or_default();
    *response.status_mut() =
        StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if error.kind == Kind::Unauthorized {
        let sent = error.issues.iter().any(|issue| issue.code != error.kind.issue_code());
        bearer::challenge(&mut response, sent.then_some("invalid_token"));
    }
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A refusal from outside the FHIR endpoint, where nothing was negotiated.
pub(super) fn refusal(refused: &Error) -> Response {
    error(refused, Wanted::PLAIN)
}

/// Canonical JSON in the wanted format.
fn written(json: &Bytes, wanted: Wanted) -> Result<Response, Error> {
    let body = match wanted {
        Wanted { format: Format::Json, pretty: false } => json.clone(),
        Wanted { format: Format::Json, pretty: true } => indented(json)?.into(),
        Wanted { format: Format::Xml, pretty: false } => xml::to_xml(json)?.into(),
        Wanted { format: Format::Xml, pretty: true } => indented_xml(&xml::to_xml(json)?)?.into(),
        Wanted { format: Format::Html, .. } => pages::capabilities(&parsed(json)?)?.into(),
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(wanted.format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if wanted.format == Format::Html {
        headers.insert(CONTENT_SECURITY_POLICY, pages::POLICY);
    }
    Ok(response)
}

/// What `_summary` and `_elements` leave of a resource that is read; searches have applied them already.
fn part(interaction: &Interaction, query: &str, resource: Option<Bytes>) -> Result<Option<Bytes>, Error> {
    let reads = matches!(interaction, Interaction::Read(..) | Interaction::VersionRead(..));
    let Some(whole) = resource else { return Ok(None) };
    if !reads || query.is_empty() {
        return Ok(Some(whole));
    }
    let subset = Subset::parse(query)?;
    if subset.is_whole() { Ok(Some(whole)) } else { Ok(Some(subset.of(&parsed(&whole)?).to_string().into())) }
}

fn parsed(json: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(json).map_err(|error| Error::internal(format!("an answer is not JSON: {error}")))
}

fn indented(json: &[u8]) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(&parsed(json)?).map_err(|error| Error::internal(error.to_string()))
}

/// XML with a line for each element; narrative is left as it is, since spaces in it are content.
fn indented_xml(xml: &[u8]) -> Result<Vec<u8>, Error> {
    use quick_xml::events::Event;
    let broken = |error: quick_xml::Error| Error::internal(format!("an answer is not XML: {error}"));
    let mut reader = quick_xml::Reader::from_reader(xml);
    let mut out = Vec::with_capacity(xml.len() * 2);
    let (mut depth, mut narrative) = (0usize, 0usize);
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(broken)?;
        let after = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let raw = xml.get(before..after).unwrap_or_default();
        let closes = matches!(event, Event::End(_));
        if closes && narrative == 0 {
            depth = depth.saturating_sub(1);
        }
        if narrative == 0 && !raw.is_empty() && !matches!(event, Event::Text(_)) {
            if !out.is_empty() {
                out.push(b'\n');
            }
            out.extend(std::iter::repeat_n(b' ', depth * 2));
        }
        let inside = narrative;
        match &event {
            Event::Eof => return Ok(out),
            Event::Start(tag) if narrative > 0 || tag.local_name().as_ref() == b"div" => narrative += 1,
            Event::Start(_) => depth += 1,
            Event::End(_) => narrative = narrative.saturating_sub(1),
            Event::Text(_) if inside == 0 => continue,
            _ => {}
        }
        out.extend_from_slice(raw);
    }
}

fn version_headers(headers: &mut HeaderMap, answer: &Answer) {
    let Some(version) = answer.version else { return };
    set(headers, ETAG, &format!("W/\"{}\"", version.vid));
    headers.extend(http_date(version.updated_us).map(|date| (LAST_MODIFIED, date)));
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
pub(super) fn http_date(at: Micros) -> Option<HeaderValue> {
    let at = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    HeaderValue::from_str(&date).ok()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn is_write(interaction: &Interaction) -> bool {
    matches!(
        interaction,
        Interaction::Create { .. }
            | Interaction::Update(..)
            | Interaction::Patch(..)
            | Interaction::Delete(..)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_indented_outside_narrative() {
        let xml = br#"<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">a <b>b</b> <div>c</div></div></text><active value="true"/></Patient>"#;
        let expected = "<Patient xmlns=\"http://hl7.org/fhir\">\n  <text>\n    <status value=\"generated\"/>\n    \
            <div xmlns=\"http://www.w3.org/1999/xhtml\">a <b>b</b> <div>c</div></div>\n  </text>\n  \
            <active value=\"true\"/>\n</Patient>";
        assert_eq!(String::from_utf8(indented_xml(xml).unwrap()).unwrap(), expected);
    }
}
