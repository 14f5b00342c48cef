//! What a token means (RFC 7662, SMART "Token introspection").

use super::answer::{self, Answer};
use super::tokens;
use crate::app::App;
use crate::audit::act::Act;
use crate::audit::event::Actor;
use crate::auth::client::Client;
use crate::auth::error::{Code, OAuthError};
use crate::auth::secret;
use crate::auth::token::{AccessClaims, issuer_of};
use crate::fhir::outcome::Kind;
use crate::store::oauth::grant::Grant;
use crate::store::oauth::{client, grant, token};
use serde_json::{Map, Value};

/// Who may ask about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// About tokens of every client.
    OfAll,
    /// About tokens that were given to this client.
    OfOwn(String),
}

/// What a client that authenticated itself may ask.
///
/// # Errors
/// `invalid_client` for a public client, which proves nothing.
pub fn asker(client: &Client) -> Result<Asker, OAuthError> {
    if client.proof == crate::auth::client::Proof::None {
        return Err(OAuthError::new(Code::InvalidClient, "the client must authenticate itself"));
    }
    Ok(if client.may_introspect { Asker::OfAll } else { Asker::OfOwn(client.id.clone()) })
}

/// The client that brings an access token of its own, if it has the permission that `allows` looks for.
///
/// # Errors
/// `invalid_token`, and `insufficient_scope` for a person's token or without the permission.
pub async fn permitted(
    app: &App,
    bases: &[String],
    bearer: &str,
    allows: fn(&Client) -> bool,
) -> Result<Client, OAuthError> {
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let inspected = tokens::inspect(app, &bases, bearer).await;
    let (claims, _) = inspected.map_err(|error| match error.kind {
        Kind::Unauthorized => OAuthError::new(Code::InvalidToken, "the access token is not valid"),
        _ => OAuthError::internal(error.to_string()),
    })?;
    let found = client::find(&mut app.store.reader().await?, &claims.client_id).await?;
    let allowed = found.filter(|client| claims.grant.is_none() && client.system && allows(client));
    app.caller.is(Actor {
        client: Some(claims.client_id.clone()),
        token: Some(claims.jti.clone()),
        ..Actor::default()
    });
    allowed.ok_or_else(|| OAuthError::new(Code::InsufficientScope, "the client may not do this"))
}

/// What `given` means now. An answer that is not active says nothing else.
///
/// # Errors
/// When the database fails.
pub async fn introspect(
    app: &App,
    bases: &[String],
    asker: &Asker,
    given: &str,
) -> Result<Answer, OAuthError> {
    let told = match access(app, bases, given).await? {
        Some(told) => Some(told),
        None => refresh(app, given).await?,
    };
    let told = told.filter(|(client, _)| match asker {
        Asker::OfAll => true,
        Asker::OfOwn(own) => own == client,
    });
    let about = |name: &str| {
        let value = told.as_ref().and_then(|(_, answer)| answer.get(name)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let event = app
        .event(Act::TokenInspected)
        .detail("active", told.is_some().to_string())
        .detail("jti", about("jti"))
        .detail("client", about("client_id"))
        .detail("subject", about("sub"));
    app.note(event).await?;
    Ok(told.map_or_else(|| Map::from_iter([("active".to_owned(), false.into())]), |(_, answer)| answer))
}

type Told = Option<(String, Answer)>;

async fn access(app: &App, bases: &[String], given: &str) -> Result<Told, OAuthError> {
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let (claims, standing) = match tokens::inspect(app, &bases, given).await {
        Ok(found) => found,
        Err(error) if error.kind == Kind::Unauthorized => return Ok(None),
        Err(error) => return Err(OAuthError::internal(error.to_string())),
    };
    let mut answer = match &claims.grant {
        None => Map::new(),
        Some(id) => match grant::find(&mut app.store.reader().await?, id).await? {
            Some(grant) => answer::context(&grant),
            None => return Ok(None),
        },
    };
    answer.extend(of_claims(&claims));
    if let Some(emergency) = tokens::emergency(app, &standing) {
        answer.insert("purpose_of_use".to_owned(), emergency.purpose.code().into());
        answer.insert("emergency".to_owned(), emergency.id.into());
    }
    Ok(Some((claims.client_id, answer)))
}

fn of_claims(claims: &AccessClaims) -> Answer {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("active", true.into());
    put("token_type", "Bearer".into());
    put("scope", claims.scope.as_str().into());
    put("client_id", claims.client_id.as_str().into());
    put("exp", claims.exp.into());
    put("iat", claims.iat.into());
    put("iss", claims.iss.as_str().into());
    put("aud", claims.aud.as_str().into());
    put("sub", claims.sub.as_str().into());
    put("jti", claims.jti.as_str().into());
    if let Some(user) = &claims.fhir_user {
        put("fhirUser", user.as_str().into());
    }
    answer
}

async fn refresh(app: &App, given: &str) -> Result<Told, OAuthError> {
    let mut tx = app.store.reader().await?;
    let now = app.clock.now();
    let Some(found) = token::refresh(&mut tx, &secret::fingerprint(given)).await? else { return Ok(None) };
    let Grant { revoked, client: id, .. } = &found.grant;
    let client = client::find(&mut tx, id).await?.filter(|client| !client.disabled);
    let person = crate::store::account::by_id(&mut tx, &found.grant.account).await?;
    let stands = person.is_some_and(|person| person.disabled_us.is_none()) && client.is_some();
    if found.used || found.expires_us <= now || *revoked || !stands {
        return Ok(None);
    }
    let mut answer = answer::context(&found.grant);
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("active", true.into());
    put("scope", found.grant.scope.as_str().into());
    put("client_id", id.as_str().into());
    put("exp", (found.expires_us / 1_000_000).into());
    put("iss", issuer_of(&found.grant.base).into());
    put("sub", found.grant.account.as_str().into());
    Ok(Some((id.clone(), answer)))
}
