//! Sandboxes to measure.

use crate::support::{Client, Database};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running sandbox, which ends with this.
pub struct Sandbox {
    /// Base of its FHIR endpoint.
    pub base: String,
    binary: PathBuf,
    data: tempfile::TempDir,
    process: Child,
}

impl Sandbox {
    /// Starts `binary` on a database of its own.
    pub async fn start(binary: &Path, database: &Database) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let listen = format!("127.0.0.1:{port}");
        let arguments = ["sandbox", "--database", &database.url, "--listen", &listen];
        let process = command(binary, data.path(), &arguments).stdout(Stdio::null()).spawn();
        let base = format!("http://{listen}/fhir");
        while reqwest::get(format!("{base}/metadata")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self { base, binary: binary.to_owned(), data, process: process.expect("slotwright runs") }
    }

    /// A client without a token, who may do everything here.
    pub fn anyone(&self) -> Client {
        Client::new(&self.base)
    }

    /// A client with a token of the system role.
    pub fn system(&self) -> Client {
        let output =
            command(&self.binary, self.data.path(), &["sandbox", "token", "--role", "system"]).output();
        let output = output.expect("slotwright runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.anyone().with_token(String::from_utf8(output.stdout).expect("text").trim())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(binary: &Path, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).arg("--data").arg(data).env("SLOTWRIGHT_LOG__LEVEL", "warn");
    command
}
