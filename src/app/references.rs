//! References: made local on the way in, and checked once all of a transaction is written.

use crate::fhir::bundle::entry_expression;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::validate::references::{Target, references, target};
use crate::store::{Tx, resource};
use serde_json::Value;
use std::collections::HashSet;

/// A local reference that must name a resource once the transaction is written.
#[derive(Clone, Debug)]
pub struct Pending {
    path: String,
    rtype: String,
    id: String,
}

/// Turns references under our own base into relative ones, so that they are found as what they are.
pub fn localise(body: &mut Value, base: &str) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "reference" => {
                        let local = text.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
                        if let Some(local) = local.filter(|_| !base.is_empty()) {
                            *text = local.to_owned();
                        }
                    }
                    _ => localise(value, base),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| localise(value, base)),
        _ => {}
    }
}

/// The local references of a body, which may be that of a Bundle entry.
pub fn pending(rtype: &str, body: &Value, entry: Option<usize>) -> Vec<Pending> {
    let name = |path: String| match entry {
        Some(index) => entry_expression(Some(&path), index, true),
        None => path,
    };
    references(rtype, body)
        .into_iter()
        .filter_map(|found| match target(&found.reference) {
            Target::Relative { rtype, id, .. } => {
                Some(Pending { path: name(found.path), rtype: rtype.to_owned(), id: id.to_owned() })
            }
            _ => None,
        })
        .collect()
}

/// Refuses references to what does not exist.
///
/// # Errors
/// 422 with an issue for each.
pub async fn check(tx: &mut Tx, pending: &[Pending]) -> Result<(), Error> {
    let wanted: HashSet<(String, String)> = pending.iter().map(|p| (p.rtype.clone(), p.id.clone())).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<(String, String)> = wanted.into_iter().collect();
    let found: HashSet<(String, String)> = resource::existing(tx, &wanted).await?.into_iter().collect();
    let missing: Vec<Issue> = pending
        .iter()
        .filter(|p| !found.contains(&(p.rtype.clone(), p.id.clone())))
        .map(|p| Issue::error("not-found", format!("{}/{} does not exist", p.rtype, p.id)).at(p.path.clone()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::of(Kind::Unprocessable, missing)) }
}
