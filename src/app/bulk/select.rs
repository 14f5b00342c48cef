//! Which resources of a type an export has, for whoever fetches it.

use super::asked::{self, Export, Over};
use crate::app::App;
use crate::auth::scope::Right;
use crate::auth::{Access, SearchPermit};
use crate::clock::Micros;
use crate::fhir::date;
use crate::fhir::extract::{Target, target};
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::{ParamKind, ResourceType, TYPES, resource_type};
use crate::fhir::search::{Condition, IdSet, ReferenceValue, SearchQuery, Test};
use crate::store::resource;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether exports of patients have resources of a type: what is in their compartments, and what is in nobody's and is
/// referred to from there, such as practitioners and organizations.
pub(super) fn is_of_patients(rtype: &ResourceType) -> bool {
    !rtype.patient_compartment.is_empty()
}

/// Of whom an export is, once that is known.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// Nobody's in particular: everything.
    Everything,
    /// All patients.
    Everybody,
    /// These patients.
    Of(Arc<IdSet>),
}

/// Whose data an export has. The Group says so in the version that was current when the export was asked for.
///
/// # Errors
/// 403 and 404 when the Group can't be read (any more).
pub(super) async fn whose(app: &App, access: &Access, export: &Export, at: Micros) -> Result<Whose, Error> {
    let chosen: BTreeSet<String> = export.patients.iter().cloned().collect();
    match &export.over {
        Over::System | Over::Log => Ok(Whose::Everything),
        Over::Patients if chosen.is_empty() => Ok(Whose::Everybody),
        Over::Patients => Ok(Whose::Of(Arc::new(IdSet::new(chosen)))),
        Over::Group { id, vid } => {
            let group = resource_type("Group").ok_or_else(|| Error::internal("no Group in the registry"))?;
            let permit = access.permit_members(group)?;
            let mut tx = app.store.reader().await?;
            let version = resource::version(&mut tx, &permit, group, id, *vid).await?;
            let body =
                version.and_then(|version| version.body).ok_or_else(|| Error::not_found("Group", id))?;
            let body: Value = serde_json::from_slice(&body).map_err(|e| Error::internal(e.to_string()))?;
            let mut ids = members(&body, at);
            if !chosen.is_empty() {
                ids.retain(|id| chosen.contains(id));
            }
            Ok(Whose::Of(Arc::new(IdSet::new(ids))))
        }
    }
}

/// Whether all patients who were named are members of a Group.
///
/// # Errors
/// 400 when one is not.
pub(super) fn are_members(export: &Export, group: &[u8], at: Micros) -> Result<(), Error> {
    if export.patients.is_empty() {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(group).map_err(|e| Error::internal(e.to_string()))?;
    let members = members(&body, at);
    if export.patients.iter().all(|id| members.contains(id)) {
        return Ok(());
    }
    Err(Error::new(Kind::BadRequest, "patient: somebody is named who is not a member of the Group"))
}

/// Logical ids of the patients who are members of a Group at a time.
fn members(group: &Value, at: Micros) -> BTreeSet<String> {
    let all = group.get("member").and_then(Value::as_array).into_iter().flatten();
    let current = all.filter(|member| {
        let ended = member.pointer("/period/end").and_then(Value::as_str).and_then(date::parse);
        member.get("inactive").and_then(Value::as_bool) != Some(true) && ended.is_none_or(|end| end.hi > at)
    });
    let id = |member: &Value| match target(member.pointer("/entity/reference")?.as_str()?) {
        Some(Target::Local("Patient", id)) => Some(id.to_owned()),
        _ => None,
    };
    current.filter_map(id).collect()
}

/// The search that finds what an export has of a type, and the permits of whoever asks: as for reading and searching
/// them one by one.
///
/// # Errors
/// 403 when nothing of the type may be exported.
pub(super) fn selection(
    access: &Access,
    export: &Export,
    whose: &Whose,
    rtype: &'static ResourceType,
) -> Result<(SearchQuery, SearchPermit), Error> {
    let read = access.permit(Right::Read, rtype)?;
    let mut query = asked::whole(rtype)?;
    query.conditions.extend(condition(access, whose, rtype));
    let mut filters = Vec::new();
    for (_, filter) in export.filters.iter().filter(|(name, _)| name == rtype.name) {
        let parsed =
            asked::filter(rtype, filter).map_err(|issue| Error::of(Kind::BadRequest, vec![issue]))?;
        filters.push(Condition::All(parsed.conditions));
    }
    if !filters.is_empty() {
        query.conditions.push(Condition::Either(filters));
    }
    let permits = access.search(&mut query)?;
    query.conditions.extend(read.filter().cloned());
    Ok((query, permits))
}

/// What puts a resource into an export; none: nothing needs to.
fn condition(access: &Access, whose: &Whose, rtype: &'static ResourceType) -> Option<Condition> {
    if is_of_patients(rtype) {
        return in_compartment(whose, rtype);
    }
    if matches!(whose, Whose::Everything) {
        return None;
    }
    let sources = TYPES.iter().filter(|source| is_of_patients(source));
    let sources = sources.filter(|source| access.permit(Right::Search, source).is_ok());
    let mut ways = Vec::new();
    for source in sources {
        let may_point = source.params.iter().filter(|param| {
            param.kind == ParamKind::Reference
                && (param.targets.is_empty() || param.targets.contains(&rtype.name))
                && source.stored_as(param).is_none()
        });
        for param in may_point {
            let inner = in_compartment(whose, source).unwrap_or(Condition::All(Vec::new()));
            ways.push(Condition::Has(source, param, Box::new(inner)));
        }
    }
    Some(Condition::Either(ways))
}

/// In the compartment of one of these patients; none: all are.
fn in_compartment(whose: &Whose, rtype: &'static ResourceType) -> Option<Condition> {
    let params = rtype.patient_compartment.iter().filter_map(|code| rtype.param(code));
    let test = match whose {
        Whose::Everything => return None,
        Whose::Everybody if rtype.name == "Patient" => return None,
        Whose::Everybody => Test::Reference(vec![ReferenceValue::Any("Patient")]),
        Whose::Of(ids) => Test::Among("Patient", Arc::clone(ids)),
    };
    Some(Condition::Either(params.map(|param| Condition::Param(param, test.clone())).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_those_who_are_it_now() {
        let member = |id: &str| json!({ "entity": { "reference": id } });
        let mut left = member("Patient/3");
        left["inactive"] = json!(true);
        let mut ended = member("Patient/4");
        ended["period"] = json!({ "end": "2020-01-01" });
        let mut goes_on = member("Patient/5");
        goes_on["period"] = json!({ "start": "2020-01-01", "end": "2030-01-01" });
        let group =
            json!({ "member": [member("Patient/1"), member("Practitioner/2"), left, ended, goes_on] });
        let at = date::instant("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(members(&group, at).into_iter().collect::<Vec<_>>(), ["1", "5"]);
    }
}
