//! TLS as clients see it: which versions, whose certificate, and a new one without a restart.

use crate::support::pg::wait_until;
use crate::support::{Database, Engine, ServerProcess, block_on};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::tls::Version;
use reqwest::{Certificate, ClientBuilder};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A root of the test's own and the files of a server's certificate that it signed.
pub struct Made {
    root: Certificate,
    /// The root's certificate as a file.
    pub root_file: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Made {
    /// Writes a certificate for `localhost` and its key, which only their owner may read.
    pub fn write(database: &Database) -> Self {
        let root_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("a root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&root_key).expect("a root");
        let issuer = Issuer::new(params, root_key);
        let key_pair = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a certificate");
        let leaf = leaf.signed_by(&key_pair, &issuer).expect("a certificate");
        let (certificate, key) = (database.dir().join("server.pem"), database.dir().join("server.key"));
        std::fs::write(&certificate, leaf.pem()).expect("a file");
        std::fs::write(&key, key_pair.serialize_pem()).expect("a file");
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("permissions");
        let root_file = database.dir().join("root.pem");
        std::fs::write(&root_file, root.pem()).expect("a file");
        let root = Certificate::from_pem(root.pem().as_bytes()).expect("a root");
        Self { root, root_file, certificate, key }
    }

    /// The settings that name the files.
    pub fn settings(&self) -> [(&str, &str); 3] {
        [
            ("SLOTWRIGHT_TLS__CERTIFICATE", self.certificate.to_str().expect("a path")),
            ("SLOTWRIGHT_TLS__KEY", self.key.to_str().expect("a path")),
            ("SLOTWRIGHT_TLS__TERMINATED_UPSTREAM", "false"),
        ]
    }

    /// An HTTP client that trusts this root alone, and opens a connection for each request.
    pub fn trusting(&self) -> ClientBuilder {
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([self.root.clone()])
            .pool_max_idle_per_host(0)
            .resolve("localhost", "127.0.0.1:0".parse().expect("an address"))
    }

    async fn start(&self, database: &Database, more: &[(&str, &str)]) -> ServerProcess {
        let settings = [&self.settings()[..], more].concat();
        let http = self.trusting().build().expect("a client");
        let base = |port| format!("https://localhost:{port}/fhir");
        ServerProcess::start_at(database, &settings, base, Some(http)).await
    }
}

fn port(server: &ServerProcess) -> String {
    server.client().root().trim_start_matches("https://localhost:").to_owned()
}

/// A ClientHello that offers TLS 1.1 and nothing newer, and what the server says to it.
async fn hello_of_tls_1_1(port: &str) -> Vec<u8> {
    let mut hello = vec![0x03, 0x02];
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    // Two suites of elliptic curves and one of RSA; no compression; signature algorithms, curves and their form.
    hello.extend_from_slice(&[0, 6, 0xc0, 0x13, 0xc0, 0x14, 0x00, 0x2f, 1, 0]);
    let extensions =
        [&[0, 13, 0, 6, 0, 4, 4, 3, 4, 1][..], &[0, 10, 0, 4, 0, 2, 0, 23], &[0, 11, 0, 2, 1, 0]].concat();
    hello.extend_from_slice(&u16::try_from(extensions.len()).expect("a length").to_be_bytes());
    hello.extend_from_slice(&extensions);
    let length = u16::try_from(hello.len()).expect("a length");
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&(length + 4).to_be_bytes());
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(&hello);
    let mut socket = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
    socket.write_all(&record).await.expect("sent");
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut said)).await;
    let _ = read.expect("an end");
    said
}

