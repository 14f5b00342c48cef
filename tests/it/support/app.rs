//! A server of a test's own, inside the test's process.

use super::auth;
use super::client::Client;
use super::database::{Database, Engine};
use slotwright::app::App;
use slotwright::app::audit::Sequencer;
use slotwright::clock::Clock;
use slotwright::config::Config;
use slotwright::http;
use slotwright::store::audit;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where the clock of a [`FixedApp`] stands: a Saturday two days before [`super::clinic::DAY`].
pub const FIXED: &str = "2031-03-01T08:00:00Z";

/// A running server on a fresh database, and a client of it; both go away when dropped.
pub struct TestApp {
    client: Client,
    clock: Clock,
    // Dropping it stops the server.
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    library: App,
    sequencer: Sequencer,
    events: slotwright::app::events::Sequencer,
    database: Database,
}

impl TestApp {
    /// Starts a server on the system clock.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(Database::create(engine).await, Clock::system(), &[]).await
    }

    /// Starts a server on a clock that stands still at `instant` until [`TestApp::advance`].
    pub async fn start_at(engine: Engine, instant: &str) -> Self {
        let instant: jiff::Timestamp = instant.parse().expect("an instant");
        let clock = Clock::fixed(instant.as_microsecond());
        Self::start_with(Database::create(engine).await, clock, &[]).await
    }

    /// Starts a server with settings of its own, such as `("SLOTWRIGHT_FHIR__MAX_COUNT", "10")`.
    pub async fn start_with(database: Database, clock: Clock, settings: &[(&str, &str)]) -> Self {
        let listener = http::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        // Tests come from one address; those of the limits set their own.
        let unlimited = super::UNLIMITED.map(|(name, value)| (name, value.to_owned()));
        let env = [
            ("SLOTWRIGHT_SERVER__LISTEN", address.to_string()),
            ("SLOTWRIGHT_SERVER__METRICS_LISTEN", String::new()),
            ("SLOTWRIGHT_DATABASE__URL", database.url.clone()),
            ("SLOTWRIGHT_AUTH__KEYS", auth::key_dir(&database).display().to_string()),
            ("SLOTWRIGHT_AUDIT__KEYS", auth::audit_key_dir(&database).display().to_string()),
        ];
        let env = env.into_iter().chain(unlimited).map(|(name, value)| (name.to_owned(), value));
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(None, env.chain(settings)).expect("good settings");
        let app = App::start(Arc::new(config), clock.clone()).await.expect("an app");
        let sequencer = Sequencer::new(app.clone(), vec![auth::audit_signer()]);
        let events = slotwright::app::events::Sequencer::new(app.clone());
        let (stop, stopped) = oneshot::channel();
        let client = auth::tests_client(&app, format!("http://{address}/fhir")).await;
        let served = tokio::spawn(http::serve(app.clone(), listener, async {
            let _ = stopped.await;
        }));
        Self { client, clock, stop, served, library: app, sequencer, events, database }
    }

    /// A client to move into a task.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The server's own use cases.
    pub fn library(&self) -> &App {
        &self.library
    }

    /// Every event of the audit log, after all that waited got its place.
    pub async fn audit_events(&self) -> Vec<serde_json::Value> {
        let events = self.audit_entries().await;
        let count = events.len();
        let kept: Vec<_> = events.into_iter().flatten().collect();
        assert_eq!(kept.len(), count, "an event was purged");
        kept
    }

    /// The same without those that were purged.
    pub async fn audit_events_kept(&self) -> Vec<serde_json::Value> {
        self.audit_entries().await.into_iter().flatten().collect()
    }

    async fn audit_entries(&self) -> Vec<Option<serde_json::Value>> {
        self.sequence().await;
        let mut tx = self.library.store.reader().await.expect("a connection");
        let entries = audit::event::entries(&mut tx, 0, i64::MAX).await.expect("the log");
        let event = |entry: &audit::event::Entry| {
            let body = entry.event.as_ref().map(|(_, body)| body);
            body.map(|body| serde_json::from_slice(body).expect("JSON"))
        };
        entries.iter().map(event).collect()
    }

    /// Places of the events that the index finds by a term.
    pub async fn places_of(&self, term: &str) -> Vec<i64> {
        let mut tx = self.library.store.reader().await.expect("a connection");
        let all = (i64::MIN, i64::MAX);
        audit::postings::places_of(&mut tx, term, all, i64::MAX).await.expect("the index")
    }

    /// Gives every recorded event its place, as the worker does.
    pub async fn sequence(&self) {
        self.sequencer.run().await.expect("places");
    }

    /// Numbers all events and hands them out to subscriptions, as the worker does.
    pub async fn number_events(&self) {
        self.events.run().await.expect("numbers");
    }

    /// Every event of the event log, after all that waited got its number.
    pub async fn events(&self) -> Vec<slotwright::store::events::Event> {
        self.number_events().await;
        let mut tx = self.library.store.reader().await.expect("a connection");
        slotwright::store::events::after(&mut tx, 0, i64::MAX).await.expect("the log")
    }

    /// The database behind the server.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Moves a fixed clock forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the server as SIGTERM does, waits until what was in flight is done, and hands its database on.
    pub async fn stop(self) -> Database {
        let Self { client, stop, served, database, .. } = self;
        // Connections that the client keeps open would be waited for.
        drop(client);
        let _ = stop.send(());
        served.await.expect("a server").expect("a clean end");
        database
    }
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl super::Given for TestApp {
    async fn on(engine: Engine) -> Self {
        Self::start(engine).await
    }
}

/// A [`TestApp`] whose clock stands at [`FIXED`].
pub struct FixedApp(pub TestApp);

impl Deref for FixedApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.0
    }
}

impl super::Given for FixedApp {
    async fn on(engine: Engine) -> Self {
        Self(TestApp::start_at(engine, FIXED).await)
    }
}
