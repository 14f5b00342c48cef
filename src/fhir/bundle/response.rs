//! The response Bundle, put together from bytes as they are stored.

use super::Mode;
use crate::fhir::outcome::Issue;
use serde_json::{Value, json};

/// What became of one entry.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Absolute URL of the resource.
    pub full_url: Option<String>,
    /// Canonical JSON.
    pub resource: Option<bytes::Bytes>,
    /// Where it is, with its version.
    pub location: Option<String>,
    /// `meta.versionId`, for the ETag.
    pub version: Option<i64>,
    /// `meta.lastUpdated`.
    pub last_modified: Option<String>,
    /// What is wrong, or should be known.
    pub issues: Vec<Issue>,
}

/// The JSON of a `batch-response` or `transaction-response`.
pub fn write_response(mode: Mode, entries: &[Response]) -> Vec<u8> {
    let kind = match mode {
        Mode::Batch => "batch-response",
        Mode::Transaction => "transaction-response",
    };
    let size: usize = entries.iter().map(|e| 300 + e.resource.as_ref().map_or(0, bytes::Bytes::len)).sum();
    let mut out = Vec::with_capacity(100 + size);
    out.extend_from_slice(format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\"").as_bytes());
    if !entries.is_empty() {
        out.extend_from_slice(b",\"entry\":[");
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_entry(&mut out, entry);
        }
        out.push(b']');
    }
    out.push(b'}');
    out
}

fn write_entry(out: &mut Vec<u8>, entry: &Response) {
    out.push(b'{');
    if let Some(url) = &entry.full_url {
        out.extend_from_slice(b"\"fullUrl\":");
        out.extend_from_slice(Value::from(url.as_str()).to_string().as_bytes());
        out.push(b',');
    }
    if let Some(resource) = &entry.resource {
        out.extend_from_slice(b"\"resource\":");
        out.extend_from_slice(resource);
        out.push(b',');
    }
    let mut response = serde_json::Map::new();
    response.insert("status".to_owned(), status_text(entry.status).into());
    if let Some(location) = &entry.location {
        response.insert("location".to_owned(), location.as_str().into());
    }
    if let Some(vid) = entry.version {
        response.insert("etag".to_owned(), format!("W/\"{vid}\"").into());
    }
    if let Some(at) = &entry.last_modified {
        response.insert("lastModified".to_owned(), at.as_str().into());
    }
    if !entry.issues.is_empty() {
        let issues: Vec<Value> = entry.issues.iter().map(Issue::to_json).collect();
        response.insert("outcome".to_owned(), json!({ "resourceType": "OperationOutcome", "issue": issues }));
    }
    out.extend_from_slice(b"\"response\":");
    out.extend_from_slice(Value::Object(response).to_string().as_bytes());
    out.push(b'}');
}

fn status_text(status: u16) -> String {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    };
    format!("{status} {reason}").trim_end().to_owned()
}
