//! Many connected users who think between requests.

use crate::data;
use crate::support::{Database, Engine, ServerProcess};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long they stay, connecting included.
const STAY: Duration = Duration::from_secs(30);

/// Lets `users` connect, each sending a request every `think` on average, and prints how long they waited.
pub async fn measure(users: u64, think: Duration) {
    println!("\n| {users} users, think time {} s | requests | errors | p50 | p99 | aim | |", think.as_secs());
    println!("|---|---:|---:|---:|---:|---:|---|");
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        let database = Database::create(engine).await;
        let server = ServerProcess::start(&database).await;
        data::seed(&server.client(), 20_000, 20_000).await;
        let address = server.client().root().trim_start_matches("http://").to_owned();
        let authorization = server.client().authorization();
        let errors = Arc::new(AtomicU64::new(0));
        let mut all = JoinSet::new();
        for user in 0..users {
            all.spawn(visit(address.clone(), authorization.clone(), user, think, Arc::clone(&errors)));
        }
        let mut waits: Vec<Duration> = all.join_all().await.into_iter().flatten().collect();
        waits.sort_unstable();
        let at =
            |part: usize| waits.get(waits.len() * part / 100).map_or(0.0, Duration::as_secs_f64) * 1000.0;
        let (p50, p99, errors) = (at(50), at(99), errors.load(Ordering::Relaxed));
        let verdict = if p99 < 500.0 && errors == 0 { "met" } else { "short" };
        println!(
            "| {name} | {} | {errors} | {p50:.1} ms | {p99:.1} ms | p99 < 500 ms | {verdict} |",
            waits.len()
        );
        assert!(server.stop().await, "the server stops by itself");
    }
}

/// One user on one connection: searches a day, then reads a slot, and so on.
async fn visit(
    address: String,
    authorization: String,
    user: u64,
    think: Duration,
    errors: Arc<AtomicU64>,
) -> Vec<Duration> {
    let mut waits = Vec::new();
    let begun = Instant::now();
    // A spread that needs no source of chance: low-discrepancy steps of the golden ratio.
    let mut phase = (user as f64 * 0.618_033_988_75).fract();
    sleep(think.mul_f64(phase)).await;
    let Ok(mut stream) = TcpStream::connect(&address).await else {
        errors.fetch_add(1, Ordering::Relaxed);
        return waits;
    };
    let _ = stream.set_nodelay(true);
    let mut search = true;
    while begun.elapsed() < STAY {
        let path = if search { data::CLINIC_DAY.to_owned() } else { format!("Slot/slot-{}", user % 20_000) };
        search = !search;
        let asked = Instant::now();
        let Ok(200) = ask(&mut stream, &address, &authorization, &path).await else {
            errors.fetch_add(1, Ordering::Relaxed);
            return waits;
        };
        waits.push(asked.elapsed());
        phase = (phase + 0.618_033_988_75).fract();
        sleep(think.mul_f64(2.0 * phase)).await;
    }
    waits
}

/// One request and its whole answer; the status.
async fn ask(stream: &mut TcpStream, host: &str, authorization: &str, path: &str) -> std::io::Result<u16> {
    let request =
        format!("GET /fhir/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut got = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut got).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let length: usize = length.ok_or(std::io::ErrorKind::InvalidData)?;
        if got.len() >= end + 4 + length {
            let status = head.split_whitespace().nth(1).and_then(|text| text.parse().ok());
            return status.ok_or_else(|| std::io::ErrorKind::InvalidData.into());
        }
    }
}
