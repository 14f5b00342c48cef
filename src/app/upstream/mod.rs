//! Signing in at an upstream OpenID Connect provider: the code flow with PKCE.
//!
//! State, nonce and code verifier are made of a random state and a cookie of the browser, so what is stored opens
//! nothing, and what is begun in one browser can't be ended in another. Accounts: [`super::account`].

mod begin;
mod finish;
mod provider;
mod tokens;

pub use begin::{Begun, Wanted, begin};
pub use finish::{Callback, finish};
pub use provider::{Provider, Providers};

use super::App;
use crate::app::account::AccountError;
use crate::auth::secret::derived;
use crate::clock::Micros;

/// How long a person may take at the provider.
const LIFETIME: Micros = 10 * 60 * 1_000_000;

/// Why a sign-in at a provider did not come to its end.
#[derive(Debug)]
pub enum Why {
    /// It was begun in another browser, ended before, or begun too long ago.
    Lapsed,
    /// The person, or the provider, said no.
    Denied,
    /// The provider does not answer.
    Unreachable,
    /// Its answer proves nothing. What exactly is in the log.
    Unproved,
    /// The person had to prove anew who they are, and the provider does not say that they did.
    NotAnew,
    /// The person has to sign in there in a safer way.
    Weak,
    /// The person has no role here.
    NoRole,
    /// The account was taken out of use.
    Disabled,
    /// Ours.
    Account(AccountError),
}

/// The same, and the page of ours that the person was on the way to, when that is known.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub why: Why,
    /// The page to come to in another attempt.
    pub back: Option<String>,
}

impl From<Why> for Failed {
    fn from(why: Why) -> Self {
        Self { why, back: None }
    }
}

impl From<AccountError> for Why {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

/// Where the provider sends the browser back to.
fn redirect_uri(origin: &str, provider: &str) -> String {
    format!("{origin}/sign-in/callback/{provider}")
}

/// What a sign-in is kept under: nobody finds it without both.
fn row(cookie: &str, state: &str) -> String {
    derived(cookie, &format!("upstream {state}"))
}

fn nonce(cookie: &str, state: &str) -> String {
    derived(cookie, &format!("nonce {state}"))
}

fn verifier(cookie: &str, state: &str) -> String {
    derived(cookie, &format!("verifier {state}"))
}

/// Where the browser ends the session at the provider (OpenID Connect RP-Initiated Logout §2), if it can be ended there.
/// `origin` is ours.
pub async fn sign_out_url(app: &App, provider: &str, origin: &str) -> Option<String> {
    let provider = app.providers.get(provider)?;
    let found = provider.discover(false).await.ok()?;
    let url = reqwest::Url::parse(found.end_session.as_deref()?).ok();
    let mut url = url.filter(|url| provider.may_lead_to(url))?;
    url.query_pairs_mut()
        .append_pair("client_id", &provider.client_id)
        .append_pair("post_logout_redirect_uri", &format!("{origin}/sign-out"));
    Some(url.into())
}
