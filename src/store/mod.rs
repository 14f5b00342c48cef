//! The only SQL: connections, transactions, and one file per aggregate.
//!
//! One SQL text serves both engines; the few statements that need two live in `dialect.rs`.

pub mod account;
pub mod audit;
pub mod bulk;
pub mod check;
pub mod consent;
mod db;
pub mod delivery;
mod dialect;
pub mod emergency;
mod error;
pub mod events;
mod gather;
pub mod history;
pub mod idempotency;
pub mod index;
pub mod ledger;
pub mod notice;
pub mod oauth;
mod pool;
pub mod resource;
mod rows;
pub mod sandbox;
pub mod scheduling;
pub mod scim;
pub mod search;
mod signal;
pub mod state;
pub mod subscription;
pub mod visible;
mod writer;

pub use db::{Arg, Engine, Row, Tx};
pub use error::StoreError;
pub use signal::{Signal, Waiter};

use crate::config::Database;
use db::Conn;
use futures_util::future::BoxFuture;
use pool::{Connections, Held};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Postgres, Sqlite};
use std::str::FromStr;
use std::time::Duration;
use writer::Writer;

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// How often a PostgreSQL transaction that lost a race is run again before the caller hears of it.
const ATTEMPTS: u32 = 10;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    events: Signal,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite { readers: Connections<Sqlite>, writer: Writer },
    Postgres(Connections<Postgres>),
}

/// What a write may do, known before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Creates and updates only.
    Upsert,
    /// May delete resources, so it waits until no other write is adding references to them.
    Delete,
}

/// Errors that say whether the transaction may be run again as it is.
pub trait Retry {
    /// Whether running the transaction again may succeed.
    fn may_retry(&self) -> bool;
}

impl Retry for StoreError {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Contended(_))
    }
}

impl Retry for crate::fhir::outcome::Error {
    fn may_retry(&self) -> bool {
        self.retry
    }
}

impl Retry for crate::auth::error::OAuthError {
    fn may_retry(&self) -> bool {
        self.retry
    }
}

