//! Subscriptions: who may have which, their states, and what is asked of them. What happens is handed out by
//! `events`; what is sent is `delivery`.

mod asked;
mod hooks;
mod operations;
mod owner;
mod signing;
mod status;
mod stream;
mod tidy;
mod token;
mod told;

/// The most connections for notifications that one process keeps open.
pub const MOST_CONNECTIONS: usize = 1_000;
/// The most WebSockets that are open without being bound yet. Anybody may open one, so they take no place of others'.
pub const MOST_UNBOUND: usize = 200;

pub use hooks::{Subscribed, keep, mark, prepare, remove};
pub use operations::{SOCKET, definition, is_operation, operate, state};
pub use owner::{Gone, Owner, Owners, owner};
pub use status::{change_status, switch_off};
pub use stream::{Listener, Next, Stream, bound, may_listen};
pub use tidy::{Looked, tidy};
pub use told::{Told, may_know, tell};
