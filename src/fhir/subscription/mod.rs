//! Subscriptions: what can be subscribed to, by what it can be narrowed, and what is told.

pub mod channel;
pub mod definition;
pub mod filter;
pub mod header;
pub mod notification;
pub mod payload;
pub mod topic;
pub mod words;

pub use channel::Channel;
pub use definition::{Definition, Kind};
pub use notification::{Focus, NotificationEvent, NotificationKind, Status};
pub use payload::{Content, Mime, Payload};
