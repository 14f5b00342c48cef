//! Who may do what, tried from outside: every role on every type, and every way around it that is known.

mod attacks;
mod clinical;
mod consent;
mod matrix;
mod scopes;
pub mod world;
mod writes;
