//! Searching.

use super::{Answer, App, Context};
use crate::fhir::interaction::Search;
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::ResourceType;
use crate::store::Tx;

/// Answers a search.
pub async fn search(_app: &App, _ctx: &Context, _search: &Search) -> Result<Answer, Error> {
    Err(Error::new(Kind::MethodNotAllowed, "Search is not offered"))
}

/// Ids of resources that match, `limit` at most.
pub async fn matching(
    _tx: &mut Tx,
    _app: &App,
    _rtype: &'static ResourceType,
    _query: &str,
    _limit: usize,
) -> Result<Vec<String>, Error> {
    Err(Error::new(Kind::MethodNotAllowed, "Search is not offered"))
}
