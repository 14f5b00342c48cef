//! Apps that a person gave access.

use super::AccountError;
use crate::app::App;
use crate::audit::act::Act;
use crate::store::StoreError;
use crate::store::account as table;
use crate::store::oauth::{client, grant};
use std::collections::HashMap;

/// An app with access.
#[derive(Clone, Debug)]
pub struct AuthorisedApp {
    /// The client's name.
    pub name: String,
    /// What it was given.
    pub grant: grant::Grant,
}

/// The apps to which an account gave access that still holds, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn apps(app: &App, account: &str) -> Result<Vec<AuthorisedApp>, AccountError> {
    let (mut reader, now) = (app.store.reader().await?, app.clock.now());
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    let mut found = Vec::new();
    for grant in grant::of_account(&mut reader, account).await? {
        if let Some(session) = &grant.session
            && table::find(&mut reader, session, now).await?.is_none()
        {
            continue;
        }
        if !names.contains_key(&grant.client) {
            let known = client::find(&mut reader, &grant.client).await?;
            names.insert(grant.client.clone(), known.filter(|known| !known.disabled).map(|known| known.name));
        }
        if let Some(Some(name)) = names.get(&grant.client) {
            found.push(AuthorisedApp { name: name.clone(), grant });
        }
    }
    Ok(found)
}

/// Takes back the access that an account gave, at once.
///
/// # Errors
/// [`AccountError::Unknown`] when this account gave no such access.
pub async fn revoke(app: &App, account: &str, id: &str) -> Result<(), AccountError> {
    let (account, id, now) = (account.to_owned(), id.to_owned(), app.clock.now());
    let work = app.noting(app.event(Act::TokenRevoked).detail("grant", &id), move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move {
            let found = grant::find(tx, &id).await?.filter(|grant| grant.account == account);
            found.ok_or(AccountError::Unknown)?;
            grant::revoke(tx, &id, now).await?;
            Ok::<_, AccountError>(())
        })
    });
    work.await
}

/// So that what was given until the session ends survives a new proof of who the person is.
pub(super) async fn follow_session(
    tx: &mut crate::store::Tx,
    account: &str,
    old: &str,
    new: &str,
    now: i64,
) -> Result<(), StoreError> {
    let living = table::find(tx, old, now).await?;
    if living.is_some_and(|session| session.account == account) {
        table::move_grants(tx, old, new).await?;
    }
    Ok(())
}
