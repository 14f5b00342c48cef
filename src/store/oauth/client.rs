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
        may_introspect, may_launch, may_provision, created_us, created_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING";
    ONE = "SELECT id, name, auth, system, scope, redirect_uris, launch_uri, jwks, jwks_uri, may_introspect, \
        may_launch, disabled_us, may_provision FROM oauth_client WHERE id = $1";
    ALL = "SELECT id, name, auth, system, scope, redirect_uris, launch_uri, jwks, jwks_uri, may_introspect, \
        may_launch, disabled_us, may_provision FROM oauth_client ORDER BY id";
    UPDATE = "UPDATE oauth_client SET name = $1, scope = $2, redirect_uris = $3, launch_uri = $4, jwks = $5, jwks_uri = $6, \
        may_introspect = $7, may_launch = $8, may_provision = $9, changed_us = $10, changed_by = $11 WHERE id = $12";
    DISABLE = "UPDATE oauth_client SET disabled_us = $1, changed_us = $1, changed_by = $2 \
        WHERE id = $3 AND disabled_us IS NULL";
    ENABLE = "UPDATE oauth_client SET disabled_us = NULL, changed_us = $1, changed_by = $2 \
        WHERE id = $3 AND disabled_us IS NOT NULL";
    ADD_SECRET = "INSERT INTO oauth_secret (hash, client, made_us, made_by) VALUES ($1, $2, $3, $4)";
    LIMIT_SECRETS = "UPDATE oauth_secret SET until_us = $1 WHERE client = $2 AND (until_us IS NULL OR until_us > $1)";
    SECRETS = "SELECT hash FROM oauth_secret WHERE client = $1 AND (until_us IS NULL OR until_us > $2)";
}

/// Stores a new client; false when its id is taken.
pub async fn insert(tx: &mut Tx, client: &Client, created_by: &str, now: Micros) -> Result<bool, StoreError> {
    let (jwks, jwks_uri) = keys(client);
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
        i64::from(client.may_provision),
        now,
        created_by,
    ];
    Ok(tx.execute(INSERT, arguments).await? == 1)
}

/// Changes what may be changed of a client: all but its id, how it proves itself, and for whom it acts.
pub async fn update(tx: &mut Tx, client: &Client, changed_by: &str, now: Micros) -> Result<(), StoreError> {
    let (jwks, jwks_uri) = keys(client);
    let arguments = args![
        client.name.as_str(),
        client.scopes.to_string(),
        json!(client.redirect_uris).to_string(),
        client.launch_uri.clone(),
        jwks,
        jwks_uri,
        i64::from(client.may_introspect),
        i64::from(client.may_launch),
        i64::from(client.may_provision),
        now,
        changed_by,
        client.id.as_str(),
    ];
    tx.execute(UPDATE, arguments).await.map(drop)
}

/// The columns `jwks` and `jwks_uri`.
fn keys(client: &Client) -> (Option<String>, Option<String>) {
    match &client.keys {
        Some(ClientKeys::Set(set)) => (Some(set.to_string()), None),
        Some(ClientKeys::Url(url)) => (None, Some(url.clone())),
        None => (None, None),
    }
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
pub async fn disable(tx: &mut Tx, id: &str, by: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(DISABLE, args![now, by, id]).await? == 1)
}

/// Switches a client on again; false when there was nothing to switch on.
pub async fn enable(tx: &mut Tx, id: &str, by: &str, now: Micros) -> Result<bool, StoreError> {
    Ok(tx.execute(ENABLE, args![now, by, id]).await? == 1)
}

/// Adds a secret by its hash, made by `by`; those that it had are good until `others_until`.
pub async fn add_secret(
    tx: &mut Tx,
    client: &str,
    hash: &str,
    by: &str,
    now: Micros,
    others_until: Micros,
) -> Result<(), StoreError> {
    tx.execute(LIMIT_SECRETS, args![others_until, client]).await?;
    tx.execute(ADD_SECRET, args![hash, client, now, by]).await?;
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
        may_provision: row.int(12)? != 0,
    })
}
