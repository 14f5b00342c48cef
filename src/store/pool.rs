//! Connections, kept open between uses.
//!
//! Not sqlx's own pool: it asks the other side after every use whether the connection still works, which
//! doubles the round trips of a read. This one remembers instead where a connection was left.

use super::StoreError;
use crate::config::Database as Settings;
use deadpool::managed::{
    self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts,
};
use futures_util::future::BoxFuture;
use sqlx::{ConnectOptions, Connection, Database, PgConnection, Postgres, Sqlite, SqliteConnection};
use std::time::Duration;

/// A connection older than this is replaced.
const LONGEST_LIFE: Duration = Duration::from_mins(30);
/// One that was idle for longer is asked whether it still works.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long closing waits for connections in use.
const CLOSING: Duration = Duration::from_secs(5);

/// An engine whose connections can be pooled.
pub(super) trait Backend: Database<Connection: std::fmt::Debug> {
    /// Runs statements that begin or end a transaction.
    fn control<'c>(
        connection: &'c mut Self::Connection,
        sql: &'static str,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>>;
}

impl Backend for Sqlite {
    fn control<'c>(
        connection: &'c mut SqliteConnection,
        sql: &'static str,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move { sqlx::raw_sql(sql).execute(connection).await.map(drop) })
    }
}

impl Backend for Postgres {
    fn control<'c>(
        connection: &'c mut PgConnection,
        sql: &'static str,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move { sqlx::raw_sql(sql).execute(connection).await.map(drop) })
    }
}

/// The options by which a connection of an engine is opened.
type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// Where a connection was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Ready for anything.
    Ready,
    /// A transaction is open.
    InTransaction,
    /// A statement began and its end was not seen, or the connection failed: what comes next is unknown.
    Unknown,
}

/// A pooled connection.
#[derive(Debug)]
pub(super) struct Pooled<DB: Backend> {
    connection: DB::Connection,
    state: State,
}

/// Opens connections and decides which may be used again.
#[derive(Debug)]
pub(super) struct Manager<DB: Backend> {
    options: Options<DB>,
}

impl<DB: Backend> managed::Manager for Manager<DB> {
    type Type = Pooled<DB>;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Pooled<DB>, sqlx::Error> {
        Ok(Pooled { connection: self.options.connect().await?, state: State::Ready })
    }

    async fn recycle(&self, pooled: &mut Pooled<DB>, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if pooled.state != State::Ready || metrics.age() > LONGEST_LIFE {
            return Err(RecycleError::message("worn out"));
        }
        if metrics.last_used() > TRUSTED {
            pooled.connection.ping().await?;
        }
        Ok(())
    }
}

/// Some connections to one database. Cheap to clone.
#[derive(Debug)]
pub(super) struct Connections<DB: Backend>(Pool<Manager<DB>>);

impl<DB: Backend> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<DB: Backend> Connections<DB> {
    /// Opens the first connection, so that a wrong address is known at once.
    pub(super) async fn open(options: Options<DB>, settings: &Settings) -> Result<Self, StoreError> {
        let size = usize::try_from(settings.max_connections).unwrap_or(usize::MAX);
        let wait = Some(settings.acquire_timeout);
        let pool = Pool::builder(Manager { options })
            .max_size(size)
            // The one used last has the newest pages in its memory, and its thread or process is awake.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Other(error.to_string()))?;
        let connections = Self(pool);
        connections.get().await?;
        Ok(connections)
    }

    /// A connection of one's own.
    pub(super) async fn get(&self) -> Result<Held<DB>, StoreError> {
        match self.0.get().await {
            Ok(object) => Ok(Held(Some(object))),
            Err(PoolError::Backend(error)) => Err(error.into()),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }

    /// Closes all connections, waiting a while for those in use.
    pub(super) async fn close(&self) {
        self.0.close();
        let in_use = async {
            while self.0.status().size > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(CLOSING, in_use).await;
    }
}

/// A connection in use; it goes back to the pool when dropped.
#[derive(Debug)]
pub(super) struct Held<DB: Backend>(Option<Object<Manager<DB>>>);

impl<DB: Backend> Held<DB> {
    /// Runs `work` on the connection, and remembers when its end is not seen.
    pub(super) async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let Some(pooled) = self.0.as_deref_mut() else { return Err(sqlx::Error::WorkerCrashed) };
        let before = pooled.state;
        pooled.state = State::Unknown;
        let outcome = work(&mut pooled.connection).await;
        if outcome.as_ref().err().is_none_or(leaves_usable) {
            pooled.state = before;
        }
        outcome
    }

    /// Begins a transaction by `sql`.
    pub(super) async fn begin(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        // If only a part of it succeeds, there is something to roll back.
        self.leave(State::InTransaction);
        self.control(sql).await
    }

    /// Commits the transaction.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.control("COMMIT").await?;
        self.leave(State::Ready);
        Ok(())
    }

    async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.run(async |connection| DB::control(connection, sql).await).await
    }

    fn leave(&mut self, state: State) {
        if let Some(pooled) = self.0.as_deref_mut() {
            pooled.state = state;
        }
    }
}

/// Whether the connection can be used after such an error.
fn leaves_usable(error: &sqlx::Error) -> bool {
    use sqlx::Error;
    matches!(
        error,
        Error::Database(_)
            | Error::RowNotFound
            | Error::ColumnNotFound(_)
            | Error::ColumnDecode { .. }
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::Decode(_)
            | Error::Encode(_)
            | Error::TypeNotFound { .. }
    )
}

impl<DB: Backend> Drop for Held<DB> {
    fn drop(&mut self) {
        let Some(object) = self.0.take() else { return };
        match (object.state, tokio::runtime::Handle::try_current()) {
            (State::Ready, _) => drop(object),
            (State::InTransaction, Ok(runtime)) => drop(runtime.spawn(roll_back(object))),
            // Closing it ends whatever it was doing.
            _ => drop(Object::take(object)),
        }
    }
}

async fn roll_back<DB: Backend>(mut object: Object<Manager<DB>>) {
    match DB::control(&mut object.connection, "ROLLBACK").await {
        Ok(()) => object.state = State::Ready,
        Err(_) => drop(Object::take(object)),
    }
}
