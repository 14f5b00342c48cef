//! A server of a test's own.

use super::client::Client;
use super::database::{Database, Engine};
use super::process::ServerProcess;
use std::ops::Deref;

/// A running server on a fresh database, and a client of it; both go away when dropped.
#[derive(Debug)]
pub struct TestApp {
    client: Client,
    // Before the database: fields are dropped in order, and the server must be gone first.
    server: ServerProcess,
    database: Database,
}

impl TestApp {
    /// Starts a server on the system clock.
    pub async fn start(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        let server = ServerProcess::start(&database).await;
        Self { client: server.client(), server, database }
    }

    /// A client to move into a task.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The database behind the server.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Stops the server as SIGTERM does, and waits until it has.
    pub async fn stop(self) {
        assert!(self.server.stop().await, "the server did not stop by itself");
    }
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl super::Given for TestApp {
    async fn on(engine: Engine) -> Self {
        Self::start(engine).await
    }
}
