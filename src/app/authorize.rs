//! What role and scopes must allow before anything is looked at: whoever may not ask learns nothing from the
//! answer.

use super::Context;
use crate::auth::Denied;
use crate::auth::scope::Right;
use crate::fhir::interaction::{Interaction, Target};
use crate::fhir::registry::ResourceType;

/// Refuses an interaction that role or scopes do not allow on any resource.
///
/// # Errors
/// [`Denied`], which the client reads as 403.
pub fn authorize(ctx: &Context, interaction: &Interaction) -> Result<(), Denied> {
    let may = |right, rtype: &'static ResourceType| ctx.access.permit(right, rtype).map(drop);
    match interaction {
        Interaction::Capabilities | Interaction::Bundle | Interaction::Operation { .. } => Ok(()),
        Interaction::Read(instance, _) | Interaction::VersionRead(instance, _) => {
            may(Right::Read, instance.rtype)
        }
        Interaction::Search(search) => search.rtype.map_or(Ok(()), |rtype| may(Right::Search, rtype)),
        Interaction::History { rtype: Some(rtype), id: Some(_), .. } => may(Right::Read, rtype),
        Interaction::History { rtype: Some(rtype), .. } => may(Right::Search, rtype),
        Interaction::History { .. } => ctx.access.search_everything().map(drop),
        Interaction::Create { rtype, if_none_exist } => {
            may(Right::Create, rtype)?;
            if_none_exist.as_ref().map_or(Ok(()), |_| may(Right::Search, rtype))?;
            may_override(ctx, rtype)
        }
        Interaction::Update(target, _) | Interaction::Patch(target, _) => {
            may(Right::Update, target.rtype())?;
            may_find(ctx, target)?;
            may_override(ctx, target.rtype())
        }
        Interaction::Delete(target, _) => {
            may(Right::Delete, target.rtype())?;
            may_find(ctx, target)
        }
    }
}

/// A write that is aimed by a condition is a search, too.
fn may_find(ctx: &Context, target: &Target) -> Result<(), Denied> {
    match target {
        Target::Instance(_) => Ok(()),
        Target::Matching(rtype, _) => ctx.access.permit(Right::Search, rtype).map(drop),
    }
}

/// `X-Override-Reason` means something to bookings only.
fn may_override(ctx: &Context, rtype: &ResourceType) -> Result<(), Denied> {
    if ctx.override_reason.is_some() && rtype.name == "Appointment" {
        return ctx.access.may_override();
    }
    Ok(())
}
