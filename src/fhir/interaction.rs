//! What a FHIR request asks for: method, path, query and conditional headers become an [`Interaction`].
//!
//! HTTP routes and Bundle entries both come through [`parse`], so that an entry means exactly what the
//! same request would mean on its own (R4 `http.html`).

mod parse;

pub use parse::{Incoming, allowed, is_id, parse};

use super::registry::ResourceType;

/// One FHIR interaction, without its body.
#[derive(Clone, Debug, PartialEq)]
pub enum Interaction {
    /// `GET metadata`
    Capabilities,
    /// `GET Type/id`
    Read(Instance, ReadConditions),
    /// `GET Type/id/_history/vid`
    VersionRead(Instance, String),
    /// `GET [Type]?…`, `POST [Type]/_search`, `GET Patient/x/Type?…`
    Search(Search),
    /// `GET [Type[/id]]/_history?…`
    History {
        /// All types when absent.
        rtype: Option<&'static ResourceType>,
        /// All instances of the type when absent.
        id: Option<String>,
        /// Raw query string.
        query: String,
    },
    /// `POST Type`, with `If-None-Exist` as a raw query string.
    Create {
        /// Type to create.
        rtype: &'static ResourceType,
        /// Create only if no resource matches this query.
        if_none_exist: Option<String>,
    },
    /// `PUT Type/id` or `PUT Type?query`
    Update(Target, WriteConditions),
    /// `PATCH Type/id` or `PATCH Type?query`
    Patch(Target, WriteConditions),
    /// `DELETE Type/id` or `DELETE Type?query`
    Delete(Target, WriteConditions),
    /// `POST [base]` with a batch or transaction Bundle.
    Bundle,
    /// `[base]/$name`, `Type/$name`, `Type/id/$name`
    Operation {
        /// Name without the `$`.
        name: String,
        /// Type-level or instance-level when present.
        rtype: Option<&'static ResourceType>,
        /// Instance-level when present.
        id: Option<String>,
        /// Raw query string.
        query: String,
    },
}

impl Interaction {
    /// The type that the interaction is about, when it is about one.
    pub fn rtype(&self) -> Option<&'static ResourceType> {
        match self {
            Self::Capabilities | Self::Bundle => None,
            Self::Read(instance, _) | Self::VersionRead(instance, _) => Some(instance.rtype),
            Self::Search(search) => search.rtype,
            Self::History { rtype, .. } | Self::Operation { rtype, .. } => *rtype,
            Self::Create { rtype, .. } => Some(rtype),
            Self::Update(target, _) | Self::Patch(target, _) | Self::Delete(target, _) => {
                Some(target.rtype())
            }
        }
    }
}

impl Target {
    /// The type written.
    pub fn rtype(&self) -> &'static ResourceType {
        match self {
            Self::Instance(instance) => instance.rtype,
            Self::Matching(rtype, _) => rtype,
        }
    }
}

/// A type and a logical id.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its type.
    pub rtype: &'static ResourceType,
    /// Its logical id.
    pub id: String,
}

/// What a write is aimed at.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// By id.
    Instance(Instance),
    /// By the one resource that matches the query (a conditional interaction).
    Matching(&'static ResourceType, String),
}

/// `If-None-Match` and `If-Modified-Since` of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// Versions that the caller already has.
    pub if_none_match: Option<String>,
    /// HTTP date.
    pub if_modified_since: Option<String>,
}

/// `If-Match` and `If-None-Match` of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// The version that must be current, such as `W/"3"`.
    pub if_match: Option<String>,
    /// `*`: only if it does not exist yet.
    pub if_none_match: Option<String>,
}

/// A search.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The type searched; absent for a system-wide search.
    pub rtype: Option<&'static ResourceType>,
    /// `Patient/x` of a compartment search.
    pub compartment: Option<(String, String)>,
    /// Raw query string, form parameters of a POST appended.
    pub query: String,
}
