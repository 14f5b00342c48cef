//! Which condition of several a search had best start from.

use crate::fhir::date::Prefix;
use crate::fhir::search::{Condition, StringMatch, Test};

/// Whether a condition leaves few candidates by a typed column.
pub(super) fn narrows(condition: &Condition) -> bool {
    match condition {
        Condition::Param(p, test) if p.column.is_some() => match test {
            Test::Reference(_) => true,
            Test::Token { not, .. } => !not && p.column.is_some_and(|c| c.name == "id"),
            Test::Date(values) => values.iter().all(|(prefix, _)| matches!(prefix, Prefix::Eq | Prefix::Ap)),
            _ => false,
        },
        Condition::Chain(p, _) => p.column.is_some(),
        Condition::Any(_) => true,
        _ => false,
    }
}

/// How promising a condition is as the one that is read as a set: smaller is better.
pub(super) fn rank(condition: &Condition) -> Option<u8> {
    let Condition::Param(param, test) = condition else { return None };
    if param.column.is_some() {
        return None;
    }
    match test {
        Test::Token { not: true, .. } | Test::Among(..) => None,
        Test::Token { .. } if param.is_identifier() => Some(0),
        Test::ReferenceIdentifier(_) => Some(0),
        Test::Reference(_) => Some(1),
        Test::String(StringMatch::Exact, _) => Some(2),
        Test::String(StringMatch::Starts, _) => Some(3),
        Test::Near(_) | Test::Uri(_) => Some(4),
        Test::Token { .. } if param.system.is_empty() => Some(5),
        Test::Date(_) | Test::Quantity(_) => Some(6),
        Test::TokenText(_) | Test::String(..) => Some(7),
        // Codes such as `active` and `gender` say little.
        Test::Token { .. } => Some(8),
    }
}
