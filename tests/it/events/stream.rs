//! The event log at a real NATS server (Debian: nats-server).

use super::{sent_by_two, until_sent};
use crate::support::pg::wait_until;
use crate::support::ports::free_port;
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use async_nats::jetstream::{self, consumer::pull};
use futures_util::StreamExt;
use serde_json::Value;
use slotwright::app::events::stream::{Stream, Target};
use slotwright::clock::Clock;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A NATS server with JetStream in a directory; killed when dropped.
pub(super) struct Nats {
    child: Child,
    port: u16,
}

impl Nats {
    pub(super) async fn start(dir: &Path, port: u16) -> Self {
        let child = Command::new("nats-server")
            .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is missing: apt-get install -y nats-server");
        let nats = Self { child, port };
        let up = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        assert!(wait_until(Duration::from_secs(10), up).await, "nats-server does not answer");
        nats
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Everything that is in the stream: subject and envelope.
    async fn all(&self) -> Vec<(String, Value)> {
        let client = async_nats::connect(self.url()).await.expect("a connection");
        let context = jetstream::new(client);
        let mut stream = context.get_stream("SLOTWRIGHT").await.expect("a stream");
        let count = stream.info().await.expect("its state").state.messages;
        let consumer = stream.create_consumer(pull::Config::default()).await.expect("a consumer");
        let messages =
            consumer.messages().await.expect("messages").take(usize::try_from(count).expect("a number"));
        let read = messages.map(|message| {
            let message = message.expect("a message");
            let headers = message.headers.as_ref().expect("headers");
            assert_eq!(headers.get("Content-Type").expect("a type").as_str(), "application/cloudevents+json");
            let envelope = serde_json::from_slice(&message.payload).expect("JSON");
            (message.subject.to_string(), envelope)
        });
        read.collect().await
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server whose event log goes to a NATS server.
async fn streaming(engine: Engine, url: &str) -> TestApp {
    let settings = [("SLOTWRIGHT_STREAM__NATS__URL", url)];
    TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await
}

pub(super) async fn book(app: &TestApp, from: usize, until: usize) {
    for number in from..until {
        let (start, end) = (clinic::at("09:00"), clinic::at("09:30"));
        let visit = clinic::unslotted("booked", &start, &end, "pat-1", &[]);
        app.store(&clinic::with_id(visit, &format!("a-{number}"))).await;
    }
    app.number_events().await;
}

/// Fails unless the stream has every event once, in order, and says nothing of any patient.
async fn assert_complete(app: &TestApp, nats: &Nats) {
    let events = app.events().await;
    let sent = nats.all().await;
    assert_eq!(sent.len(), events.len());
    for (event, (subject, envelope)) in events.iter().zip(&sent) {
        assert_eq!(*subject, format!("slotwright.events.{}", event.rtype));
        assert_eq!(envelope["specversion"], "1.0");
        assert_eq!(envelope["id"], event.seq.to_string());
        assert_eq!(envelope["subject"], event.reference());
        assert_eq!(envelope["data"]["version"], event.vid.to_string());
        assert!(!envelope.to_string().contains("pat-1"), "{envelope}");
    }
}

both_engines! {
    async fn a_stream_has_every_event_once_and_in_order(engine: Engine) {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let nats = Nats::start(dir.path(), port).await;
        let app = streaming(engine, &nats.url()).await;
        clinic::seed(&app).await;
        book(&app, 0, 5).await;
        let mut stream = Stream::new(app.library().clone(), Target::Nats).expect("a stream");
        stream.run().await.expect("sent");
        assert_complete(&app, &nats).await;

        // What happens while it is down is sent when it is back.
        drop(nats);
        book(&app, 5, 10).await;
        assert!(stream.run().await.is_err());
        let nats = Nats::start(dir.path(), port).await;
        stream.run().await.expect("sent");
        assert_complete(&app, &nats).await;

        // What was sent but not written down is sent again, and dropped there by its id.
        app.database().execute("UPDATE event_stream SET seq = seq - 4").await;
        stream.run().await.expect("sent");
        assert_complete(&app, &nats).await;
    }

    async fn two_servers_send_each_event_once(engine: Engine) {
        let dir = tempfile::tempdir().expect("a directory");
        let nats = Nats::start(dir.path(), free_port()).await;
        let app = streaming(engine, &nats.url()).await;
        clinic::seed(&app).await;
        let sending = sent_by_two(&app, Target::Nats).await;
        book(&app, 0, 30).await;
        until_sent(&app).await;
        drop(sending);
        assert_complete(&app, &nats).await;
    }
}
