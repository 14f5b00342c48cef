//! What the token endpoint answers (RFC 6749 §5.1, SMART "Launch context arrives with your access_token").

use super::tokens::{self, Issued, Subject};
use crate::app::{App, emergency};
use crate::audit::event::Actor;
use crate::auth::client::Client;
use crate::auth::error::OAuthError;
use crate::auth::launch::Launch;
use crate::auth::scope::{Scope, Scopes};
use crate::auth::token::{IDENTITY, IdClaims, issuer_of};
use crate::store::oauth::grant::Grant;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// A successful answer: JSON members, tokens among them.
pub type Answer = Map<String, Value>;

/// Tokens of a grant, limited to `scope`.
pub(super) async fn of_grant(
    app: &App,
    grant: &Grant,
    fhir_user: Option<String>,
    scope: &str,
    refresh: Option<SecretString>,
    with_identity: bool,
) -> Result<Answer, OAuthError> {
    let scopes = Scopes::parse(scope);
    let shows_user = scopes.has(&Scope::FhirUser) || scopes.has(&Scope::Profile);
    let fhir_user = fhir_user.filter(|_| shows_user);
    let subject = Subject {
        subject: grant.account.clone(),
        client: grant.client.clone(),
        scope: scope.to_owned(),
        grant: Some(grant.id.clone()),
        patient: grant.patient.clone(),
        encounter: grant.encounter.clone(),
        fhir_user: fhir_user.clone(),
        auth_time: Some(grant.auth_time_us / 1_000_000),
        emergency: emergency::running(app, &grant.account).await?,
    };
    let issued = tokens::issue(app, &grant.base, subject, app.config.auth.access_lifetime).await?;
    let whole = app.caller.account(&grant.account, fhir_user.as_deref(), Some(&grant.client));
    app.caller.is(Actor { token: Some(issued.claims.jti.clone()), ..whole });
    let mut answer = basic(&issued);
    answer.extend(context(grant));
    if let Some(refresh) = refresh {
        answer.insert("refresh_token".to_owned(), refresh.expose_secret().into());
    }
    if with_identity && scopes.has(&Scope::OpenId) {
        let user = issued.claims.fhir_user.clone();
        let claims = IdClaims {
            iss: issued.claims.iss.clone(),
            sub: grant.account.clone(),
            aud: grant.client.clone(),
            exp: issued.claims.exp,
            iat: issued.claims.iat,
            auth_time: grant.auth_time_us / 1_000_000,
            nonce: grant.nonce.clone(),
            fhir_user: user.clone(),
            profile: user.filter(|_| scopes.has(&Scope::Profile)),
        };
        answer.insert("id_token".to_owned(), tokens::sign(app, IDENTITY, &claims).await?.into());
    }
    Ok(answer)
}

/// A token of a client that acts for itself.
pub(super) async fn of_client(
    app: &App,
    base: &str,
    client: &Client,
    scope: String,
) -> Result<Answer, OAuthError> {
    let subject =
        Subject { subject: client.id.clone(), client: client.id.clone(), scope, ..Subject::default() };
    let issued = tokens::issue(app, base, subject, app.config.auth.system_lifetime).await?;
    let token = Some(issued.claims.jti.clone());
    app.caller.is(Actor { client: Some(client.id.clone()), token, ..Actor::default() });
    Ok(basic(&issued))
}

fn basic(issued: &Issued) -> Answer {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("access_token", issued.token.as_str().into());
    put("token_type", "Bearer".into());
    put("expires_in", (issued.claims.exp - issued.claims.iat).into());
    put("scope", issued.claims.scope.as_str().into());
    answer
}

/// The launch context of a grant, which introspection repeats.
pub(super) fn context(grant: &Grant) -> Answer {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    if let Some(patient) = &grant.patient {
        put("patient", patient.as_str().into());
    }
    if let Some(encounter) = &grant.encounter {
        put("encounter", encounter.as_str().into());
    }
    let launch = grant.launch.clone();
    if grant.patient.is_some() || launch.is_some() {
        // Unless the EHR says that it shows whose record it is, the application has to.
        let banner = launch.as_ref().and_then(|launch| launch.need_patient_banner).unwrap_or(true);
        put("need_patient_banner", banner.into());
    }
    put("smart_style_url", format!("{}/smart-style.json", issuer_of(&grant.base)).into());
    let Launch { fhir_context, intent, tenant, .. } = launch.unwrap_or_default();
    if !fhir_context.is_empty() {
        put("fhirContext", json!(fhir_context));
    }
    if let Some(intent) = intent {
        put("intent", intent.into());
    }
    if let Some(tenant) = tenant {
        put("tenant", tenant.into());
    }
    answer
}
