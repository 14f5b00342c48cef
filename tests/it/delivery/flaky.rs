//! Receivers in trouble: they refuse connections or TLS for a while, answer with errors, late or not at all, and come
//! back. Each keeps just enough of what it took to tell what is missing, out of order, or twice under two ids.

use super::random::Random;
use axum::body::Bytes;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Longer than an attempt may take (see `SETTINGS` of the test).
const TOO_LONG: Duration = Duration::from_millis(900);
/// Long, but in time.
const LATE: Duration = Duration::from_millis(250);

/// A root of the tests' own, and what receivers show of it.
#[derive(Clone)]
pub struct Tls {
    good: RustlsConfig,
    /// Signed by a root that nobody trusts.
    strangers: RustlsConfig,
    /// Signed by the right root, for another name.
    misnamed: RustlsConfig,
    /// Has no certificate to show: an alert ends the handshake.
    refusing: RustlsConfig,
}

#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

impl Tls {
    /// Makes certificates, and writes the root that the server is to trust.
    pub fn make(root: &Path) -> Self {
        let (ours, pem) = issuer();
        std::fs::write(root, pem).expect("a file");
        let (theirs, _) = issuer();
        let nobody = builder().with_cert_resolver(Arc::new(Nobody));
        Self {
            good: config(&ours, "127.0.0.1"),
            strangers: config(&theirs, "127.0.0.1"),
            misnamed: config(&ours, "elsewhere.example"),
            refusing: RustlsConfig::from_config(Arc::new(nobody)),
        }
    }
}

fn issuer() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("a root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("a root").pem();
    (Issuer::new(params, key), pem)
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth()
}

fn config(issuer: &Issuer<'_, KeyPair>, name: &str) -> RustlsConfig {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a certificate");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut config = builder().with_single_cert(chain, key).expect("they fit");
    // Who resumes a session does not look at the certificate again.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    RustlsConfig::from_config(Arc::new(config))
}

/// What is looked at of a notification.
#[derive(Deserialize)]
struct Bundle {
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    resource: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    parameter: Vec<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    part: Vec<Parameter>,
    #[serde(rename = "valueString")]
    text: Option<String>,
    #[serde(rename = "valueReference")]
    reference: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    reference: String,
}

/// The numbers of the events in a notification, each with what it is about.
fn events(body: &[u8]) -> Vec<(i64, String)> {
    let bundle: Bundle = serde_json::from_slice(body).expect("a notification");
    let status = bundle.entry.into_iter().next().and_then(|entry| entry.resource);
    let events = status.into_iter().flat_map(|status| status.parameter);
    let read = events.filter(|parameter| parameter.name == "notification-event").map(|event| {
        let (mut number, mut about) = (0, String::new());
        for part in event.part {
            match part.name.as_str() {
                "event-number" => number = part.text.and_then(|text| text.parse().ok()).expect("a number"),
                "focus" => about = part.reference.expect("a reference").reference,
                _ => {}
            }
        }
        (number, about)
    });
    read.collect()
}

/// What became of connections and requests, by kind.
pub type Counts = BTreeMap<&'static str, usize>;

#[derive(Default)]
struct State {
    /// Some of what comes goes wrong.
    troubled: bool,
    /// So many more connections are refused before it comes back.
    down: u32,
    /// What every message said that was heard, by its id.
    said: HashMap<String, u64>,
    /// Under which id an event came.
    under: HashMap<i64, String>,
    /// The messages that were answered well, if too late.
    taken: HashMap<String, usize>,
    /// Their events, in the order in which they came first, with what they are about.
    events: Vec<(i64, String)>,
    faults: Vec<String>,
    counts: Counts,
}

