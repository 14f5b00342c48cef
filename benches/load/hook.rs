//! An endpoint that takes notifications, and notes when it heard of what.

use serde_json::Value;
use slotwright::clock::Clock;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An endpoint. It works as long as the program; cheap to clone.
#[derive(Clone)]
pub struct Hook {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// When it first heard of an appointment.
    received: Mutex<HashMap<String, Instant>>,
    /// The last event of the last notification.
    last: AtomicI64,
    /// Nobody gets an answer.
    down: AtomicBool,
}

impl Hook {
    /// Begins to listen.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let hook = Self { address: listener.local_addr().expect("its address"), seen: Arc::default() };
        let seen = Arc::clone(&hook.seen);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&seen)));
            }
        });
        hook
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on it answers nobody, or everybody again.
    pub fn set_down(&self, down: bool) {
        self.seen.down.store(down, Ordering::Relaxed);
    }

    /// The last event that it heard of.
    pub fn last(&self) -> i64 {
        self.seen.last.load(Ordering::Relaxed)
    }

    /// How many appointments it heard of.
    pub fn count(&self) -> usize {
        self.seen.received.lock().expect("received").len()
    }

    /// How long after these moments it heard of these appointments, of those that it did hear of.
    pub fn times(&self, answered: &[(String, Instant)]) -> Vec<Duration> {
        let received = self.seen.received.lock().expect("received");
        let time = |(id, at): &(String, Instant)| Some(received.get(id)?.saturating_duration_since(*at));
        answered.iter().filter_map(time).collect()
    }
}

async fn serve(mut connection: TcpStream, seen: Arc<Seen>) {
    let mut pending = Vec::new();
    let mut part = [0; 16 * 1024];
    while let Ok(read) = connection.read(&mut part).await
        && read > 0
    {
        pending.extend_from_slice(&part[..read]);
        while let Some((length, body)) = request(&pending) {
            if seen.down.load(Ordering::Relaxed) {
                return;
            }
            note(&seen, body);
            pending.drain(..length);
            if connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}

/// Notes which appointments a notification names.
fn note(seen: &Seen, body: &[u8]) {
    let at = Clock::system().instant();
    let bundle: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut received = seen.received.lock().expect("received");
    for url in
        bundle["entry"].as_array().into_iter().flatten().skip(1).filter_map(|it| it["fullUrl"].as_str())
    {
        let id = url.rsplit('/').next().unwrap_or_default();
        received.entry(format!("Appointment/{id}")).or_insert(at);
    }
    let mut parameters = bundle["entry"][0]["resource"]["parameter"].as_array().into_iter().flatten();
    let parts = parameters.rfind(|it| it["name"] == "notification-event");
    let mut parts = parts.and_then(|it| it["part"].as_array()).into_iter().flatten();
    let number = parts.find(|part| part["name"] == "event-number");
    if let Some(number) = number.and_then(|part| part["valueString"].as_str()?.parse().ok()) {
        seen.last.store(number, Ordering::Relaxed);
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
