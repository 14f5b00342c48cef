//! A browser comes back from a provider.

use super::{Failed, Provider, Why, row, tokens};
use crate::app::App;
use crate::app::account::{
    AccountError, Arrived, AtProvider, Origin, SignedIn, Vouched, arrive, by_provider,
};
use crate::audit::act::Act;
use crate::auth::upstream::{auth_time, name, username};
use crate::clock::Micros;
use crate::store::Intent;
use crate::store::account::{self as table, UpstreamSignIn};
use serde_json::{Map, Value};

/// The longest `sub` (OpenID Connect Core §2).
const LONGEST_SUBJECT: usize = 255;
/// By how much the provider's clock may be behind ours.
const BEHIND: Micros = 30_000_000;

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// `auth.providers.id`, from the path.
    pub provider: String,
    /// `state`
    pub state: String,
    /// `code`
    pub code: Option<String>,
    /// `error`
    pub error: Option<String>,
    /// `iss` (RFC 9207)
    pub issuer: Option<String>,
    /// Our cookie.
    pub cookie: String,
    /// The session that the browser had.
    pub old: Option<String>,
}

/// Completes a sign-in: how far it came, and the page of ours to go on to. `bases` are the FHIR bases under which this
/// server is known, the first one being that of our origin.
///
/// # Errors
/// Why it came to nothing.
pub async fn finish(
    app: &App,
    bases: &[&str],
    callback: &Callback,
    origin: &Origin,
) -> Result<(SignedIn, String), Failed> {
    let begun = take(app, callback).await?;
    let done = complete(app, bases, callback, &begun, origin).await;
    match done {
        Ok(signed_in) => Ok((signed_in, begun.back)),
        Err(why) => {
            let event = app.event(Act::SignIn).detail("method", "provider");
            let event = event.detail("provider", &callback.provider).denied(format!("{why:?}"));
            app.note(event).await.map_err(|error| Why::Account(error.into()))?;
            Err(Failed { why, back: Some(begun.back) })
        }
    }
}

/// The sign-in that this browser began at this provider: once.
async fn take(app: &App, callback: &Callback) -> Result<UpstreamSignIn, Why> {
    let (hash, now) = (row(&callback.cookie, &callback.state), app.clock.now());
    // Whoever makes states up must not occupy the writer.
    let mut reader = app.store.reader().await.map_err(AccountError::from)?;
    if !table::upstream_waits(&mut reader, &hash, now).await.map_err(AccountError::from)? {
        return Err(Why::Lapsed);
    }
    drop(reader);
    let work = app.store.write(Intent::Upsert, move |tx| {
        let hash = hash.clone();
        Box::pin(async move { Ok::<_, AccountError>(table::take_upstream(tx, &hash, now).await?) })
    });
    // An answer at another provider's address was mixed up (RFC 9700 §4.4).
    work.await?.filter(|begun| begun.provider == callback.provider).ok_or(Why::Lapsed)
}

async fn complete(
    app: &App,
    bases: &[&str],
    callback: &Callback,
    begun: &UpstreamSignIn,
    origin: &Origin,
) -> Result<SignedIn, Why> {
    let provider = app.providers.get(&begun.provider).ok_or(Why::Lapsed)?;
    let says_issuer = provider.discover(false).await?.says_issuer;
    if callback.issuer.as_ref().map_or(says_issuer, |issuer| *issuer != provider.issuer) {
        return Err(provider.unproved("the answer does not name it as its sender"));
    }
    if let Some(error) = &callback.error {
        return Err(match error.as_str() {
            "access_denied" | "login_required" | "interaction_required" | "consent_required" => Why::Denied,
            "temporarily_unavailable" | "server_error" => Why::Unreachable,
            _ => provider.unproved("it refused our request"),
        });
    }
    let code = callback.code.as_deref().filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| provider.unproved("there is no code"))?;
    let base = bases.first().copied().unwrap_or_default();
    let own = base.strip_suffix("/fhir").unwrap_or(base);
    let now = app.clock.now();
    let claims = tokens::claims(provider, own, code, &callback.cookie, &callback.state, now).await?;
    if !provider.mapping.is_strong_enough(&claims) {
        return Err(Why::Weak);
    }
    let authenticated_us = authenticated(&claims, begun.after_us, now)?;
    let said = AtProvider {
        provider: provider.id.clone(),
        authenticated_us,
        second_factor: provider.mapping.has_second_factor(&claims),
    };
    match arrive(app, vouched(provider, &claims, bases)?).await? {
        Arrived::Known(account) => {
            Ok(by_provider(app, *account, said, origin, callback.old.as_deref()).await?)
        }
        Arrived::NoRole => Err(Why::NoRole),
        Arrived::Disabled => Err(Why::Disabled),
    }
}

/// When the person proved who they are, which must not be before `after`; 0 when nobody asked and nobody said.
fn authenticated(claims: &Map<String, Value>, after: Option<Micros>, now: Micros) -> Result<Micros, Why> {
    let said = auth_time(claims).map(|seconds| seconds.saturating_mul(1_000_000).min(now));
    match (said, after) {
        (Some(said), Some(after)) if said >= after - BEHIND => Ok(said.max(after)),
        (_, Some(_)) => Err(Why::NotAnew),
        (said, None) => Ok(said.unwrap_or(0)),
    }
}

fn vouched(provider: &Provider, claims: &Map<String, Value>, bases: &[&str]) -> Result<Vouched, Why> {
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.filter(|subject| (1..=LONGEST_SUBJECT).contains(&subject.len()));
    let subject = subject.ok_or_else(|| provider.unproved("sub has not 1 to 255 characters"))?;
    let mapping = &provider.mapping;
    Ok(Vouched {
        provider: provider.id.clone(),
        issuer: provider.issuer.clone(),
        subject: subject.to_owned(),
        username: username(claims).map(str::to_owned),
        name: name(claims),
        provisioned: provider
            .provisioned_by
            .as_ref()
            .and_then(|(source, claim)| Some((source.clone(), claims.get(claim)?.as_str()?.to_owned()))),
        roles: mapping.roles(claims),
        says_fhir_user: mapping.fhir_user_claim.is_some(),
        fhir_user: mapping.fhir_user(claims, bases),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_old_sign_in_is_not_a_new_one() {
        let at = |seconds: i64| json!({ "auth_time": seconds }).as_object().expect("claims").clone();
        let (now, second) = (1_000_000_000_000, 1_000_000);
        assert_eq!(authenticated(&at(999_990), Some(now), now).expect("within the clocks' play"), now);
        assert!(matches!(authenticated(&at(999_900), Some(now), now), Err(Why::NotAnew)));
        assert!(matches!(authenticated(&Map::new(), Some(now), now), Err(Why::NotAnew)));
        assert_eq!(authenticated(&at(999_900), None, now).expect("nobody asked"), 999_900 * second);
        assert_eq!(authenticated(&at(2_000_000), None, now).expect("a clock ahead"), now);
        assert_eq!(authenticated(&Map::new(), None, now).expect("not said"), 0);
    }
}
