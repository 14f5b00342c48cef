//! The one entry of every FHIR request.

use super::authorize::authorize;
use super::{Answer, App, Body, Context, audit, bulk, history, idempotent, read, subscriptions, write};
use crate::fhir::interaction::Interaction;
use crate::fhir::outcome::{Error, Kind};
use crate::fhir::registry::ResourceType;
use crate::store::Intent;
use std::sync::Arc;

/// Carries out one interaction and answers it.
///
/// # Errors
/// Whatever the client should be told; see the error table in [`crate::fhir::outcome`].
pub async fn execute(
    app: &App,
    ctx: &Context,
    interaction: Interaction,
    body: Body,
) -> Result<Answer, Error> {
    if let Interaction::Operation { name, .. } = &interaction
        && name == "export"
    {
        return bulk::kick_off(app, ctx, &interaction, &body).await;
    }
    let of_log = interaction.rtype().is_some_and(ResourceType::is_logged);
    if of_log {
        audit::query::check(&interaction)?;
    }
    authorize(ctx, &interaction)?;
    if of_log {
        return audit::query::execute(app, ctx, &interaction, body).await;
    }
    let read = read_type(&interaction);
    let answered = match interaction {
        Interaction::Capabilities => {
            let statement = crate::fhir::capability::statement(&ctx.base).to_string();
            Ok(Answer { status: 200, resource: Some(statement.into()), ..Answer::default() })
        }
        Interaction::Read(instance, conditions) => read::read(app, ctx, &instance, &conditions).await,
        Interaction::VersionRead(instance, vid) => read::version_read(app, ctx, &instance, &vid).await,
        Interaction::Search(search) => super::search::search(app, ctx, &search).await,
        Interaction::History { rtype, id, query } => {
            history::history(app, ctx, rtype, id.as_deref(), &query).await
        }
        Interaction::Bundle => super::bundle::process(app, ctx, body).await,
        Interaction::Operation { ref name, rtype: Some(rtype), .. }
            if rtype.name == "Subscription" && subscriptions::is_operation(name) =>
        {
            subscriptions::operate(app, ctx, &interaction, &body).await
        }
        Interaction::Operation { .. } => super::operation::run(app, ctx, &interaction, body).await,
        Interaction::Create { .. }
        | Interaction::Update(..)
        | Interaction::Patch(..)
        | Interaction::Delete(..) => write_one(app, ctx, interaction, body).await,
    };
    answered.map_err(|mut error| {
        let found_nothing = read.filter(|_| error.kind == Kind::NotFound);
        // The same whether there is something that may not be seen, or nothing.
        error.issues.extend(found_nothing.and_then(|rtype| ctx.access.emergency_hint(rtype)));
        error
    })
}

/// The type of the one resource that is to be read.
fn read_type(interaction: &Interaction) -> Option<&'static ResourceType> {
    match interaction {
        Interaction::Read(instance, _) | Interaction::VersionRead(instance, _) => Some(instance.rtype),
        Interaction::History { rtype, id: Some(_), .. } => *rtype,
        _ => None,
    }
}

/// One writing interaction in a transaction of its own.
async fn write_one(app: &App, ctx: &Context, interaction: Interaction, body: Body) -> Result<Answer, Error> {
    let warnings = write::check(app, &interaction, &body)?;
    let intent = match interaction {
        Interaction::Delete(..) => Intent::Delete,
        _ => Intent::Upsert,
    };
    let key = match interaction {
        Interaction::Create { .. } => idempotent::Key::of(ctx, &interaction, &body),
        _ => None,
    };
    let (app_, shared) = (app.clone(), Arc::new((ctx.clone(), interaction, body, key)));
    let mut answer = app
        .store
        .write(intent, move |tx| {
            let (app, shared) = (app_.clone(), shared.clone());
            Box::pin(async move {
                let (ctx, interaction, body, key) = shared.as_ref();
                let mut work = write::Work::begin(&app, ctx);
                if let Some(answer) = idempotent::recall(tx, key.as_ref(), work.now).await? {
                    return Ok(answer);
                }
                let answer = write::carry_out(tx, &app, &mut work, interaction, body, None).await?;
                let on_record = !work.written.is_empty();
                work.settle(tx, &app).await?;
                idempotent::keep(tx, key.as_ref(), &answer).await?;
                Ok::<_, Error>(Answer { on_record, ..answer })
            })
        })
        .await?;
    answer.issues.extend(warnings);
    Ok(answer)
}
