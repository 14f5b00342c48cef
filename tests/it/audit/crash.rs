//! `kill -9` under mixed load, over and over: every request that was answered is in the tree, once, and the tree
//! only grows.

use crate::support::{Client, Database, Engine, ServerProcess, both_engines, clinic, pg, slotwright};
use reqwest::Method;
use serde_json::Value;
use slotwright::clock::Clock;
use slotwright::store::audit::event;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often servers are killed, unless `SLOTWRIGHT_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 50;
/// After so many rounds the whole log is verified; in between, that what was kept is still there.
const VERIFIED: u64 = 10;
/// Clients of each server.
const CLIENTS: u64 = 4;

fn rounds() -> u64 {
    let wanted = std::env::var("SLOTWRIGHT_CRASH_ROUNDS").ok();
    wanted.map_or(ROUNDS, |text| text.parse().expect("SLOTWRIGHT_CRASH_ROUNDS is a number"))
}

/// What all clients share.
struct Load {
    next: AtomicU64,
    answered: AtomicU64,
    stop: AtomicBool,
}

/// A request's id, and whether an answer came.
type Sent = (String, bool);

/// Sends requests of all kinds until told to stop or the server no longer answers.
async fn use_it(client: Client, load: Arc<Load>) -> Vec<Sent> {
    let anonymous = Client::new(client.base());
    let mut sent = Vec::new();
    while !load.stop.load(Ordering::SeqCst) {
        let number = load.next.fetch_add(1, Ordering::SeqCst);
        let id = format!("request-{number}");
        let request = match number % 6 {
            0 => client.request(Method::GET, "Patient/pat-1"),
            1 => {
                let name = format!("new-{number}");
                let patient = clinic::patient_resource(&name);
                client.request(Method::PUT, &format!("Patient/{name}")).json(&patient)
            }
            2 => client.request(Method::GET, "Patient/nobody"),
            3 => anonymous.request(Method::GET, "Patient/pat-1"),
            4 => client.request(Method::GET, "Appointment?patient=Patient/pat-1"),
            _ => client
                .request(Method::POST, "Appointment")
                .json(&serde_json::json!({ "resourceType": "Appointment" })),
        };
        let expected = [200, 201, 404, 401, 200, 422][usize::try_from(number % 6).unwrap()];
        let reply = request.header("x-request-id", &id).try_send().await;
        let answered = reply.is_ok();
        sent.push((id, answered));
        match reply {
            Ok(reply) => assert_eq!(reply.status, expected, "{reply}"),
            Err(_) => return sent,
        }
        load.answered.fetch_add(1, Ordering::SeqCst);
    }
    sent
}

/// Not a good generator; good enough to meet another moment each time.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// How many events speak of each request.
async fn events_of_requests(database: &Database) -> HashMap<String, u64> {
    let store = database.store().await;
    let mut tx = store.reader().await.expect("a connection");
    let entries = event::entries(&mut tx, 0, i64::MAX).await.expect("the log");
    let mut found = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.leaf.seq, place as u64, "a gap");
        let (_, body) = entry.event.as_ref().expect("an event");
        let event: Value = serde_json::from_slice(body).expect("JSON");
        let entities = event["entity"].as_array().into_iter().flatten();
        for entity in entities.filter(|entity| entity["type"]["code"] == "XrequestId") {
            let id = entity["what"]["identifier"]["value"].as_str().expect("an id");
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    drop(tx);
    store.close().await;
    found
}

/// Verifies the log and that it goes on from every checkpoint in the file, if there is one.
fn verify(database: &Database, saved: &Path) {
    let mut arguments = vec!["audit", "verify", "--database", &database.url];
    if saved.exists() {
        arguments.extend(["--checkpoint", saved.to_str().unwrap()]);
    }
    let verified = slotwright(database, &arguments);
    assert!(verified.status.success(), "{verified:?}");
}

both_engines! {
    async fn what_was_answered_is_in_the_tree_once_after_kill_minus_nine(engine: Engine) {
        let replicas = match engine {
            Engine::Sqlite => 1,
            Engine::Postgres => 2,
        };
        let mut state = Clock::system().now() as u64 | 1;
        println!("seed {state}");
        let database = Database::create(engine).await;
        let mut servers: Vec<Option<ServerProcess>> = Vec::new();
        for _ in 0..replicas {
            servers.push(Some(ServerProcess::start(&database).await));
        }
        clinic::seed(&servers[0].as_ref().unwrap().client()).await;
        let saved = database.dir().join("saved");
        let (mut saved_size, mut kept) = (0, String::new());
        let mut sent: Vec<Sent> = Vec::new();
        let load = Arc::new(Load { next: AtomicU64::new(0), answered: AtomicU64::new(0), stop: AtomicBool::new(false) });
        for round in 0..rounds() {
            load.stop.store(false, Ordering::SeqCst);
            let before = load.answered.load(Ordering::SeqCst);
            let mut clients = JoinSet::new();
            for server in servers.iter().flatten() {
                for _ in 0..CLIENTS {
                    clients.spawn(use_it(server.client(), Arc::clone(&load)));
                }
            }
            let under_load = async || load.answered.load(Ordering::SeqCst) > before + CLIENTS;
            assert!(pg::wait_until(Duration::from_mins(1), under_load).await, "round {round}: no answers");
            tokio::time::sleep(Duration::from_millis(random(&mut state) % 300)).await;
            // One of them, or all.
            let victim = random(&mut state) % (replicas + 1);
            for (at, server) in (0..replicas).zip(&mut servers) {
                if (at == victim || victim == replicas) && let Some(server) = server.take() {
                    server.kill();
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            load.stop.store(true, Ordering::SeqCst);
            while let Some(client) = clients.join_next().await {
                sent.extend(client.expect("a client"));
            }
            // Whatever the kill left, the log is whole and goes on from every checkpoint that was kept.
            if round % VERIFIED == 0 {
                verify(&database, &saved);
            }
            for server in &mut servers {
                if server.is_none() {
                    *server = Some(ServerProcess::start(&database).await);
                }
            }
            let placed = async || database.number("SELECT COUNT(*) FROM audit_pending").await == 0;
            assert!(pg::wait_until(Duration::from_secs(30), placed).await, "round {round}: events wait for ever");
            let size = database.number("SELECT MAX(size) FROM audit_checkpoint").await;
            assert!(size > saved_size, "round {round}: {size} leaves after {saved_size}");
            saved_size = size;
            let note = database.texts(&format!("SELECT note FROM audit_checkpoint WHERE size = {size}")).await;
            kept.push_str(&note[0]);
            std::fs::write(&saved, &kept).unwrap();
        }
        let found = events_of_requests(&database).await;
        for (id, answered) in &sent {
            let events = found.get(id).copied().unwrap_or_default();
            assert!(events == 1 || (!answered && events == 0), "{id} (answered: {answered}) has {events} events");
        }
        assert!(sent.iter().any(|(_, answered)| !answered), "no kill ever met a request in flight");
        verify(&database, &saved);
    }
}
