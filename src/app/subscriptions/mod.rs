//! Subscriptions: who may have which, their states, and what is asked of them. What happens is handed out by
//! `events`; what is sent is `delivery`.

mod hooks;
mod owner;
mod status;

pub use hooks::{Subscribed, keep, mark, prepare, remove};
pub use owner::{Gone, Owner, Owners, owner};
pub use status::{change_status, switch_off};
