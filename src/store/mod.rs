//! The only SQL.

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {}
