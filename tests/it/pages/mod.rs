//! Pages: signing in, consent, apps with access, the account.

mod account;
mod admin;
mod admin_clients;
pub mod authenticator;
pub mod browser;
mod consent;
mod forms;
mod lockout;
mod passkeys;
pub mod provider;
pub mod second_factor;
mod sign_in;
mod upstream;
