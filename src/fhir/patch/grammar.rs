//! Which FHIRPath expressions a patch may use.

use crate::fhir::outcome::Issue;
use rh_fhirpath::ast::TypeOperator;
use rh_fhirpath::{Expression, FhirPathParser, Invocation, Literal, Term};

/// Longest expression; the longest useful ones have about a hundred characters.
const MAX_LENGTH: usize = 1000;

/// Brackets that may be open at once; the parser recurses on them.
const MAX_OPEN: usize = 12;

/// What criteria may call. Nothing that can grow a collection: criteria run once per element.
const CRITERIA_FUNCTIONS: &[&str] = &[
    "all",
    "as",
    "contains",
    "count",
    "empty",
    "endsWith",
    "exists",
    "extension",
    "first",
    "hasValue",
    "indexOf",
    "is",
    "last",
    "length",
    "lower",
    "matches",
    "not",
    "ofType",
    "startsWith",
    "substring",
    "toString",
    "upper",
    "where",
];

/// Parses an expression that leads to places.
///
/// # Errors
/// An `invalid` issue for what is not FHIRPath, `not-supported` for what does not lead to a place.
pub(super) fn parse(text: &str) -> Result<Expression, Issue> {
    if text.len() > MAX_LENGTH || most_open(text) > MAX_OPEN {
        let message =
            format!("A path has at most {MAX_LENGTH} characters and {MAX_OPEN} brackets inside each other");
        return Err(Issue::error("too-long", message));
    }
    let parsed = FhirPathParser::new()
        .parse(text)
        .map_err(|_| Issue::error("invalid", format!("{text:?} is not a FHIRPath expression")))?;
    check_place(&parsed.root).map_err(|what| {
        let message = format!(
            "{what} does not lead to a place in a resource; a path has element names, [n], where(), \
             first(), last(), single(), ofType() and extension()"
        );
        Issue::error("not-supported", message)
    })?;
    Ok(parsed.root)
}

/// A literal index.
pub(super) fn integer(expression: &Expression) -> Option<usize> {
    match expression {
        Expression::Term(Term::Literal(Literal::Integer(n))) => usize::try_from(*n).ok(),
        _ => None,
    }
}

/// A literal text.
pub(super) fn text(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::Term(Term::Literal(Literal::String(text))) => Some(text),
        _ => None,
    }
}

/// The name of a type, with or without its namespace.
pub(super) fn type_name(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Term(Term::Invocation(Invocation::Member(name)))
        | Expression::Invocation { invocation: Invocation::Member(name), .. } => Some(name.clone()),
        _ => None,
    }
}

/// The most brackets open at once, quoted text included: a bound, not a count.
fn most_open(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Refuses, by its text, whatever [`Walk`] does not know.
fn check_place(expression: &Expression) -> Result<(), String> {
    let refused = Err(expression.to_string());
    match expression {
        Expression::Term(Term::Parenthesized(inner)) => check_place(inner),
        Expression::Term(Term::Invocation(invocation)) => check_step(invocation),
        Expression::Invocation { left, invocation } => {
            check_place(left)?;
            check_step(invocation)
        }
        Expression::Indexer { left, index } if integer(index).is_some() => check_place(left),
        Expression::Type { left, operator: TypeOperator::As, .. } => check_place(left),
        _ => refused,
    }
}

fn check_step(invocation: &Invocation) -> Result<(), String> {
    let (name, parameters) = match invocation {
        Invocation::Member(_) | Invocation::This => return Ok(()),
        Invocation::Index | Invocation::Total => return Err(invocation.to_string()),
        Invocation::Function { name, parameters } => (name.as_str(), parameters.as_slice()),
    };
    let known = match (name, parameters) {
        ("first" | "last" | "tail" | "single", []) => true,
        ("skip" | "take", [n]) => integer(n).is_some(),
        ("extension", [url]) => text(url).is_some(),
        ("ofType" | "as", [of]) => type_name(of).is_some(),
        ("where", [criteria]) => return check_criteria(criteria),
        _ => false,
    };
    if known { Ok(()) } else { Err(invocation.to_string()) }
}

fn check_criteria(expression: &Expression) -> Result<(), String> {
    match expression {
        Expression::Term(Term::Literal(_)) => Ok(()),
        Expression::Term(Term::ExternalConstant(_)) => Err(expression.to_string()),
        Expression::Term(Term::Parenthesized(inner)) | Expression::Polarity { operand: inner, .. } => {
            check_criteria(inner)
        }
        Expression::Term(Term::Invocation(invocation)) => check_call(invocation),
        Expression::Invocation { left, invocation } => {
            check_criteria(left)?;
            check_call(invocation)
        }
        Expression::Type { left, .. } => check_criteria(left),
        Expression::Indexer { left, index: right }
        | Expression::Multiplicative { left, right, .. }
        | Expression::Additive { left, right, .. }
        | Expression::Union { left, right }
        | Expression::Inequality { left, right, .. }
        | Expression::Equality { left, right, .. }
        | Expression::Membership { left, right, .. }
        | Expression::And { left, right }
        | Expression::Or { left, right, .. }
        | Expression::Implies { left, right } => {
            check_criteria(left)?;
            check_criteria(right)
        }
    }
}

fn check_call(invocation: &Invocation) -> Result<(), String> {
    match invocation {
        Invocation::Function { name, .. } if !CRITERIA_FUNCTIONS.contains(&name.as_str()) => {
            Err(invocation.to_string())
        }
        Invocation::Function { parameters, .. } => parameters.iter().try_for_each(check_criteria),
        _ => Ok(()),
    }
}
