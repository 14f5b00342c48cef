//! A fresh database of either engine, and plain SQL on it for tests that look behind the server's back.

use super::pg::Cluster;
use slotwright::audit::packed::unpack;
use slotwright::config::Config;
use slotwright::store::Store;
use sqlx::{AssertSqlSafe, Connection, Row};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tempfile::TempDir;

/// The two engines that every storage test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of its own in a temporary directory.
    Sqlite,
    /// A database of its own in this process's cluster.
    Postgres,
}

/// An empty database that is removed when dropped.
#[derive(Debug)]
pub struct Database {
    /// What the server is given.
    pub url: String,
    /// Its engine.
    pub engine: Engine,
    name: String,
    // Whether the client that tests come through is registered.
    has_client: AtomicBool,
    // Holds SQLite's file; also the place for a test's own files.
    dir: TempDir,
}

impl Database {
    /// A fresh one.
    pub async fn create(engine: Engine) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let dir = TempDir::with_prefix("slotwright-it-").expect("a temporary directory");
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", dir.path().join("slotwright.db").display()),
            Engine::Postgres => {
                // Starting the cluster blocks for a second or so, once.
                tokio::task::spawn_blocking(Cluster::shared).await.expect("a cluster");
                try_admin(format!("CREATE DATABASE {name}")).await.expect("a database");
                Cluster::shared().url(&name)
            }
        };
        Self { url, engine, name, has_client: AtomicBool::new(false), dir }
    }

    /// Whether the client that tests come through is registered.
    pub fn has_client(&self) -> bool {
        self.has_client.load(Ordering::Relaxed)
    }

    /// Notes that it is.
    pub fn set_has_client(&self) {
        self.has_client.store(true, Ordering::Relaxed);
    }

    /// The server's own store over it, with its tables made.
    pub async fn store(&self) -> Store {
        let env = [("SLOTWRIGHT_DATABASE__URL".to_owned(), self.url.clone())];
        let config = Config::load(None, env).expect("good settings");
        Store::open(&self.url, &config.database).await.expect("a store")
    }

    /// A directory that lives as long as the database.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Runs one statement; the number of rows it touched.
    pub async fn execute(&self, sql: &str) -> u64 {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs one statement, giving the database's refusal back.
    pub async fn try_execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await?;
                let done = sqlx::query(sql).execute(&mut connection).await?;
                connection.close().await?;
                Ok(done.rows_affected())
            }
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await?;
                let done = sqlx::query(sql).execute(&mut connection).await?;
                connection.close().await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// The first column of every row, which the query must give as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let query = AssertSqlSafe(sql.to_owned());
        let rows = match self.engine {
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite opens");
                let rows = sqlx::query(query).fetch_all(&mut connection).await;
                rows.map(|rows| rows.iter().map(|row| row.get::<String, _>(0)).collect())
            }
            Engine::Postgres => {
                let mut connection =
                    sqlx::PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
                let rows = sqlx::query(query).fetch_all(&mut connection).await;
                rows.map(|rows| rows.iter().map(|row| row.get::<String, _>(0)).collect())
            }
        };
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The events on the record as JSON, in the order in which they were recorded, also without a server.
    pub async fn recorded(&self) -> Vec<String> {
        let hex = match self.engine {
            Engine::Sqlite => "hex(body)",
            Engine::Postgres => "encode(body, 'hex')",
        };
        let bodies = self.texts(&format!("SELECT {hex} FROM audit_event ORDER BY eid")).await;
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        };
        let json = |hex: &String| unpack(hex.as_bytes().chunks(2).map(byte).collect());
        bodies.iter().map(|hex| String::from_utf8(json(hex)).expect("JSON")).collect()
    }

    /// How SQLite goes about a statement, line by line.
    pub async fn plan(&self, explain: &str) -> String {
        let mut connection = sqlx::SqliteConnection::connect(&self.url).await.expect("SQLite opens");
        let rows =
            sqlx::query(AssertSqlSafe(explain.to_owned())).fetch_all(&mut connection).await.expect("a plan");
        rows.iter().map(|row| row.get::<String, _>(3) + "\n").collect()
    }

    /// How PostgreSQL goes about a statement that it prepared without looking at the values, as the server has it do.
    pub async fn plan_prepared(&self, types: &str, sql: &str, values: &str) -> String {
        let mut connection = sqlx::PgConnection::connect(&self.url).await.expect("PostgreSQL answers");
        for statement in [
            "SET plan_cache_mode = force_generic_plan".to_owned(),
            format!("PREPARE asked ({types}) AS {sql}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut connection)
                .await
                .expect("a prepared statement");
        }
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE asked ({values})"));
        let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.expect("a plan");
        rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> i64 {
        let text = self.texts(&format!("SELECT CAST(({sql}) AS TEXT)")).await;
        text.first().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{sql}: {text:?}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.engine == Engine::Postgres {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            // A thread of its own, since a runtime can't be blocked from within. Refusals don't matter: the
            // whole cluster goes away with the process.
            let _ = std::thread::spawn(|| super::block_on(try_admin(sql))).join();
        }
    }
}

async fn try_admin(sql: String) -> Result<(), sqlx::Error> {
    let mut connection = sqlx::PgConnection::connect(&Cluster::shared().url("postgres")).await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await
}
