//! Clients, authorizations, codes and tokens.

pub mod bearer;
pub mod client;
pub mod grant;
pub mod invitation;
pub mod request;
pub mod token;

/// Every static statement of these files.
pub(super) fn statements() -> Vec<(&'static str, &'static str)> {
    [
        bearer::STATEMENTS,
        client::STATEMENTS,
        grant::STATEMENTS,
        invitation::STATEMENTS,
        request::STATEMENTS,
        token::STATEMENTS,
    ]
    .concat()
}
