//! Declaring an emergency, and ending it early.

use super::EmergencyError;
use crate::app::account::attempt::{self, Attempt};
use crate::app::account::password;
use crate::app::account::{AccountError, Live, Origin, principal, recovery_fingerprint, role_grant};
use crate::app::{App, notices, search};
use crate::audit::act::Act as AuditAct;
use crate::auth::access::Access;
use crate::auth::emergency::{Emergency, LONGEST_MINUTES, Purpose, reason};
use crate::auth::principal::{Role, RoleGrant};
use crate::auth::rule::{Act, Area};
use crate::auth::totp::Authenticator;
use crate::clock::Micros;
use crate::fhir::outcome::Kind;
use crate::fhir::registry::resource_type;
use crate::store::account as accounts;
use crate::store::emergency as table;
use crate::store::{Intent, StoreError, Tx};
use secrecy::{ExposeSecret, SecretString};

/// How long ago somebody without a password may have signed in.
const RECENT: Micros = 300 * 1_000_000;
const MINUTE: Micros = 60 * 1_000_000;

/// What a clinician declares.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Logical id of the patient, or an identifier such as a record number, alone or as `system|value`.
    pub patient: String,
    /// Why the record is needed.
    pub purpose: Purpose,
    /// Why, in their own words.
    pub reason: String,
    /// Their password.
    pub password: SecretString,
    /// A code of their authenticator app or a recovery code, when one is set up.
    pub code: SecretString,
    /// The FHIR base under which the server was reached.
    pub base: String,
}

/// What makes a code good once.
#[derive(Clone, Debug)]
enum Code {
    NotAsked,
    Totp { step: i64, attempt: Attempt },
    Recovery { fingerprint: String, attempt: Attempt },
}

/// What came of the transaction that declares. What was proved counts in any case.
enum Outcome {
    Declared(Emergency),
    Refused(EmergencyError),
}

/// Declares an emergency for whoever is signed in; a former one of theirs ends.
///
/// Only who has the role and typed the right password learns whether there is such a patient.
///
/// # Errors
/// [`EmergencyError`].
pub async fn declare(
    app: &App,
    live: &Live,
    declaration: Declaration,
    origin: &Origin,
) -> Result<Emergency, EmergencyError> {
    let access = Access::of(principal(live), app.policy);
    if !access.may_in(Act::Create, Area::Emergencies) {
        return Err(EmergencyError::NotAllowed);
    }
    let why = reason(&declaration.reason).ok_or(EmergencyError::Reason)?;
    let (attempt, code) = proved(app, live, &declaration, origin).await?;
    let now = app.clock.now();
    let minutes = app.config.auth.emergency_minutes.min(LONGEST_MINUTES);
    let emergency = Emergency {
        id: app.clock.new_id(),
        patient: String::new(),
        purpose: declaration.purpose,
        until: now + Micros::from(minutes) * MINUTE,
    };
    let (app_, account, id) = (app.clone(), live.account.id.clone(), emergency.id.clone());
    let named = declaration.patient.clone();
    let shared = std::sync::Arc::new((live.clone(), declaration, why, emergency));
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (app, shared) = (app_.clone(), shared.clone());
        let (attempt, code) = (attempt.clone(), code.clone());
        Box::pin(async move {
            let (live, declaration, why, emergency) = shared.as_ref();
            if let Some(attempt) = attempt {
                attempt.succeeded(tx).await.map_err(EmergencyError::Password)?;
            }
            let account = &live.account.id;
            let found = patient(tx, &app, live, &declaration.patient).await?;
            // Who mistyped a patient need not wait for the next code; who has none learns of no patient.
            if !code.holds(tx, account, found.is_ok(), now).await? {
                return Ok(Outcome::Refused(EmergencyError::Code(AccountError::Wrong)));
            }
            let patient = match found {
                Ok(patient) => patient,
                Err(refused) => return Ok(Outcome::Refused(refused)),
            };
            let emergency = Emergency { patient, ..emergency.clone() };
            table::lock(tx, account).await?;
            table::supersede(tx, account, now).await?;
            table::insert(tx, &emergency, account, why, now).await?;
            let mut event = app.event(AuditAct::EmergencyStarted).patient(&emergency.patient);
            event.actor.purpose = Some(emergency.purpose.code().to_owned());
            event = event.detail("reason", why).detail("emergency", &emergency.id);
            app.note_in(tx, event).await?;
            notices::of_emergency(tx, &app, &emergency.id, &declaration.base, now).await?;
            Ok::<_, EmergencyError>(Outcome::Declared(emergency))
        })
    });
    match work.await? {
        Outcome::Declared(emergency) => {
            app.caller.noted();
            let purpose = emergency.purpose.code();
            tracing::warn!(emergency = id, account, purpose, "an emergency was declared");
            Ok(emergency)
        }
        Outcome::Refused(error) => {
            let event = app.event(AuditAct::EmergencyStarted).detail("named", named);
            app.note(event.denied(error.to_string())).await?;
            Err(error)
        }
    }
}

