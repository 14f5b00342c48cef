//! Pages: signing in, consent, apps with access, the account.

mod account;
mod admin;
mod admin_clients;
mod authenticator;
pub mod browser;
mod consent;
mod forms;
mod lockout;
mod passkeys;
mod provider;
mod second_factor;
mod sign_in;
mod upstream;
