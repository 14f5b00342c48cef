//! Batch and transaction Bundles (R4 `http.html#transaction`): reading the request, rewriting references,
//! writing the response.

mod references;
mod response;

pub use references::{Rewrite, conditional_references, unresolved};
pub use response::{Response, write_response};

use super::interaction::{Incoming, Instance, Interaction, Target, parse as parse_interaction};
use super::outcome::{Error, Issue, Kind};
use super::registry::resource_type;
use base64::Engine as _;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How the entries of a Bundle belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each on its own.
    Batch,
    /// All or none.
    Transaction,
}

/// An entry's resource, as its interaction takes it.
#[derive(Clone, Debug, PartialEq)]
pub enum EntryBody {
    /// None.
    Empty,
    /// A resource or Parameters.
    Resource(Value),
    /// A JSON Patch, unpacked from its Binary.
    JsonPatch(Value),
    /// A FHIRPath Patch.
    FhirPathPatch(Value),
}

/// One entry of a request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position in the Bundle.
    pub index: usize,
    /// `fullUrl`.
    pub full_url: Option<String>,
    /// What it asks for.
    pub interaction: Interaction,
    /// Its resource.
    pub body: EntryBody,
}

/// A Bundle posted to the base.
#[derive(Debug)]
pub struct Request {
    /// `type`.
    pub mode: Mode,
    /// In the order of the Bundle; an entry that can't be understood says why.
    pub entries: Vec<Result<Entry, Error>>,
}

/// Reads a Bundle posted to the base; `base` is our own, `limit` the most entries it may have.
///
/// # Errors
/// 400 when it is no batch or transaction, 413 above the limit. Errors of entries are in their places.
pub fn parse(bundle: Value, base: &str, limit: usize) -> Result<Request, Error> {
    let Value::Object(mut bundle) = bundle else { return Err(no_bundle("The body is not a Bundle")) };
    if bundle.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Err(no_bundle("A POST to the base takes a Bundle of type batch or transaction"));
    }
    let mode = match bundle.get("type").and_then(Value::as_str) {
        Some("batch") => Mode::Batch,
        Some("transaction") => Mode::Transaction,
        _ => {
            let issue = Issue::error("value", "The type of a Bundle posted here is batch or transaction");
            return Err(Error::of(Kind::BadRequest, vec![issue.at("Bundle.type")]));
        }
    };
    let entries = match bundle.remove("entry") {
        Some(Value::Array(entries)) => entries,
        None => Vec::new(),
        Some(_) => {
            let issue = Issue::error("structure", "entry is a list");
            return Err(Error::of(Kind::BadRequest, vec![issue.at("Bundle.entry")]));
        }
    };
    if entries.len() > limit {
        let message = format!("A Bundle may have {limit} entries; this one has {}", entries.len());
        let issue = Issue::error(Kind::TooLarge.issue_code(), message).at("Bundle.entry");
        return Err(Error::of(Kind::TooLarge, vec![issue]));
    }
    let entries = entries.into_iter().enumerate().map(|(i, entry)| read_entry(entry, i, base)).collect();
    Ok(Request { mode, entries })
}

impl Request {
    /// The entries of a transaction, in which one bad entry refuses all.
    ///
    /// # Errors
    /// Every problem of every entry, and whatever appears twice that may appear once.
    pub fn all(self) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(self.entries.len());
        let mut failures = Vec::new();
        for entry in self.entries {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => failures.push(error),
            }
        }
        let repeated = repeated(&entries);
        if !repeated.is_empty() {
            failures.push(Error::of(Kind::BadRequest, repeated));
        }
        match merge(failures) {
            None => Ok(entries),
            Some(error) => Err(error),
        }
    }
}

/// One error of many, with all their issues and the first one's status.
pub fn merge(failures: Vec<Error>) -> Option<Error> {
    failures.into_iter().reduce(|mut first, next| {
        first.issues.extend(next.issues);
        first
    })
}

/// `error` as the error of an entry: its expressions start at the Bundle. `of_body` says whether they are
/// about the entry's resource.
pub fn in_entry(mut error: Error, index: usize, of_body: bool) -> Error {
    for issue in &mut error.issues {
        issue.expression = Some(entry_expression(issue.expression.as_deref(), index, of_body));
    }
    error
}

