//! A code becomes claims that are proved.

use super::provider::Discovered;
use super::{Provider, Why, nonce, redirect_uri, verifier};
use crate::auth::jws::Compact;
use crate::clock::Micros;
use http::header::{ACCEPT, AUTHORIZATION};
use openidconnect::core::{
    CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm as Alg, CoreTokenResponse,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, Nonce, OAuth2TokenResponse as _, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, SignatureVerificationError, TokenResponse as _,
};
use openidconnect::{ClaimsVerificationError, core::CoreIdToken};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use std::time::{Duration, UNIX_EPOCH};

/// Signatures that are taken: those whose keys can be published.
const ALGORITHMS: [Alg; 5] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::RsaSsaPssSha256,
];
/// By how much the provider's clock may be ahead of ours, in seconds.
const AHEAD: i64 = 60;

/// What the provider says of the person, proved by its id_token (OpenID Connect Core §3.1.3).
pub(super) async fn claims(
    provider: &Provider,
    origin: &str,
    code: &str,
    cookie: &str,
    state: &str,
    now: Micros,
) -> Result<Map<String, Value>, Why> {
    let found = provider.discover(false).await?;
    let tokens = exchange(provider, &found, origin, code, verifier(cookie, state)).await?;
    let token = tokens.id_token().ok_or_else(|| provider.unproved("there is no id_token"))?;
    let nonce = Nonce::new(nonce(cookie, state));
    match verify(provider, &found, token, &nonce, now) {
        Ok(()) => {}
        Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
        )) => {
            // The key may have been published a moment ago.
            let found = provider.discover(true).await?;
            verify(provider, &found, token, &nonce, now).map_err(|error| provider.unproved(&error))?;
        }
        Err(error) => return Err(provider.unproved(&error)),
    }
    let written = token.to_string();
    let read = Compact::parse(&written).ok_or_else(|| provider.unproved("the id_token can't be read"))?;
    let mut claims = read.claims;
    if provider.mapping.is_left_out(&claims)
        && let Some(endpoint) = found.metadata.userinfo_endpoint()
    {
        let said = userinfo(provider, endpoint.url().as_str(), tokens.access_token().secret()).await?;
        if said.get("sub") != claims.get("sub") {
            return Err(provider.unproved("userinfo is about somebody else"));
        }
        // What is signed counts.
        for (name, value) in said {
            claims.entry(name).or_insert(value);
        }
    }
    Ok(claims)
}

async fn exchange(
    provider: &Provider,
    found: &Discovered,
    origin: &str,
    code: &str,
    verifier: String,
) -> Result<CoreTokenResponse, Why> {
    let secret = ClientSecret::new(provider.client_secret.expose_secret().to_owned());
    let redirect = RedirectUrl::new(redirect_uri(origin, &provider.id));
    let redirect = redirect.map_err(|error| provider.unproved(&error))?;
    let methods = found.metadata.token_endpoint_auth_methods_supported();
    let basic = methods.is_none_or(|all| all.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let id = ClientId::new(provider.client_id.clone());
    let client = CoreClient::from_provider_metadata(found.metadata.clone(), id, Some(secret))
        .set_redirect_uri(redirect)
        .set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody });
    let request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
    let request = request.map_err(|error| provider.unproved(&error))?;
    let send = |request| {
        let outbound = provider.outbound.clone();
        async move { outbound.send(request).await }
    };
    let answer = request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&send).await;
    answer.map_err(|error| match error {
        RequestTokenError::Request(_) => Why::Unreachable,
        // Its body may hold what no log should.
        RequestTokenError::Parse(error, _) => provider.unproved(&error),
        RequestTokenError::ServerResponse(error) => provider.unproved(&error.error()),
        RequestTokenError::Other(error) => provider.unproved(&error),
    })
}

fn verify(
    provider: &Provider,
    found: &Discovered,
    token: &CoreIdToken,
    nonce: &Nonce,
    now: Micros,
) -> Result<(), ClaimsVerificationError> {
    let latest = now / 1_000_000 + AHEAD;
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(now).unwrap_or_default());
    let id = ClientId::new(provider.client_id.clone());
    let secret = ClientSecret::new(provider.client_secret.expose_secret().to_owned());
    let (issuer, keys) = (found.metadata.issuer().clone(), found.metadata.jwks().clone());
    let verifier =
        openidconnect::core::CoreIdTokenVerifier::new_confidential_client(id, secret, issuer, keys)
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now.into())
            .set_issue_time_verifier_fn(move |issued| {
                if issued.timestamp() > latest {
                    Err("it was issued in the future".to_owned())
                } else {
                    Ok(())
                }
            });
    let claims = token.claims(&verifier, nonce)?;
    // The library refuses other audiences; this one it leaves to who uses it.
    if claims.authorized_party().is_some_and(|party| party.as_str() != provider.client_id) {
        return Err(ClaimsVerificationError::InvalidAudience("azp is not this client".to_owned()));
    }
    Ok(())
}

async fn userinfo(provider: &Provider, url: &str, token: &str) -> Result<Map<String, Value>, Why> {
    let request = http::Request::get(url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(ACCEPT, "application/json")
        .body(Vec::new());
    let request = request.map_err(|error| provider.unproved(&error))?;
    let answer = provider.outbound.send(request).await.map_err(|_| Why::Unreachable)?;
    if answer.status() != http::StatusCode::OK {
        return Err(provider.unproved(&format!("userinfo answered {}", answer.status())));
    }
    serde_json::from_slice(answer.body()).map_err(|_| provider.unproved("userinfo is not a JSON object"))
}
