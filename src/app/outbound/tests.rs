//! Fetching from a server of the test's own.

use super::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that answers every request with the same bytes after a while, and what it was sent.
struct Peer {
    port: u16,
    requests: Arc<Lock<Vec<String>>>,
    answer: Arc<Lock<Vec<u8>>>,
}

impl Peer {
    async fn start(answer: impl Into<Vec<u8>>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Lock::new(Vec::new()));
        let answer = Arc::new(Lock::new(answer.into()));
        let (heard, said) = (Arc::clone(&requests), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (heard, said) = (Arc::clone(&heard), Arc::clone(&said));
                tokio::spawn(async move {
                    let mut head = vec![0; 8192];
                    let read = socket.read(&mut head).await.unwrap_or(0);
                    heard.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
                    tokio::time::sleep(delay).await;
                    let answer = said.lock().unwrap().clone();
                    let _ = socket.write_all(&answer).await;
                });
            }
        });
        Self { port, requests, answer }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/jwks", self.port)
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn says(&self, answer: String) {
        *self.answer.lock().unwrap() = answer.into_bytes();
    }
}

fn json(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn settings(allow: &[&str]) -> config::Outbound {
    config::Outbound { allow: allow.iter().map(|host| (*host).to_owned()).collect(), roots: None }
}

fn here(clock: &Clock) -> Outbound {
    Outbound::new(&settings(&["127.0.0.1"]), clock.clone()).unwrap()
}

#[tokio::test]
async fn a_document_is_kept_for_as_long_as_its_sender_says_and_no_longer() {
    let peer = Peer::start(json("cache-control: max-age=60\r\n", "{\"n\":1}"), Duration::ZERO).await;
    let clock = Clock::fixed(0);
    let outbound = here(&clock);
    assert_eq!(outbound.json(&peer.url()).await.unwrap()["n"].as_i64(), Some(1));
    peer.says(json("cache-control: no-store\r\n", "{\"n\":2}"));
    clock.advance(Duration::from_secs(59));
    assert_eq!(outbound.json(&peer.url()).await.unwrap()["n"].as_i64(), Some(1));
    assert_eq!(peer.asked(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(outbound.json(&peer.url()).await.unwrap()["n"].as_i64(), Some(2));
    assert_eq!(outbound.json(&peer.url()).await.unwrap()["n"].as_i64(), Some(2));
    assert_eq!(peer.asked(), 3, "no-store is asked for each time");
}

#[tokio::test]
async fn a_stale_document_is_not_used_when_its_sender_is_away() {
    let peer = Peer::start(json("cache-control: max-age=60\r\n", "{}"), Duration::ZERO).await;
    let clock = Clock::fixed(0);
    let outbound = here(&clock);
    outbound.json(&peer.url()).await.unwrap();
    peer.says("HTTP/1.1 503 Away\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned());
    clock.advance(Duration::from_secs(61));
    assert_eq!(outbound.json(&peer.url()).await.unwrap_err(), FetchError::Status(503));
}

#[tokio::test]
async fn a_failure_is_remembered_for_seconds() {
    let peer = Peer::start(json("", "[]"), Duration::ZERO).await;
    let clock = Clock::fixed(0);
    let outbound = here(&clock);
    for _ in 0..3 {
        assert_eq!(outbound.json(&peer.url()).await.unwrap_err(), FetchError::NotJson);
        assert_eq!(outbound.json_again(&peer.url()).await.unwrap_err(), FetchError::NotJson);
    }
    assert_eq!(peer.asked(), 1);
    peer.says(json("", "{}"));
    clock.advance(Duration::from_secs(6));
    assert!(outbound.json(&peer.url()).await.is_ok());
}

#[tokio::test]
async fn a_fresh_document_is_fetched_again_when_forced_but_not_all_the_time() {
    let peer = Peer::start(json("cache-control: max-age=600\r\n", "{}"), Duration::ZERO).await;
    let clock = Clock::fixed(0);
    let outbound = here(&clock);
    outbound.json(&peer.url()).await.unwrap();
    for _ in 0..5 {
        outbound.json_again(&peer.url()).await.unwrap();
    }
    assert_eq!(peer.asked(), 2);
    clock.advance(Duration::from_secs(11));
    outbound.json_again(&peer.url()).await.unwrap();
    assert_eq!(peer.asked(), 3);
}

#[tokio::test]
async fn many_who_ask_at_once_start_one_fetch() {
    let peer = Peer::start(json("cache-control: no-store\r\n", "{}"), Duration::from_millis(300)).await;
    let outbound = here(&Clock::system());
    let url = peer.url();
    let all = (0..20).map(|_| outbound.json(&url));
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    assert_eq!(peer.asked(), 1);
}

#[tokio::test]
async fn nothing_is_followed_and_nothing_is_told() {
    let target = Peer::start(json("", "{}"), Duration::ZERO).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n",
        target.url()
    );
    let peer = Peer::start(redirect, Duration::ZERO).await;
    let clock = Clock::fixed(0);
    let outbound = here(&clock);
    for _ in 0..2 {
        assert_eq!(outbound.json(&peer.url()).await.unwrap_err(), FetchError::Status(302));
        clock.advance(Duration::from_mins(1));
    }
    assert_eq!(target.asked(), 0);
    let requests = peer.requests.lock().unwrap().join("\n").to_lowercase();
    assert!(requests.starts_with("get /jwks http/1.1"), "{requests}");
    for header in ["authorization", "cookie", "referer"] {
        assert!(!requests.contains(header), "{requests}");
    }
}

#[tokio::test]
async fn large_answers_are_cut_off_while_they_are_read() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n{".to_owned();
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(b"2000\r\n");
        chunked.resize(chunked.len() + 0x2000, b' ');
        chunked.extend_from_slice(b"\r\n");
    }
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 200_000]].concat();
    for answer in [announced.into_bytes(), chunked, endless] {
        let peer = Peer::start(answer, Duration::ZERO).await;
        let error = here(&Clock::system()).json(&peer.url()).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge);
    }
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(60_000));
    let peer = Peer::start(json("", &body), Duration::ZERO).await;
    assert!(here(&Clock::system()).json(&peer.url()).await.is_ok());
}

