//! `slotwright sandbox token` where there is nothing to give one for. That it gives tokens, the tour of README.md
//! shows on both engines.

use crate::support::{Database, Engine, both_engines};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn token(data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slotwright"));
    command.env_remove("SLOTWRIGHT_R4_EXAMPLES").args(["sandbox", "token", "--role", "patient", "--data"]);
    command.arg(data).output().expect("slotwright runs")
}

both_engines! {
    async fn no_sandbox_no_token(engine: Engine) {
        let database = Database::create(engine).await;
        let answer = token(database.dir());
        let told = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(!answer.status.success() && told.contains("no sandbox is running from"), "{told}");
        assert!(answer.stdout.is_empty());
    }

    async fn a_database_that_is_no_sandboxs_gives_no_token(engine: Engine) {
        let app = crate::support::TestApp::start(engine).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let directory = app.database().dir();
        let running = serde_json::json!({
            "listens": listener.local_addr().expect("an address"),
            "database": app.database().url,
        });
        std::fs::write(directory.join("running.json"), running.to_string()).expect("a file");
        let answer = token(directory);
        let told = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(!answer.status.success() && told.contains("not a sandbox's"), "{told}");
        assert!(answer.stdout.is_empty());
    }
}
