//! An authorization request while a person decides: what the pages show, and what their decision becomes.

use crate::app::App;
use crate::audit::act::Act;
use crate::audit::event::Event;
use crate::auth::client::Client;
use crate::auth::error::Code;
use crate::auth::launch::Launch;
use crate::auth::scope::{Level, Scope, Scopes};
use crate::auth::secret;
use crate::clock::Micros;
use crate::fhir::registry::resource_type;
use crate::store::account::{self, Account};
use crate::store::oauth::request::Request;
use crate::store::oauth::{client, grant, request};
use crate::store::{Intent, StoreError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

/// How long a code is good, in microseconds: a client fetches its tokens at once.
const CODE_LIFETIME: Micros = 60_000_000;
/// What stands for itself in a query (RFC 3986 §2.3). A space becomes `%20`, which every client reads.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that waits for a person's decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Names it in the pages' URLs.
    pub id: String,
    /// Who asks.
    pub client: Client,
    /// What it asks for.
    pub asked: Scopes,
    /// The most that can be granted: what was asked, within the client's registration and what is served here.
    pub grantable: Scopes,
    /// What the application was started with.
    pub launch: Option<Launch>,
    /// The only account that may answer, when the launch was made for one.
    pub account: Option<String>,
    /// Whether a patient must be chosen: patient scopes or `launch/patient`, and none comes with the launch.
    pub needs_patient: bool,
    /// Whether `launch/encounter` was asked for, and none comes with the launch.
    pub needs_encounter: bool,
    /// The person must prove anew who they are, after this time.
    pub sign_in_after_us: Option<Micros>,
    /// What the client believes the username is.
    pub login_hint: Option<String>,
    /// Scheme, host and port that the answer goes to, for the form's policy and for people to read.
    pub redirect_origin: String,
}

/// A person's yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Whose it is.
    pub account: String,
    /// SHA-256 of the session's cookie, as stored.
    pub session: String,
    /// When they proved who they are.
    pub auth_time_us: Micros,
    /// What they allow; what is beyond [`Pending::grantable`] is left out.
    pub scopes: Scopes,
    /// Logical id of the Patient that they chose.
    pub patient: Option<String>,
    /// Logical id of the Encounter that they chose.
    pub encounter: Option<String>,
}

/// The request that waits under `id`; none when there is none, or it was answered, or its time is over.
///
/// # Errors
/// When the database fails.
pub async fn load(app: &App, id: &str) -> Result<Option<Pending>, StoreError> {
    let mut tx = app.store.reader().await?;
    let Some(found) = request::waiting(&mut tx, id, app.clock.now()).await? else { return Ok(None) };
    let client = client::find(&mut tx, &found.client).await?;
    Ok(client.filter(|client| !client.disabled).map(|client| pending(found, client)))
}

/// Answers a request with yes: the URL to send the browser to, with a code in it (or an error, when what was
/// approved can't be granted). None when the request is no longer there.
///
/// # Errors
/// When the database fails.
pub async fn approve(app: &App, id: &str, approval: Approval) -> Result<Option<String>, StoreError> {
    let drawn = app.clock.random_bytes::<32>().map_err(|error| StoreError::Other(error.to_string()))?;
    let code = secret::written(&drawn);
    let (now, grant_id) = (app.clock.now(), app.clock.new_id());
    let shared = Arc::new((id.to_owned(), approval, code, grant_id, app.clone()));
    let answer = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, approval, code, grant_id, app) = shared.as_ref();
            let Some(found) = request::finish(tx, id, now).await? else { return Ok(None) };
            let Some(client) = client::find(tx, &found.client).await?.filter(|client| !client.disabled)
            else {
                return Ok(None);
            };
            let person = account::by_id(tx, &approval.account).await?;
            let Some(person) = person.filter(|person| person.disabled_us.is_none()) else { return Ok(None) };
            let made = match granted(&found, &client, approval, &person, grant_id, now) {
                Ok(made) => made,
                Err((error, description)) => return Ok(Some(refusal(&found, error, description))),
            };
            grant::insert(tx, &made).await?;
            let kept = grant::Code {
                hash: secret::fingerprint(code),
                grant: made.id.clone(),
                redirect_uri: found.redirect_uri.clone(),
                challenge: found.challenge.clone(),
                expires_us: now + CODE_LIFETIME,
            };
            grant::insert_code(tx, &kept).await?;
            app.note_in(tx, decided(app, &found).detail("scope", &made.scope).detail("grant", grant_id))
                .await?;
            Ok::<_, StoreError>(Some(with_query(
                &found.redirect_uri,
                &[("code", code), ("state", &found.state)],
            )))
        })
    });
    let answer = answer.await?;
    if answer.is_some() {
        app.caller.noted();
    }
    Ok(answer)
}

