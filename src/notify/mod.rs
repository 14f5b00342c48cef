//! Channels to people. A message comes from a row that a transaction wrote; here it is only carried.

mod email;

pub use email::{Mail, Mailer, NotSent};
