//! Which endpoints are connected to: judged by text when somebody subscribes, and by address at each connection.

use super::endpoint::{Answer, Endpoints, Message, NoAnswer};
use crate::app::outbound::Lookup;
use crate::clock::Clock;
use crate::config::Config;
use http::{HeaderMap, Method};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Addresses that no endpoint may have.
const CLOSED: &[&str] = &[
    "10.254.0.0",
    "192.168.10.65",
    "172.16.10.65",
    "0.1.2.3",
    "0.0.0.0",
    "127.0.0.1",
    "127.0.0.254",
    "127.254.254.254",
    "169.254.45.1",
    "169.254.169.254",
    "255.255.255.255",
    "224.1.2.3",
    "233.252.0.16",
    "192.0.0.0",
    "192.0.0.255",
    "192.0.2.255",
    "198.51.100.65",
    "203.0.113.6",
    "100.100.0.0",
    "192.88.99.3",
    "198.18.0.0",
    "240.240.240.240",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:0.0.0.1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe80::1",
    "febf::1",
    "fdee::1",
    "2002::1",
    "64:ff9b::1",
    "64:ff9b:1::1",
    "5f00::1",
    "100::1",
];

/// Addresses that an endpoint may have.
const OPEN: &[&str] = &["1.1.1.1", "8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"];

fn config(allow: &[&str]) -> Config {
    let env = [("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW".to_owned(), allow.join(","))];
    Config::load(None, env).unwrap()
}

/// Every name stands for these addresses, one after the other; the last one stays.
fn endpoints(allow: &[&str], addresses: &[&str]) -> (Endpoints, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let lookup: Lookup = Arc::new(move |_| {
        let at = counter.fetch_add(1, SeqCst).min(addresses.len() - 1);
        let address = addresses[at];
        Box::pin(async move { Ok(vec![address]) })
    });
    (Endpoints::with_lookup(&config(allow), Clock::system(), lookup).unwrap(), asked)
}

fn message(url: &str) -> Message {
    Message {
        method: Method::POST,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: b"{}".to_vec(),
        timeout: Duration::from_secs(2),
    }
}

fn in_url(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Answers every request with these bytes, or never; what it was sent.
async fn receiver(answer: Option<String>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = vec![0; 8192];
            let read = socket.read(&mut head).await.unwrap_or(0);
            all.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
            match &answer {
                Some(answer) => drop(socket.write_all(answer.as_bytes()).await),
                None => held.push(socket),
            }
        }
    });
    (port, heard)
}

#[test]
fn closed_addresses_are_refused_when_somebody_subscribes() {
    let (endpoints, _) = endpoints(&[], OPEN);
    for address in CLOSED {
        let url = format!("https://{}/hook", in_url(address));
        assert!(endpoints.judge(&url).is_err(), "{url}");
    }
    for address in OPEN {
        let url = format!("https://{}/hook", in_url(address));
        assert!(endpoints.judge(&url).is_ok(), "{url}");
    }
}

#[test]
fn other_spellings_of_closed_addresses_are_refused() {
    let (endpoints, _) = endpoints(&[], OPEN);
    for url in [
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://localhost./",
        "https://receiver.example./",
        "https://good@127.0.0.1/",
        "https://receiver.example@127.0.0.1/",
        "https://user:word@receiver.example/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://receiver.example:8443/",
        "https://receiver.example:80/",
        "http://receiver.example/",
        "http://1.1.1.1/",
        "ws://receiver.example/",
        "ftp://receiver.example/",
        "file:///etc/passwd",
        "gopher://receiver.example/",
        "https:///path",
        "/hook",
        "mailto:a@b.example",
        "https://receiver.example/#fragment",
        "https://metadata.google.internal/",
        "https://printer.local/",
        "https://db/",
    ] {
        assert!(endpoints.judge(url).is_err(), "{url}");
    }
}