/// The emergency that counts now for an account.
///
/// # Errors
/// When the database fails.
pub async fn running(app: &App, account: &str) -> Result<Option<Emergency>, StoreError> {
    let (mut reader, now) = (app.store.reader().await?, app.clock.now());
    let Some(found) = table::running(&mut reader, account, now).await? else { return Ok(None) };
    let roles = accounts::grants(&mut reader, account).await?;
    let roles: Vec<RoleGrant> = roles.iter().filter_map(role_grant).collect();
    Ok(Emergency::counting(Some(found), &roles, now))
}

/// Ends the emergency of whoever is signed in; false when none is running.
///
/// # Errors
/// When the database fails.
pub async fn end(app: &App, live: &Live) -> Result<bool, EmergencyError> {
    let (account, now) = (live.account.id.clone(), app.clock.now());
    let mut event = app.event(AuditAct::EmergencyEnded);
    if let Some(running) = &live.emergency {
        event = event.patient(&running.patient).detail("emergency", &running.id);
        event.actor.purpose = Some(running.purpose.code().to_owned());
    }
    let shared = std::sync::Arc::new((account, app.clone(), event));
    let work = app.store.write(Intent::Upsert, move |tx| {
        let shared = shared.clone();
        Box::pin(async move {
            let (account, app, event) = shared.as_ref();
            let ended = table::end_early(tx, account, now).await?;
            if ended {
                app.note_in(tx, event.clone()).await?;
            }
            Ok::<_, EmergencyError>(ended)
        })
    });
    let ended = work.await?;
    if ended {
        app.caller.noted();
    }
    Ok(ended)
}

/// Whether somebody without a password, who can't be asked for it, has to sign in by their own means first.
pub fn must_sign_in_again(app: &App, live: &Live) -> bool {
    !live.account.has_password && app.clock.now() - live.session.authenticated_us > RECENT
}

/// Proves once more who it is: the password, and the code where an authenticator app is set up. Each attempt is
/// counted before it is judged, together with those at the sign-in.
async fn proved(
    app: &App,
    live: &Live,
    declaration: &Declaration,
    origin: &Origin,
) -> Result<(Option<Attempt>, Code), EmergencyError> {
    let account = &live.account;
    let known = accounts::credentials(&mut app.store.reader().await?, &account.id).await?;
    let mut attempt = None;
    if known.password_hash.is_some() {
        let begun = attempt::begin(app, "password", &account.username, origin).await;
        attempt = Some(begun.map_err(EmergencyError::Password)?);
        let right = password::matches(&declaration.password, known.password_hash.clone()).await;
        if !right.map_err(EmergencyError::Password)? {
            return Err(EmergencyError::Password(AccountError::Wrong));
        }
    } else if must_sign_in_again(app, live) {
        return Err(EmergencyError::NotRecent);
    }
    if known.totp_since_us.is_none() {
        return Ok((attempt, Code::NotAsked));
    }
    let counted = attempt::begin(app, "code", &account.username, origin).await;
    let counted = counted.map_err(EmergencyError::Code)?;
    let typed = declaration.code.expose_secret();
    let authenticator =
        known.totp_secret.as_deref().and_then(|secret| Authenticator::stored(secret, &account.username));
    let step = authenticator.and_then(|app_| app_.step_of(typed, app.clock.now(), known.totp_step));
    let code = match step {
        Some(step) => Code::Totp { step, attempt: counted },
        None => Code::Recovery { fingerprint: recovery_fingerprint(&account.id, typed), attempt: counted },
    };
    Ok((attempt, code))
}

