//! The authorization server: discovery, authorization, tokens, and what a token opens.

mod bearer;