/// What a person decided about a request.
fn decided(app: &App, request: &Request) -> Event {
    let mut event = app.event(Act::Authorized);
    event.actor.client = Some(request.client.clone());
    event
}

/// Answers a request with no: the URL to send the browser to. None when the request is no longer there.
///
/// # Errors
/// When the database fails.
pub async fn deny(app: &App, id: &str) -> Result<Option<String>, StoreError> {
    fail(app, id, Code::AccessDenied, "the person did not agree").await
}

/// Ends a request with an error: the URL to send the browser to. None when the request is no longer there.
///
/// # Errors
/// When the database fails.
pub async fn fail(
    app: &App,
    id: &str,
    code: Code,
    description: &'static str,
) -> Result<Option<String>, StoreError> {
    let (now, shared) = (app.clock.now(), Arc::new((id.to_owned(), app.clone())));
    let finished = app.store.write(Intent::Upsert, move |tx| {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (id, app) = shared.as_ref();
            let found = request::finish(tx, id, now).await?;
            if let Some(found) = &found {
                let asked = decided(app, found).detail("asked", &found.scope);
                app.note_in(tx, asked.denied(format!("{}: {description}", code.text()))).await?;
            }
            Ok::<_, StoreError>(found)
        })
    });
    let finished = finished.await?;
    if finished.is_some() {
        app.caller.noted();
    }
    Ok(finished.map(|found| refusal(&found, code, description)))
}

fn pending(found: Request, client: Client) -> Pending {
    let asked = Scopes::parse(&found.scope);
    let grantable = grantable(&asked, &client, found.launch.is_some());
    let patient_given = found.launch.as_ref().is_some_and(|launch| launch.patient.is_some());
    let encounter_given = found.launch.as_ref().is_some_and(|launch| launch.encounter.is_some());
    let wants = |kind| Launch::is_asked(&grantable, kind);
    Pending {
        // An encounter is chosen among those of a patient.
        needs_patient: !patient_given
            && (grantable.need_patient() || wants("patient") || (!encounter_given && wants("encounter"))),
        needs_encounter: !encounter_given && wants("encounter"),
        sign_in_after_us: sign_in_after(&found),
        redirect_origin: origin(&found.redirect_uri).to_owned(),
        id: found.id,
        client,
        asked,
        grantable,
        launch: found.launch,
        account: found.launch_account,
        login_hint: found.login_hint,
    }
}

/// Of what was asked, what this client may be given here, for a person.
pub(super) fn grantable(asked: &Scopes, client: &Client, launched: bool) -> Scopes {
    let served = |scope: &Scope| match scope {
        Scope::Resource(scope) => scope.level != Level::System && is_served(scope),
        // Without a launch there is no context of it to give.
        Scope::Launch => launched,
        Scope::LaunchContext { kind, .. } => matches!(kind.as_str(), "patient" | "encounter"),
        _ => true,
    };
    asked.narrowed_to(&client.scopes).all().filter(|scope| served(scope)).cloned().collect()
}

/// Whether a resource scope names a type that is served here and, if it has conditions, parameters that the
/// type can be searched by.
pub(super) fn is_served(scope: &crate::auth::scope::ResourceScope) -> bool {
    let Some(name) = &scope.rtype else { return scope.filter.is_empty() };
    let Some(rtype) = resource_type(name) else { return false };
    scope.filter.iter().all(|(param, _)| rtype.all_params().any(|known| known.code == param))
}

