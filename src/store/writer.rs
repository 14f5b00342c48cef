//! SQLite's single writer, with group commit.
//!
//! SQLite pays one fsync a commit. Writers that wait together are carried out one after the other, each in
//! a savepoint of its own, and committed together: a bad one fails alone, a failed commit fails them all.

use super::StoreError;
use super::db::{Conn, Tx};
use super::signal::Signal;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use std::panic::AssertUnwindSafe;
use tokio::sync::{mpsc, oneshot};

/// Most requests that share one commit: bounds how long the first of them waits for the last.
const BATCH: usize = 64;

/// The queue in front of the writer connection. Cheap to clone; the writer stops when all are dropped.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

/// One caller's transaction.
trait Job: Send {
    /// Runs the work; `true` keeps its changes.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<(), String>);
}

struct Waiting<F, T, E> {
    work: F,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Waiting<F, T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let outcome = AssertUnwindSafe((self.work)(tx)).catch_unwind().await;
            let outcome =
                outcome.unwrap_or_else(|_| Err(StoreError::Other("the use case panicked".to_owned()).into()));
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), String>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Other("the writer lost an answer".to_owned()).into()),
            (Err(why), _) => Err(StoreError::Unavailable(why).into()),
        };
        // A caller that went away no longer wants to know; its work is committed all the same.
        let _ = self.caller.send(answer);
    }
}

impl Writer {
    /// Starts the writer task on a connection of its own; `events` is raised after commits with events.
    pub(super) fn start(connection: SqliteConnection, events: Signal) -> Self {
        let (queue, jobs) = mpsc::channel(4 * BATCH);
        tokio::spawn(write_batches(Tx::new(Conn::SqliteWriter(connection)), jobs, events));
        Self { queue }
    }

    /// Carries out `work` in a transaction and returns once it is durable.
    pub(super) async fn write<F, T, E>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Waiting { work, outcome: None, caller });
        let stopped = || StoreError::Unavailable("the writer has stopped".to_owned());
        self.queue.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

async fn write_batches(mut tx: Tx, mut jobs: mpsc::Receiver<Box<dyn Job>>, events: Signal) {
    while let Some(first) = jobs.recv().await {
        let mut done = Vec::with_capacity(BATCH);
        let committed = write_batch(&mut tx, first, &mut jobs, &mut done).await;
        if let Err(error) = &committed {
            tracing::error!(%error, "a batch of writes failed and was rolled back");
            // Nothing to roll back when the engine already did.
            let _ = tx.execute("ROLLBACK", vec![]).await;
        }
        if std::mem::take(&mut tx.has_events) && committed.is_ok() {
            events.notify();
        }
        let committed = committed.map_err(|error| error.to_string());
        for job in done {
            job.finish(committed.clone());
        }
    }
}

async fn write_batch(
    tx: &mut Tx,
    first: Box<dyn Job>,
    jobs: &mut mpsc::Receiver<Box<dyn Job>>,
    done: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    run_first(tx, first, done).await?;
    while done.len() < BATCH
        && let Ok(mut job) = jobs.try_recv()
    {
        let ran = run_in_savepoint(tx, job.as_mut()).await;
        done.push(job);
        ran?;
    }
    tx.execute("COMMIT", vec![]).await?;
    Ok(())
}

/// Begins a batch. There is nothing before the first job that it could spoil, so it needs no savepoint.
async fn run_first(
    tx: &mut Tx,
    mut job: Box<dyn Job>,
    done: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let begun = tx.execute("BEGIN IMMEDIATE", vec![]).await;
    let keep = match &begun {
        Ok(_) => job.run(tx).await,
        Err(_) => true,
    };
    done.push(job);
    begun?;
    if !keep {
        tx.execute("ROLLBACK", vec![]).await?;
        tx.execute("BEGIN IMMEDIATE", vec![]).await?;
    }
    Ok(())
}

async fn run_in_savepoint(tx: &mut Tx, job: &mut dyn Job) -> Result<(), StoreError> {
    tx.execute("SAVEPOINT job", vec![]).await?;
    if !job.run(tx).await {
        tx.execute("ROLLBACK TO job", vec![]).await?;
    }
    tx.execute("RELEASE job", vec![]).await?;
    Ok(())
}
