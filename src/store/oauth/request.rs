//! Authorization requests that wait for a person, and the launches that they come from.

use crate::args;
use crate::auth::launch::Launch;
use crate::clock::Micros;
use crate::store::StoreError;
use crate::store::db::{Row, Tx, statements};

statements! {
    INSERT = "INSERT INTO oauth_request (id, client, base, redirect_uri, scope, state, challenge, nonce, prompt, \
        max_age, login_hint, launch, launch_account, made_us, expires_us) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    WAITING = "SELECT id, client, base, redirect_uri, scope, state, challenge, nonce, prompt, max_age, login_hint, \
        launch, launch_account, made_us, expires_us FROM oauth_request \
        WHERE id = $1 AND done_us IS NULL AND expires_us > $2";
    FINISH = "UPDATE oauth_request SET done_us = $1 WHERE id = $2 AND done_us IS NULL AND expires_us > $1 \
        RETURNING id, client, base, redirect_uri, scope, state, challenge, nonce, prompt, max_age, login_hint, \
        launch, launch_account, made_us, expires_us";
    INSERT_LAUNCH = "INSERT INTO oauth_launch (hash, client, account, context, made_by, expires_us) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    TAKE_LAUNCH = "UPDATE oauth_launch SET used_us = $1 WHERE hash = $2 AND client = $3 AND used_us IS NULL \
        AND expires_us > $1 RETURNING account, context";
}

/// An authorization request that was found sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Random; names it in our own pages' URLs.
    pub id: String,
    /// `client_id`
    pub client: String,
    /// The FHIR base that it is for (`aud`).
    pub base: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// `scope` as it was sent.
    pub scope: String,
    /// Given back as it came.
    pub state: String,
    /// `code_challenge` (S256).
    pub challenge: String,
    /// Given back in the id_token.
    pub nonce: Option<String>,
    /// `prompt`
    pub prompt: Option<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<i64>,
    /// What the client believes the username is.
    pub login_hint: Option<String>,
    /// What the application was started with.
    pub launch: Option<Launch>,
    /// Whom the launch was made for.
    pub launch_account: Option<String>,
    /// When it was made.
    pub made_us: Micros,
    /// Until when it can be answered.
    pub expires_us: Micros,
}

/// Keeps a request until a person has decided.
pub async fn insert(tx: &mut Tx, request: &Request) -> Result<(), StoreError> {
    let arguments = args![
        request.id.as_str(),
        request.client.as_str(),
        request.base.as_str(),
        request.redirect_uri.as_str(),
        request.scope.as_str(),
        request.state.as_str(),
        request.challenge.as_str(),
        request.nonce.clone(),
        request.prompt.clone(),
        request.max_age,
        request.login_hint.clone(),
        request.launch.as_ref().map(written).transpose()?,
        request.launch_account.clone(),
        request.made_us,
        request.expires_us,
    ];
    tx.execute(INSERT, arguments).await.map(drop)
}

/// A request that still waits.
pub async fn waiting(tx: &mut Tx, id: &str, now: Micros) -> Result<Option<Request>, StoreError> {
    tx.optional(WAITING, args![id, now]).await?.as_ref().map(read).transpose()
}

/// Takes a request that still waits, once.
pub async fn finish(tx: &mut Tx, id: &str, now: Micros) -> Result<Option<Request>, StoreError> {
    tx.optional(FINISH, args![now, id]).await?.as_ref().map(read).transpose()
}

/// A launch that an EHR made.
#[derive(Clone, Debug)]
pub struct NewLaunch<'a> {
    /// SHA-256 of the launch value.
    pub hash: &'a str,
    /// The client that it is for.
    pub client: &'a str,
    /// The account that it is for; none: whoever signs in.
    pub account: Option<&'a str>,
    /// The context.
    pub context: &'a Launch,
    /// The client that made it.
    pub made_by: &'a str,
    /// Until when it can be used.
    pub expires_us: Micros,
}

/// Keeps a launch until the application comes with it.
pub async fn insert_launch(tx: &mut Tx, launch: NewLaunch<'_>) -> Result<(), StoreError> {
    let arguments = args![
        launch.hash,
        launch.client,
        launch.account.map(str::to_owned),
        written(launch.context)?,
        launch.made_by,
        launch.expires_us,
    ];
    tx.execute(INSERT_LAUNCH, arguments).await.map(drop)
}

/// Takes the launch of a client, once: its context, and the account that it is for.
pub async fn take_launch(
    tx: &mut Tx,
    hash: &str,
    client: &str,
    now: Micros,
) -> Result<Option<(Launch, Option<String>)>, StoreError> {
    let Some(row) = tx.optional(TAKE_LAUNCH, args![now, hash, client]).await? else { return Ok(None) };
    Ok(Some((launch(&row.text(1)?)?, row.opt_text(0)?)))
}

/// A launch context as it is stored.
pub(super) fn written(context: &Launch) -> Result<String, StoreError> {
    serde_json::to_string(context).map_err(|error| StoreError::Other(error.to_string()))
}

/// A stored launch context.
pub(super) fn launch(text: &str) -> Result<Launch, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Other(format!("a stored launch: {error}")))
}

fn read(row: &Row) -> Result<Request, StoreError> {
    Ok(Request {
        id: row.text(0)?,
        client: row.text(1)?,
        base: row.text(2)?,
        redirect_uri: row.text(3)?,
        scope: row.text(4)?,
        state: row.text(5)?,
        challenge: row.text(6)?,
        nonce: row.opt_text(7)?,
        prompt: row.opt_text(8)?,
        max_age: row.opt_int(9)?,
        login_hint: row.opt_text(10)?,
        launch: row.opt_text(11)?.as_deref().map(launch).transpose()?,
        launch_account: row.opt_text(12)?,
        made_us: row.int(13)?,
        expires_us: row.int(14)?,
    })
}