/// The time after which the person must have signed in.
fn sign_in_after(found: &Request) -> Option<Micros> {
    let login = found.prompt.as_deref().is_some_and(|prompt| prompt.split(' ').any(|word| word == "login"));
    let oldest = found.max_age.map(|seconds| found.made_us - seconds.saturating_mul(1_000_000));
    if login { Some(found.made_us) } else { oldest }
}

type Refusal = (Code, &'static str);

/// The grant that an approval becomes, or why it can't.
fn granted(
    found: &Request,
    client: &Client,
    approval: &Approval,
    person: &Account,
    id: &str,
    now: Micros,
) -> Result<grant::Grant, Refusal> {
    if found.launch_account.as_ref().is_some_and(|account| *account != approval.account) {
        return Err((Code::InvalidRequest, "the launch was made for somebody else"));
    }
    if sign_in_after(found).is_some_and(|after| approval.auth_time_us < after) {
        return Err((Code::LoginRequired, "the person has to sign in again"));
    }
    let launch = found.launch.clone().unwrap_or_default();
    if launch.patient.is_some() && approval.patient.is_some() && launch.patient != approval.patient {
        return Err((Code::AccessDenied, "the launch is about another patient"));
    }
    let patient = launch.patient.clone().or_else(|| approval.patient.clone());
    let encounter = launch.encounter.clone().or_else(|| approval.encounter.clone());
    let asked = Scopes::parse(&found.scope);
    let allowed = approval.scopes.narrowed_to(&grantable(&asked, client, found.launch.is_some()));
    // What is not there is not granted.
    let there = |scope: &Scope| match scope {
        Scope::LaunchContext { kind, .. } if kind == "patient" => patient.is_some(),
        Scope::LaunchContext { kind, .. } if kind == "encounter" => encounter.is_some(),
        Scope::FhirUser | Scope::Profile => person.fhir_user.is_some(),
        _ => true,
    };
    let scopes: Scopes = allowed.all().filter(|scope| there(scope)).cloned().collect();
    if scopes.is_empty() {
        return Err((Code::AccessDenied, "nothing was granted"));
    }
    if scopes.need_patient() && patient.is_none() {
        return Err((Code::AccessDenied, "no patient was chosen"));
    }
    let offline = scopes.has(&Scope::OfflineAccess);
    let session = (scopes.has(&Scope::OnlineAccess) && !offline).then(|| approval.session.clone());
    Ok(grant::Grant {
        id: id.to_owned(),
        client: client.id.clone(),
        account: approval.account.clone(),
        base: found.base.clone(),
        session,
        scope: scopes.to_string(),
        patient,
        encounter,
        launch: found.launch.clone(),
        nonce: found.nonce.clone(),
        auth_time_us: approval.auth_time_us,
        made_us: now,
        last_used_us: now,
        revoked: false,
    })
}

/// An error as the client gets it (RFC 6749 §4.1.2.1).
fn refusal(found: &Request, code: Code, description: &str) -> String {
    refusal_to(&found.redirect_uri, code, description, Some(&found.state))
}

/// The same for a request that was not kept.
pub(super) fn refusal_to(redirect_uri: &str, code: Code, description: &str, state: Option<&str>) -> String {
    let mut pairs = vec![("error", code.text()), ("error_description", description)];
    pairs.extend(state.map(|state| ("state", state)));
    with_query(redirect_uri, &pairs)
}

/// A URI with parameters added to its query.
fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = uri.to_owned();
    for (name, value) in pairs {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY));
    }
    url
}

/// Scheme and authority of a URI; the scheme with its colon for one without authority (a native application's).
fn origin(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.split_inclusive(':').next().unwrap_or(uri);
    };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    uri.get(..scheme.len() + 3 + authority).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_given_back_as_they_came() {
        let url = with_query("https://app.example/cb?a=1", &[("code", "x"), ("state", "ä b+c&d=%20")]);
        assert_eq!(url, "https://app.example/cb?a=1&code=x&state=%C3%A4%20b%2Bc%26d%3D%2520");
    }

    #[test]
    fn origins_are_cut_out() {
        assert_eq!(origin("https://app.example:8443/cb?x"), "https://app.example:8443");
        assert_eq!(origin("http://127.0.0.1/cb"), "http://127.0.0.1");
        assert_eq!(origin("com.example.app:/cb"), "com.example.app:");
    }
}