impl Code {
    /// Whether it is right. A code of the authenticator app is used up only when it `serves`; a recovery code is
    /// found out by using it up.
    async fn holds(
        &self,
        tx: &mut Tx,
        account: &str,
        serves: bool,
        now: Micros,
    ) -> Result<bool, EmergencyError> {
        let (right, attempt) = match self {
            Self::NotAsked => return Ok(true),
            Self::Totp { step, attempt } => {
                (!serves || accounts::spend_totp_step(tx, account, *step).await?, attempt)
            }
            Self::Recovery { fingerprint, attempt } => {
                (accounts::spend_recovery_code(tx, account, fingerprint, now).await?, attempt)
            }
        };
        if right {
            attempt.succeeded(tx).await.map_err(EmergencyError::Code)?;
        }
        Ok(right)
    }
}

/// The patient with this logical id or identifier, among those of the organisations that the clinician's roles
/// are limited to.
async fn patient(
    tx: &mut Tx,
    app: &App,
    live: &Live,
    named: &str,
) -> Result<Result<String, EmergencyError>, EmergencyError> {
    let server = Access::of_server("find the patient of an emergency", app.policy);
    let Some(rtype) = resource_type("Patient") else { return Ok(Err(EmergencyError::NoPatient)) };
    let named = named.trim();
    let mut found: Vec<String> = Vec::new();
    let roles = principal(live).roles;
    for grant in roles.iter().filter(|grant| grant.role == Role::Clinician) {
        for query in queries(named, grant.organization.as_deref()) {
            let ids = match search::matching(tx, app, &server, rtype, &query, 2).await {
                // No identifier looks like that.
                Err(error) if error.kind == Kind::BadRequest => Vec::new(),
                ids => ids?,
            };
            for id in ids {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
    }
    Ok(match found.pop() {
        None => Err(EmergencyError::NoPatient),
        Some(_) if !found.is_empty() => Err(EmergencyError::SeveralPatients),
        Some(id) => Ok(id),
    })
}

/// Searches for a logical id and for an identifier, exactly.
fn queries(named: &str, organization: Option<&str>) -> Vec<String> {
    let is_id = (1..=64).contains(&named.len())
        && named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_text = (1..=256).contains(&named.len()) && !named.chars().any(char::is_control);
    // What would mean "or" or end the value is part of it.
    let exact: String =
        named.chars().flat_map(|c| ['\\', c].into_iter().skip(usize::from(!",$\\".contains(c)))).collect();
    let mut queries = Vec::new();
    for (param, value, fits) in [("_id", named, is_id), ("identifier", exact.as_str(), is_text)] {
        if fits {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair(param, value);
            if let Some(organization) = organization {
                query.append_pair("organization", &format!("Organization/{organization}"));
            }
            queries.push(query.finish());
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_named_exactly() {
        assert_eq!(queries("p-1", None), ["_id=p-1", "identifier=p-1"]);
        assert_eq!(queries("a,b", None), ["identifier=a%5C%2Cb"]);
        assert_eq!(
            queries("urn:mrn|7", Some("org-1")),
            ["identifier=urn%3Amrn%7C7&organization=Organization%2Forg-1"]
        );
        assert!(queries("", None).is_empty());
        assert!(queries("a\u{0}", None).is_empty());
    }
}
