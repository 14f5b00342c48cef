//! Registered clients and their secrets.

use crate::args;
use crate::auth::client::{Client, ClientKeys, Proof};
use crate::auth::scope::Scopes;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};
use serde_json::{Value, json};

statements! {
    INSERT = "INSERT INTO oauth_client (id, name, auth, system, scope, redirect_uris, launch_uri, jwks, jwks_uri, \
        may_introspect, may_launch, created_us, created_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING";
    ONE = "SELECT id, name, auth, system, scope, redirect_uris, launch_uri, jwks, jwks_uri, may_introspect, \
        may_launch, disabled_us FROM oauth_client WHERE id = $1";
    ALL = "SELECT id, name, auth, system, scope, redirect_uris, launch_uri, jwks, jwks_uri, may_introspect, \
        may_launch, disabled_us FROM oauth_client ORDER BY id";
    DISABLE = "UPDATE oauth_client SET disabled_us = $1 WHERE id = $2 AND disabled_us IS NULL";
    ENABLE = "UPDATE oauth_client SET disabled_us = NULL WHERE id = $1 AND disabled_us IS NOT NULL";
    ADD_SECRET = "INSERT INTO oauth_secret (hash, client, made_us) VALUES ($1, $2, $3)";
    LIMIT_SECRETS = "UPDATE oauth_secret SET until_us = $1 WHERE client = $2 AND (until_us IS NULL OR until_us > $1)";
    SECRETS = "SELECT hash FROM oauth_secret WHERE client = $1 AND (until_us IS NULL OR until_us > $2)";
}

/// Stores a new client; false when its id is taken.
pub async fn insert(tx: &mut Tx, client: &Client, created_by: &str, now: Micros) -> Result<bool, StoreError> {
    let (jwks, jwks_uri) = match &client.keys {
        Some(ClientKeys::Set(set)) => (Some(set.to_string()), None),
        Some(ClientKeys::Url(url)) => (None, Some(url.clone())),
        None => (None, None),
    };
    let arguments = args![
        client.id.as_str(),
        client.name.as_str(),
        client.proof.code(),
        i64::from(client.system),
        client.scopes.to_string(),
        json!(client.redirect_uris).to_string(),
        client.launch_uri.clone(),
        jwks,
        jwks_uri,
        i64::from(client.may_introspect),
        i64::from(client.may_launch),
        now,
        created_by,
    ];
    Ok(tx.execute(INSERT, arguments).await? == 1)
}

/// One client.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Client>, StoreError> {
    tx.optional(ONE, args![id]).await?.as_ref().map(read).transpose()
}

/// Every client, by id.
pub async fn all(tx: &mut Tx) -> Result<Vec<Client>, StoreError> {
    tx.all(ALL, args![]).await?.iter().map(read).collect()
}

/// Switches a client off, with all its tokens; false when there was nothing to switch off.
pub async fn disable(tx: &mut Tx, id: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(DISABLE, args![now, id]).await? == 1)
}

/// Switches a client on again; false when there was nothing to switch on.
pub async fn enable(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(ENABLE, args![id]).await? == 1)
}

/// Adds a secret by its hash; those that it had are good until `others_until`.
pub async fn add_secret(
    tx: &mut Tx,
    client: &str,
    hash: &str,
    now: Micros,
    others_until: Micros,
) -> Result<(), StoreError> {
    tx.execute(LIMIT_SECRETS, args![others_until, client]).await?;
    tx.execute(ADD_SECRET, args![hash, client, now]).await?;
    Ok(())
}

/// Hashes of the secrets that are good now.
pub async fn secrets(tx: &mut Tx, client: &str, now: Micros) -> Result<Vec<String>, StoreError> {
    tx.all(SECRETS, args![client, now]).await?.iter().map(|row| row.text(0)).collect()
}

fn read(row: &Row) -> Result<Client, StoreError> {
    let broken = |what: &str| StoreError::Other(format!("a client's {what} can't be read"));
    let keys = match (row.opt_text(7)?, row.opt_text(8)?) {
        (Some(set), _) => {
            Some(ClientKeys::Set(serde_json::from_str::<Value>(&set).map_err(|_| broken("keys"))?))
        }
        (None, Some(url)) => Some(ClientKeys::Url(url)),
        (None, None) => None,
    };
    Ok(Client {
        id: row.text(0)?,
        name: row.text(1)?,
        proof: Proof::from_code(&row.text(2)?).ok_or_else(|| broken("authentication"))?,
        system: row.int(3)? != 0,
        scopes: Scopes::parse(&row.text(4)?),
        redirect_uris: serde_json::from_str(&row.text(5)?).map_err(|_| broken("redirect URIs"))?,
        launch_uri: row.opt_text(6)?,
        keys,
        may_introspect: row.int(9)? != 0,
        may_launch: row.int(10)? != 0,
        disabled: row.opt_int(11)?.is_some(),
    })
}
