//! The authorization server: discovery, authorization, tokens, and what a token opens.

mod authorize;
mod bearer;
mod discovery;
mod flow;
