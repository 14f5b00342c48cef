//! Passkeys: registering and removing them, signing in by one, alone or as second factor.
//!
//! A challenge is kept in the database, bound to the browser by a cookie, good once and for five minutes. A passkey
//! takes the place of a password of this server, so only accounts that have one may have any: who signs in at a
//! provider must not stay when the provider lets them go.

use super::sign_in::{by_passkey, may_sign_in_here};
use super::{AccountError, Live, NewSession, Origin, fresh, note_failure};
use crate::app::App;
use crate::auth::secret::fingerprint;
use crate::clock::Micros;
use crate::store::account::{self as table, Account, StoredPasskey};
use crate::store::{Intent, Tx};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn,
    WebauthnBuilder, WebauthnError,
};

/// How long a challenge waits for its answer.
const CEREMONY: Micros = 5 * 60 * 1_000_000;
/// The most passkeys of an account.
pub const MOST_PASSKEYS: usize = 20;
/// Longest name of a passkey, in characters.
const LONGEST_PASSKEY_NAME: usize = 64;
/// What challenges are for.
const REGISTER: &str = "register";
const SIGN_IN: &str = "sign-in";
const SECOND_FACTOR: &str = "second-factor";

/// A challenge for the browser.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// What `navigator.credentials` is called with, as JSON (WebAuthn §5.1.8 and §5.1.9).
    pub options: String,
    /// The cookie that the answer must come with.
    pub cookie: String,
}

/// An answer to a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Our origin, as the browser knows it.
    pub site: &'a str,
    /// The cookie of the challenge.
    pub cookie: &'a str,
    /// What the authenticator gave, as JSON.
    pub credential: &'a str,
}

/// Whether browsers let this origin have passkeys: a name, not an address, and by https or on this machine.
pub fn are_possible(site: &str) -> bool {
    let Some(url) = Url::parse(site).ok().filter(|url| url.domain().is_some()) else { return false };
    url.scheme() == "https" || url.domain() == Some("localhost")
}

/// The relying party whose id is the name of our origin.
fn relying_party(site: &str) -> Result<Webauthn, AccountError> {
    let url = Url::parse(site).map_err(AccountError::broken)?;
    let id = url.domain().filter(|_| are_possible(site)).ok_or(AccountError::Unknown)?;
    let built = WebauthnBuilder::new(id, &url).map(|builder| builder.rp_name("Slotwright"));
    built.and_then(WebauthnBuilder::build).map_err(AccountError::broken)
}

/// Whether an account may have passkeys and sign in by them.
async fn may_use(app: &App, reader: &mut Tx, account: &Account) -> Result<bool, AccountError> {
    let usable = account.disabled_us.is_none() && account.has_password;
    Ok(usable && may_sign_in_here(app, reader, &account.id).await?)
}

/// The passkeys of whoever is signed in; none when they may not have any.
///
/// # Errors
/// When the database fails.
pub async fn passkeys(app: &App, live: &Live) -> Result<Option<Vec<StoredPasskey>>, AccountError> {
    let mut reader = app.store.reader().await?;
    if !may_use(app, &mut reader, &live.account).await? {
        return Ok(None);
    }
    Ok(Some(table::passkeys(&mut reader, &live.account.id).await?))
}

/// Whether the half sign-in of this cookie can be completed by a passkey.
///
/// # Errors
/// When the database fails.
pub async fn can_complete(app: &App, step: &str) -> Result<bool, AccountError> {
    let mut reader = app.store.reader().await?;
    let Some(step) = table::step(&mut reader, &fingerprint(step), app.clock.now()).await? else {
        return Ok(false);
    };
    Ok(!table::passkeys(&mut reader, &step.account).await?.is_empty())
}

/// Removes a passkey. The caller sees to it that the sign-in is recent.
///
/// # Errors
/// [`AccountError::Unknown`] when the account has no such one.
pub async fn remove_passkey(app: &App, account: &str, id: &str) -> Result<(), AccountError> {
    let (account, id) = (account.to_owned(), id.to_owned());
    let work =
        app.noting(app.administration("remove a passkey", &account).detail("passkey", &id), move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let removed = table::remove_passkey(tx, &id, &account).await?;
                if removed { Ok(()) } else { Err(AccountError::Unknown) }
            })
        });
    work.await
}

