//! Parameters of the operations on subscriptions, from the query or from Parameters.

use crate::app::Body;
use crate::fhir::interaction::is_id;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::subscription::Content;
use serde_json::Value;

/// The most ids that one call may name.
const MOST: usize = 200;

/// What a call asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Subscriptions by id, any of them; empty: all.
    pub(super) ids: Vec<String>,
    /// Statuses, any of them; empty: all.
    pub(super) statuses: Vec<String>,
    /// The first event.
    pub(super) since: Option<i64>,
    /// The last event.
    pub(super) until: Option<i64>,
    /// How much is to be told of each.
    pub(super) content: Option<Content>,
}

impl Asked {
    /// Reads what is posted and what is in the URL.
    ///
    /// # Errors
    /// 400 with every problem.
    pub(super) fn read(query: &str, body: &Body) -> Result<Self, Error> {
        let mut read = Self::default();
        let mut issues = Vec::new();
        for (name, value) in pairs(query, body)? {
            issues.extend(read.take(&name, &value).err());
        }
        if read.ids.len() > MOST {
            issues.push(Issue::error("too-costly", format!("At most {MOST} ids can be named")));
        }
        issues.truncate(20);
        if issues.is_empty() { Ok(read) } else { Err(Error::of(Kind::BadRequest, issues)) }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Issue> {
        let wrong = |what: &str| Err(Issue::error("value", format!("{name}: {value:.80?} is not {what}")));
        match name {
            "id" => {
                for one in value.split(',').map(str::trim) {
                    let id = one.rsplit_once("Subscription/").map_or(one, |(_, id)| id);
                    if !is_id(id) {
                        return wrong("the id of a Subscription");
                    }
                    self.ids.push(id.to_owned());
                }
            }
            "status" => {
                for one in value.split(',').map(str::trim) {
                    if !["requested", "active", "error", "off"].contains(&one) {
                        return wrong("one of requested, active, error and off");
                    }
                    self.statuses.push(one.to_owned());
                }
            }
            "eventsSinceNumber" | "eventsUntilNumber" => {
                let Some(number) = value.trim().parse::<i64>().ok().filter(|number| *number >= 0) else {
                    return wrong("the number of an event");
                };
                let place = if name == "eventsSinceNumber" { &mut self.since } else { &mut self.until };
                *place = Some(number);
            }
            "content" => match Content::from_code(value.trim()) {
                Some(content) => self.content = Some(content),
                None => return wrong("one of empty, id-only and full-resource"),
            },
            // What shapes the answer is read elsewhere; a parameter that is not known is passed over.
            _ => {}
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
        _ => {
            return Err(Error::bad_request(
                "The parameters of an operation are posted as a Parameters resource",
            ));
        }
    };
    for parameter in posted.get("parameter").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        let keys =
            ["valueString", "valueId", "valueCode", "valueInteger", "valueUnsignedInt", "valuePositiveInt"];
        let value = keys.iter().find_map(|key| match parameter.get(*key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let Some(value) = value else {
            let told = format!("The parameter {name:.64} has no value that can be read");
            return Err(Error::bad_request(told));
        };
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}
