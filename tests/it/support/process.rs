//! The real binary as a process of its own.

use super::auth;
use super::client::Client;
use super::database::Database;
use super::pg::wait_until;
use super::ports::free_port;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A running `slotwright serve`, killed when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    client: Client,
}

impl ServerProcess {
    /// Starts a server over `database` and waits until it is ready.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same with settings of its own, such as `("SLOTWRIGHT_REFERENCES__MUST_EXIST", "false")`.
    pub async fn start_with(database: &Database, settings: &[(&str, &str)]) -> Self {
        Self::start_at(database, settings, |port| format!("http://127.0.0.1:{port}/fhir"), None).await
    }

    /// The same, reached at the FHIR base that `base` makes of its port, through an HTTP client of the test's own.
    pub async fn start_at(
        database: &Database,
        settings: &[(&str, &str)],
        base: impl Fn(u16) -> String,
        http: Option<reqwest::Client>,
    ) -> Self {
        for _ in 0..5 {
            if let Some(server) = Self::try_start(database, settings, &base, http.clone()).await {
                return server;
            }
        }
        panic!("slotwright serve did not become ready; its log is above");
    }

    async fn try_start(
        database: &Database,
        settings: &[(&str, &str)],
        base: impl Fn(u16) -> String,
        http: Option<reqwest::Client>,
    ) -> Option<Self> {
        let port = free_port();
        let client = auth::tests_client_of(database, base(port), settings).await;
        let client = match http {
            Some(http) => client.through(http),
            None => client,
        };
        let child = command(database)
            .arg("serve")
            .env("SLOTWRIGHT_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("SLOTWRIGHT_SERVER__METRICS_LISTEN", "")
            .envs(super::UNLIMITED)
            // Nothing is in front of it, but tests of what is behind TLS need none.
            .env("SLOTWRIGHT_TLS__TERMINATED_UPSTREAM", "true")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("slotwright starts");
        let mut server = Self { child, client };
        let url = format!("{}/readyz", server.client.root());
        let mut alive = true;
        let answered = wait_until(Duration::from_secs(30), async || {
            alive = server.child.try_wait().is_ok_and(|status| status.is_none());
            let ready = server.client.request(reqwest::Method::GET, &url).try_send().await;
            !alive || ready.is_ok_and(|reply| reply.status == 200)
        })
        .await;
        (answered && alive).then_some(server)
    }

    /// A client of this process.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("a dead child");
    }

    /// Asks it to stop and waits until it did; whether it stopped of itself within ten seconds, and cleanly.
    pub async fn stop(mut self) -> bool {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        let mut clean = false;
        wait_until(Duration::from_secs(10), async || {
            let status = self.child.try_wait().expect("a child");
            clean = status.is_some_and(|status| status.success());
            status.is_some()
        })
        .await
            && clean
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary once over `database` with `arguments`, such as `["check"]`, to its end.
pub fn slotwright(database: &Database, arguments: &[&str]) -> Output {
    command(database).args(arguments).stdin(Stdio::null()).output().expect("slotwright runs")
}

/// The binary, configured for `database` by its environment alone. Another build of it, such as one that is faster, is
/// named by `SLOTWRIGHT_BINARY`.
fn command(database: &Database) -> Command {
    let binary = std::env::var_os("SLOTWRIGHT_BINARY");
    let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_slotwright").into()));
    // What is said to the tests is no setting of the server.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SLOTWRIGHT_"))
    {
        command.env_remove(name);
    }
    command.current_dir(database.dir()).env("SLOTWRIGHT_DATABASE__URL", &database.url);
    command.env("SLOTWRIGHT_AUTH__KEYS", auth::key_dir(database));
    command.env("SLOTWRIGHT_AUDIT__KEYS", auth::audit_key_dir(database));
    command.env("SLOTWRIGHT_LOG__LEVEL", "warn");
    command
}