#[test]
fn tls_1_3_is_spoken_and_nothing_older() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        let server = made.start(&database, &[]).await;
        let client = server.client();
        let url = format!("{}/livez", client.root());
        let page = client.get(&url).await.is(200);
        assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
        let old = made.trusting().tls_version_max(Version::TLS_1_2).build().unwrap();
        assert!(old.get(&url).send().await.is_err(), "TLS 1.2 is refused");
        let said = hello_of_tls_1_1(&port(&server)).await;
        assert_eq!(said.get(..1), Some(&[21][..]), "an alert: {said:?}");
        assert_eq!(said.get(5..7), Some(&[2, 70][..]), "fatal, protocol version: {said:?}");
        let strangers = reqwest::Client::builder().no_proxy().build().unwrap();
        assert!(strangers.get(&url).send().await.is_err(), "it is really this certificate");
        let plain = url.replace("https://", "http://");
        assert!(strangers.get(&plain).send().await.is_err(), "no plain http on this port");
        assert!(server.stop().await);
    });
}

#[test]
fn tls_1_2_is_spoken_when_it_is_set_and_nothing_older() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        let server = made.start(&database, &[("SLOTWRIGHT_TLS__MINIMUM", "1.2")]).await;
        let url = format!("{}/livez", server.client().root());
        for newest in [Version::TLS_1_2, Version::TLS_1_3] {
            let client = made.trusting().tls_version_max(newest).build().unwrap();
            assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        }
        let said = hello_of_tls_1_1(&port(&server)).await;
        assert_eq!(said.get(..1), Some(&[21][..]), "an alert: {said:?}");
        assert_eq!(said.get(5..7), Some(&[2, 70][..]), "fatal, protocol version: {said:?}");
    });
}

#[test]
fn what_cannot_be_read_is_refused_with_an_outcome_under_tls_too() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        let server = made.start(&database, &[]).await;
        // hyper looks at the bound after each reading, which may bring as much again.
        let long = "x".repeat(400_000);
        let client = server.client();
        let reply = client.request(reqwest::Method::GET, "metadata").header("a", &long).send().await.is(431);
        assert_eq!(reply.text("/resourceType"), "OperationOutcome");
        for header in ["strict-transport-security", "content-security-policy", "x-request-id"] {
            assert!(!reply.header(header).is_empty(), "{header} in {:?}", reply.headers);
        }
        let links = client.get("metadata").await.is(200);
        assert!(links.text("/implementation/url").starts_with("https://localhost:"), "{links}");
    });
}

#[test]
fn a_new_certificate_is_taken_up_and_a_bad_one_is_not() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let first = Made::write(&database);
        let server = first.start(&database, &[]).await;
        let url = format!("{}/livez", server.client().root());
        let reaches = async |made: &Made| {
            let client = made.trusting().build().unwrap();
            client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200)
        };
        let second = Made::write(&database);
        assert!(wait_until(Duration::from_secs(20), async || reaches(&second).await).await);
        assert!(!reaches(&first).await, "the old one is gone");
        // Longer than the server takes to look again.
        let a_while = Duration::from_secs(7);
        std::fs::write(&second.certificate, "-----BEGIN CERTIFICATE-----\nnone\n").unwrap();
        tokio::time::sleep(a_while).await;
        assert!(reaches(&second).await, "not PEM");
        let third = Made::write(&database);
        std::fs::set_permissions(&third.key, PermissionsExt::from_mode(0o644)).unwrap();
        tokio::time::sleep(a_while).await;
        assert!(reaches(&second).await, "a key that others may read");
        std::fs::set_permissions(&third.key, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(
            wait_until(Duration::from_secs(20), async || reaches(&third).await).await,
            "and a good one again"
        );
    });
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        let server = made.start(&database, &[("SLOTWRIGHT_SERVER__HEADER_TIMEOUT", "1s")]).await;
        let mut socket = TcpStream::connect(format!("127.0.0.1:{}", port(&server))).await.unwrap();
        // The beginning of a record, and no more.
        socket.write_all(&[22, 3, 1, 0]).await.unwrap();
        let mut said = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut said)).await;
        assert!(read.is_ok(), "the server closes");
    });
}
