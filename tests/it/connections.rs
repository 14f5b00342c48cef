//! The pool of connections: what is left in the middle does no harm to those who come after.

use crate::support::pg::wait_until;
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use slotwright::store::Intent;
use std::time::Duration;

/// More than there are connections.
const MANY: usize = 40;

both_engines! {
    async fn transactions_that_were_dropped_are_rolled_back(engine: Engine) {
        let database = Database::create(engine).await;
        let store = database.store().await;
        for _ in 0..MANY {
            let mut tx = store.snapshot().await.expect("a connection");
            tx.one("SELECT COUNT(*) FROM resource", vec![]).await.expect("a count");
        }
        let mut tx = store.reader().await.expect("a connection");
        tx.one("SELECT 1", vec![]).await.expect("an answer");
        if engine == Engine::Postgres {
            let open = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND state LIKE 'idle in transaction%'";
            let closed = wait_until(Duration::from_secs(5), async || database.number(open).await == 0).await;
            assert!(closed, "a transaction stayed open");
        }
    }

    async fn statements_that_were_abandoned_leave_no_connection_unusable(engine: Engine) {
        let database = Database::create(engine).await;
        let store = database.store().await;
        let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) \
            SELECT COUNT(*) FROM n";
        for _ in 0..MANY {
            let mut tx = store.reader().await.expect("a connection");
            let cut_short = tokio::time::timeout(Duration::from_millis(2), tx.one(slow, vec![])).await;
            assert!(cut_short.is_err(), "it was not slow");
        }
        for i in 0..MANY as i64 {
            let mut tx = store.reader().await.expect("a connection");
            let row = tx.one("SELECT CAST($1 AS BIGINT)", vec![i.into()]).await.expect("an answer");
            assert_eq!(row.int(0).expect("a number"), i, "someone else's answer");
        }
    }

    async fn a_failed_write_leaves_nothing_behind(engine: Engine) {
        let database = Database::create(engine).await;
        let store = database.store().await;
        for _ in 0..MANY {
            let failed: Result<(), slotwright::store::StoreError> = store
                .write(Intent::Upsert, |tx| Box::pin(async move {
                    let insert = "INSERT INTO setting (name, value) VALUES ($1, $2)";
                    tx.execute(insert, vec!["x".into(), vec![1_u8].into()]).await?;
                    tx.execute("SELECT nonsense FROM nowhere", vec![]).await.map(drop)
                }))
                .await;
            assert!(failed.is_err());
        }
        assert_eq!(database.number("SELECT COUNT(*) FROM setting WHERE name = 'x'").await, 0);
    }
}

#[test]
fn connections_that_the_server_closed_are_replaced() {
    crate::support::block_on(async {
        let app = TestApp::start(Engine::Postgres).await;
        clinic::seed(&app).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        assert!(app.database().execute(end).await > 0, "no connection was open");
        // Longer than an idle connection is trusted.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        for _ in 0..MANY {
            app.get("Patient/pat-1").await.is(200);
        }
    });
}
