//! Batch and transaction.

use super::{Answer, App, Body, Context};
use crate::fhir::outcome::{Error, Kind};

/// Carries out a batch or transaction Bundle.
pub async fn process(_app: &App, _ctx: &Context, _body: Body) -> Result<Answer, Error> {
    Err(Error::new(Kind::MethodNotAllowed, "Bundles are not offered"))
}
