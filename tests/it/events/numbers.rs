//! Numbers have no gaps and no doubles, whoever gives them, and whoever is killed while giving them.

use super::assert_in_order;
use crate::support::pg::wait_until;
use crate::support::{Client, Database, Engine, ServerProcess, TestApp, block_on, both_engines, clinic};
use serde_json::json;
use slotwright::app::App;
use slotwright::app::events::Sequencer;
use slotwright::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients that book and cancel at the same time, and how often each of them does.
const CLIENTS: usize = 8;
const ROUNDS: usize = 6;

/// Books and cancels time of its own, again and again; what is not acknowledged may have happened or not.
async fn work(client: Client, number: usize) {
    for round in 0..ROUNDS {
        let id = format!("a-{number}-{round}");
        let (start, end) = (clinic::at("09:00"), clinic::at("09:30"));
        let visit = clinic::with_id(clinic::unslotted("booked", &start, &end, "pat-1", &[]), &id);
        let request = client.request(reqwest::Method::PUT, &format!("Appointment/{id}")).json(&visit);
        if request.try_send().await.is_err() {
            return;
        }
        let cancel = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
        let request = client.request(reqwest::Method::PATCH, &format!("Appointment/{id}"));
        let patch = cancel.to_string().into_bytes();
        if request.bytes("application/json-patch+json", patch).try_send().await.is_err() {
            return;
        }
    }
}

/// Whether every event has its number, numbers have no gap, and every version of every appointment has its event.
async fn is_complete(database: &Database) -> bool {
    let sql = "SELECT CAST(COUNT(*) AS TEXT) || ' ' || CAST(COALESCE(MAX(n.seq), 0) AS TEXT) || ' ' || \
        CAST((SELECT COUNT(*) FROM event) AS TEXT) || ' ' || CAST((SELECT COUNT(*) FROM event_pending) AS TEXT) || ' ' || \
        CAST((SELECT COUNT(*) FROM history h WHERE h.type IN ('Appointment', 'Slot', 'Schedule') AND NOT EXISTS \
            (SELECT 1 FROM event e WHERE e.rid = h.rid AND e.vid = h.vid)) AS TEXT) FROM event_number n";
    let told = database.texts(sql).await.remove(0);
    let numbers: Vec<u64> = told.split(' ').map(|number| number.parse().expect("a number")).collect();
    let [count, last, events, waiting, untold] = numbers[..] else { panic!("{told}") };
    count == last && last == events && waiting == 0 && untold == 0
}

both_engines! {
    async fn many_writers_and_two_who_give_numbers(engine: Engine) {
        let database = Database::create(engine).await;
        let clock = Clock::fixed(1_900_000_000_000_000);
        let app = TestApp::start_with(database, clock.clone(), &[]).await;
        clinic::seed(&app).await;
        // Another server over the same database; SQLite has one, whose tasks come second to each other.
        let one = app.library().clone();
        let other = match engine {
            Engine::Sqlite => App { instance: "other".into(), ..one.clone() },
            Engine::Postgres => App::start(Arc::clone(&one.config), clock.clone()).await.expect("an app"),
        };
        let numbering: Vec<_> = [one, other]
            .into_iter()
            .map(|app| {
                let clock = clock.clone();
                tokio::spawn(async move {
                    let sequencer = Sequencer::new(app);
                    loop {
                        sequencer.run().await.expect("numbers");
                        // Past every lease, so that they take it from each other all the time.
                        clock.advance(Duration::from_secs(2));
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut workers = JoinSet::new();
        for number in 0..CLIENTS {
            workers.spawn(work(app.client(), number));
        }
        workers.join_all().await;
        let done = wait_until(Duration::from_secs(20), async || is_complete(app.database()).await).await;
        for task in numbering {
            task.abort();
        }
        assert!(done, "events wait for their numbers");
        let events = app.events().await;
        assert_in_order(&events);
        assert!(events.len() >= 2 * CLIENTS * ROUNDS);
        let holders = app.database().texts("SELECT CAST(fence AS TEXT) FROM event_sequencer").await;
        assert!(holders[0].parse::<i64>().expect("a number") >= 2, "both gave numbers: {holders:?}");
    }
}

#[test]
fn who_gives_numbers_is_killed_and_another_server_goes_on() {
    block_on(async {
        let database = Database::create(Engine::Postgres).await;
        let mut servers = vec![ServerProcess::start(&database).await, ServerProcess::start(&database).await];
        clinic::seed(&servers[0].client()).await;
        for round in 0..3 {
            let mut workers = JoinSet::new();
            for number in 0..CLIENTS {
                let server = &servers[number % servers.len()];
                workers.spawn(work(server.client(), number + round * CLIENTS));
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
            // Either of them may be the one that gives numbers just then.
            servers.swap_remove(round % 2).kill();
            workers.join_all().await;
            assert!(
                wait_until(Duration::from_secs(20), async || is_complete(&database).await).await,
                "round {round}: events wait for their numbers, or have none"
            );
            servers.push(ServerProcess::start(&database).await);
        }
    });
}

#[test]
fn a_server_on_sqlite_is_killed_and_starts_again() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let mut server = ServerProcess::start(&database).await;
        clinic::seed(&server.client()).await;
        for round in 0..3 {
            let mut workers = JoinSet::new();
            for number in 0..CLIENTS {
                workers.spawn(work(server.client(), number + round * CLIENTS));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.kill();
            workers.join_all().await;
            server = ServerProcess::start(&database).await;
            assert!(
                wait_until(Duration::from_secs(20), async || is_complete(&database).await).await,
                "round {round}: events wait for their numbers, or have none"
            );
        }
    });
}
