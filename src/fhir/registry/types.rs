//! Rows of the registry.

use super::ResourceType;

/// Every resource type that the server serves, in alphabetical order.
pub static TYPES: &[ResourceType] = &[];
