//! What a kick-off request asks for.

use crate::app::Body;
use crate::clock::Micros;
use crate::fhir::date;
use crate::fhir::interaction::is_id;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ResourceType, TYPES, resource_type};
use crate::fhir::search::{Rules, SearchQuery, Summary, Total, parse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Values of `_outputFormat` that mean NDJSON.
const FORMATS: &[&str] = &["application/fhir+ndjson", "application/ndjson", "ndjson"];
/// The most values that all parameters of one kind may have together.
const MOST: usize = 1000;
/// The most queries of `_typeFilter`.
const MOST_FILTERS: usize = 50;
/// Parameters without a meaning for what is exported.
const SILENT: &[&str] = &["_format", "_pretty", "allowPartialManifests"];

/// What is exported, as a job keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The URL of the kick-off request.
    pub request: String,
    /// Of whom.
    pub over: Over,
    /// Names of the types.
    pub types: Vec<String>,
    /// Only what was written at this time or later.
    pub since: Option<Micros>,
    /// Of the audit log: only what was recorded before this time.
    pub until: Option<Micros>,
    /// `_typeFilter`: a type and a search of it.
    pub filters: Vec<(String, String)>,
    /// Only about these patients, by logical id; all, when there is none.
    pub patients: Vec<String>,
    /// Parameters that were not understood, and passed over.
    pub ignored: Vec<String>,
}

/// Whose data is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    /// Everything.
    System,
    /// All patients.
    Patients,
    /// The members of a Group.
    Group {
        /// Its logical id.
        id: String,
        /// The version that says who they are.
        vid: i64,
    },
    /// The audit log.
    Log,
}

impl Export {
    /// The types, as far as this server (still) has them.
    pub fn types(&self) -> impl Iterator<Item = &'static ResourceType> + use<'_> {
        self.types.iter().filter_map(|name| resource_type(name))
    }

    /// `Type/id/_history/vid` of the Group that it is about.
    pub fn group(&self) -> Option<String> {
        match &self.over {
            Over::Group { id, vid } => Some(format!("Group/{id}/_history/{vid}")),
            _ => None,
        }
    }
}

/// The parameters as they were given.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) since: Option<Micros>,
    pub(super) until: Option<Micros>,
    /// Types that were named; none: all that may be exported.
    pub(super) types: Vec<&'static ResourceType>,
    pub(super) filters: Vec<(String, String)>,
    pub(super) patients: Vec<String>,
    /// Names of those that are not understood here.
    pub(super) unknown: Vec<String>,
}

impl Parameters {
    /// Reads the query, and Parameters that were posted.
    ///
    /// # Errors
    /// 400 with every problem.
    pub(super) fn read(query: &str, body: &Body, of_log: bool) -> Result<Self, Error> {
        let mut read = Self::default();
        let mut issues = Vec::new();
        for (name, value) in pairs(query, body)? {
            if let Err(issue) = read.take(&name, &value, of_log) {
                issues.push(issue);
            }
        }
        if read.patients.len() > MOST || read.filters.len() > MOST_FILTERS {
            issues.push(Issue::error(
                "too-costly",
                format!("An export takes at most {MOST} patients and {MOST_FILTERS} queries of _typeFilter"),
            ));
        }
        let named = |name: &String| read.types.is_empty() || read.types.iter().any(|rt| rt.name == *name);
        if let Some((name, _)) = read.filters.iter().find(|(name, _)| !named(name)) {
            let message = format!("_typeFilter speaks of {name}, which _type does not name");
            issues.push(Issue::error("invalid", message));
        }
        issues.truncate(20);
        if issues.is_empty() { Ok(read) } else { Err(Error::of(Kind::BadRequest, issues)) }
    }

    fn take(&mut self, name: &str, value: &str, of_log: bool) -> Result<(), Issue> {
        let wrong = |what: &str| Err(Issue::error("value", format!("{name}: {value:.80?} is not {what}")));
        // What was meant as '+' and not encoded arrives as a space.
        let plus = value.trim().replace(' ', "+");
        match name {
            "_outputFormat" => {
                let format = plus.split(';').next().unwrap_or_default();
                if !FORMATS.contains(&format) {
                    return wrong("a format of exports: application/fhir+ndjson is");
                }
            }
            "_since" | "_until" if name == "_since" || of_log => {
                let Some(at) = date::instant(&plus) else { return wrong("an instant") };
                *(if name == "_since" { &mut self.since } else { &mut self.until }) = Some(at);
            }
            "_type" if !of_log => {
                for one in value.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                    let Some(rtype) = TYPES.iter().find(|rtype| rtype.name == one) else {
                        let message = format!("_type: {one:.64?} is not a type that is exported here");
                        return Err(Issue::error("not-supported", message));
                    };
                    if !self.types.contains(&rtype) {
                        self.types.push(rtype);
                    }
                }
            }
            "_typeFilter" if !of_log => {
                for one in queries(value) {
                    let rtype = one.split_once('?').and_then(|(rtype, query)| {
                        Some((TYPES.iter().find(|known| known.name == rtype)?, query))
                    });
                    let Some((rtype, query)) = rtype else { return wrong("a search such as Type?status=x") };
                    filter(rtype, query)?;
                    self.filters.push((rtype.name.to_owned(), query.to_owned()));
                }
            }
            "patient" => {
                for one in value.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                    let id = one.rsplit_once("Patient/").map_or(one, |(_, id)| id);
                    if !is_id(id) {
                        return wrong("a reference to a Patient");
                    }
                    if !self.patients.iter().any(|known| known == id) {
                        self.patients.push(id.to_owned());
                    }
                }
                if of_log && self.patients.len() > 1 {
                    return Err(Issue::error(
                        "value",
                        "patient: an export of the log is about one at a time",
                    ));
                }
            }
            _ if SILENT.contains(&name) => {}
            _ if self.unknown.iter().any(|known| known == name) => {}
            _ => self.unknown.push(format!("{name:.64}")),
        }
        Ok(())
    }
}

