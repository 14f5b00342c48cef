//! Receivers that fail, hang, answer late, refuse connections and TLS and come back, and senders that are killed: at
//! the end each receiver has every event from 1 to n in order, and what came twice came under one id.
//!
//! `SLOTWRIGHT_CHAOS=SUBSCRIPTIONS,BOOKINGS` runs a longer one, such as `100,10000`; `SLOTWRIGHT_CHAOS_SEED` repeats the
//! choices of another run. `--nocapture` shows what happened.

use super::flaky::{Counts, Flaky, Tls};
use super::random::Random;
use super::{BOOKED, with_extension};
use crate::support::{Client, Database, Engine, ServerProcess, both_engines, clinic};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::clock::Clock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const CANCELLED: &str = "https://slotwright.org/fhir/SubscriptionTopic/appointment-cancelled";

/// Clients that book at the same time.
const BOOKERS: usize = 8;
/// So long nothing comes anywhere, in turns of [`TURN`], before the test gives up. Turns are counted, not timed: a
/// machine that stands still for a while does no harm.
const PATIENCE: u32 = 3000;
const TURN: Duration = Duration::from_millis(20);

fn settings(root: &str) -> Vec<(&'static str, String)> {
    // Nobody is given up here, not even when this process, which receives, stands still for a while.
    let first = ["20ms", "20ms", "50ms", "50ms", "100ms", "100ms"].into_iter();
    let then = std::iter::repeat_n("200ms", 30).chain(std::iter::repeat_n("60s", 14));
    let retries: Vec<&str> = first.chain(then).collect();
    vec![
        // All of them say the same, wherever they listen.
        ("SLOTWRIGHT_SERVER__PUBLIC_BASE_URL", "https://clinic.example".to_owned()),
        ("SLOTWRIGHT_OUTBOUND__ROOTS", root.to_owned()),
        ("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1".to_owned()),
        ("SLOTWRIGHT_SUBSCRIPTIONS__TIMEOUT", "500ms".to_owned()),
        ("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", retries.join(",")),
        ("SLOTWRIGHT_SUBSCRIPTIONS__THROTTLE", "20ms".to_owned()),
        ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER_PAUSE", "200ms".to_owned()),
        ("SLOTWRIGHT_LOG__LEVEL", "error".to_owned()),
    ]
}

/// Subscriptions and bookings.
fn size() -> (usize, usize) {
    let said = std::env::var("SLOTWRIGHT_CHAOS").ok();
    let read = said.as_deref().and_then(|said| said.split_once(','));
    read.map_or((8, 40), |(one, other)| (one.parse().expect("a number"), other.parse().expect("a number")))
}

fn seed() -> u64 {
    let said = std::env::var("SLOTWRIGHT_CHAOS_SEED").ok();
    said.map_or_else(|| Clock::system().now().unsigned_abs(), |said| said.parse().expect("a number"))
}

/// The servers, some of which are being killed.
struct Servers<'a> {
    database: &'a Database,
    settings: Vec<(&'static str, String)>,
    running: Mutex<Vec<ServerProcess>>,
}

impl Servers<'_> {
    async fn start_one(&self) {
        let settings: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = ServerProcess::start_with(self.database, &settings).await;
        self.running.lock().expect("the servers").push(server);
    }

    fn kill_one(&self, random: &mut Random) {
        let mut running = self.running.lock().expect("the servers");
        let which = usize::try_from(random.below(running.len() as u64)).expect("few");
        let server = running.remove(which);
        drop(running);
        server.kill();
    }

    fn client(&self, turn: usize) -> Option<Client> {
        let running = self.running.lock().expect("the servers");
        running.get(turn % running.len().max(1)).map(ServerProcess::client)
    }

    /// Asks the servers in turn until one carries it out, as a client does whose server is killed.
    async fn insist(&self, path: &str, body: &Value) {
        for turn in 0..PATIENCE as usize {
            if let Some(client) = self.client(turn) {
                match client.request(Method::PUT, path).json(body).try_send().await {
                    Ok(reply) if matches!(reply.status, 200 | 201) => return,
                    Ok(reply) if reply.status < 500 => panic!("{path}: {reply}"),
                    _ => {}
                }
            }
            tokio::time::sleep(TURN).await;
        }
        panic!("{path}: nobody carried it out");
    }

    /// Books an appointment and cancels it.
    async fn book(&self, number: usize) {
        let start = clinic::later(&clinic::at("08:00"), i64::try_from(number * 10).expect("few"));
        let slot = clinic::slot(&format!("slot-{number}"), "sch-a", &start, 10);
        self.insist(&format!("Slot/slot-{number}"), &slot).await;
        let id = format!("chaos-{number}");
        let mut appointment =
            clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), &id);
        self.insist(&format!("Appointment/{id}"), &appointment).await;
        appointment["status"] = json!("cancelled");
        self.insist(&format!("Appointment/{id}"), &appointment).await;
    }
}

