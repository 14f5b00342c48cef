//! Marks on a sandbox's database, and its removal.

use super::db::{Tx, statements};
use super::{POSTGRES_MIGRATIONS, StoreError};
use crate::args;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::str::FromStr;

statements! {
    ANY_RESOURCE = "SELECT rid FROM resource LIMIT 1";
    MARKED = "SELECT name FROM setting WHERE name = $1";
}

/// Setting that says: this database is a sandbox's.
pub const MARK: &str = "sandbox";

/// What [`wipe`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiped {
    /// No tables of ours were there.
    Nothing,
    /// Everything of ours is gone.
    All,
    /// The database is not marked: nothing was touched.
    Refused,
}

/// Whether nothing was ever stored.
pub async fn is_empty(tx: &mut Tx) -> Result<bool, StoreError> {
    Ok(tx.optional(ANY_RESOURCE, vec![]).await?.is_none())
}

/// Whether the setting `mark` is kept.
pub async fn is_marked(tx: &mut Tx, mark: &str) -> Result<bool, StoreError> {
    Ok(tx.optional(MARKED, args![mark]).await?.is_some())
}

/// Removes the database at `url`, if it keeps the setting `mark`: SQLite's files, PostgreSQL's tables.
/// No server may be using it.
///
/// # Errors
/// When it can't be reached or removed.
pub async fn wipe(url: &str, mark: &str) -> Result<Wiped, StoreError> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        wipe_postgres(url, mark).await
    } else {
        wipe_sqlite(url, mark).await
    }
}

/// Whether the database at `url` keeps the setting `mark`. Nothing is made, not even tables.
///
/// # Errors
/// When it can't be reached.
pub async fn marked(url: &str, mark: &str) -> Result<bool, StoreError> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let mut connection = PgConnection::connect_with(&PgConnectOptions::from_str(url)?).await?;
        let marked = postgres_marked(&mut connection, mark).await?;
        connection.close().await?;
        Ok(marked == Some(true))
    } else {
        let options = SqliteConnectOptions::from_str(url)?.create_if_missing(false);
        Ok(options.get_filename().exists() && sqlite_marked(&options, mark).await?)
    }
}

async fn sqlite_marked(options: &SqliteConnectOptions, mark: &str) -> Result<bool, StoreError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE name = 'setting'");
    let ours = tables.fetch_optional(&mut connection).await?.is_some();
    let marked = ours && sqlx::query(MARKED).bind(mark).fetch_optional(&mut connection).await?.is_some();
    connection.close().await?;
    Ok(marked)
}

/// None: no tables of ours are there.
async fn postgres_marked(connection: &mut PgConnection, mark: &str) -> Result<Option<bool>, StoreError> {
    let tables = sqlx::query("SELECT 1 WHERE to_regclass('setting') IS NOT NULL");
    if tables.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(sqlx::query(MARKED).bind(mark).fetch_optional(connection).await?.is_some()))
}

async fn wipe_sqlite(url: &str, mark: &str) -> Result<Wiped, StoreError> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(false);
    let file = options.get_filename().to_path_buf();
    if !file.exists() {
        return Ok(Wiped::Nothing);
    }
    if !sqlite_marked(&options, mark).await? {
        return Ok(Wiped::Refused);
    }
    for suffix in ["", "-wal", "-shm"] {
        remove(&with_suffix(&file, suffix))?;
    }
    Ok(Wiped::All)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(file: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Other(format!("{}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

async fn wipe_postgres(url: &str, mark: &str) -> Result<Wiped, StoreError> {
    let mut connection = PgConnection::connect_with(&PgConnectOptions::from_str(url)?).await?;
    match postgres_marked(&mut connection, mark).await? {
        None => return Ok(Wiped::Nothing),
        Some(false) => return Ok(Wiped::Refused),
        Some(true) => {}
    }
    let mut transaction = connection.begin().await?;
    for statement in drops() {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(Wiped::All)
}

/// What undoes PostgreSQL's migrations, read from their own text so that it can't fall behind them.
fn drops() -> Vec<String> {
    let mut out = vec!["DROP TABLE IF EXISTS _sqlx_migrations".to_owned()];
    for migration in POSTGRES_MIGRATIONS.iter() {
        let sql = migration.sql.as_str();
        for line in sql.lines() {
            if let Some(table) = created(line, "CREATE TABLE ") {
                out.push(format!("DROP TABLE IF EXISTS {table} CASCADE"));
            }
        }
        for line in sql.lines() {
            if let Some(function) = created(line, "CREATE FUNCTION ") {
                out.push(format!("DROP FUNCTION IF EXISTS {function} CASCADE"));
            }
        }
    }
    out
}

/// The name that a `CREATE …` line gives.
fn created<'a>(line: &'a str, create: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(create)?;
    let rest = rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.get(..end).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_every_table_and_function() {
        let drops = drops();
        for name in ["resource", "history", "actor_claim", "setting"] {
            assert!(drops.contains(&format!("DROP TABLE IF EXISTS {name} CASCADE")), "{drops:?}");
        }
        assert!(drops.contains(&"DROP FUNCTION IF EXISTS refuse_change CASCADE".to_owned()), "{drops:?}");
    }
}