/// Names and values, decoded.
fn pairs(query: &str, body: &Body) -> Result<Vec<(String, String)>, Error> {
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let posted = match body {
        Body::Empty => return Ok(pairs),
        Body::Resource(posted)
            if posted.get("resourceType").and_then(Value::as_str) == Some("Parameters") =>
        {
            posted
        }
        _ => return Err(Error::bad_request("The parameters of $export are posted as a Parameters resource")),
    };
    for parameter in posted.get("parameter").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        let text = |key: &str| parameter.pointer(key).and_then(Value::as_str).map(str::to_owned);
        let keys = ["/valueString", "/valueCode", "/valueInstant", "/valueDateTime", "/valueUri"];
        let value = keys.iter().find_map(|key| text(key)).or_else(|| text("/valueReference/reference"));
        let value = value.or_else(|| parameter.get("valueBoolean").map(Value::to_string));
        let Some(value) = value else {
            return Err(Error::bad_request(format!(
                "The parameter {name:.64} has no value that can be read"
            )));
        };
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

/// The queries of one `_typeFilter`: commas are between them, and inside them, too.
fn queries(value: &str) -> Vec<String> {
    let begins = |part: &str| {
        part.split_once('?').is_some_and(|(rtype, _)| {
            rtype.starts_with(|c: char| c.is_ascii_uppercase())
                && rtype.chars().all(|c| c.is_ascii_alphabetic())
        })
    };
    let mut found: Vec<String> = Vec::new();
    for part in value.split(',') {
        match found.last_mut() {
            Some(last) if !begins(part) => {
                last.push(',');
                last.push_str(part);
            }
            _ => found.push(part.trim().to_owned()),
        }
    }
    found
}

/// How `_typeFilter` is read: with no page of its own.
const RULES: Rules<'static> = Rules { base: "", default_count: 1, max_count: 1 };

/// A search of a type that has no condition yet.
///
/// # Errors
/// None that a client could cause.
pub(super) fn whole(rtype: &'static ResourceType) -> Result<SearchQuery, Error> {
    parse(Some(rtype), "", None, &RULES)
}

/// One query of `_typeFilter`.
///
/// # Errors
/// What is wrong with it: it must choose resources and do nothing else.
pub(super) fn filter(rtype: &'static ResourceType, query: &str) -> Result<SearchQuery, Issue> {
    let refuse =
        |why: &str| Issue::error("invalid", format!("_typeFilter: {}?{query:.200}: {why}", rtype.name));
    let parsed = parse(Some(rtype), query, None, &RULES).map_err(|error| {
        let why: Vec<&str> = error.issues.iter().map(|issue| issue.diagnostics.as_str()).collect();
        refuse(&why.join("; "))
    })?;
    if let Some(name) = parsed.unknown.first() {
        return Err(refuse(&format!("{name:.64} is not a search parameter")));
    }
    let shapes = !parsed.includes.is_empty()
        || !parsed.revincludes.is_empty()
        || !parsed.sort.is_empty()
        || !parsed.elements.is_empty()
        || parsed.cursor.is_some()
        || parsed.total != Total::None
        || parsed.summary != Summary::False;
    if shapes || parsed.conditions.is_empty() {
        return Err(refuse("only parameters that choose resources are taken"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_queries_and_values() {
        assert_eq!(
            queries("Appointment?status=booked,arrived,Slot?status=free"),
            ["Appointment?status=booked,arrived", "Slot?status=free"]
        );
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let read = |query: &str| Parameters::read(query, &Body::Empty, false);
        for query in [
            "_outputFormat=text/csv",
            "_since=yesterday",
            "_since=2000-02-30T14:23:18Z",
            "_type=Patient,Nonsense",
            "_typeFilter=Nonsense?x=y",
            "_typeFilter=Patient?nonsense=y",
            "_typeFilter=Patient?_sort=name",
            "_type=Slot&_typeFilter=Patient?gender=male",
            "patient=Patient/!",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
        let read = read("_outputFormat=application/fhir+ndjson&_since=2020-01-01T00:00:00+01:00&_type=Patient,Slot&_type=Slot&x=1").unwrap();
        assert_eq!((read.types.len(), read.unknown.as_slice()), (2, ["x".to_owned()].as_slice()));
        assert_eq!(read.since, date::instant("2019-12-31T23:00:00Z"));
    }
}
