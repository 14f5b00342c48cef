//! Subscriptions: what can be subscribed to, and by what it can be narrowed.

pub mod header;
