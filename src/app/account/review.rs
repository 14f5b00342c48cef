//! The access review: who has which role, since when and by whom, and whether it is used.

use super::AccountError;
use crate::app::App;
use crate::clock::{Micros, instant_text};
use crate::store::account::{self as table, Account, Grant};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Accounts read at a time.
const PAGE: i64 = 500;

/// One account with one of its roles, or with none.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The account.
    pub account: Account,
    /// A role; none when it has no role at all.
    pub role: Option<Grant>,
}

/// Every account with every role, in the order of usernames; who gave a role is named by username.
///
/// # Errors
/// When the database fails.
pub async fn review(app: &App) -> Result<Vec<Reviewed>, AccountError> {
    let mut snapshot = app.store.snapshot().await?;
    let mut accounts: Vec<Account> = Vec::new();
    loop {
        let after = accounts.last().map_or("", |last| last.username.as_str()).to_owned();
        let page = table::list(&mut snapshot, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        accounts.extend(page);
    }
    let grants = table::review(&mut snapshot).await?;
    drop(snapshot);
    let names: HashMap<String, String> =
        accounts.iter().map(|account| (account.id.clone(), account.username.clone())).collect();
    let mut roles: HashMap<String, Vec<Grant>> = HashMap::new();
    for mut grant in grants {
        if let Some(name) = names.get(&grant.granted_by) {
            grant.granted_by.clone_from(name);
        }
        roles.entry(grant.account.clone()).or_default().push(grant);
    }
    let mut rows = Vec::new();
    for account in accounts {
        match roles.remove(&account.id) {
            Some(grants) => {
                rows.extend(
                    grants.into_iter().map(|role| Reviewed { account: account.clone(), role: Some(role) }),
                );
            }
            None => rows.push(Reviewed { account, role: None }),
        }
    }
    Ok(rows)
}

/// Columns of the review, in this order.
const COLUMNS: [&str; 12] = [
    "username",
    "name",
    "account",
    "fhirUser",
    "role",
    "organization",
    "since",
    "givenBy",
    "lastUsed",
    "lastSignIn",
    "secondFactor",
    "disabledSince",
];

impl Reviewed {
    fn values(&self) -> [Option<String>; 12] {
        let time = |at: Option<Micros>| at.map(instant_text);
        let (account, role) = (&self.account, self.role.as_ref());
        [
            Some(account.username.clone()),
            Some(account.name.clone()),
            Some(account.id.clone()),
            account.fhir_user.clone(),
            role.map(|role| role.role.clone()),
            role.map(|role| role.organization.clone()).filter(|name| !name.is_empty()),
            time(role.map(|role| role.since_us)),
            role.map(|role| role.granted_by.clone()),
            time(role.and_then(|role| role.last_used_us)),
            time(account.last_sign_in_us),
            Some(if account.totp_since_us.is_some() { "yes" } else { "no" }.to_owned()),
            time(account.disabled_us),
        ]
    }
}

/// The review as JSON: an array of objects, absent values `null`.
pub fn json(rows: &[Reviewed]) -> Value {
    let object = |row: &Reviewed| {
        let pairs = COLUMNS.iter().zip(row.values());
        Value::Object(pairs.map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
    };
    rows.iter().map(object).collect()
}

/// The review as CSV (RFC 4180) that a spreadsheet opens without running anything.
pub fn csv(rows: &[Reviewed]) -> String {
    let mut out = format!("{}\r\n", COLUMNS.join(","));
    for row in rows {
        let cells: Vec<String> =
            row.values().into_iter().map(|value| cell(&value.unwrap_or_default())).collect();
        // Writing to a String can't fail.
        let _ = write!(out, "{}\r\n", cells.join(","));
    }
    out
}

/// One quoted cell. What a spreadsheet would take for a formula starts with an apostrophe.
pub fn cell(value: &str) -> String {
    let formula = value.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
        || value.starts_with(['\t', '\r', '\n']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("Ana \"A\" Ruiz, MD"), "\"Ana \"\"A\"\" Ruiz, MD\"");
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1"] {
            assert!(cell(evil).starts_with("\"'"), "{evil:?}");
        }
    }
}