/// A challenge to register a passkey. The caller sees to it that the sign-in is recent.
///
/// # Errors
/// [`AccountError::Unknown`] when the account may not have any, [`AccountError::Invalid`] when it has too many.
pub async fn begin_registration(app: &App, site: &str, live: &Live) -> Result<Challenge, AccountError> {
    let (site, account) = (relying_party(site)?, &live.account);
    let known = passkeys(app, live).await?.ok_or(AccountError::Unknown)?;
    if known.len() >= MOST_PASSKEYS {
        return Err(AccountError::Invalid("An account has at most 20 passkeys"));
    }
    let random = app.clock.random_bytes::<16>().map_err(AccountError::broken)?;
    let fresh_handle = Uuid::from_bytes(random).to_string();
    let id = account.id.clone();
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (id, fresh_handle) = (id.clone(), fresh_handle.clone());
        Box::pin(async move { Ok::<_, AccountError>(table::handle_of(tx, &id, &fresh_handle).await?) })
    });
    let handle = Uuid::parse_str(&work.await?).map_err(AccountError::broken)?;
    let exclude = known.iter().filter_map(|known| URL_SAFE_NO_PAD.decode(&known.credential_id).ok());
    let started =
        site.start_passkey_registration(handle, &account.username, &account.name, Some(exclude.collect()));
    let (options, state) = started.map_err(AccountError::broken)?;
    let mut options = json(&options)?;
    // So that a sign-in needs no username.
    if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection") {
        selection["residentKey"] = json!("required");
        selection["requireResidentKey"] = json!(true);
    }
    keep(app, REGISTER, Some(&account.id), &options, &json(&state)?).await
}

/// Registers the passkey that answers a challenge. The caller sees to it that the sign-in is recent.
///
/// # Errors
/// [`AccountError::Lapsed`], [`AccountError::Wrong`], [`AccountError::Invalid`], [`AccountError::Taken`].
pub async fn finish_registration(
    app: &App,
    live: &Live,
    response: Response<'_>,
    name: &str,
) -> Result<(), AccountError> {
    let name = name.trim();
    if !(1..=LONGEST_PASSKEY_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(AccountError::Invalid("The name must have 1 to 64 characters on one line"));
    }
    let site = relying_party(response.site)?;
    let known = passkeys(app, live).await?.ok_or(AccountError::Unknown)?;
    let (account, state) = take(app, REGISTER, response.cookie).await?;
    if account.as_deref() != Some(live.account.id.as_str()) {
        return Err(AccountError::Lapsed);
    }
    let state: PasskeyRegistration = stored(&state)?;
    let credential: RegisterPublicKeyCredential = said(response.credential)?;
    let id = URL_SAFE_NO_PAD.encode(&credential.raw_id);
    // The library refuses these too, but under another name.
    if known.iter().any(|known| known.credential_id == id) {
        return Err(AccountError::Taken);
    }
    let made = site.finish_passkey_registration(&credential, &state);
    let passkey = made.map_err(|error| refused(&error))?;
    let new = StoredPasskey {
        id: app.clock.new_id(),
        account: live.account.id.clone(),
        credential_id: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
        credential: json(&passkey)?.to_string(),
        name: name.to_owned(),
        made_us: app.clock.now(),
        last_used_us: None,
    };
    let work = app.noting(
        app.administration("register a passkey", &new.account).detail("passkey", &new.name),
        move |tx| {
            let new = new.clone();
            Box::pin(async move {
                let inserted = table::insert_passkey(tx, &new).await?;
                if inserted { Ok(()) } else { Err(AccountError::Taken) }
            })
        },
    );
    work.await
}