/// Subscribes a receiver: half of them to bookings, half to cancellations, some to few events at a time.
async fn subscribe(client: &Client, receiver: &Flaky, number: usize) -> String {
    let url = super::BACKPORT.to_owned() + "backport-payload-content";
    let wanted = json!({
        "resourceType": "Subscription", "status": "requested", "reason": "test",
        "criteria": if number.is_multiple_of(2) { BOOKED } else { CANCELLED },
        "channel": {
            "type": "rest-hook", "endpoint": receiver.url(), "payload": "application/fhir+json",
            "_payload": { "extension": [{ "url": url, "valueCode": "id-only" }] }
        }
    });
    let wanted = if number % 4 == 3 { with_extension(wanted, "backport-max-count", 7) } else { wanted };
    client.post("Subscription", &wanted).await.is(201).id().to_owned()
}

/// Waits until `enough`, as long as `progress` goes on; whether it was enough.
async fn until(enough: impl Fn() -> bool, progress: impl Fn() -> usize) -> bool {
    let (mut before, mut idle) = (progress(), 0);
    while idle < PATIENCE {
        if enough() {
            return true;
        }
        tokio::time::sleep(TURN).await;
        let now = progress();
        idle = if now == before { idle + 1 } else { 0 };
        before = now;
    }
    false
}

fn sum(receivers: &[(String, Flaky)]) -> Counts {
    let mut all = Counts::new();
    for (what, count) in receivers.iter().flat_map(|(_, receiver)| receiver.counts()) {
        *all.entry(what).or_default() += count;
    }
    all
}

both_engines! {
    async fn nothing_is_missing_and_nothing_out_of_order(engine: Engine) {
        let ((subscriptions, bookings), seed) = (size(), seed());
        println!("{engine:?}: {subscriptions} subscriptions, {bookings} bookings, SLOTWRIGHT_CHAOS_SEED={seed}");
        let (mut random, clock) = (Random::new(seed), Clock::system());
        let begun = clock.instant();
        let database = Database::create(engine).await;
        let root = database.dir().join("receivers.pem");
        let tls = Tls::make(&root);
        let settings = settings(root.to_str().expect("a path"));
        let servers = Servers { database: &database, settings, running: Mutex::default() };
        for _ in 0..if engine == Engine::Postgres { 2 } else { 1 } {
            servers.start_one().await;
        }
        let client = servers.client(0).expect("a server");
        clinic::seed(&client).await;
        let mut receivers = Vec::new();
        for number in 0..subscriptions {
            let receiver = Flaky::start(random.split(), (number % 3 == 1).then(|| tls.clone())).await;
            receivers.push((subscribe(&client, &receiver, number).await, receiver));
        }
        for (id, _) in &receivers {
            let mut stands = Value::Null;
            for _ in 0..PATIENCE {
                stands = client.get(&format!("Subscription/{id}")).await.is(200).json;
                if stands["status"] == "active" {
                    break;
                }
                tokio::time::sleep(TURN).await;
            }
            assert_eq!(stands["status"], "active", "{stands}");
        }
        for (_, receiver) in &receivers {
            receiver.trouble();
        }

        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let booking = join_all((0..BOOKERS).map(async |_| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= bookings {
                    return;
                }
                servers.book(number).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
        // Half of all that there is to do is booking, half is telling.
        let all = subscriptions * bookings;
        let taken = || receivers.iter().map(|(_, receiver)| receiver.has()).sum::<usize>();
        let progress = || done.load(Ordering::Relaxed) * subscriptions + taken();
        let kills = (bookings / 200).clamp(5, 40);
        let mut places: Vec<usize> = (0..kills)
            .map(|_| usize::try_from(random.below(2 * all as u64 * 19 / 20)).expect("many"))
            .collect();
        places.sort_unstable();
        let killing = async {
            for place in places {
                assert!(until(|| progress() >= place, progress).await, "{} of {all}", taken());
                tokio::time::sleep(Duration::from_millis(random.below(150))).await;
                servers.kill_one(&mut random);
                servers.start_one().await;
            }
        };
        let (_, ()) = tokio::join!(booking, killing);
        let booked = begun.elapsed();

        let nearly = || receivers.iter().all(|(_, receiver)| receiver.has() * 20 >= bookings * 19);
        let _ = until(nearly, taken).await;
        for (_, receiver) in &receivers {
            receiver.recover();
        }
        let whole = until(|| taken() >= all, taken).await;
        let client = servers.client(0).expect("a server");
        for (id, receiver) in &receivers {
            let stands = client.get(&format!("Subscription/{id}")).await.is(200).json;
            assert!(whole || receiver.has() >= bookings, "{} of {bookings}: {stands}", receiver.has());
            receiver.has_all(bookings);
            assert_eq!(stands["status"], "active");
        }
        let counts = sum(&receivers);
        let attempts = database.number("SELECT COUNT(*) FROM delivery_attempt").await;
        println!("{engine:?}: {kills} kills; booked and killed after {booked:.0?}, all told after {:.0?}", begun.elapsed());
        println!("{all} events; {attempts} attempts on the servers' books; {counts:?}");
        let count = |what: &str| counts.get(what).copied().unwrap_or_default();
        let trouble = count("500") + count("429") + count("302") + count("broken off") + count("taken too late");
        assert!(trouble > 0, "there was no trouble");
        let refused = count("no handshake") + count("certificate of a stranger") + count("certificate for another name");
        assert!(refused > 0, "nobody refused TLS");
        assert!(count("handshake") > 0 && count("no connection") > 0);
    }
}
