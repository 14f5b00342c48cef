//! A receiver that was down for a day is caught up while others go on: what that takes from live bookings, and from the
//! receivers that are not behind.

use crate::events::{book, percentiles, shown, subscription, visit};
use crate::hook::Hook;
use crate::support::{Client, Database, Engine, ServerProcess, clinic};
use crate::{catchup_events, seconds_each};
use serde_json::{Value, json};
use slotwright::app::App;
use slotwright::app::delivery::manage::{Deed, act};
use slotwright::clock::Clock;
use slotwright::config::Config;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Receivers that are not behind.
const LIVE: usize = 4;
/// Clients that book as fast as they are answered.
const BOOKERS: usize = 16;
/// Replays; the best and the worst are told.
const ROUNDS: usize = 5;

/// Prints what catching up costs, on each engine.
pub async fn measure() {
    println!(
        "\n| catching up | engine | live bookings a second | with nothing to catch up | ratio | | events a second | received p50, p99 | without |"
    );
    println!("|---|---|---:|---:|---:|---|---:|---:|---:|");
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        on(engine, name).await;
    }
}

/// What happened between two moments.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    fn seconds(self) -> f64 {
        self.until.duration_since(self.from).as_secs_f64()
    }
}

/// Bookings that never end, and when each was answered.
struct Live {
    stop: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<(String, Instant)>>>,
    hooks: Vec<Hook>,
}

impl Live {
    fn start(client: &Client, hooks: Vec<Hook>) -> Self {
        let live = Self { stop: Arc::default(), answered: Arc::default(), hooks };
        for _ in 0..BOOKERS {
            let (client, stop, answered) =
                (client.clone(), Arc::clone(&live.stop), Arc::clone(&live.answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let one = book(client.clone()).await;
                    answered.lock().expect("answered").push(one);
                }
            });
        }
        live
    }

    fn within(&self, window: Window) -> Vec<(String, Instant)> {
        let answered = self.answered.lock().expect("answered");
        let inside = answered.iter().filter(|(_, at)| (window.from..window.until).contains(at));
        inside.cloned().collect()
    }

    fn rate(&self, window: Window) -> f64 {
        self.within(window).len() as f64 / window.seconds()
    }

    /// How long after the answer the live receivers heard of what was booked in these windows.
    fn received(&self, windows: &[Window]) -> String {
        let times = windows.iter().flat_map(|window| {
            let answered = self.within(*window);
            self.hooks.iter().flat_map(|hook| hook.times(&answered)).collect::<Vec<_>>()
        });
        let (median, p99) = percentiles(times.collect());
        format!("{}, {}", shown(median), shown(p99))
    }
}

async fn on(engine: Engine, name: &str) {
    let database = Database::create(engine).await;
    let retries = vec!["5s"; 50].join(",");
    let settings = [
        ("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1"),
        ("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", retries.as_str()),
        ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER_PAUSE", "1s"),
        ("SLOTWRIGHT_LOG__LEVEL", "error"),
    ];
    let server = ServerProcess::start_with(&database, &settings).await;
    let client = server.client();
    clinic::seed(&client).await;
    let mut hooks = Vec::new();
    for _ in 0..LIVE {
        hooks.push(subscribed(&client, "pat-1").await.1);
    }
    let (id, behind) = subscribed(&client, "pat-1,Patient/pat-2").await;
    behind.set_down(true);
    let day = catchup_events();
    a_day(&client, day).await;

    let administrator = administrator(&database).await;
    let live = Live::start(&client, hooks);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut quiet, mut busy, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        quiet.push(pass(Duration::from_secs(seconds_each())).await);
        let count = count(&database, &id).await;
        let mut from = Clock::system().instant();
        let begin = if round == 0 {
            behind.set_down(false);
            // Its next try comes by itself.
            while behind.last() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            from = Clock::system().instant();
            0
        } else {
            let first = (count - i64::try_from(day).expect("few")).max(0);
            act(&administrator, &id, Deed::Replay(first + 1)).await.expect("a replay");
            first
        };
        // A replay is under way when an earlier event than the last is heard of.
        while behind.last() >= count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while behind.last() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let window = Window { from, until: Clock::system().instant() };
        rates.push((count - begin) as f64 / window.seconds());
        busy.push(window);
    }
    quiet.push(pass(Duration::from_secs(seconds_each())).await);
    live.stop.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let with: Vec<f64> = busy.iter().map(|window| live.rate(*window)).collect();
    // Each is compared with what was before and behind it.
    let without: Vec<f64> =
        quiet.windows(2).map(|pair| f64::midpoint(live.rate(pair[0]), live.rate(pair[1]))).collect();
    let line = |what: &str, rounds: std::ops::Range<usize>| {
        let mut ratios: Vec<f64> = rounds.clone().map(|round| with[round] / without[round]).collect();
        ratios.sort_by(f64::total_cmp);
        let mean = |all: &[f64]| all[rounds.clone()].iter().sum::<f64>() / rounds.len() as f64;
        let ratio = mean(&with) / mean(&without);
        let spread = match ratios.as_slice() {
            [least, .., most] => format!(" ({least:.2} to {most:.2})"),
            _ => String::new(),
        };
        let told = if ratio >= 0.8 { "met" } else { "short" };
        println!(
            "| {what} | {name} | {:.0} | {:.0} | {ratio:.2}{spread} | ≥ 0.80: {told} | {:.0} | {} | {} |",
            mean(&with),
            mean(&without),
            mean(&rates),
            live.received(&busy[rounds.clone()]),
            live.received(&quiet[rounds.start..=rounds.end]),
        );
    };
    line(&format!("{day} events, when the receiver is back"), 0..1);
    line(&format!("{day} events, replayed {ROUNDS} times"), 1..ROUNDS + 1);
}

/// A subscription to bookings of some patients, once it is active, and its receiver.
async fn subscribed(client: &Client, patients: &str) -> (String, Hook) {
    let hook = Hook::start().await;
    let wanted = subscription(patients, json!({ "type": "rest-hook", "endpoint": hook.url() }));
    let id = client.post("Subscription", &wanted).await.is(201).id().to_owned();
    while client.get(&format!("Subscription/{id}")).await.text("/status") != "active" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (id, hook)
}

/// What happens in a day, of which only the receiver that is down wants to hear.
async fn a_day(client: &Client, events: usize) {
    for first in (0..events).step_by(100) {
        let entry =
            json!({ "resource": visit("pat-2"), "request": { "method": "POST", "url": "Appointment" } });
        let entries: Vec<Value> = (first..events.min(first + 100)).map(|_| entry.clone()).collect();
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let _ = client.post("", &bundle).await.is(200);
    }
}

async fn administrator(database: &Database) -> App {
    let env = [("SLOTWRIGHT_DATABASE__URL".to_owned(), database.url.clone())];
    let config = Config::load(None, env).expect("good settings");
    App::start(Arc::new(config), Clock::system()).await.expect("an app")
}

async fn count(database: &Database, id: &str) -> i64 {
    database.number(&format!("SELECT count FROM subscription WHERE id = '{id}'")).await
}

async fn pass(time: Duration) -> Window {
    let from = Clock::system().instant();
    tokio::time::sleep(time).await;
    Window { from, until: Clock::system().instant() }
}
