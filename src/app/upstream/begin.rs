//! Sending a browser to a provider.

use super::{LIFETIME, Provider, Why, nonce, redirect_uri, row, verifier};
use crate::app::account::fresh;
use crate::app::oauth::pending;
use crate::app::{App, account::AccountError};
use crate::auth::secret::fingerprint;
use crate::clock::Micros;
use crate::store::Intent;
use crate::store::account::{self as table, UpstreamSignIn};

/// What the person is on the way to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The page of ours to go on to.
    pub back: String,
    /// Whether they must prove anew who they are.
    pub anew: bool,
}

/// A sign-in that begins.
#[derive(Debug)]
pub struct Begun {
    /// The authorization request, for the browser.
    pub url: String,
    /// The cookie that the browser comes back with.
    pub cookie: String,
}

/// Begins a sign-in at `provider`. `origin` is ours; `cookie` is the one of a sign-in that was begun before, in another
/// window perhaps.
///
/// # Errors
/// [`Why::Unreachable`], [`Why::Unproved`], [`Why::Account`].
pub async fn begin(
    app: &App,
    provider: &Provider,
    origin: &str,
    cookie: Option<String>,
    wanted: &Wanted,
) -> Result<Begun, Why> {
    let found = provider.discover(false).await?;
    let mut url = found.metadata.authorization_endpoint().url().clone();
    if !provider.may_lead_to(&url) {
        return Err(provider.unproved("its authorization endpoint is not reached by https"));
    }
    let cookie = match cookie {
        Some(cookie) => cookie,
        None => fresh(app)?,
    };
    let state = fresh(app)?;
    let now = app.clock.now();
    let after = seen_after(app, wanted, now).await?;
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(&provider.parameters);
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", provider.client_id.as_str()),
            ("redirect_uri", redirect_uri(origin, &provider.id).as_str()),
            ("scope", provider.scopes.join(" ").as_str()),
            ("state", state.as_str()),
            ("nonce", nonce(&cookie, &state).as_str()),
            ("code_challenge", fingerprint(&verifier(&cookie, &state)).as_str()),
            ("code_challenge_method", "S256"),
        ]);
        if let Some(after) = after {
            let age = (now - after).max(0) / 1_000_000;
            if age == 0 {
                query.append_pair("prompt", "login");
            }
            query.append_pair("max_age", &age.to_string());
        }
    }
    let begun = UpstreamSignIn { provider: provider.id.clone(), back: wanted.back.clone(), after_us: after };
    let hash = row(&cookie, &state);
    let work = app.store.write(Intent::Upsert, move |tx| {
        let (hash, begun) = (hash.clone(), begun.clone());
        Box::pin(async move {
            Ok::<_, AccountError>(table::begin_upstream(tx, &hash, &begun, now + LIFETIME).await?)
        })
    });
    work.await?;
    Ok(Begun { url: url.into(), cookie })
}

/// The time after which the provider must have seen the person: now, or as an app's request says.
async fn seen_after(app: &App, wanted: &Wanted, now: Micros) -> Result<Option<Micros>, Why> {
    if wanted.anew {
        return Ok(Some(now));
    }
    let Some(id) = wanted.back.strip_prefix("/consent/") else { return Ok(None) };
    let id = id.split('?').next().unwrap_or_default();
    let pending = pending::load(app, id).await.map_err(|error| Why::Account(error.into()))?;
    Ok(pending.and_then(|pending| pending.sign_in_after_us))
}
