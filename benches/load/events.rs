//! Events: what they cost with few and with many subscriptions, and how soon the first notification leaves.

use crate::hook::Hook;
use crate::support::{Client, Database, Engine, TestApp, clinic};
use serde_json::{Value, json};
use slotwright::app::delivery::Courier;
use slotwright::app::events::Sequencer;
use slotwright::clock::Clock;
use std::time::{Duration, Instant};

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
/// Subscriptions that an event is for.
const MATCHING: usize = 10;
/// All of them, when there are many.
const MANY: usize = 5000;
/// Events that are handed out in one measurement.
const EVENTS: usize = 500;
/// Bookings a second while notifications are timed, and how many.
const RATE: u64 = 200;
const BOOKINGS: usize = 2000;

/// Prints what events cost, on each engine.
pub async fn measure() {
    println!("\n| events | engine | measured | |");
    println!("|---|---|---:|---|");
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        let few = handing_out(engine, MATCHING).await;
        let many = handing_out(engine, MANY).await;
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        let told = if ratio <= 2.0 { "met" } else { "short" };
        println!(
            "| handed out to {MATCHING} of {MATCHING} subscriptions | {name} | {} an event | |",
            shown(few)
        );
        println!(
            "| handed out to {MATCHING} of {MANY} subscriptions | {name} | {} an event | |",
            shown(many)
        );
        println!("| … times as much | {name} | {ratio:.2} | ≤ 2.00: {told} |");
        let (median, p99) = first_attempts(engine).await;
        let told = |within: bool| if within { "met" } else { "short" };
        println!(
            "| booking answered to notification received, {RATE} bookings a second: p50 | {name} | {} | ≤ 20 ms: {} |",
            shown(median),
            told(median <= Duration::from_millis(20))
        );
        println!(
            "| … p99 | {name} | {} | ≤ 200 ms: {} |",
            shown(p99),
            told(p99 <= Duration::from_millis(200))
        );
    }
}

/// Milliseconds.
pub fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// A subscription to bookings, narrowed to a patient, or to some (`a,Patient/b`).
pub fn subscription(patient: &str, channel: Value) -> Value {
    let mut channel = channel;
    channel["payload"] = json!("application/fhir+json");
    channel["_payload"] = json!({ "extension": [{
        "url": format!("{BACKPORT}backport-payload-content"), "valueCode": "id-only" }] });
    json!({ "resourceType": "Subscription", "status": "requested", "reason": "a benchmark",
        "criteria": "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked",
        "_criteria": { "extension": [{ "url": format!("{BACKPORT}backport-filter-criteria"),
            "valueString": format!("Appointment?patient=Patient/{patient}") }] },
        "channel": channel })
}

/// An appointment of a patient with nobody else, so that any number of them fits.
pub fn visit(patient: &str) -> Value {
    clinic::unslotted("booked", &clinic::at("09:00"), &clinic::at("09:30"), patient, &[])
}

/// What it costs to number an event and to hand it out, with so many subscriptions of which ten match.
async fn handing_out(engine: Engine, subscriptions: usize) -> Duration {
    let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &[]).await;
    clinic::seed(&app).await;
    for first in (0..subscriptions).step_by(500) {
        let entries: Vec<Value> = (first..subscriptions.min(first + 500))
            .map(|number| {
                let patient = if number < MATCHING { "pat-1".to_owned() } else { format!("other-{number}") };
                let resource = subscription(&patient, json!({ "type": "websocket" }));
                json!({ "resource": resource, "request": { "method": "POST", "url": "Subscription" } })
            })
            .collect();
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let _ = app.post("", &bundle).await.is(200);
    }
    // The first that is handed out finds out what is subscribed to.
    let _ = app.post("Appointment", &visit("pat-1")).await.is(201);
    app.number_events().await;
    for _ in 0..EVENTS {
        let _ = app.post("Appointment", &visit("pat-1")).await.is(201);
    }
    let begun = Clock::system().instant();
    app.number_events().await;
    let took = begun.elapsed() / u32::try_from(EVENTS).expect("few");
    let counts = app.database().texts("SELECT CAST(MAX(count) AS TEXT) FROM subscription").await;
    assert_eq!(counts, [(EVENTS + 1).to_string()]);
    took
}

/// Median and 99th percentile from the answer to a booking until its notification came in.
async fn first_attempts(engine: Engine) -> (Duration, Duration) {
    let hook = Hook::start().await;
    let settings = [("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1")];
    let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await;
    clinic::seed(&app).await;
    let library = app.library().clone();
    let delivering = tokio::spawn(Courier::new(library.clone()).run());
    let numbering = tokio::spawn(async move {
        let mut news = library.events.listen();
        let sequencer = Sequencer::new(library);
        loop {
            sequencer.run().await.expect("numbers");
            news.changed().await;
        }
    });
    let channel = json!({ "type": "rest-hook", "endpoint": hook.url() });
    let id = app.post("Subscription", &subscription("pat-1", channel)).await.is(201).id().to_owned();
    while app.get(&format!("Subscription/{id}")).await.text("/status") != "active" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    let mut booking = Vec::new();
    for _ in 0..BOOKINGS {
        ticks.tick().await;
        booking.push(tokio::spawn(book(app.client())));
    }
    let mut answered = Vec::new();
    for one in booking {
        answered.push(one.await.expect("a booking"));
    }
    while hook.count() < BOOKINGS {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for task in [delivering, numbering] {
        task.abort();
    }
    percentiles(hook.times(&answered))
}

/// Books, and says when it was answered.
pub async fn book(client: Client) -> (String, Instant) {
    let id = client.post("Appointment", &visit("pat-1")).await.is(201).id().to_owned();
    (format!("Appointment/{id}"), Clock::system().instant())
}

/// Median and 99th percentile.
pub fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    (at(50), at(99))
}
