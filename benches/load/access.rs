//! What it costs to judge who may read: the same read of a sandbox, which lets anybody in, without and with a token.

use crate::sandbox::Sandbox;
use crate::support::{Client, Database, Engine};
use crate::{seconds_each, table, wrk};
use std::path::Path;

/// How often both are measured, in turn: what disturbs one disturbs the other.
const ROUNDS: u64 = 3;
/// What is read.
const PATHS: [&str; 2] = ["Patient/pat-001", "Slot?_count=30"];

/// Measures both engines and prints the table.
pub async fn measure() {
    println!();
    table::head();
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        measure_on(&Database::create(engine).await, name).await;
    }
}

async fn measure_on(database: &Database, engine: &str) {
    let seconds = seconds_each().div_ceil(ROUNDS);
    let sandbox = Sandbox::start(Path::new(env!("CARGO_BIN_EXE_slotwright")), database).await;
    let (anyone, bearer) = (sandbox.anyone(), sandbox.system());
    for path in PATHS {
        let url = format!("{}/{path}", sandbox.base);
        let rate = |client: &Client| wrk::load(client, &url, seconds, None);
        let (mut with, mut without) = (0.0, 0.0);
        // The first round warms up.
        for round in 0..=ROUNDS {
            let (open, judged) = (rate(&anyone), rate(&bearer));
            assert_eq!((open.failed, judged.failed), (0, 0), "{path}");
            if round > 0 {
                without += open.per_second / ROUNDS as f64;
                with += judged.per_second / ROUNDS as f64;
            }
        }
        table::line(&format!("{path} with a token, {engine}"), with, "without one", without, 0.85);
    }
}
