//! Operations.

use super::{Answer, App, Body, Context};
use crate::fhir::interaction::Interaction;
use crate::fhir::outcome::{Error, Kind};

/// Carries out a `$operation`.
pub async fn run(
    _app: &App,
    _ctx: &Context,
    _interaction: &Interaction,
    _body: Body,
) -> Result<Answer, Error> {
    Err(Error::new(Kind::MethodNotAllowed, "Operations are not offered"))
}
