//! Dynamic registration of clients (RFC 7591), for whoever has an initial access token.

use super::clients::{NewClient, made};
use crate::app::App;
use crate::auth::client::{Client, ClientKeys, Proof};
use crate::auth::error::{Code, OAuthError};
use crate::auth::scope::{LONGEST, Scopes};
use crate::auth::secret;
use crate::store::Intent;
use crate::store::oauth::{client, invitation};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Client metadata that we understand; the rest is ignored, as the RFC has it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Metadata {
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Vec<String>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    initiate_login_uri: Option<String>,
    launch_uri: Option<String>,
}

/// Registers a client and says how it is registered, with its secret if it has one.
///
/// # Errors
/// `invalid_token` without a good initial access token; RFC 7591 §3.2.2.
pub async fn register(app: &App, initial: &str, body: Value) -> Result<Map<String, Value>, OAuthError> {
    let hash = secret::fingerprint(initial);
    let now = app.clock.now();
    let not_valid = || OAuthError::new(Code::InvalidToken, "the initial access token is not valid");
    if !invitation::is_known(&mut app.store.reader().await?, &hash, now).await? {
        return Err(not_valid());
    }
    let metadata: Metadata =
        serde_json::from_value(body).map_err(|_| invalid("the client metadata can not be read"))?;
    let wanted = wanted(metadata)?;
    let (client, secret) = made(app, wanted)?;
    let secret_hash = secret.as_ref().map(|secret| secret::fingerprint(secret.expose_secret()));
    let shared = Arc::new((hash, client, secret_hash, app.clone()));
    let client = app
        .store
        .write(Intent::Upsert, move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (hash, client, secret_hash, app) = shared.as_ref();
                let Some(allowed) = invitation::take(tx, hash, now).await? else {
                    return Err(OAuthError::new(Code::InvalidToken, "the initial access token is not valid"));
                };
                if client.system && !allowed.system {
                    return Err(invalid(
                        "a client that acts for itself can not be registered with this token",
                    ));
                }
                let scopes = client.scopes.narrowed_to(&Scopes::parse(&allowed.scope));
                if scopes.is_empty() {
                    return Err(invalid("none of these scopes can be registered with this token"));
                }
                let client = Client { scopes, ..client.clone() };
                client::insert(tx, &client, "registration", now).await?;
                if let Some(secret) = secret_hash {
                    client::add_secret(tx, &client.id, secret, "registration", now, now).await?;
                }
                let event = app.administration("register a client", &client.id);
                let event = event.detail("name", &client.name).detail("scope", client.scopes.to_string());
                app.note_in(tx, event).await?;
                Ok(client)
            })
        })
        .await?;
    app.caller.noted();
    let mut answer = described(&client);
    answer.insert("client_id_issued_at".to_owned(), (now / 1_000_000).into());
    if let Some(reminder) = keys_reminder(&client) {
        answer.insert("jwks_reminder".to_owned(), reminder.into());
    }
    if let Some(secret) = secret {
        answer.insert("client_secret".to_owned(), secret.expose_secret().into());
        answer.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    Ok(answer)
}

fn wanted(metadata: Metadata) -> Result<NewClient, OAuthError> {
    let proof = match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("client_secret_basic" | "client_secret_post") => Proof::Secret,
        Some("none") => Proof::None,
        Some("private_key_jwt") => Proof::Key,
        Some(_) => return Err(invalid("token_endpoint_auth_method is not one of ours")),
    };
    let has = |kind: &str| metadata.grant_types.iter().any(|own| own == kind);
    let known = ["authorization_code", "refresh_token", "client_credentials"];
    if metadata.grant_types.iter().any(|kind| !known.contains(&kind.as_str())) {
        return Err(invalid("grant_types holds one that is not ours"));
    }
    let system = has("client_credentials");
    if system && has("authorization_code") {
        return Err(invalid("a client acts for itself or for people: register two"));
    }
    if !system && metadata.response_types.is_some_and(|types| types != ["code"]) {
        return Err(invalid("response_types is code"));
    }
    let keys = match (metadata.jwks, metadata.jwks_uri) {
        (Some(_), Some(_)) => return Err(invalid("jwks and jwks_uri exclude each other")),
        (Some(set), None) => Some(ClientKeys::Set(set)),
        (None, Some(url)) => Some(ClientKeys::Url(url)),
        (None, None) => None,
    };
    let scope = metadata.scope.unwrap_or_default();
    if scope.len() > LONGEST {
        return Err(invalid("scope is too long"));
    }
    Ok(NewClient {
        id: None,
        name: metadata.client_name.unwrap_or_default(),
        proof,
        system,
        scope,
        redirect_uris: metadata.redirect_uris,
        launch_uri: metadata.launch_uri.or(metadata.initiate_login_uri),
        keys,
        may_introspect: false,
        may_launch: false,
        may_provision: false,
    })
}

/// What whoever registers a key set directly is reminded of (SMART "Registering a client"); none for other clients.
pub fn keys_reminder(client: &Client) -> Option<&'static str> {
    matches!(client.keys, Some(ClientKeys::Set(_))).then_some(
        "The key set is kept as it was sent: send the new one whenever your keys change, or register a jwks_uri.",
    )
}

/// How a client is registered, in the words of RFC 7591.
pub fn described(client: &Client) -> Map<String, Value> {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("client_id", client.id.as_str().into());
    put("client_name", client.name.as_str().into());
    put("scope", client.scopes.to_string().into());
    let method = match client.proof {
        Proof::None => "none",
        Proof::Secret => "client_secret_basic",
        Proof::Key => "private_key_jwt",
    };
    put("token_endpoint_auth_method", method.into());
    if client.system {
        put("grant_types", json!(["client_credentials"]));
    } else {
        put("grant_types", json!(["authorization_code", "refresh_token"]));
        put("response_types", json!(["code"]));
        put("redirect_uris", json!(client.redirect_uris));
    }
    match &client.keys {
        Some(ClientKeys::Set(set)) => put("jwks", set.clone()),
        Some(ClientKeys::Url(url)) => put("jwks_uri", url.as_str().into()),
        None => None,
    };
    if let Some(uri) = &client.launch_uri {
        put("launch_uri", uri.as_str().into());
    }
    answer
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(Code::InvalidClientMetadata, description)
}