impl State {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

struct Inner {
    port: u16,
    tls: Option<Tls>,
    state: Mutex<(State, Random)>,
}

/// A receiver. It works until the test ends.
#[derive(Clone)]
pub struct Flaky(Arc<Inner>);

/// What a request gets.
enum Answer {
    /// This status, after this time.
    Status(u16, Duration),
    /// The connection breaks off.
    None,
}

impl Flaky {
    /// One without trouble yet, by TLS or plain.
    pub async fn start(random: Random, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let this = Self(Arc::new(Inner { port, tls, state: Mutex::new((State::default(), random)) }));
        let accepting = this.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let this = accepting.clone();
                tokio::spawn(async move { this.connected(stream).await });
            }
        });
        this
    }

    pub fn url(&self) -> String {
        let scheme = if self.0.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/hook", self.0.port)
    }

    /// From now on much goes wrong. It begins with a while in which nobody gets through.
    pub fn trouble(&self) {
        let mut state = self.state();
        (state.0.troubled, state.0.down) = (true, 3);
    }

    /// From now on everything is taken.
    pub fn recover(&self) {
        let mut state = self.state();
        (state.0.troubled, state.0.down) = (false, 0);
    }

    /// How many of the events it has.
    pub fn has(&self) -> usize {
        self.state().0.events.len()
    }

    /// What became of what came.
    pub fn counts(&self) -> Counts {
        let state = self.state();
        let mut counts = state.0.counts.clone();
        counts.insert("messages", state.0.taken.len());
        counts.insert("taken again", state.0.taken.values().map(|times| times - 1).sum());
        counts
    }

    /// Insists that the events 1 to `last` came, each under one id that always said the same, first in their order, and
    /// about `last` things.
    pub fn has_all(&self, last: usize) {
        let state = self.state();
        assert!(state.0.faults.is_empty(), "{:?}", state.0.faults);
        let numbers: Vec<i64> = state.0.events.iter().map(|(number, _)| *number).collect();
        let wanted: Vec<i64> = (1..=i64::try_from(last).expect("few")).collect();
        if let Some(place) =
            (0..last.max(numbers.len())).find(|place| numbers.get(*place) != wanted.get(*place))
        {
            let around = |all: &[i64]| {
                all[place.saturating_sub(3).min(all.len())..(place + 5).min(all.len())].to_vec()
            };
            panic!("{} of {last} events, and at {place} {:?}", numbers.len(), around(&numbers));
        }
        let about: std::collections::HashSet<&str> =
            state.0.events.iter().map(|(_, about)| about.as_str()).collect();
        assert_eq!(about.len(), last, "two events are about the same");
    }

    fn state(&self) -> MutexGuard<'_, (State, Random)> {
        self.0.state.lock().expect("the state")
    }

    /// Whether it is down, for a connection that begins.
    fn is_down(&self) -> bool {
        let mut state = self.state();
        let down = state.0.down > 0;
        state.0.down = state.0.down.saturating_sub(1);
        down
    }

    async fn connected(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let down = self.is_down();
        let Some(tls) = &self.0.tls else {
            if down {
                self.state().0.count("no connection");
            } else {
                self.serve(stream).await;
            }
            return;
        };
        let how = self.state().1.below(4);
        let (what, config) = match (down, how) {
            (false, _) => ("handshake", &tls.good),
            (true, 0) => ("no handshake", &tls.refusing),
            (true, 1) => ("certificate of a stranger", &tls.strangers),
            (true, 2) => ("certificate for another name", &tls.misnamed),
            (true, _) => {
                self.state().0.count("handshake without an end");
                tokio::time::sleep(TOO_LONG).await;
                return;
            }
        };
        let shaken = RustlsAcceptor::new(config.clone()).accept(stream, ()).await;
        self.state().0.count(what);
        if let Ok((stream, ())) = shaken {
            self.serve(stream).await;
        }
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(async |request: Request<Incoming>| self.answer(request).await);
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let (status, after, close) = match self.judge(&head.headers, &body) {
            (Answer::Status(status, after), close) => (status, after, close),
            (Answer::None, _) => return Err(io::Error::other("no answer")),
        };
        tokio::time::sleep(after).await;
        let mut answer = Response::builder().status(status);
        if close {
            answer = answer.header(header::CONNECTION, "close");
        }
        answer.body(Full::default()).map_err(io::Error::other)
    }

    /// What a message gets, and whether the connection ends with it. What is taken is kept.
    fn judge(&self, headers: &HeaderMap, body: &Bytes) -> (Answer, bool) {
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).expect("an id").to_owned();
        let events = events(body);
        let mut state = self.state();
        let (state, random) = &mut *state;
        state.heard(&id, &events, body);
        // Somebody kept a connection from before.
        if state.down > 0 {
            state.count("broken off");
            return (Answer::None, true);
        }
        let (what, answer) = match random.below(if state.troubled { 100 } else { 1 }) {
            90..98 => ("500", Answer::Status(500, Duration::ZERO)),
            84..90 => ("429", Answer::Status(429, Duration::ZERO)),
            78..84 => ("302", Answer::Status(302, Duration::ZERO)),
            74..78 => ("broken off", Answer::None),
            70..74 => ("taken too late", Answer::Status(200, TOO_LONG)),
            62..70 => ("taken late", Answer::Status(200, LATE)),
            _ => ("taken at once", Answer::Status(200, Duration::ZERO)),
        };
        state.count(what);
        if matches!(answer, Answer::Status(200, _)) {
            state.take(id, events);
        }
        let goes_down = state.troubled && random.below(25) == 0;
        if goes_down {
            state.down = 1 + u32::try_from(random.below(6)).expect("few");
        }
        (answer, goes_down)
    }
}

impl State {
    /// A message says the same whenever it comes, and an event comes under one id.
    fn heard(&mut self, id: &str, events: &[(i64, String)], body: &[u8]) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let said = hasher.finish();
        if *self.said.entry(id.to_owned()).or_insert(said) != said {
            self.faults.push(format!("{id} says something else"));
        }
        for (number, _) in events {
            let under = self.under.entry(*number).or_insert_with(|| id.to_owned());
            if under != id {
                self.faults.push(format!("{number} is in {under} and in {id}"));
            }
        }
    }

    fn take(&mut self, id: String, events: Vec<(i64, String)>) {
        let times = self.taken.entry(id).or_default();
        *times += 1;
        if *times == 1 {
            self.events.extend(events);
        }
    }
}