#[tokio::test]
async fn who_does_not_answer_is_waited_for_five_seconds() {
    let peer = Peer::start(json("", "{}"), Duration::from_mins(1)).await;
    let clock = Clock::system();
    let started = clock.instant();
    let error = here(&clock).json(&peer.url()).await.unwrap_err();
    let took = clock.instant().duration_since(started);
    assert!(matches!(error, FetchError::Unreachable(_)), "{error}");
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_name_is_judged_by_the_address_that_is_connected_to() {
    // The first answer is public, as when the URL was registered; then the name moves in here.
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |name| {
        assert_eq!(name, "rebound.example");
        let first = counter.fetch_add(1, SeqCst) == 0;
        let address = if first { Ipv4Addr::new(192, 0, 2, 1) } else { Ipv4Addr::LOCALHOST };
        Box::pin(async move { Ok(vec![IpAddr::V4(address)]) })
    });
    let clock = Clock::fixed(0);
    let outbound = Outbound::with_lookup(&settings(&[]), clock.clone(), lookup).unwrap();
    assert_eq!(outbound.judge("https://rebound.example/jwks"), Ok(()));
    for _ in 0..2 {
        let error = outbound.json("https://rebound.example/jwks").await.unwrap_err();
        let FetchError::Unreachable(reason) = &error else { panic!("{error}") };
        assert!(reason.contains("no address that may be reached"), "{reason}");
        clock.advance(Duration::from_mins(1));
    }
    assert_eq!(asked.load(SeqCst), 2, "each fetch asks anew");
}

#[tokio::test]
async fn a_listed_name_may_be_in_here_and_another_port_is_not_listed_with_it() {
    let peer = Peer::start(json("", "{}"), Duration::ZERO).await;
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) }));
    let entry = format!("keys.clinic.example:{}", peer.port);
    let outbound = Outbound::with_lookup(&settings(&[&entry]), Clock::system(), lookup).unwrap();
    outbound.json(&format!("http://{entry}/jwks")).await.unwrap();
    assert!(outbound.json("http://keys.clinic.example:1/jwks").await.is_err());
    let other = outbound.json("https://other.example/jwks").await.unwrap_err();
    assert!(matches!(other, FetchError::Unreachable(_)), "{other}");
    assert_eq!(peer.asked(), 1);
}

#[tokio::test]
async fn what_is_remembered_stays_bounded() {
    let outbound = here(&Clock::fixed(0));
    for number in 0..=REMEMBERED * 2 {
        outbound.entry(&format!("https://ehr.example/{number}"));
    }
    assert!(outbound.inner.known.lock().unwrap().len() <= REMEMBERED);
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let wrong = |settings: &config::Outbound| Outbound::new(settings, Clock::system()).unwrap_err();
    assert!(wrong(&settings(&["https://x"])).starts_with("outbound.allow: "));
    let missing = config::Outbound { allow: Vec::new(), roots: Some("/nowhere/roots.pem".into()) };
    assert!(wrong(&missing).starts_with("outbound.roots: /nowhere/roots.pem"));
}