/// A challenge that any passkey of this site may answer.
///
/// # Errors
/// [`AccountError::Unknown`] when this origin can't have passkeys.
pub async fn begin_passkey_sign_in(app: &App, site: &str) -> Result<Challenge, AccountError> {
    let started = relying_party(site)?.start_discoverable_authentication();
    let (options, state) = started.map_err(AccountError::broken)?;
    keep(app, SIGN_IN, None, &json(&options)?, &json(&state)?).await
}

/// Signs in by a passkey alone: it holds a secret and knows its owner, which are two factors. `old` is the session
/// cookie that the browser had: that session ends.
///
/// # Errors
/// [`AccountError::Lapsed`], [`AccountError::Wrong`], [`AccountError::Cloned`].
pub async fn sign_in_by_passkey(
    app: &App,
    response: Response<'_>,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let mut whose = None;
    let done = by_passkey_alone(app, response, origin, old, &mut whose).await;
    note_failure(app, "passkey", whose.as_deref(), done).await
}

async fn by_passkey_alone(
    app: &App,
    response: Response<'_>,
    origin: &Origin,
    old: Option<&str>,
    whose: &mut Option<String>,
) -> Result<NewSession, AccountError> {
    let site = relying_party(response.site)?;
    let (_, state) = take(app, SIGN_IN, response.cookie).await?;
    let state: DiscoverableAuthentication = stored(&state)?;
    let credential: PublicKeyCredential = said(response.credential)?;
    let named = site.identify_discoverable_authentication(&credential);
    let (handle, id) = named.map_err(|error| refused(&error))?;
    let mut reader = app.store.reader().await?;
    let found = table::passkey_by_credential(&mut reader, &URL_SAFE_NO_PAD.encode(id)).await?;
    let found = found.ok_or(AccountError::Wrong)?;
    if table::account_of_handle(&mut reader, &handle.to_string()).await?.as_ref() != Some(&found.account) {
        return Err(AccountError::Wrong);
    }
    *whose = Some(found.account.clone());
    let account = table::by_id(&mut reader, &found.account).await?.ok_or(AccountError::Wrong)?;
    let may = may_use(app, &mut reader, &account).await?;
    drop(reader);
    let passkey: Passkey = stored(&found.credential)?;
    let key = DiscoverableKey::from(&passkey);
    let result = site.finish_discoverable_authentication_v2(&credential, state, &key);
    let updated = updated(passkey, result)?;
    if !may {
        return Err(AccountError::Wrong);
    }
    by_passkey(app, account, found, updated, None, origin, old).await
}

/// A challenge for the passkeys of whoever is half signed in.
///
/// # Errors
/// [`AccountError::Lapsed`], [`AccountError::Unknown`].
pub async fn begin_passkey_step(app: &App, site: &str, step: &str) -> Result<Challenge, AccountError> {
    let site = relying_party(site)?;
    let mut reader = app.store.reader().await?;
    let half = table::step(&mut reader, &fingerprint(step), app.clock.now()).await?;
    let half = half.ok_or(AccountError::Lapsed)?;
    let known = table::passkeys(&mut reader, &half.account).await?;
    drop(reader);
    let keys = known.iter().map(|known| stored(&known.credential)).collect::<Result<Vec<Passkey>, _>>()?;
    if keys.is_empty() {
        return Err(AccountError::Unknown);
    }
    let (options, state) = site.start_passkey_authentication(&keys).map_err(AccountError::broken)?;
    keep(app, SECOND_FACTOR, Some(&half.account), &json(&options)?, &json(&state)?).await
}

/// Completes a half sign-in by a passkey.
///
/// # Errors
/// [`AccountError::Lapsed`], [`AccountError::Wrong`], [`AccountError::Cloned`].
pub async fn finish_passkey_step(
    app: &App,
    step: &str,
    response: Response<'_>,
    origin: &Origin,
    old: Option<&str>,
) -> Result<NewSession, AccountError> {
    let mut whose = None;
    let done = completed(app, step, response, origin, old, &mut whose).await;
    note_failure(app, "passkey", whose.as_deref(), done).await
}