impl Store {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`) and brings its tables up to date.
    ///
    /// # Errors
    /// When it can't be reached, or holds tables of a newer version.
    pub async fn open(url: &str, settings: &Database) -> Result<Self, StoreError> {
        let events = Signal::default();
        let pool = if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url, settings).await?
        } else {
            Self::open_sqlite(url, settings, events.clone()).await?
        };
        Ok(Self { pool, events })
    }

    /// Opens the database at `url` to read, without touching its tables: for looking at what may be evidence.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn open_to_read(url: &str, settings: &Database) -> Result<Self, StoreError> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = postgres(url)?.options([("default_transaction_read_only", "on")]);
            let pool = Pool::Postgres(Connections::open(options, settings).await?);
            return Ok(Self { pool, events: Signal::default() });
        }
        let options = SqliteConnectOptions::from_str(url)?
            .read_only(true)
            .busy_timeout(settings.busy_timeout)
            .pragma("temp_store", "memory");
        let readers = Connections::open(options.clone(), settings).await?;
        // Takes no writes: its connection is one that reads.
        let events = Signal::default();
        let connection = sqlx::SqliteConnection::connect_with(&options).await?;
        let writer = Writer::start(connection, events.clone());
        Ok(Self { pool: Pool::Sqlite { readers, writer }, events })
    }

    async fn open_postgres(url: &str, settings: &Database) -> Result<Pool, StoreError> {
        let options = postgres(url)?;
        let mut connection = sqlx::PgConnection::connect_with(&options).await?;
        POSTGRES_MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|e| StoreError::Other(e.to_string()))?;
        connection.close().await?;
        Ok(Pool::Postgres(Connections::open(options, settings).await?))
    }

    async fn open_sqlite(url: &str, settings: &Database, events: Signal) -> Result<Pool, StoreError> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was acknowledged survives a power cut, not only a crash.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(settings.busy_timeout)
            .statement_cache_capacity(500)
            // A thread of its own hands rows over; it waits for nobody before so many of them.
            .row_buffer_size(2048)
            // No mmap: every request commits its event, and after each commit all connections would map the file anew.
            .pragma("cache_size", "-65536")
            // 32 MB of log before it is copied into the database: pages that every event changes are copied once.
            .pragma("wal_autocheckpoint", "8192")
            .pragma("temp_store", "memory");
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
        SQLITE_MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|e| StoreError::Other(e.to_string()))?;
        let options = options.read_only(true).create_if_missing(false);
        let readers = Connections::open(options, settings).await?;
        Ok(Pool::Sqlite { readers, writer: Writer::start(connection, events) })
    }

    /// Raised after each commit of this process that recorded events.
    pub fn events(&self) -> &Signal {
        &self.events
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.pool {
            Pool::Sqlite { .. } => Engine::Sqlite,
            Pool::Postgres(_) => Engine::Postgres,
        }
    }

    /// A connection for a single statement that reads.
    pub async fn reader(&self) -> Result<Tx, StoreError> {
        Ok(Tx::new(match &self.pool {
            Pool::Sqlite { readers, .. } => Conn::Sqlite(readers.get().await?),
            Pool::Postgres(connections) => Conn::Postgres(connections.get().await?),
        }))
    }

    /// A connection on which several statements read one consistent state.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        let mut tx = self.reader().await?;
        match &mut tx.conn {
            Conn::Sqlite(held) => held.begin("BEGIN").await?,
            Conn::Postgres(held) => held.begin(dialect::BEGIN_SNAPSHOT).await?,
            Conn::SqliteWriter(_) => {}
        }
        Ok(tx)
    }

    /// Carries out `work` in one transaction and returns once it is durable.
    ///
    /// On PostgreSQL `work` may run several times: it must have no effect outside the transaction.
    /// It goes on even when the caller stops waiting.
    pub async fn write<F, T, E>(&self, intent: Intent, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Retry + Send + 'static,
    {
        match &self.pool {
            Pool::Sqlite { writer, .. } => writer.write(work).await,
            Pool::Postgres(connections) => {
                let task = write_postgres(connections.clone(), self.events.clone(), intent, work);
                let task = tokio::spawn(task);
                task.await.unwrap_or_else(|e| Err(StoreError::Other(e.to_string()).into()))
            }
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.reader().await?.one("SELECT 1", Vec::new()).await.map(drop)
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { readers, .. } => readers.close().await,
            Pool::Postgres(connections) => connections.close().await,
        }
    }
}

/// How PostgreSQL is to treat our statements, which are small, many, and shaped for one plan, as SQLite makes it. Left to
/// itself it plans one over much data anew each time, which takes longer than running it, or starts other processes or
/// a compiler for it, which takes a hundred times as long.
fn postgres(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)?.application_name("slotwright");
    Ok(options.options([
        ("plan_cache_mode", "force_generic_plan"),
        ("max_parallel_workers_per_gather", "0"),
        ("jit", "off"),
    ]))
}

async fn write_postgres<F, T, E>(
    connections: Connections<Postgres>,
    events: Signal,
    intent: Intent,
    work: F,
) -> Result<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    E: From<StoreError> + Retry,
{
    let mut attempt = 1;
    loop {
        match write_postgres_once(connections.get().await?, &events, intent, &work).await {
            Err(error) if error.may_retry() && attempt < ATTEMPTS => {
                // Growing pauses let the winners finish first.
                tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt))).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

async fn write_postgres_once<F, T, E>(
    mut held: Held<Postgres>,
    events: &Signal,
    intent: Intent,
    work: &F,
) -> Result<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StoreError>,
{
    held.begin(dialect::begin(intent)).await.map_err(StoreError::from)?;
    let mut tx = Tx::new(Conn::Postgres(held));
    let answer = work(&mut tx).await?;
    if let Conn::Postgres(held) = &mut tx.conn {
        held.commit().await.map_err(StoreError::from)?;
    }
    if tx.has_events {
        events.notify();
    }
    Ok(answer)
}

/// Every static statement with its name, for the test that prepares them all on both engines.
pub fn statements(engine: Engine) -> Vec<(&'static str, &'static str)> {
    [
        account::statements().as_slice(),
        bulk::STATEMENTS,
        check::STATEMENTS,
        consent::STATEMENTS,
        emergency::STATEMENTS,
        history::STATEMENTS,
        idempotency::STATEMENTS,
        ledger::STATEMENTS,
        notice::STATEMENTS,
        resource::STATEMENTS,
        sandbox::STATEMENTS,
        scheduling::STATEMENTS,
        search::STATEMENTS,
        state::STATEMENTS,
        subscription::STATEMENTS,
        dialect::statements(engine),
        &oauth::statements(),
        &audit::statements(),
        &events::statements(),
        &scim::statements(),
        &delivery::statements(),
    ]
    .concat()
}
