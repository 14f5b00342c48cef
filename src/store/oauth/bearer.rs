//! What the database knows of a token that its signature does not say.

use crate::args;
use crate::auth::emergency::Emergency;
use crate::store::StoreError;
use crate::store::db::{Tx, statements};
use crate::store::emergency::emergency;

statements! {
    STANDING = "SELECT s.seq, c.id, c.disabled_us, g.revoked_us, r.jti, a.id, a.disabled_us, a.fhir_user, \
        p.role, p.organization, e.id, e.patient, e.purpose, e.until_us \
        FROM access_state s \
        LEFT JOIN oauth_client c ON c.id = $1 \
        LEFT JOIN oauth_grant g ON g.id = $2 \
        LEFT JOIN oauth_revoked r ON r.jti = $3 \
        LEFT JOIN account a ON a.id = $4 \
        LEFT JOIN role_grant p ON p.account = a.id \
        LEFT JOIN emergency e ON e.account = a.id AND e.ended_us IS NULL";
    CLIENT_STANDING = "SELECT s.seq, c.id, c.disabled_us, r.jti FROM access_state s \
        LEFT JOIN oauth_client c ON c.id = $1 \
        LEFT JOIN oauth_revoked r ON r.jti = $2";
}

/// What a token names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// `client_id`
    pub client: &'a str,
    /// `grant`
    pub grant: Option<&'a str>,
    /// `jti`
    pub jti: &'a str,
    /// `sub`, when it is an account.
    pub account: Option<&'a str>,
}

/// How what a token names stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last change of anybody's access that this takes into account.
    pub as_of: i64,
    /// The client is known and not disabled.
    pub client_active: bool,
    /// The token, or the authorization that it comes from, was revoked.
    pub revoked: bool,
    /// The account is there and not disabled.
    pub account_active: bool,
    /// `Type/id` of the resource that stands for the person.
    pub fhir_user: Option<String>,
    /// Roles of the account: code and organization, which is empty for all.
    pub roles: Vec<(String, String)>,
    /// The last emergency of the account, unless it was ended; whether its time is over is for the caller to judge.
    pub emergency: Option<Emergency>,
}

/// How what a token names stands now, in one statement.
pub async fn standing(tx: &mut Tx, named: Named<'_>) -> Result<Standing, StoreError> {
    if named.grant.is_none() && named.account.is_none() {
        return client_standing(tx, named).await;
    }
    let (grant, account) = (named.grant.unwrap_or_default(), named.account.unwrap_or_default());
    let rows = tx.all(STANDING, args![named.client, grant, named.jti, account]).await?;
    let first = rows.first().ok_or_else(|| StoreError::Other("access_state has no row".to_owned()))?;
    let mut standing = Standing {
        as_of: first.int(0)?,
        client_active: first.opt_text(1)?.is_some() && first.opt_int(2)?.is_none(),
        revoked: first.opt_int(3)?.is_some() || first.opt_text(4)?.is_some(),
        account_active: first.opt_text(5)?.is_some() && first.opt_int(6)?.is_none(),
        fhir_user: first.opt_text(7)?,
        roles: Vec::new(),
        emergency: emergency(first, 10)?,
    };
    for row in &rows {
        if let Some(role) = row.opt_text(8)? {
            standing.roles.push((role, row.opt_text(9)?.unwrap_or_default()));
        }
    }
    Ok(standing)
}

/// The same for a client that acts for itself: there are no grant, account and roles to look for.
async fn client_standing(tx: &mut Tx, named: Named<'_>) -> Result<Standing, StoreError> {
    let row = tx.one(CLIENT_STANDING, args![named.client, named.jti]).await?;
    Ok(Standing {
        as_of: row.int(0)?,
        client_active: row.opt_text(1)?.is_some() && row.opt_int(2)?.is_none(),
        revoked: row.opt_text(3)?.is_some(),
        ..Standing::default()
    })
}