async fn completed(
    app: &App,
    step: &str,
    response: Response<'_>,
    origin: &Origin,
    old: Option<&str>,
    whose: &mut Option<String>,
) -> Result<NewSession, AccountError> {
    let site = relying_party(response.site)?;
    let (account, state) = take(app, SECOND_FACTOR, response.cookie).await?;
    let (step, now) = (fingerprint(step), app.clock.now());
    let mut reader = app.store.reader().await?;
    let half = table::step(&mut reader, &step, now).await?.ok_or(AccountError::Lapsed)?;
    *whose = Some(half.account.clone());
    if account.as_ref() != Some(&half.account) {
        return Err(AccountError::Lapsed);
    }
    let account = table::by_id(&mut reader, &half.account).await?;
    let account = account.filter(|account| account.disabled_us.is_none()).ok_or(AccountError::Lapsed)?;
    let state: PasskeyAuthentication = stored(&state)?;
    let credential: PublicKeyCredential = said(response.credential)?;
    let id = URL_SAFE_NO_PAD.encode(credential.get_credential_id());
    let found = table::passkey_by_credential(&mut reader, &id).await?;
    drop(reader);
    let found = found.filter(|found| found.account == account.id).ok_or(AccountError::Wrong)?;
    let passkey: Passkey = stored(&found.credential)?;
    let result = site.finish_passkey_authentication(&credential, &state);
    let updated = updated(passkey, result)?;
    by_passkey(app, account, found, updated, Some((step, half.provider)), origin, old).await
}

/// The passkey with its new counter, to be stored.
fn updated(
    mut passkey: Passkey,
    result: Result<AuthenticationResult, WebauthnError>,
) -> Result<String, AccountError> {
    let result = result.map_err(|error| refused(&error))?;
    if !result.user_verified() {
        return Err(AccountError::Wrong);
    }
    passkey.update_credential(&result);
    Ok(json(&passkey)?.to_string())
}

async fn keep(
    app: &App,
    kind: &'static str,
    account: Option<&str>,
    options: &Value,
    state: &Value,
) -> Result<Challenge, AccountError> {
    let cookie = fresh(app)?;
    let (hash, expires) = (fingerprint(&cookie), app.clock.now() + CEREMONY);
    let (account, state) = (account.map(str::to_owned), state.to_string());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (hash, account, state) = (hash.clone(), account.clone(), state.clone());
        Box::pin(async move {
            let kept = table::begin_ceremony(tx, &hash, kind, account.as_deref(), &state, expires);
            Ok::<_, AccountError>(kept.await?)
        })
    });
    work.await?;
    Ok(Challenge { options: options.to_string(), cookie })
}

/// The challenge that this browser was given, with the account that it is for: once.
async fn take(app: &App, kind: &'static str, cookie: &str) -> Result<(Option<String>, String), AccountError> {
    let (hash, now) = (fingerprint(cookie), app.clock.now());
    let work = app.store.write(Intent::Upsert, move |tx| {
        let hash = hash.clone();
        Box::pin(async move { Ok::<_, AccountError>(table::take_ceremony(tx, &hash, kind, now).await?) })
    });
    work.await?.ok_or(AccountError::Lapsed)
}

/// What the browser says, which may be anything.
fn said<T: DeserializeOwned>(text: &str) -> Result<T, AccountError> {
    serde_json::from_str(text).map_err(|_| AccountError::Wrong)
}

/// What we stored ourselves.
fn stored<T: DeserializeOwned>(text: &str) -> Result<T, AccountError> {
    serde_json::from_str(text).map_err(AccountError::broken)
}

fn json(value: &impl serde::Serialize) -> Result<Value, AccountError> {
    serde_json::to_value(value).map_err(AccountError::broken)
}

fn refused(error: &WebauthnError) -> AccountError {
    tracing::info!(%error, "a passkey was refused");
    match error {
        WebauthnError::CredentialPossibleCompromise => AccountError::Cloned,
        _ => AccountError::Wrong,
    }
}
