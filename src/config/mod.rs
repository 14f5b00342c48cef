//! Typed, validated settings.

/// Every setting, validated.
#[derive(Clone, Debug)]
pub struct Config {}
