//! Encryption, signing in, and settings that can't be used.

use super::broker::{Broker, PASSWORD, USER};
use super::{assert_complete, book, reason, settings, topic};
use crate::support::{Database, Engine, TestApp, both_engines, clinic, slotwright};
use slotwright::app::App;
use slotwright::app::events::stream::{Stream, Target, problems};
use slotwright::clock::Clock;
use slotwright::config::{Kafka, Sasl};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use tracing::instrument::WithSubscriber;

/// Everything that is logged, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same server with other settings of Kafka.
fn with(app: &TestApp, change: impl FnOnce(&mut Kafka)) -> App {
    let mut config = (*app.library().config).clone();
    change(&mut config.stream.kafka);
    App { config: Arc::new(config), ..app.library().clone() }
}

fn by_password(kafka: &mut Kafka, broker: &Broker, sasl: Sasl, password: &str) {
    kafka.brokers = vec![broker.signed_in.clone()];
    kafka.tls = true;
    kafka.roots = Some(broker.file("authority.pem"));
    (kafka.sasl, kafka.username, kafka.password) = (Some(sasl), USER.to_owned(), password.into());
}

fn by_certificate(kafka: &mut Kafka, broker: &Broker) {
    kafka.brokers = vec![broker.certified.clone()];
    kafka.tls = true;
    kafka.roots = Some(broker.file("authority.pem"));
    kafka.certificate = Some(broker.file("client.pem"));
    kafka.key = Some(broker.file("client.key"));
}

both_engines! {
    async fn brokers_are_signed_in_to_over_encrypted_connections(engine: Engine) {
        let broker = Broker::shared().await;
        let app = super::streaming(engine, broker, "unused").await;
        clinic::seed(&app).await;
        book(&app, 0, 5).await;
        for sasl in [Some(Sasl::Plain), Some(Sasl::ScramSha256), Some(Sasl::ScramSha512), None] {
            let topic = topic(engine, &format!("by-{}", sasl.map_or("certificate", Sasl::name)));
            broker.make(&topic, 2).await;
            let sender = with(&app, |kafka| {
                kafka.topic.clone_from(&topic);
                match sasl {
                    Some(sasl) => by_password(kafka, broker, sasl, PASSWORD),
                    None => by_certificate(kafka, broker),
                }
            });
            app.database().execute("UPDATE event_stream SET seq = 0").await;
            let mut stream = Stream::new(sender, Target::Kafka).expect("a stream");
            stream.run().await.unwrap_or_else(|error| panic!("{sasl:?}: {error}"));
            assert_complete(&app, broker, &topic).await;
        }
    }

    async fn what_brokers_refuse_is_told_without_the_secret(engine: Engine) {
        let broker = Broker::shared().await;
        let app = super::streaming(engine, broker, "unused").await;
        clinic::seed(&app).await;
        app.number_events().await;
        let wrong = "not-the-password-5519";
        for sasl in [Sasl::Plain, Sasl::ScramSha256, Sasl::ScramSha512] {
            let sender = with(&app, |kafka| by_password(kafka, broker, sasl, wrong));
            assert!(!format!("{:?}", sender.config).contains(wrong));
            let log = Log::default();
            let written = log.clone();
            let logger = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(move || written.clone())
                .finish();
            let mut stream = Stream::new(sender, Target::Kafka).expect("a stream");
            let reason = reason(&mut stream).with_subscriber(logger).await;
            assert!(reason.contains("sign in") && reason.contains(USER) && reason.contains(sasl.name()), "{reason}");
            let log = String::from_utf8(log.0.lock().expect("the log").clone()).expect("UTF-8");
            assert!(log.contains("Failed to connect"), "nothing was logged: {log}");
            for text in [&reason, &log] {
                assert!(!text.contains(wrong), "{text}");
            }
        }
        let mut strangers = Stream::new(
            with(&app, |kafka| {
                by_certificate(kafka, broker);
                kafka.roots = None;
            }),
            Target::Kafka,
        )
        .expect("a stream");
        let told = reason(&mut strangers).await;
        assert!(told.contains("certificate"), "{told}");
        let mut nobody = Stream::new(
            with(&app, |kafka| {
                by_certificate(kafka, broker);
                (kafka.certificate, kafka.key) = (None, None);
            }),
            Target::Kafka,
        )
        .expect("a stream");
        let told = reason(&mut nobody).await;
        assert!(told.to_lowercase().contains("certificate"), "{told}");
        let sent = app.database().texts("SELECT CAST(MAX(seq) AS TEXT) FROM event_stream").await;
        assert_eq!(sent, ["0"]);
    }

    async fn settings_that_can_not_be_used_are_refused_at_the_start(engine: Engine) {
        let database = Database::create(engine).await;
        let app = TestApp::start_with(database, Clock::system(), &settings("127.0.0.1:1", "t")).await;
        assert_eq!(problems(app.library()), Vec::<String>::new());
        let open = app.database().dir().join("open.key");
        std::fs::write(&open, "").expect("written");
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).expect("a mode");
        let broker = Broker::shared().await;
        let unusable = with(&app, |kafka| {
            by_certificate(kafka, broker);
            kafka.key = Some(open.clone());
        });
        let found = problems(&unusable);
        assert!(found.len() == 1 && found[0].starts_with("stream.kafka.key: ") && found[0].contains("chmod 600"), "{found:?}");
        // `serve` says so, and does not start.
        let file = app.database().dir().join("slotwright.toml");
        let text = "[tls]\nterminated_upstream = true\n\
                    [stream.kafka]\nbrokers = [\"kafka.example:9093\"]\nroots = \"/no/such/file.pem\"\n";
        std::fs::write(&file, text).expect("written");
        let refused = slotwright(app.database(), &["serve", "--config", file.to_str().expect("a path")]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("\n  stream.kafka.roots: /no/such/file.pem: "), "{said}");
    }
}
