//! The least that an axum server can do: answer every request with bytes that it has at hand.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Serves the content of `file` until killed, in a process of its own as the real server is.
pub async fn serve(file: &str) {
    let body = bytes::Bytes::from(std::fs::read(file).expect("the body to serve"));
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/fhir+json")], body) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    axum::serve(listener, Router::new().fallback(answer)).await.expect("a server");
}

/// A running bare server, killed when dropped.
pub struct Bare {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Bare {
    /// Starts one that answers with `body`.
    pub fn start(body: &[u8]) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), body).expect("the body");
        let own = std::env::current_exe().expect("our own path");
        let mut command = Command::new(own);
        command.arg("bare").arg(file.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("ourselves again");
        let mut address = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut address).expect("its address");
        Self { child, url: format!("http://{}/", address.trim()) }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
