//! An endpoint of a test's own: it keeps what it is sent, and answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request that came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// What it was answered.
    pub answered: u16,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn parameters(&self) -> Vec<Value> {
        let parameters = &self.json()["entry"][0]["resource"]["parameter"];
        parameters.as_array().cloned().unwrap_or_default()
    }

    /// The value of a parameter of the state.
    pub fn said(&self, name: &str) -> String {
        let found = self.parameters().into_iter().find(|parameter| parameter["name"] == name);
        let found = found.unwrap_or_default();
        let value =
            found.as_object().and_then(|object| object.iter().find(|(key, _)| key.starts_with("value")));
        value.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned()
    }

    pub fn kind(&self) -> String {
        self.said("type")
    }

    /// The numbers of the events in it.
    pub fn numbers(&self) -> Vec<i64> {
        let events = self.parameters().into_iter().filter(|one| one["name"] == "notification-event");
        events
            .map(|event| {
                let parts = event["part"].as_array().expect("parts").clone();
                let number = parts.iter().find(|part| part["name"] == "event-number").expect("a number");
                number["valueString"].as_str().expect("text").parse().expect("a number")
            })
            .collect()
    }
}

type Rule = dyn Fn(usize, &Heard) -> (u16, Duration) + Send + Sync;

/// An endpoint.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    rule: Arc<Mutex<Arc<Rule>>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let rule: Arc<Rule> = Arc::new(|_, _| (200, Duration::ZERO));
        let receiver = Self { port, heard: Arc::default(), rule: Arc::new(Mutex::new(rule)) };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// How it answers from now on: by the number of requests before and the request.
    pub fn answers(&self, rule: impl Fn(usize, &Heard) -> (u16, Duration) + Send + Sync + 'static) {
        *self.rule.lock().expect("the rule") = Arc::new(rule);
    }

    pub fn always(&self, status: u16) {
        self.answers(move |_, _| (status, Duration::ZERO));
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("what came").clone()
    }

    /// The numbers of all events that it took, in the order in which they came.
    pub fn taken(&self) -> Vec<i64> {
        let taken = self.heard().into_iter().filter(|heard| heard.answered == 200);
        taken.flat_map(|heard| heard.numbers()).collect()
    }

    /// What came, once there is enough of it.
    pub async fn until(&self, enough: impl Fn(&[Heard]) -> bool) -> Vec<Heard> {
        for _ in 0..600 {
            let heard = self.heard();
            if enough(&heard) {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let all: Vec<String> = self
            .heard()
            .iter()
            .map(|heard| format!("{} {} {}", heard.method, heard.path, heard.answered))
            .collect();
        panic!("not enough came: {all:?}");
    }

    /// Waits until it took the events 1 to `last`, each once and in order, duplicates of whole messages aside.
    pub async fn until_all(&self, last: i64) {
        self.until(|_| self.taken().contains(&last)).await;
        let mut seen = BTreeSet::new();
        let mut numbers = Vec::new();
        for heard in self.heard().into_iter().filter(|heard| heard.answered == 200) {
            if seen.insert(heard.header("webhook-id").to_owned()) {
                numbers.extend(heard.numbers());
            }
        }
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    }
}

async fn take(
    State(receiver): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let path = uri.to_string();
    let mut heard = Heard { method, path, headers, body: body.to_vec(), answered: 0 };
    let rule = Arc::clone(&receiver.rule.lock().expect("the rule"));
    let before = receiver.heard.lock().expect("what came").len();
    let (status, after) = rule(before, &heard);
    heard.answered = status;
    receiver.heard.lock().expect("what came").push(heard);
    tokio::time::sleep(after).await;
    StatusCode::from_u16(status).expect("a status")
}
