//! Checkpoints that are kept elsewhere: a file, an HTTPS endpoint, syslog.

use super::listener::Listener;
use crate::support::clinic::seed;
use crate::support::ports::free_port;
use crate::support::{Database, Engine, TestApp, both_engines, slotwright};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use slotwright::app::App;
use slotwright::app::audit::push::{Listener as Told, listeners, progress};
use slotwright::clock::Clock;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// A server whose clock stands still, with these settings.
async fn start(engine: Engine, settings: &[(&str, &str)]) -> TestApp {
    start_on(Database::create(engine).await, settings).await
}

async fn start_on(database: Database, settings: &[(&str, &str)]) -> TestApp {
    let clock = Clock::fixed(1_900_000_000_000_000);
    TestApp::start_with(database, clock, settings).await
}

fn told(app: &App) -> Vec<Told> {
    listeners(&app.config).unwrap()
}

/// Something new in the log, and a checkpoint over it.
async fn grown(app: &TestApp) -> String {
    let _ = app.get("Patient/pat-1").await;
    app.sequence().await;
    newest(app).await
}

async fn newest(app: &TestApp) -> String {
    app.database().texts("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1").await.remove(0)
}

fn size(note: &str) -> i64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

both_engines! {
    async fn a_file_gets_them_one_behind_the_other(engine: Engine) {
        let database = Database::create(engine).await;
        let path = database.dir().join("kept");
        let setting = format!("file:{}", path.display());
        let app = start_on(database, &[("SLOTWRIGHT_AUDIT__CHECKPOINTS", &setting)]).await;
        let listener = told(app.library()).remove(0);
        listener.turn(app.library()).await.unwrap();
        assert!(!path.exists(), "there is no checkpoint yet");
        let first = grown(&app).await;
        listener.turn(app.library()).await.unwrap();
        listener.turn(app.library()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        // Not each one, but the newest once a minute.
        let _ = grown(&app).await;
        let third = grown(&app).await;
        listener.turn(app.library()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        app.advance(MINUTE);
        listener.turn(app.library()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{first}{third}"));
        let kept = path.to_str().unwrap();
        let arguments = ["audit", "verify", "--database", &app.database().url, "--checkpoint", kept];
        let output = slotwright(app.database(), &arguments);
        assert!(output.status.success(), "{output:?}");
        // One of another history is found, wherever it is in the file.
        std::fs::write(&path, format!("{first}{third}").replacen(&first, &other_root(&first), 1)).unwrap();
        let output = slotwright(app.database(), &arguments);
        assert!(!output.status.success() && format!("{output:?}").contains("(rewritten)"), "{output:?}");
    }

    async fn an_endpoint_that_fails_is_tried_again_and_nothing_waits_for_it(engine: Engine) {
        let fails = Arc::new(AtomicUsize::new(3));
        let left = Arc::clone(&fails);
        let server = Listener::start(move |path, _| {
            assert_eq!(path, "/keep");
            let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            (if fails { 500 } else { 204 }, "text/plain", String::new())
        }).await;
        let url = format!("http://{}/keep", server.host());
        let settings = [("SLOTWRIGHT_AUDIT__CHECKPOINTS", url.as_str()), ("SLOTWRIGHT_OUTBOUND__ALLOW", &server.host())];
        let app = start(engine, &settings).await;
        seed(&app).await;
        let first = grown(&app).await;
        let all = told(app.library());
        all[0].turn(app.library()).await.unwrap();
        let state = progress(app.library(), &all).await.unwrap().remove(0);
        assert!(state.told_us.is_none() && state.failing_us.is_some(), "{state:?}");
        // Pauses grow: one second, two, four.
        for (seconds, heard) in [(0, 1), (1, 2), (1, 2), (1, 3), (3, 3), (1, 4), (0, 4)] {
            app.advance(Duration::from_secs(seconds));
            all[0].turn(app.library()).await.unwrap();
            assert_eq!(server.heard().len(), heard);
        }
        assert_eq!(server.heard(), vec![first.clone(); 4]);
        let state = progress(app.library(), &all).await.unwrap().remove(0);
        assert!(state.failing_us.is_none() && state.size == size(&first), "{state:?}");
        app.advance(MINUTE);
        let second = grown(&app).await;
        all[0].turn(app.library()).await.unwrap();
        assert_eq!(server.heard().last(), Some(&second));
    }

    async fn two_replicas_send_each_checkpoint_once_and_in_order(engine: Engine) {
        let server = Listener::start(|_, _| {
            std::thread::sleep(Duration::from_millis(20));
            (200, "text/plain", String::new())
        }).await;
        let url = format!("http://{}/keep", server.host());
        let settings = [
            ("SLOTWRIGHT_AUDIT__CHECKPOINTS", url.as_str()), ("SLOTWRIGHT_OUTBOUND__ALLOW", &server.host()),
            ("SLOTWRIGHT_AUDIT__CHECKPOINTS_EVERY", "1s"),
        ];
        let app = start(engine, &settings).await;
        let library = app.library().clone();
        let other = App::start(library.config.clone(), library.clock.clone()).await.unwrap();
        let mut sent = Vec::new();
        for _ in 0..5 {
            sent.push(size(&grown(&app).await));
            let (one, two) = (told(&library).remove(0), told(&other).remove(0));
            let (one, two) = tokio::join!(one.turn(&library), two.turn(&other));
            one.unwrap();
            two.unwrap();
            app.advance(Duration::from_secs(1));
        }
        let heard: Vec<i64> = server.heard().iter().map(|note| size(note)).collect();
        assert_eq!(heard, sent);
        other.store.close().await;
    }

    async fn syslog_gets_them_however_it_is_reached(engine: Engine) {
        let database = Database::create(engine).await;
        let path = database.dir().join("log.socket");
        let local = UnixDatagram::bind(&path).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let tls = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |address: std::io::Result<std::net::SocketAddr>| address.unwrap().port();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let roots = database.dir().join("roots.pem");
        std::fs::write(&roots, certificate.pem()).unwrap();
        let places = format!(
            "syslog:{},syslog+udp://127.0.0.1:{},syslog+tcp://127.0.0.1:{},syslog+tls://localhost:{}",
            path.display(), port(udp.local_addr()), port(tcp.local_addr()), port(tls.local_addr())
        );
        let settings = [
            ("SLOTWRIGHT_AUDIT__CHECKPOINTS", places.as_str()),
            ("SLOTWRIGHT_OUTBOUND__ROOTS", roots.to_str().unwrap()),
        ];
        let app = start_on(database, &settings).await;
        let note = grown(&app).await;
        let plain = std::thread::spawn(move || {
            let mut text = String::new();
            tcp.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let served = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions().unwrap().with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private).unwrap();
        let encrypted = std::thread::spawn(move || {
            let (stream, _) = tls.accept().unwrap();
            let connection = rustls::ServerConnection::new(Arc::new(served)).unwrap();
            let mut text = String::new();
            rustls::StreamOwned::new(connection, stream).read_to_string(&mut text).unwrap();
            text
        });
        let all = told(app.library());
        for listener in &all {
            listener.turn(app.library()).await.unwrap();
        }
        let state = progress(app.library(), &all).await.unwrap();
        assert!(state.iter().all(|state| state.size == size(&note) && state.failing_us.is_none()), "{state:?}");
        let mut datagram = [0; 4096];
        let length = local.recv(&mut datagram).unwrap();
        let by_socket = String::from_utf8(datagram[..length].to_vec()).unwrap();
        let length = udp.recv(&mut datagram).unwrap();
        let by_udp = String::from_utf8(datagram[..length].to_vec()).unwrap();
        assert_eq!(by_socket, by_udp);
        for framed in [plain.join().unwrap(), encrypted.join().unwrap()] {
            let (length, message) = framed.split_once(' ').unwrap();
            assert_eq!((length.parse(), message), (Ok(message.len()), by_udp.as_str()));
        }
        let (head, text) = by_udp.split_once('\u{FEFF}').unwrap();
        assert!(head.starts_with("<109>1 20") && head.contains(" slotwright "), "{head}");
        let text: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(text["checkpoint"], note);
    }

    async fn what_can_not_be_reached_is_told(engine: Engine) {
        let database = Database::create(engine).await;
        let file = format!("file:{}/no/such/place", database.dir().display());
        let port = free_port();
        // A private address that nobody listed is not connected to, either.
        let server = Listener::start(|_, _| (200, "text/plain", String::new())).await;
        let places = format!("{file},https://{}/,syslog+tcp://127.0.0.1:{port},syslog:/no/such/socket", server.host());
        let app = start_on(database, &[("SLOTWRIGHT_AUDIT__CHECKPOINTS", &places)]).await;
        grown(&app).await;
        let all = told(app.library());
        for listener in &all {
            listener.turn(app.library()).await.unwrap();
        }
        for state in progress(app.library(), &all).await.unwrap() {
            assert!(state.failing_us.is_some() && state.told_us.is_none(), "{state:?}");
        }
        assert!(server.heard().is_empty());
        // And the log goes on.
        grown(&app).await;
    }
}

/// The note of another history: signed by the same key.
fn other_root(note: &str) -> String {
    let checkpoint = slotwright::audit::checkpoint::Checkpoint {
        origin: crate::support::auth::AUDIT_LOG.to_owned(),
        size: u64::try_from(size(note)).unwrap(),
        root: [1; 32],
    };
    checkpoint.sign([&crate::support::auth::audit_signer()])
}

#[test]
fn settings_that_can_not_be_used_are_named() {
    let refused = |name: &str, value: &str| {
        let env = [(format!("SLOTWRIGHT_{name}"), value.to_owned())];
        let config = slotwright::config::Config::load(None, env).expect("well formed");
        listeners(&config).expect_err("unusable")
    };
    let log = crate::support::auth::audit_signer().verifier().to_string();
    assert!(refused("AUDIT__WITNESSES", &format!("{log} https://w.example")).contains("is the key of a log"));
    assert!(refused("AUDIT__WITNESSES", "w+1+A https://w.example").starts_with("audit.witnesses: w+1+A"));
}
