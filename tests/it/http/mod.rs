//! The edge: what a client can send and how it is answered.

mod cors;
mod edge;
mod external;
mod formats;
mod hostile;
mod limits;
mod serve;
mod tls;

use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came over a socket of the test's own.
struct Raw {
    status: u16,
    head: String,
    json: Value,
}

impl Raw {
    /// Whether it is an OperationOutcome that names an error.
    fn is_outcome(&self) -> bool {
        self.json.pointer("/resourceType").is_some_and(|name| name == "OperationOutcome")
            && self.json.pointer("/issue/0/severity").is_some_and(|severity| severity == "error")
    }
}

/// Sends bytes as they are and reads until the server closes or says no more.
async fn raw(root: &str, request: &[u8]) -> Raw {
    let mut socket = connect(root).await;
    // The server may refuse before it has read everything; its answer is what counts.
    let _ = socket.write_all(request).await;
    answer(&mut socket).await
}

/// A request with the header that lets it in.
fn with_authorization(request: &[u8], authorization: &str) -> Vec<u8> {
    let line = request.windows(2).position(|two| two == b"\r\n").expect("a request line");
    let header = format!("\r\nauthorization: {authorization}");
    [&request[..line], header.as_bytes(), &request[line..]].concat()
}

async fn connect(root: &str) -> TcpStream {
    TcpStream::connect(root.trim_start_matches("http://")).await.expect("a connection")
}

/// Reads one answer; its status is 0 when the server closed without one.
async fn answer(socket: &mut TcpStream) -> Raw {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read(&mut buffer)).await;
        let read = read.expect("an answer in time").unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let length = header(head, "content-length").and_then(|length| length.parse::<usize>().ok());
        if read == 0 || length.is_some_and(|length| body.len() >= length) {
            let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
            let json = serde_json::from_str(body).unwrap_or(Value::Null);
            return Raw { status, head: head.to_owned(), json };
        }
    }
}

/// A header of a raw head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
}
