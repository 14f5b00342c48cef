//! References: made local on the way in, and checked once all of a transaction is written.

use crate::auth::{Access, SearchPermit};
use crate::fhir::bundle::entry_expression;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ResourceType, resource_type};
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
    /// Whether it was there before: whoever changes a resource need not be able to read all that it refers to.
    stands: bool,
    /// Whether it says whose a Consent is.
    in_consent: bool,
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

/// The local references of a body, which may be that of a Bundle entry; `old` is the body before.
pub fn pending(rtype: &str, body: &Value, old: Option<&Value>, entry: Option<usize>) -> Vec<Pending> {
    let name = |path: String| match entry {
        Some(index) => entry_expression(Some(&path), index, true),
        None => path,
    };
    let before: HashSet<(String, String)> =
        old.map(|old| local(rtype, old).map(|(_, rtype, id)| (rtype, id)).collect()).unwrap_or_default();
    local(rtype, body)
        .map(|(path, rtype, id)| {
            let stands = before.contains(&(rtype.clone(), id.clone()));
            let in_consent = path == "Consent.patient";
            Pending { path: name(path), rtype, id, stands, in_consent }
        })
        .collect()
}

/// Path, type and id of each local reference.
fn local(rtype: &str, body: &Value) -> impl Iterator<Item = (String, String, String)> {
    references(rtype, body).into_iter().filter_map(|found| match target(&found.reference) {
        Target::Relative { rtype, id, .. } => Some((found.path, rtype.to_owned(), id.to_owned())),
        _ => None,
    })
}

/// Refuses references to what does not exist. What the principal may not read does not exist, either, unless
/// the reference stood before.
///
/// # Errors
/// 422 with an issue for each.
pub async fn check(tx: &mut Tx, access: &Access, pending: &[Pending]) -> Result<(), Error> {
    let trusted = |one: &&Pending| access.is_whole() || one.stands;
    let (stand, new): (Vec<&Pending>, Vec<&Pending>) = pending.iter().partition(trusted);
    let mut found = existing(tx, &SearchPermit::of_server("references that stand"), &stand).await?;
    let (consents, new): (Vec<&Pending>, Vec<&Pending>) = new.into_iter().partition(|one| one.in_consent);
    if !new.is_empty() {
        let permits = access.references(types(&new).into_iter(), false);
        found.extend(existing(tx, &permits, &new).await?);
    }
    let permits = access.references(types(&consents).into_iter(), true);
    let named = existing(tx, &permits, &consents).await?;
    let missing: Vec<Issue> = pending
        .iter()
        .filter(|p| {
            let key = (p.rtype.clone(), p.id.clone());
            !(found.contains(&key) || p.in_consent && named.contains(&key))
        })
        .map(|p| Issue::error("not-found", format!("{}/{} does not exist", p.rtype, p.id)).at(p.path.clone()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::of(Kind::Unprocessable, missing)) }
}

/// The served types among the targets, each once.
fn types(pending: &[&Pending]) -> Vec<&'static ResourceType> {
    let mut types = Vec::new();
    for rtype in pending.iter().filter_map(|one| resource_type(&one.rtype)) {
        if !types.contains(&rtype) {
            types.push(rtype);
        }
    }
    types
}

async fn existing(
    tx: &mut Tx,
    permits: &SearchPermit,
    pending: &[&Pending],
) -> Result<HashSet<(String, String)>, Error> {
    let wanted: HashSet<(&'static ResourceType, &str)> =
        pending.iter().filter_map(|one| Some((resource_type(&one.rtype)?, one.id.as_str()))).collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    Ok(resource::existing(tx, permits, &wanted).await?.into_iter().collect())
}
