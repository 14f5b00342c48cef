//! Composite parameters (R4 `search.html#composite`): `code$value`, both true of one resource. The served ones join
//! parameters of the whole resource, so each value is a condition on both.

use super::text::split;
use super::{Condition, Rules, value};
use crate::fhir::outcome::Issue;
use crate::fhir::registry::{ResourceType, SearchParam};

/// Reads the alternatives `raw` of a composite parameter of `rt`; `None` when there are none but empty ones.
///
/// # Errors
/// An issue that says which value or modifier is wrong.
pub(super) fn condition(
    rt: &'static ResourceType,
    param: &'static SearchParam,
    modifier: Option<&str>,
    raw: &str,
    rules: &Rules<'_>,
) -> Result<Option<Condition>, Issue> {
    let components: Vec<_> = param.components.iter().filter_map(|code| rt.param(code)).collect();
    match modifier {
        None => {}
        Some("missing") => return missing(param, &components, raw).map(Some),
        Some(other) => {
            let why = format!("the modifier ':{other}' is not supported on '{}'", param.code);
            return Err(Issue::error("not-supported", why));
        }
    }
    let values = split(raw, ',').into_iter().filter(|value| !value.trim().is_empty());
    let ways: Result<Vec<Condition>, Issue> =
        values.map(|value| one(param, &components, value, rules)).collect();
    Ok(Some(ways?).filter(|ways| !ways.is_empty()).map(Condition::Either))
}

fn one(
    param: &SearchParam,
    components: &[&'static SearchParam],
    raw: &str,
    rules: &Rules<'_>,
) -> Result<Condition, Issue> {
    let wrong = || {
        let form = param.components.join("$");
        Issue::error("invalid", format!("'{}' can't search by '{raw}': expected [{form}]", param.code))
    };
    let parts = split(raw, '$');
    if parts.len() != components.len() {
        return Err(wrong());
    }
    let mut joined = Vec::with_capacity(parts.len());
    for (component, part) in components.iter().zip(parts) {
        let test = value::test(component, None, part, rules)?.ok_or_else(wrong)?;
        joined.push(Condition::Param(component, test));
    }
    Ok(Condition::All(joined))
}

/// `:missing`: whether one of the values is.
fn missing(param: &SearchParam, components: &[&'static SearchParam], raw: &str) -> Result<Condition, Issue> {
    let present = components.iter().map(|component| Condition::Missing(component, false)).collect();
    match raw {
        "true" => Ok(Condition::Not(Box::new(Condition::All(present)))),
        "false" => Ok(Condition::All(present)),
        _ => Err(Issue::error("invalid", format!("'{}:missing' is true or false", param.code))),
    }
}
