//! One connection of either engine, its parameters and its rows.

use super::StoreError;
use super::pool::Held;
use sqlx::{AssertSqlSafe, Postgres, Row as _, SqlSafeStr, Sqlite, SqliteConnection};

/// Which database is behind the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded; one writer, many readers.
    Sqlite,
    /// Any number of processes over one database.
    Postgres,
}

/// A statement parameter.
#[derive(Clone, Debug)]
pub enum Arg {
    /// TEXT
    Text(String),
    /// TEXT or NULL
    OptText(Option<String>),
    /// BIGINT
    Int(i64),
    /// BIGINT or NULL
    OptInt(Option<i64>),
    /// DOUBLE PRECISION
    Real(f64),
    /// BYTEA / BLOB
    Blob(Vec<u8>),
    /// BYTEA / BLOB or NULL
    OptBlob(Option<Vec<u8>>),
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::OptText(value)
    }
}
impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::OptInt(value)
    }
}
impl From<f64> for Arg {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}
impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}
impl From<Option<Vec<u8>>> for Arg {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::OptBlob(value)
    }
}
impl From<&[u8]> for Arg {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

/// The values of one column for many rows (PostgreSQL).
#[derive(Clone, Debug)]
pub(super) enum Column {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Real(Vec<f64>),
    Blob(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// An empty column for values like this one.
    pub(super) fn of(value: &Arg) -> Self {
        match value {
            Arg::Text(_) | Arg::OptText(_) => Self::Text(Vec::new()),
            Arg::Int(_) | Arg::OptInt(_) => Self::Int(Vec::new()),
            Arg::Real(_) => Self::Real(Vec::new()),
            Arg::Blob(_) | Arg::OptBlob(_) => Self::Blob(Vec::new()),
        }
    }

    /// Adds the next row's value.
    pub(super) fn push(&mut self, value: Arg) -> Result<(), StoreError> {
        match (self, value) {
            (Self::Text(column), Arg::Text(value)) => column.push(Some(value)),
            (Self::Text(column), Arg::OptText(value)) => column.push(value),
            (Self::Int(column), Arg::Int(value)) => column.push(Some(value)),
            (Self::Int(column), Arg::OptInt(value)) => column.push(value),
            (Self::Real(column), Arg::Real(value)) => column.push(value),
            (Self::Blob(column), Arg::Blob(value)) => column.push(Some(value)),
            (Self::Blob(column), Arg::OptBlob(value)) => column.push(value),
            _ => return Err(StoreError::Other("rows of one statement differ in their types".to_owned())),
        }
        Ok(())
    }

    /// The type of the parameter.
    pub(super) fn sql_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text[]",
            Self::Int(_) => "int8[]",
            Self::Real(_) => "float8[]",
            Self::Blob(_) => "bytea[]",
        }
    }
}

/// Collects values of different types into statement parameters: `args![id, 3_i64, None::<String>]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Arg::from($value)),*] };
}

