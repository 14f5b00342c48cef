//! A server of a test's own that others are told by.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What it says to a request with this path and body: status, content type, body.
type Answer = dyn FnMut(&str, &str) -> (u16, &'static str, String) + Send;

/// An HTTP server that answers one request at a time and closes.
pub struct Listener {
    pub address: SocketAddr,
    /// Bodies in the order in which they came.
    pub heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub async fn start(
        answer: impl FnMut(&str, &str) -> (u16, &'static str, String) + Send + 'static,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let mut answer: Box<Answer> = Box::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let mut request = Vec::new();
                let mut part = [0; 4096];
                let body = loop {
                    let read = stream.read(&mut part).await.unwrap_or_default();
                    request.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let head = head.to_ascii_lowercase();
                        let length =
                            head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                            break body.to_owned();
                        }
                    }
                    assert!(read > 0, "the request broke off");
                };
                let head = String::from_utf8_lossy(&request).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, kind, said) = answer(&path, &body);
                kept.lock().unwrap().push(body);
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
                    said.len()
                );
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
        Self { address, heard }
    }

    /// `host:port`, for `outbound.allow`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}
