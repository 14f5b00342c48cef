//! Events: what they cost with few and with many subscriptions, and how soon the first notification leaves.

use crate::support::{Client, Database, Engine, TestApp, clinic};
use serde_json::{Value, json};
use slotwright::app::delivery::Courier;
use slotwright::app::events::Sequencer;
use slotwright::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// A subscription to bookings, narrowed to a patient.
fn subscription(patient: &str, channel: Value) -> Value {
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

/// An appointment of `pat-1` with nobody else, so that any number of them fits.
fn visit() -> Value {
    clinic::unslotted("booked", &clinic::at("09:00"), &clinic::at("09:30"), "pat-1", &[])
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
    let _ = app.post("Appointment", &visit()).await.is(201);
    app.number_events().await;
    for _ in 0..EVENTS {
        let _ = app.post("Appointment", &visit()).await.is(201);
    }
    let begun = Clock::system().instant();
    app.number_events().await;
    let took = begun.elapsed() / u32::try_from(EVENTS).expect("few");
    let counts = app.database().texts("SELECT CAST(MAX(count) AS TEXT) FROM subscription").await;
    assert_eq!(counts, [(EVENTS + 1).to_string()]);
    took
}

/// When notifications of appointments came in.
type Received = Arc<Mutex<HashMap<String, Instant>>>;

/// Median and 99th percentile from the answer to a booking until its notification came in.
async fn first_attempts(engine: Engine) -> (Duration, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}/hook", listener.local_addr().expect("its address"));
    let received = Received::default();
    let receiving = tokio::spawn(receive(listener, Arc::clone(&received)));
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
    let hook = json!({ "type": "rest-hook", "endpoint": endpoint });
    let id = app.post("Subscription", &subscription("pat-1", hook)).await.is(201).id().to_owned();
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
    while received.lock().expect("received").len() < BOOKINGS {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for task in [delivering, numbering, receiving] {
        task.abort();
    }
    let received = received.lock().expect("received");
    let mut times: Vec<Duration> =
        answered.iter().map(|(id, at)| received[id].saturating_duration_since(*at)).collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Books, and says when it was answered.
async fn book(client: Client) -> (String, Instant) {
    let id = client.post("Appointment", &visit()).await.is(201).id().to_owned();
    (format!("Appointment/{id}"), Clock::system().instant())
}

/// Takes every notification, and notes which appointments it names.
async fn receive(listener: TcpListener, received: Received) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, Arc::clone(&received)));
    }
}

async fn serve(mut connection: TcpStream, received: Received) {
    let mut pending = Vec::new();
    let mut part = [0; 16 * 1024];
    while let Ok(read) = connection.read(&mut part).await
        && read > 0
    {
        pending.extend_from_slice(&part[..read]);
        while let Some((length, body)) = request(&pending) {
            let at = Clock::system().instant();
            let bundle: Value = serde_json::from_slice(body).unwrap_or_default();
            let entries = bundle["entry"].as_array().into_iter().flatten().skip(1);
            for url in entries.filter_map(|entry| entry["fullUrl"].as_str()) {
                let id = url.rsplit('/').next().unwrap_or_default();
                received.lock().expect("received").entry(format!("Appointment/{id}")).or_insert(at);
            }
            pending.drain(..length);
            if connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}

/// A whole request with a body, its length and its body.
fn request(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    (bytes.len() >= head + length).then(|| (head + length, &bytes[head..head + length]))
}