/// `Appointment.start` as `Bundle.entry[3].resource.start`.
pub fn entry_expression(expression: Option<&str>, index: usize, of_body: bool) -> String {
    match expression {
        Some(expression) if expression.starts_with("Bundle.entry[") => expression.to_owned(),
        Some(expression) if of_body => {
            let inner = match expression.split_once('.') {
                Some((first, rest)) if first.starts_with(|c: char| c.is_ascii_uppercase()) => rest,
                None if expression.starts_with(|c: char| c.is_ascii_uppercase()) => "",
                _ => expression,
            };
            let dot = if inner.is_empty() { "" } else { "." };
            format!("Bundle.entry[{index}].resource{dot}{inner}")
        }
        _ => format!("Bundle.entry[{index}]"),
    }
}

fn no_bundle(message: &str) -> Error {
    Error::of(Kind::BadRequest, vec![Issue::error("structure", message).at("Bundle")])
}

fn read_entry(entry: Value, index: usize, base: &str) -> Result<Entry, Error> {
    let at = |rest: &str| format!("Bundle.entry[{index}]{rest}");
    let refuse = |issues: Vec<Issue>| Error::of(Kind::BadRequest, issues);
    let Value::Object(mut entry) = entry else {
        return Err(refuse(vec![Issue::error("structure", "An entry is an object").at(at(""))]));
    };
    let resource = entry.remove("resource");
    let full_url = match entry.remove("fullUrl") {
        None => None,
        Some(Value::String(url)) => Some(url),
        Some(_) => {
            return Err(refuse(vec![Issue::error("value", "fullUrl is a string").at(at(".fullUrl"))]));
        }
    };
    let Some(request) = entry.get("request").and_then(Value::as_object) else {
        let issue = Issue::error("required", "Each entry of a batch or transaction has a request");
        return Err(refuse(vec![issue.at(at(".request"))]));
    };
    let mut issues = Vec::new();
    let request = read_request(request, &at(".request"), &mut issues);
    if !issues.is_empty() {
        return Err(refuse(issues));
    }
    let local = local_url(request.url, base).ok_or_else(|| {
        refuse(vec![Issue::error("value", "The URL is not one of this server").at(at(".request.url"))])
    })?;
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    let incoming = Incoming {
        method: request.method,
        path,
        query,
        if_match: request.if_match,
        if_none_match: request.if_none_match,
        if_modified_since: request.if_modified_since,
        if_none_exist: request.if_none_exist,
    };
    let interaction = parse_interaction(&incoming).map_err(|mut error| {
        for issue in &mut error.issues {
            issue.expression = Some(at(".request"));
        }
        error
    })?;
    let body = body(&interaction, resource).map_err(|issue| refuse(vec![issue.at(at(".resource"))]))?;
    Ok(Entry { index, full_url, interaction, body })
}

/// `Bundle.entry.request`, borrowed.
#[derive(Default)]
struct EntryRequest<'a> {
    method: &'a str,
    url: &'a str,
    if_match: Option<&'a str>,
    if_none_match: Option<&'a str>,
    if_modified_since: Option<&'a str>,
    if_none_exist: Option<&'a str>,
}

fn read_request<'a>(request: &'a Map<String, Value>, at: &str, issues: &mut Vec<Issue>) -> EntryRequest<'a> {
    let mut text = |name: &str, required: bool| match request.get(name) {
        Some(Value::String(text)) => Some(text.as_str()),
        None if !required => None,
        None => {
            issues.push(Issue::error("required", format!("{name} is missing")).at(format!("{at}.{name}")));
            None
        }
        Some(_) => {
            issues.push(Issue::error("value", format!("{name} is a string")).at(format!("{at}.{name}")));
            None
        }
    };
    let read = EntryRequest {
        method: text("method", true).unwrap_or_default(),
        url: text("url", true).unwrap_or_default(),
        if_match: text("ifMatch", false),
        if_none_match: text("ifNoneMatch", false),
        if_modified_since: text("ifModifiedSince", false),
        if_none_exist: text("ifNoneExist", false),
    };
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"];
    if request.contains_key("method") && !methods.contains(&read.method) {
        let message = format!("{:.20?} is not one of {}", read.method, methods.join(", "));
        issues.push(Issue::error("code-invalid", message).at(format!("{at}.method")));
    }
    read
}

