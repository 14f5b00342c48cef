//! Operations: `$validate`.

use super::authorize::authorize;
use super::write::{self, Work};
use super::{Answer, App, Body, Context};
use crate::auth::scope::Right;
use crate::fhir::interaction::{Instance, Interaction, Target, WriteConditions};
use crate::fhir::outcome::{Error, Issue, Kind, operation_outcome};
use crate::fhir::registry::{ResourceType, resource_type};
use crate::store::{Intent, Retry, StoreError, resource};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// Carries out a `$operation`.
///
/// # Errors
/// 404 for an operation that is not offered, and whatever the operation refuses.
pub async fn run(app: &App, ctx: &Context, interaction: &Interaction, body: Body) -> Result<Answer, Error> {
    let Interaction::Operation { name, rtype, id, query } = interaction else {
        return Err(Error::internal("not an operation"));
    };
    if name != "validate" {
        let message = format!("The operation ${name:.64} is not offered; $validate and $export are");
        return Err(Error::of(Kind::NotFound, vec![Issue::error("not-supported", message)]));
    }
    let asked = Asked::read(*rtype, id.as_deref(), query, body)?;
    validate(app, ctx, asked).await
}

/// What a resource would be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Stored, new or not.
    Any,
    Create,
    Update,
    Delete,
}

/// A call of `$validate` (R4 `resource-operation-validate.html`).
struct Asked {
    rtype: Option<&'static ResourceType>,
    id: Option<String>,
    mode: Mode,
    profile: Option<String>,
    resource: Option<Value>,
}

impl Asked {
    fn read(
        rtype: Option<&'static ResourceType>,
        id: Option<&str>,
        query: &str,
        body: Body,
    ) -> Result<Self, Error> {
        let (mut mode, mut profile) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "mode" => mode = Some(value.into_owned()),
                "profile" => profile = Some(value.into_owned()),
                _ => {}
            }
        }
        let resource = match body {
            Body::Resource(body)
                if body.get("resourceType").and_then(Value::as_str) == Some("Parameters") =>
            {
                let mut resource = None;
                for parameter in body.get("parameter").and_then(Value::as_array).into_iter().flatten() {
                    let text = || {
                        let keys = ["valueCode", "valueUri", "valueCanonical", "valueString"];
                        keys.iter().find_map(|key| parameter.get(*key)?.as_str()).map(str::to_owned)
                    };
                    match parameter.get("name").and_then(Value::as_str) {
                        Some("resource") => resource = parameter.get("resource").cloned(),
                        Some("mode") => mode = text(),
                        Some("profile") => profile = text(),
                        _ => {}
                    }
                }
                resource
            }
            Body::Resource(body) => Some(body),
            Body::Empty => None,
            Body::JsonPatch(_) | Body::FhirPathPatch(_) => {
                return Err(Error::bad_request("$validate takes a resource, or Parameters"));
            }
        };
        let mode = match mode.as_deref() {
            None => Mode::Any,
            Some("create") => Mode::Create,
            Some("update") => Mode::Update,
            Some("delete") => Mode::Delete,
            Some(other) => {
                let message = format!("The mode {other:.40?} is not one of create, update, delete");
                return Err(Error::of(Kind::BadRequest, vec![Issue::error("code-invalid", message)]));
            }
        };
        if mode == Mode::Delete && id.is_none() {
            let message =
                "Whether something can be deleted is asked of it: POST Type/id/$validate?mode=delete";
            return Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message)]));
        }
        Ok(Self { rtype, id: id.map(str::to_owned), mode, profile, resource })
    }
}

