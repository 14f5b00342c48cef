//! What it costs to judge who may read: the same read of a sandbox, which lets anybody in, without and with a token.

use crate::support::{Client, Database, Engine};
use crate::{seconds_each, table, wrk};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
    let data = tempfile::tempdir().expect("a directory");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let sandbox = Sandbox(slotwright(
        data.path(),
        &["sandbox", "--database", &database.url, "--listen", &format!("127.0.0.1:{port}")],
    ));
    let base = format!("http://127.0.0.1:{port}/fhir");
    let anyone = Client::new(&base);
    while reqwest::get(format!("{base}/metadata")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let token = token(data.path());
    let bearer = Client::new(&base).with_token(&token);
    for path in PATHS {
        let url = format!("{base}/{path}");
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
    drop(sandbox);
}

/// A running sandbox, which ends with this.
struct Sandbox(Child);

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slotwright"));
    command.args(arguments).arg("--data").arg(data).env("SLOTWRIGHT_LOG__LEVEL", "warn");
    command
}

fn slotwright(data: &Path, arguments: &[&str]) -> Child {
    command(data, arguments).stdout(Stdio::null()).spawn().expect("slotwright runs")
}

fn token(data: &Path) -> String {
    let output = command(data, &["sandbox", "token", "--role", "system"]).output().expect("slotwright runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}
