//! Hundreds of clients want the same time at once, by every way in, while winners cancel and the race goes on.

use crate::support::{
    Client, Database, Engine, Reply, ServerProcess, TestApp, both_engines, clinic, slotwright,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// Clients of each of the three ways in.
const CLIENTS: usize = 200;
/// How many bookings are cancelled again, so that the race goes on, before winners keep what they won.
const CANCELLATIONS: u32 = 30;

/// Refusals after which most clients give up, and how many never do, so that the race comes to its end.
const PATIENCE: u32 = 3;
const STUBBORN: usize = 60;

/// Appointments of these statuses hold their time.
const HOLDING: &str = "pending,booked,arrived,checked-in,fulfilled";

both_engines! {
    async fn one_free_slot(engine: Engine) {
        let arena = Arena::in_process(engine).await;
        race(&arena, Contest::one_slot()).await;
        arena.agrees();
    }

    async fn the_last_of_eight_seats(engine: Engine) {
        let arena = Arena::in_process(engine).await;
        race(&arena, Contest::eight_seats()).await;
        arena.agrees();
    }

    async fn one_room_for_two_practitioners(engine: Engine) {
        let arena = Arena::in_process(engine).await;
        race(&arena, Contest::one_room()).await;
        arena.agrees();
    }
}

/// The same through two server processes over one database.
mod two_processes {
    use super::{Arena, Contest, race};
    use crate::support::block_on;

    fn through_two_processes(contest: fn() -> Contest) {
        block_on(async {
            let arena = Arena::two_processes().await;
            race(&arena, contest()).await;
            arena.agrees();
        });
    }

    mod one_free_slot {
        #[test]
        fn postgres() {
            super::through_two_processes(super::Contest::one_slot);
        }
    }

    mod the_last_of_eight_seats {
        #[test]
        fn postgres() {
            super::through_two_processes(super::Contest::eight_seats);
        }
    }

    mod one_room_for_two_practitioners {
        #[test]
        fn postgres() {
            super::through_two_processes(super::Contest::one_room);
        }
    }
}

/// Where a race is run: one server or several over one database.
struct Arena {
    clients: Vec<Client>,
    running: Running,
}

enum Running {
    InProcess(Box<TestApp>),
    Processes(Vec<ServerProcess>, Database),
}

impl Arena {
    async fn in_process(engine: Engine) -> Self {
        let app = TestApp::start(engine).await;
        Self { clients: vec![app.client()], running: Running::InProcess(Box::new(app)) }
    }

    async fn two_processes() -> Self {
        let database = Database::create(Engine::Postgres).await;
        let first = ServerProcess::start(&database).await;
        let second = ServerProcess::start(&database).await;
        let clients = vec![first.client(), second.client()];
        Self { clients, running: Running::Processes(vec![first, second], database) }
    }

    fn client(&self, number: usize) -> Client {
        self.clients[number % self.clients.len()].clone()
    }

    /// The checker finds nothing to complain about.
    fn agrees(&self) {
        let database = match &self.running {
            Running::InProcess(app) => app.database(),
            Running::Processes(servers, database) => {
                assert_eq!(servers.len(), 2);
                database
            }
        };
        let checked = slotwright(database, &["check"]);
        assert!(checked.status.success(), "slotwright check: {checked:?}");
    }
}

/// What is raced for.
struct Contest {
    /// Slots with the actors each appointment names besides the patient.
    slots: Vec<(Value, Vec<&'static str>)>,
    /// How many may win at a time.
    winners: i64,
    /// What a refusal must name, one of each list.
    named: &'static [&'static [&'static str]],
}

impl Contest {
    fn one_slot() -> Self {
        let slot = clinic::slot("wanted", "sch-a", &clinic::at("09:00"), 30);
        Self {
            slots: vec![(slot, vec!["Practitioner/dr-a"])],
            winners: 1,
            named: &[&["Slot/wanted"], &["Practitioner/dr-a"]],
        }
    }

    fn eight_seats() -> Self {
        let slot = clinic::group_slot("wanted", "sch-a", &clinic::at("09:00"), 60, 8);
        Self {
            slots: vec![(slot, vec!["Practitioner/dr-a"])],
            winners: 8,
            named: &[&["Slot/wanted"], &["Practitioner/dr-a"]],
        }
    }

    fn one_room() -> Self {
        let of = |id: &str, schedule: &str| clinic::slot(id, schedule, &clinic::at("09:00"), 30);
        Self {
            slots: vec![
                (of("wanted-a", "sch-a"), vec!["Practitioner/dr-a", "Location/room-a"]),
                (of("wanted-b", "sch-b"), vec!["Practitioner/dr-b", "Location/room-a"]),
            ],
            winners: 1,
            // The room stands in every loser's way, unless its holder lets go while the refusal is put together:
            // then the slot, whose seat went first, is what is left to name.
            named: &[&["Location/room-a", "Slot/wanted"]],
        }
    }
}

/// What all racers share.
struct Track {
    contest: Contest,
    start: Barrier,
    /// Bookings that were acknowledged and whose cancellation has not been asked for yet.
    held: AtomicI64,
    kept: AtomicI64,
    cancelled: AtomicU32,
    refused: AtomicU32,
    over: AtomicBool,
}

#[derive(Clone, Copy)]
enum Way {
    Post,
    Transaction,
    Put,
}

async fn race(arena: &Arena, contest: Contest) {
    let first = arena.client(0);
    clinic::seed(&first).await;
    for (slot, _) in &contest.slots {
        first.store(slot).await;
    }
    let ids: Vec<&str> = contest.slots.iter().map(|(slot, _)| slot["id"].as_str().expect("an id")).collect();
    let slots: Vec<String> = ids.iter().map(|id| format!("Slot/{id}")).collect();
    let query = format!("Appointment?slot={}&status={HOLDING}&_count=100", slots.join(","));
    let winners = contest.winners;
    let track = Arc::new(Track {
        contest,
        start: Barrier::new(3 * CLIENTS),
        held: AtomicI64::new(0),
        kept: AtomicI64::new(0),
        cancelled: AtomicU32::new(0),
        refused: AtomicU32::new(0),
        over: AtomicBool::new(false),
    });

    let watcher = tokio::spawn(watch(arena.clients.clone(), query.clone(), Arc::clone(&track)));
    let mut racers = JoinSet::new();
    for number in 0..3 * CLIENTS {
        let way = [Way::Post, Way::Transaction, Way::Put][number % 3];
        racers.spawn(run(number, way, arena.client(number / 3), Arc::clone(&track)));
    }
    while let Some(racer) = racers.join_next().await {
        racer.expect("a racer that was answered well");
    }
    track.over.store(true, Ordering::SeqCst);
    let looks = watcher.await.expect("a watcher that never saw too many");

    assert!(looks > 0, "the watcher looked");
    assert_eq!(track.kept.load(Ordering::SeqCst), winners);
    assert!(track.cancelled.load(Ordering::SeqCst) >= CANCELLATIONS);
    assert!(track.refused.load(Ordering::SeqCst) as usize >= 3 * CLIENTS - winners as usize);
    let booked = first.get(&query).await.is(200);
    assert_eq!(booked.ids().len() as i64, winners, "{booked}");
    let slot = booked.resources()[0]["slot"][0]["reference"].as_str().expect("a slot").to_owned();
    assert_eq!(first.get(&slot).await.is(200).text("/status"), "busy");
}

/// One client: tries until somebody keeps the last place, cancelling what it wins while there are
/// cancellations left.
async fn run(number: usize, way: Way, client: Client, track: Arc<Track>) {
    track.start.wait().await;
    let (slot, actors) = &track.contest.slots[(number / 3) % track.contest.slots.len()];
    let patient = format!("pat-{}", number % 3 + 1);
    let wanted = clinic::appointment(slot, &patient, actors);
    for attempt in 0.. {
        let (booked, id) = book(&client, way, &wanted, &format!("r{number}-{attempt}")).await;
        if booked.status == 409 {
            track.refused.fetch_add(1, Ordering::SeqCst);
            let said = booked.diagnostics();
            for names in track.contest.named {
                assert!(names.iter().any(|name| said.contains(name)), "{names:?} is not named in: {booked}");
            }
            let over = track.kept.load(Ordering::SeqCst) >= track.contest.winners;
            if over || (attempt >= PATIENCE && number >= STUBBORN) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        assert!(matches!(booked.status, 200 | 201), "client {number}: {booked}");
        let held = track.held.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(held <= track.contest.winners, "{held} bookings at once");
        if track.cancelled.fetch_add(1, Ordering::SeqCst) >= CANCELLATIONS {
            track.kept.fetch_add(1, Ordering::SeqCst);
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        track.held.fetch_sub(1, Ordering::SeqCst);
        cancel(&client, way, &id, &wanted).await;
    }
}

/// Books `wanted` by `way`; the answer, and the appointment's id when it was booked.
async fn book(client: &Client, way: Way, wanted: &Value, id: &str) -> (Reply, String) {
    match way {
        Way::Post => {
            let reply = client.post("Appointment", wanted).await;
            let id = reply.id().to_owned();
            (reply, id)
        }
        Way::Put => {
            let path = format!("Appointment/{id}");
            (client.put(&path, &clinic::with_id(wanted.clone(), id)).await, id.to_owned())
        }
        Way::Transaction => {
            let bundle = clinic::transaction(&[("POST", "Appointment", Some(wanted.clone()))]);
            let reply = client.post("", &bundle).await;
            // The entry's location is "Appointment/<id>/_history/<version>", perhaps after the base.
            let location = reply.text("/entry/0/response/location");
            let id = location.split('/').skip_while(|part| *part != "Appointment").nth(1).unwrap_or_default();
            let id = id.to_owned();
            (reply, id)
        }
    }
}

/// Gives the time back, by the way it was taken.
async fn cancel(client: &Client, way: Way, id: &str, wanted: &Value) {
    let path = format!("Appointment/{id}");
    let cancelled = clinic::with(clinic::with_id(wanted.clone(), id), "status", "cancelled");
    let reply = match way {
        Way::Post => {
            let patch = json!([{ "op": "replace", "path": "/status", "value": "cancelled" }]);
            client.patch(&path, &patch).await
        }
        Way::Put => client.put(&path, &cancelled).await,
        Way::Transaction => client.post("", &clinic::transaction(&[("PUT", &path, Some(cancelled))])).await,
    };
    assert_eq!(reply.status, 200, "cancelling {path}: {reply}");
}

/// Looks all the time; the number of looks.
async fn watch(clients: Vec<Client>, query: String, track: Arc<Track>) -> u32 {
    let mut looks = 0;
    while !track.over.load(Ordering::SeqCst) {
        for client in &clients {
            let seen = client.get(&query).await.is(200);
            let count = seen.ids().len() as i64;
            assert!(count <= track.contest.winners, "{count} appointments hold the time at once: {seen}");
            looks += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    looks
}
