//! The test harness.
//!
//! A behaviour test is written once and runs on both engines:
//!
//! ```ignore
//! use crate::support::{TestApp, both_engines, clinic};
//!
//! both_engines! {
//!     async fn reads_back_what_was_put(app: TestApp) {
//!         clinic::seed(&app).await;
//!         app.get("Patient/pat-1").await.is(200);
//!     }
//! }
//! ```
//!
//! gives the tests `reads_back_what_was_put::sqlite` and `reads_back_what_was_put::postgres`, each with a
//! real server on 127.0.0.1, a port and a database of its own. Write `engine: Engine` in place of
//! `app: TestApp` to start the server (or several) by hand:
//!
//! - [`TestApp::start`] — system clock; [`TestApp::start_at`] — a clock that stands still until
//!   [`TestApp::advance`]; an `app: FixedApp` argument gives the same two days before
//!   [`clinic::DAY`].
//! - `app.get("Slot/x")`, `post`, `put`, `patch` (JSON Patch), `delete`; `app.request(Method::GET, "…")`
//!   with `.header(..)`, `.json(..)`, `.bytes(content_type, ..)`, `.send()` for the rest. All give a
//!   [`Reply`] with `status`, `headers`, `body`, `json`, and `.is(201)`, `.id()`, `.version()`,
//!   `.diagnostics()`, `.resources()`, `.ids()`.
//! - Every request carries a token of a client that may do everything; [`auth`] has clients with other tokens.
//! - `app.client()` — a [`Client`] to move into tasks; `app.database()` — plain SQL behind the server's back.
//! - [`ServerProcess`] — the real binary, to be killed or to run several over one [`Database`].
//! - [`clinic`] — practitioners, rooms, patients, slots and appointments to test with.

mod app;
pub mod auth;
mod client;
pub mod clinic;
mod database;
pub mod pg;
pub mod ports;
mod process;

pub use app::{FixedApp, TestApp};
pub use client::{Client, Reply, Request, text};
pub use database::{Database, Engine};
pub use process::{ServerProcess, slotwright};

/// Settings of a server that is not limited in what it takes from one address.
pub const UNLIMITED: [(&str, &str); 5] = [
    ("SLOTWRIGHT_LIMITS__ADDRESS", "0"),
    ("SLOTWRIGHT_LIMITS__TOKEN", "0"),
    ("SLOTWRIGHT_LIMITS__SIGN_IN", "0"),
    ("SLOTWRIGHT_LIMITS__CLIENT", "0"),
    ("SLOTWRIGHT_LIMITS__USER", "0"),
];

/// Defines tests that run on both engines; see the module's documentation.
macro_rules! both_engines {
    ($( $(#[$meta:meta])* async fn $name:ident($argument:ident: $kind:ty) $body:block )+) => {$(
        async fn $name($argument: $kind) $body

        mod $name {
            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::support::run($crate::support::Engine::Sqlite, super::$name);
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::support::run($crate::support::Engine::Postgres, super::$name);
            }
        }
    )+};
}
pub(crate) use both_engines;

/// What a test of [`both_engines`] can ask for.
pub trait Given: Sized {
    /// Sets it up on `engine`.
    async fn on(engine: Engine) -> Self;
}

impl Given for Engine {
    async fn on(engine: Engine) -> Self {
        engine
    }
}

/// Runs one test body on `engine`, on a runtime of its own.
pub fn run<G: Given>(engine: Engine, body: impl AsyncFnOnce(G)) {
    block_on(async { body(G::on(engine).await).await });
}

/// A multi-threaded runtime for one test.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
}

#[cfg(test)]
mod tests;
