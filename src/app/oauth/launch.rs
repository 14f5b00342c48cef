//! Launch contexts that an EHR makes (SMART "EHR Launch"): for one application, once, for five minutes.

use crate::app::App;
use crate::auth::Permit;
use crate::auth::client::Client;
use crate::auth::error::{Code, OAuthError};
use crate::auth::launch::Launch;
use crate::auth::secret;
use crate::clock::Micros;
use crate::fhir::extract::{Target, target};
use crate::fhir::registry::resource_type;
use crate::store::oauth::{client, request};
use crate::store::{Tx, account, resource};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::sync::Arc;

/// How long a launch can be used, in seconds.
const LIFETIME: i64 = 300;

/// What an EHR wants to start.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The application.
    pub client: String,
    /// The only person who may sign in to it, by username.
    pub username: Option<String>,
    /// The context.
    pub context: Launch,
}

impl Wanted {
    /// Reads it from JSON: `client_id`, `username`, and the members of the context.
    ///
    /// # Errors
    /// `invalid_request` with what is wrong.
    pub fn read(mut body: Map<String, Value>) -> Result<Self, OAuthError> {
        let mut text = |name: &str| match body.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid("client_id and username are texts")),
        };
        let client = text("client_id")?.ok_or_else(|| invalid("client_id is missing"))?;
        let username = text("username")?;
        let context: Launch = serde_json::from_value(Value::Object(body)).map_err(|_| {
            invalid("a launch has patient, encounter, fhirContext, intent, need_patient_banner and tenant")
        })?;
        match context.problem() {
            Some(problem) => Err(invalid(problem)),
            None => Ok(Self { client, username, context }),
        }
    }
}

/// Insists that patient and encounter of a context are resources of this server, and the encounter the patient's.
async fn belongs_together(tx: &mut Tx, context: &Launch) -> Result<(), OAuthError> {
    // Which of it is wrong is nobody's business.
    let wrong = || invalid("patient and encounter must be here, and the encounter the patient's");
    if let Some(id) = &context.patient {
        current(tx, "Patient", id).await?.ok_or_else(wrong)?;
    }
    let Some(id) = &context.encounter else { return Ok(()) };
    let encounter = current(tx, "Encounter", id).await?.ok_or_else(wrong)?;
    let Some(patient) = &context.patient else { return Ok(()) };
    let subject = encounter.pointer("/subject/reference").and_then(Value::as_str).unwrap_or_default();
    match target(subject) {
        Some(Target::Local("Patient", id)) if id == patient => Ok(()),
        _ => Err(wrong()),
    }
}

/// The current version of a resource, unless it was deleted.
async fn current(tx: &mut Tx, rtype: &str, id: &str) -> Result<Option<Value>, OAuthError> {
    let Some(rtype) = resource_type(rtype) else { return Ok(None) };
    let permit = Permit::of_server("the context of a launch");
    let found = resource::find(tx, &permit, rtype, id).await?.filter(|stored| !stored.deleted);
    let parsed = found.map(|stored| serde_json::from_slice(&stored.body));
    parsed.transpose().map_err(|error| OAuthError::internal(error.to_string()))
}

/// Makes a launch for the FHIR base `base` in the name of `by`: the launch value, how long it is good, and the URL to
/// open if the application registered one.
///
/// # Errors
/// `invalid_request` when the application or the person is not known, or the context is not one of this server.
pub async fn make(
    app: &App,
    base: &str,
    by: &Client,
    wanted: Wanted,
) -> Result<Map<String, Value>, OAuthError> {
    let mut tx = app.store.reader().await?;
    let found = client::find(&mut tx, &wanted.client).await?;
    let target = found.filter(|client| !client.disabled && !client.system);
    let target = target.ok_or_else(|| invalid("the application is not known"))?;
    let account = match &wanted.username {
        None => None,
        Some(name) => {
            let found = account::by_username(&mut tx, &crate::app::account::folded(name)).await?;
            Some(found.ok_or_else(|| invalid("the person is not known"))?.id)
        }
    };
    belongs_together(&mut tx, &wanted.context).await?;
    drop(tx);
    let drawn = app.clock.random_bytes::<32>().map_err(|error| OAuthError::internal(error.to_string()))?;
    let value = secret::written(&drawn);
    let expires_us: Micros = app.clock.now() + LIFETIME * 1_000_000;
    let mut event = app.administration("make a launch context", &wanted.client);
    event.patient.clone_from(&wanted.context.patient);
    let kept = Arc::new((secret::fingerprint(&value), wanted, account, by.id.clone()));
    app.noting(event, move |tx| {
        let kept = Arc::clone(&kept);
        Box::pin(async move {
            let (hash, wanted, account, by) = kept.as_ref();
            let launch = request::NewLaunch {
                hash,
                client: &wanted.client,
                account: account.as_deref(),
                context: &wanted.context,
                made_by: by,
                expires_us,
            };
            Ok::<_, OAuthError>(request::insert_launch(tx, launch).await?)
        })
    })
    .await?;
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("launch", value.as_str().into());
    put("expires_in", LIFETIME.into());
    if let Some(uri) = target.launch_uri {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let mark = if uri.contains('?') { '&' } else { '?' };
        put("launch_url", format!("{uri}{mark}iss={}&launch={}", encoded(base), encoded(&value)).into());
    }
    Ok(answer)
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidRequest, description)
}