/// Says what would be wrong with a resource; changes nothing. For an Appointment that includes every
/// conflict that booking it now would meet.
async fn validate(app: &App, ctx: &Context, asked: Asked) -> Result<Answer, Error> {
    let stored = match (&asked.resource, asked.rtype, &asked.id) {
        (None, Some(rtype), Some(id)) => Some(stored(app, ctx, rtype, id).await?),
        _ => None,
    };
    let Some(resource) = asked.resource.clone().or(stored) else {
        let message = "$validate needs a resource: in the body, or in a parameter named resource";
        return Err(Error::of(Kind::BadRequest, vec![Issue::error("required", message)]));
    };
    let Some(rtype) = asked.rtype.or_else(|| resource_type(resource.get("resourceType")?.as_str()?)) else {
        return Err(Error::of(
            Kind::BadRequest,
            vec![Issue::error("not-supported", "resourceType is not a type that is served here")],
        ));
    };
    let mut issues = profile_issues(&asked, &resource);
    let (interaction, body) = trial(&asked, rtype, resource);
    // To rehearse takes the same right as to do.
    authorize(ctx, &interaction)?;
    match write::check(app, &interaction, &body) {
        Ok(warnings) => {
            issues.extend(warnings);
            if let Err(error) = rehearse(app, ctx, interaction, body).await {
                if matches!(error.kind, Kind::Forbidden | Kind::Internal | Kind::Unavailable) {
                    return Err(error);
                }
                issues.extend(error.issues);
            }
        }
        Err(error) => issues.extend(error.issues),
    }
    let outcome = operation_outcome(&issues).to_string();
    Ok(Answer { status: 200, resource: Some(Bytes::from(outcome)), ..Answer::default() })
}

async fn stored(app: &App, ctx: &Context, rtype: &'static ResourceType, id: &str) -> Result<Value, Error> {
    let permit = ctx.access.permit(Right::Read, rtype)?;
    let found = resource::find(&mut app.store.reader().await?, &permit, rtype, id).await?;
    let found = found.filter(|stored| !stored.deleted).ok_or_else(|| Error::not_found(rtype.name, id))?;
    write::parse(&found)
}

/// A profile that is asked for must be one that is checked here: saying nothing would pass for a yes.
fn profile_issues(asked: &Asked, resource: &Value) -> Vec<Issue> {
    let Some(profile) = &asked.profile else { return Vec::new() };
    let rtype = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let base = format!("http://hl7.org/fhir/StructureDefinition/{rtype}");
    let ours = |url: &str| {
        crate::fhir::validate::definitions().iter().any(|(kind, _, text)| {
            *kind == "StructureDefinition" && text.contains(&format!("\"url\": \"{url}\""))
        })
    };
    if *profile == base || ours(profile) {
        return Vec::new();
    }
    vec![Issue::warning(
        "not-found",
        format!("The profile {profile:.200} is not known here and was not checked"),
    )]
}

/// The write that the call asks about.
fn trial(asked: &Asked, rtype: &'static ResourceType, mut resource: Value) -> (Interaction, Body) {
    let id = asked.id.clone().or_else(|| resource.get("id")?.as_str().map(str::to_owned));
    let conditions = WriteConditions::default();
    match (asked.mode, id) {
        (Mode::Delete, Some(id)) => {
            (Interaction::Delete(Target::Instance(Instance { rtype, id }), conditions), Body::Empty)
        }
        (Mode::Any | Mode::Update, Some(id)) => {
            if let Some(members) = resource.as_object_mut() {
                members.entry("id").or_insert_with(|| Value::String(id.clone()));
            }
            let target = Target::Instance(Instance { rtype, id });
            (Interaction::Update(target, conditions), Body::Resource(resource))
        }
        _ => (Interaction::Create { rtype, if_none_exist: None }, Body::Resource(resource)),
    }
}

/// Why a transaction ends without a commit.
enum Ended {
    /// It would have succeeded.
    Rehearsed,
    Refused(Error),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl Retry for Ended {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Refused(error) if error.retry)
    }
}

/// Carries out a write in a transaction that is always rolled back.
async fn rehearse(app: &App, ctx: &Context, interaction: Interaction, body: Body) -> Result<(), Error> {
    let intent = match interaction {
        Interaction::Delete(..) => Intent::Delete,
        _ => Intent::Upsert,
    };
    let (app_, shared) = (app.clone(), Arc::new((ctx.clone(), interaction, body)));
    let ended: Result<(), Ended> = app
        .store
        .write(intent, move |tx| {
            let (app, shared) = (app_.clone(), shared.clone());
            Box::pin(async move {
                let (ctx, interaction, body) = shared.as_ref();
                let mut work = Work::begin(&app, ctx);
                write::carry_out(tx, &app, &mut work, interaction, body, None)
                    .await
                    .map_err(Ended::Refused)?;
                work.settle(tx, &app).await.map_err(Ended::Refused)?;
                Err(Ended::Rehearsed)
            })
        })
        .await;
    match ended {
        Ok(()) | Err(Ended::Rehearsed) => Ok(()),
        Err(Ended::Refused(error)) => Err(error),
    }
}
