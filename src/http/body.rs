//! Reading a request body, never more of it than the limit.

use super::edge::Arrival;
use super::negotiate::Sent;
use crate::app;
use crate::fhir::outcome::{Error, Kind};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body_util::BodyExt;

/// The whole body.
///
/// # Errors
/// 413 when it is longer than `limit`, at once if the head says so; 408 when it does not come in time; 400 when
/// it breaks off.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    arrival: &Arrival,
) -> Result<Bytes, Error> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    match tokio::time::timeout_at(arrival.deadline, collect(body, limit)).await {
        Ok(read) => read,
        Err(_) => Err(Error::new(Kind::RequestTimeout, "The body did not arrive in time")),
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Error::bad_request("The body broke off or is not framed as HTTP says"))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = rest.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + data.len() > limit {
            return Err(too_large(limit));
        }
        // Most bodies come in one piece, which then needs no copy.
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut joined = BytesMut::with_capacity((first.len() + data.len()) * 2);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

fn too_large(limit: usize) -> Error {
    Error::new(Kind::TooLarge, format!("The body is larger than the limit of {limit} bytes"))
}

/// What the bytes of a body say.
///
/// # Errors
/// 415 for a format that is not read here or not with this method; 400 when it is not what it claims to be.
pub(super) fn decode(method: &Method, headers: &HeaderMap, bytes: &[u8]) -> Result<app::Body, Error> {
    if bytes.is_empty() {
        return Ok(app::Body::Empty);
    }
    let patch = method == Method::PATCH;
    match Sent::of(headers)? {
        Sent::JsonPatch if patch => {
            // A JSON Patch is an array, so it does not pass the strict reader of resources.
            let patch = serde_json::from_slice(bytes)
                .map_err(|error| Error::bad_request(format!("The body is not valid JSON: {error}")))?;
            Ok(app::Body::JsonPatch(patch))
        }
        Sent::Json if patch => crate::fhir::parse::json(bytes).map(app::Body::FhirPathPatch),
        Sent::Xml if patch => crate::fhir::xml::from_xml(bytes).map(app::Body::FhirPathPatch),
        Sent::Json => crate::fhir::parse::json(bytes).map(app::Body::Resource),
        Sent::Xml => crate::fhir::xml::from_xml(bytes).map(app::Body::Resource),
        Sent::JsonPatch => Err(Error::new(Kind::UnsupportedMediaType, "A JSON Patch is sent by PATCH")),
        Sent::Form => Err(Error::new(Kind::UnsupportedMediaType, "A form is sent to _search only")),
    }
}