/// `url` relative to our base; `None` for another server's.
fn local_url<'a>(url: &'a str, base: &str) -> Option<&'a str> {
    let is_absolute = url
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !is_absolute {
        return Some(url.trim_start_matches('/'));
    }
    let rest = url.strip_prefix(base).filter(|_| !base.is_empty())?;
    if rest.is_empty() || rest.starts_with('?') { Some(rest) } else { rest.strip_prefix('/') }
}

fn body(interaction: &Interaction, resource: Option<Value>) -> Result<EntryBody, Issue> {
    let needed = || Issue::error("required", "This entry needs a resource");
    match interaction {
        Interaction::Bundle => Err(Issue::error("not-supported", "A Bundle can't be inside a Bundle")),
        Interaction::Create { .. } | Interaction::Update(..) => {
            resource.map(EntryBody::Resource).ok_or_else(needed)
        }
        Interaction::Patch(..) => patch_body(resource.ok_or_else(needed)?),
        Interaction::Operation { .. } => Ok(resource.map_or(EntryBody::Empty, EntryBody::Resource)),
        _ => Ok(EntryBody::Empty),
    }
}

/// A patch travels as Parameters (FHIRPath Patch) or as a Binary that holds a JSON Patch.
fn patch_body(resource: Value) -> Result<EntryBody, Issue> {
    match resource.get("resourceType").and_then(Value::as_str) {
        Some("Parameters") => Ok(EntryBody::FhirPathPatch(resource)),
        Some("Binary") => {
            let kind = resource.get("contentType").and_then(Value::as_str).unwrap_or_default();
            if kind.split(';').next().map(str::trim) != Some("application/json-patch+json") {
                let message = "The contentType of a patch's Binary is application/json-patch+json";
                return Err(Issue::error("value", message));
            }
            let data = resource.get("data").and_then(Value::as_str).unwrap_or_default();
            let data: String = data.split_ascii_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(data)
                .map_err(|_| Issue::error("value", "The data of a patch's Binary is not base64"))?;
            serde_json::from_slice(&bytes)
                .map(EntryBody::JsonPatch)
                .map_err(|_| Issue::error("structure", "The data of a patch's Binary is not JSON"))
        }
        _ => Err(Issue::error("value", "A patch is a Parameters resource, or a JSON Patch in a Binary")),
    }
}

/// What a transaction may name once only: a fullUrl, a resource, a condition.
fn repeated(entries: &[Entry]) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut urls = HashMap::new();
    let mut aims = HashMap::new();
    for entry in entries {
        if let Some(url) = &entry.full_url
            && let Some(first) = urls.insert(url.clone(), entry.index)
        {
            let message = format!("Entry {first} has the same fullUrl");
            issues
                .push(Issue::error("invalid", message).at(format!("Bundle.entry[{}].fullUrl", entry.index)));
        }
        if let Some(aim) = aim(&entry.interaction)
            && let Some(first) = aims.insert(aim, entry.index)
        {
            let message = format!("Entry {first} writes the same resource; a transaction writes each once");
            issues
                .push(Issue::error("invalid", message).at(format!("Bundle.entry[{}].request", entry.index)));
        }
    }
    issues
}

/// What an entry writes, if that can be said before anything is read.
fn aim(interaction: &Interaction) -> Option<String> {
    match interaction {
        Interaction::Update(target, _) | Interaction::Patch(target, _) | Interaction::Delete(target, _) => {
            Some(match target {
                Target::Instance(instance) => format!("{}/{}", instance.rtype.name, instance.id),
                Target::Matching(rtype, query) => format!("{}?{query}", rtype.name),
            })
        }
        Interaction::Create { rtype, if_none_exist: Some(query) } => Some(format!("{}?{query}", rtype.name)),
        _ => None,
    }
}

/// The type and id of a literal reference to this server, such as `Patient/x` or `{base}/Patient/x`.
pub fn local_instance(url: &str, base: &str) -> Option<Instance> {
    let (rtype, id) = local_url(url, base)?.split_once('/')?;
    super::interaction::is_id(id).then_some(())?;
    Some(Instance { rtype: resource_type(rtype)?, id: id.to_owned() })
}

#[cfg(test)]
mod tests;