/// A result row of either engine; columns by position.
#[derive(Debug)]
pub struct Row(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

impl From<sqlx::sqlite::SqliteRow> for Row {
    fn from(row: sqlx::sqlite::SqliteRow) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<sqlx::postgres::PgRow> for Row {
    fn from(row: sqlx::postgres::PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => { $(
        $(#[$doc])*
        pub fn $name(&self, column: usize) -> Result<$type, StoreError> {
            Ok(match &self.0 {
                Inner::Sqlite(row) => row.try_get(column)?,
                Inner::Postgres(row) => row.try_get(column)?,
            })
        }
    )* };
}

impl Row {
    getters! {
        /// TEXT
        text -> String;
        /// TEXT or NULL
        opt_text -> Option<String>;
        /// BIGINT
        int -> i64;
        /// BIGINT or NULL
        opt_int -> Option<i64>;
        /// DOUBLE PRECISION
        real -> f64;
        /// DOUBLE PRECISION or NULL
        opt_real -> Option<f64>;
        /// BYTEA / BLOB
        blob -> Vec<u8>;
        /// BYTEA / BLOB or NULL
        opt_blob -> Option<Vec<u8>>;
    }
}

/// A connection on which statements run, usually inside a transaction.
///
/// Dropping it without a commit rolls back.
#[derive(Debug)]
pub struct Tx {
    pub(super) conn: Conn,
    /// Whether events were recorded, which waits for the commit to be told.
    pub(super) has_events: bool,
}

#[derive(Debug)]
pub(super) enum Conn {
    SqliteWriter(SqliteConnection),
    Sqlite(Held<Sqlite>),
    Postgres(Held<Postgres>),
}

/// Binds every argument; the two engines' query types share no trait that could do it once.
macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match arg {
                Arg::Text(value) => query.bind(value),
                Arg::OptText(value) => query.bind(value),
                Arg::Int(value) => query.bind(value),
                Arg::OptInt(value) => query.bind(value),
                Arg::Real(value) => query.bind(value),
                Arg::Blob(value) => query.bind(value),
                Arg::OptBlob(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Runs a statement on whichever connection this is, and takes up what it gave.
macro_rules! on_connection {
    ($tx:expr, |$connection:ident| $run:expr, |$given:ident| $take:expr) => {
        match &mut $tx.conn {
            Conn::SqliteWriter($connection) => {
                let $given = $run.await?;
                $take
            }
            Conn::Sqlite(held) => {
                let $given = held.run(async |$connection| $run.await).await?;
                $take
            }
            Conn::Postgres(held) => {
                let $given = held.run(async |$connection| $run.await).await?;
                $take
            }
        }
    };
}

impl Tx {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, has_events: false }
    }

    /// The engine behind this connection.
    pub fn engine(&self) -> Engine {
        match self.conn {
            Conn::SqliteWriter(_) | Conn::Sqlite(_) => Engine::Sqlite,
            Conn::Postgres(_) => Engine::Postgres,
        }
    }

    /// All rows of a statement.
    pub async fn all(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let rows = on_connection!(self, |c| bound!(sql, args).fetch_all(c), |rows| {
            rows.into_iter().map(Row::from).collect()
        });
        Ok(rows)
    }

    /// The first row of a statement, if any.
    pub async fn optional(
        &mut self,
        sql: impl SqlSafeStr,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(on_connection!(self, |c| bound!(sql, args).fetch_optional(c), |row| row.map(Row::from)))
    }

    /// The one row of a statement that always has one.
    pub async fn one(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Row, StoreError> {
        self.optional(sql, args)
            .await?
            .ok_or_else(|| StoreError::Other("a statement returned no row".to_owned()))
    }

    /// How many rows a statement changed.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<u64, StoreError> {
        Ok(on_connection!(self, |c| bound!(sql, args).execute(c), |done| done.rows_affected()))
    }

    /// How many rows a statement changed whose parameters are whole columns, which PostgreSQL has.
    pub(super) async fn execute_columns(
        &mut self,
        sql: String,
        columns: Vec<Column>,
    ) -> Result<u64, StoreError> {
        let Conn::Postgres(held) = &mut self.conn else {
            return Err(StoreError::Other("only PostgreSQL takes columns".to_owned()));
        };
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for column in columns {
            query = match column {
                Column::Text(values) => query.bind(values),
                Column::Int(values) => query.bind(values),
                Column::Real(values) => query.bind(values),
                Column::Blob(values) => query.bind(values),
            };
        }
        Ok(held.run(async |connection| query.execute(connection).await).await?.rows_affected())
    }

    /// Whether the engine accepts the statement (used by the test that prepares all of them).
    pub async fn prepare(&mut self, sql: impl SqlSafeStr) -> Result<(), StoreError> {
        use sqlx::Executor;
        on_connection!(self, |c| c.prepare(sql.into_sql_str()), |statement| drop(statement));
        Ok(())
    }
}

/// Declares the static statements of a file as constants, and lists them for the test that prepares every
/// statement on both engines.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        /// Every static statement of this file, by name.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use statements;