#[test]
fn a_listed_host_has_no_look_alikes() {
    let (endpoints, _) = endpoints(&["127.0.0.1", "hooks.clinic.example"], OPEN);
    for url in ["http://127.0.0.1:9/x", "https://hooks.clinic.example:8443/", "http://hooks.clinic.example/"]
    {
        assert!(endpoints.judge(url).is_ok(), "{url}");
    }
    for url in [
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.10/",
        "http://hooks.clinic.example.evil.example/",
        "http://evil-hooks.clinic.example/",
        "http://hooks.clinic.example@evil.example/",
        "http://evil.example/hooks.clinic.example",
    ] {
        assert!(endpoints.judge(url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_name_that_stands_for_a_closed_address_is_not_connected_to() {
    for address in CLOSED {
        let (endpoints, asked) = endpoints(&[], &[address]);
        let sent = endpoints.send(message("https://receiver.example/hook")).await;
        assert_eq!(sent, Err(NoAnswer::Connect), "{address}");
        assert_eq!(asked.load(SeqCst), 1, "{address}");
    }
}

#[tokio::test]
async fn a_name_that_moves_in_here_after_it_was_accepted_is_not_connected_to() {
    // Nobody is at the first address (TEST-NET-1 is closed, too): what counts is that each connection asks anew.
    let (endpoints, asked) = endpoints(&[], &["192.0.2.1", "127.0.0.1"]);
    assert!(endpoints.judge("https://rebound.example/hook").is_ok());
    for _ in 0..2 {
        let sent = endpoints.send(message("https://rebound.example/hook")).await;
        assert_eq!(sent, Err(NoAnswer::Connect));
    }
    assert_eq!(asked.load(SeqCst), 2);
}

#[tokio::test]
async fn what_is_refused_by_its_text_is_not_even_looked_up() {
    let (port, heard) = receiver(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())).await;
    let (endpoints, asked) = endpoints(&[], &["127.0.0.1"]);
    for url in [format!("http://127.0.0.1:{port}/"), format!("http://receiver.example:{port}/")] {
        assert!(matches!(endpoints.send(message(&url)).await, Err(NoAnswer::Refused(_))), "{url}");
    }
    assert_eq!((asked.load(SeqCst), heard.lock().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (inside, heard) = receiver(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!(
            "HTTP/1.1 {status} Away\r\nlocation: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n\r\n"
        );
        let (port, _) = receiver(Some(redirect)).await;
        let (endpoints, _) = endpoints(&["127.0.0.1"], &["127.0.0.1"]);
        let sent = endpoints.send(message(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
        assert_eq!(sent, Answer { status, retry_after: None });
    }
    assert_eq!(heard.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn who_does_not_answer_is_waited_for_as_long_as_was_said() {
    let (port, _) = receiver(None).await;
    let (endpoints, _) = endpoints(&["127.0.0.1"], &["127.0.0.1"]);
    let slow =
        Message { timeout: Duration::from_millis(300), ..message(&format!("http://127.0.0.1:{port}/")) };
    assert_eq!(endpoints.send(slow).await, Err(NoAnswer::Late));
}

#[tokio::test]
async fn it_is_heard_when_to_come_back() {
    for (said, expected) in [
        ("120", Some(Duration::from_mins(2))),
        ("-1", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ] {
        let answer = format!(
            "HTTP/1.1 503 Away\r\nretry-after: {said}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (port, _) = receiver(Some(answer)).await;
        let (endpoints, _) = endpoints(&["127.0.0.1"], &["127.0.0.1"]);
        let sent = endpoints.send(message(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
        assert_eq!(sent, Answer { status: 503, retry_after: expected }, "{said}");
    }
}

#[test]
fn a_setting_that_is_no_host_is_named() {
    let error = Endpoints::new(&config(&["https://x"]), Clock::system()).unwrap_err();
    assert!(error.starts_with("subscriptions.allow: \"https://x\""), "{error}");
}
