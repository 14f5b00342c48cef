//! The search grammar (R4 `search.html`): a query string becomes a [`SearchQuery`].

mod composite;
mod control;
pub mod cursor;
mod ids;
pub mod matches;
mod parse;
#[cfg(test)]
mod tests;
pub mod text;
mod value;

pub use ids::IdSet;
pub use parse::{compartment_condition, parse};

use super::date::{Interval, Prefix};
use super::registry::{ResourceType, SearchParam};
use std::sync::Arc;

/// What a parser needs to know besides the query.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Public base of the FHIR endpoint: absolute references below it are our own.
    pub base: &'a str,
    /// Page size when `_count` is absent.
    pub default_count: u32,
    /// Largest page size; a larger `_count` is cut to it.
    pub max_count: u32,
}

/// A parsed search.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// The types searched: one, or several in a system-wide search.
    pub types: Vec<&'static ResourceType>,
    /// The compartment searched in, as type and id.
    pub compartment: Option<(String, String)>,
    /// What every match satisfies.
    pub conditions: Vec<Condition>,
    /// `_include`
    pub includes: Vec<Include>,
    /// `_revinclude`
    pub revincludes: Vec<Include>,
    /// `_sort`; empty for the server's own order.
    pub sort: Vec<SortKey>,
    /// Page size, at least 1.
    pub count: u32,
    /// `_total`
    pub total: Total,
    /// `_summary`; `_count=0` means [`Summary::Count`].
    pub summary: Summary,
    /// `_elements`; empty for all.
    pub elements: Vec<String>,
    /// Where the page starts: the signed `_page` of a `next` link.
    pub cursor: Option<String>,
    /// Parameters that were not understood, as written.
    pub unknown: Vec<String>,
    /// The parameters that were used, decoded, in the order given; for the links.
    pub used: Vec<(String, String)>,
}

/// Something that a match satisfies.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A parameter's values pass a test.
    Param(&'static SearchParam, Test),
    /// `:missing`: whether a parameter has no value.
    Missing(&'static SearchParam, bool),
    /// A chain: a reference leads to a resource of one of these types that satisfies the type's condition.
    Chain(&'static SearchParam, Vec<(&'static ResourceType, Condition)>),
    /// `_has`: a resource of this type refers here by this parameter and satisfies a condition.
    Has(&'static ResourceType, &'static SearchParam, Box<Condition>),
    /// The resource is of one of these types and satisfies the type's condition (compartments).
    Any(Vec<(&'static ResourceType, Condition)>),
    /// Every one of these holds. Like the two that follow, it comes of rules of access and of composite parameters.
    All(Vec<Condition>),
    /// At least one of these holds.
    Either(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

/// A test of a parameter's values; one passing value among alternatives is enough.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A token is one of these; with `not`, none is.
    Token {
        /// `:not`
        not: bool,
        /// Alternatives.
        any: Vec<TokenValue>,
    },
    /// `:text`: a display starts with one of these.
    TokenText(Vec<String>),
    /// A reference points at one of these.
    Reference(Vec<ReferenceValue>),
    /// `:identifier`: a reference carries one of these identifiers.
    ReferenceIdentifier(Vec<TokenValue>),
    /// A date compares so with one of these.
    Date(Vec<(Prefix, Interval)>),
    /// A string compares so with one of these.
    String(StringMatch, Vec<String>),
    /// A uri is one of these.
    Uri(Vec<String>),
    /// A quantity compares so with one of these.
    Quantity(Vec<QuantityValue>),
    /// A place is near one of these.
    Near(Vec<Near>),
    /// The logical id, or that of the resource of this type that is referred to, is in a set. No query says so:
    /// rules of access do.
    Among(&'static str, Arc<IdSet>),
}

/// `[system]|[code]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenValue {
    /// Absent: any; empty: none.
    pub system: Option<String>,
    /// Absent: any. Folded as the index is.
    pub code: Option<String>,
}

/// What a reference may be searched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceValue {
    /// A resource of this server, of one of these types (any when empty).
    Local(Vec<String>, String),
    /// An absolute reference or canonical.
    Url(String),
    /// Anything but a resource of this server that is of one of these types, or is one of these (`Type/id`).
    /// No query says so: rules of access do.
    Outside(Vec<String>),
    /// Any resource of this server that is of this type. No query says so: exports do.
    Any(&'static str),
}

/// How strings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringMatch {
    /// Folded, from the start.
    Starts,
    /// `:contains`: folded, anywhere.
    Contains,
    /// `:exact`: as written.
    Exact,
}

/// `[prefix][number]|[system]|[code]`
#[derive(Clone, Debug, PartialEq)]
pub struct QuantityValue {
    /// How the number compares.
    pub prefix: Prefix,
    /// The number.
    pub value: f64,
    /// How far around it still counts as equal: half of its last digit, for `ap` at least a tenth.
    pub slack: f64,
    /// Unit system; absent: any.
    pub system: Option<String>,
    /// Unit, by code or text; absent: any.
    pub unit: Option<String>,
}

/// `[latitude]|[longitude]|[distance]|[units]`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Kilometres.
    pub distance_km: f64,
}

/// `_include` or `_revinclude`
#[derive(Clone, Debug)]
pub struct Include {
    /// The type that holds the reference; absent for `*`.
    pub source: Option<&'static ResourceType>,
    /// The reference parameter; absent for all of them.
    pub param: Option<&'static SearchParam>,
    /// Only references to this type.
    pub target: Option<&'static ResourceType>,
    /// `:iterate`: also from included resources.
    pub iterate: bool,
}

/// One key of `_sort`.
#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    /// What is sorted by.
    pub param: &'static SearchParam,
    /// `-`
    pub descending: bool,
}

/// `_total`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Not counted.
    None,
    /// Counted; estimates are exact here.
    Accurate,
}

/// `_summary`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// `false`: everything.
    False,
    /// `true`: the elements that R4 marks as summary.
    True,
    /// `text`: the narrative and what is mandatory.
    Text,
    /// `data`: everything but the narrative.
    Data,
    /// `count`: only the number of matches.
    Count,
}

impl Summary {
    /// Reads the value of `_summary`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "false" => Self::False,
            "true" => Self::True,
            "text" => Self::Text,
            "data" => Self::Data,
            "count" => Self::Count,
            _ => return None,
        })
    }
}
