//! Pages: signing in, consent, apps with access, the account.

mod account;
pub mod browser;
mod admin;
mod browser;
mod consent;
mod forms;
mod lockout;
mod second_factor;
mod sign_in;
