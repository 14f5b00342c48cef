//! What a reading statement learns beside what it was asked for, so that nobody has to ask twice.

use super::StoreError;
use super::db::{Tx, statements};
use crate::args;
use crate::clock::Micros;

statements! {
    ACCESS = "SELECT seq FROM access_state";
}

/// Columns that a SELECT may have for [`State`]: when the next hold of any appointment lapses, and the number
/// of the last change of anybody's access.
pub(super) const COLUMNS: &str = "(SELECT MIN(held_until_us) FROM appointment WHERE held_until_us IS NOT NULL), \
     (SELECT seq FROM access_state)";

/// The state of the database in which a statement was answered.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// When the next hold of any appointment lapses.
    pub next_lapse: Option<Micros>,
    /// The number of the last change that may have ended or altered somebody's access.
    pub access: i64,
}

/// The number of the last change that may have ended or altered somebody's access.
pub async fn access(tx: &mut Tx) -> Result<i64, StoreError> {
    tx.one(ACCESS, args![]).await?.int(0)
}
