//! A real broker: Apache Kafka in one process (KRaft), as Maven fetches it (tests/kafka).

use crate::support::pg::wait_until;
use crate::support::ports::free_port;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rskafka::chrono::{DateTime, Utc};
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Who may sign in, and by what.
pub(super) const USER: &str = "alice";
pub(super) const PASSWORD: &str = "open-sesame-7731";

/// Little memory, and code that is compiled quickly rather than well.
const JAVA: [&str; 4] = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
];

/// A broker; `kill -9` when it is dropped, and when the test's process ends in whichever way.
pub(super) struct Broker {
    files: TempDir,
    running: Option<Child>,
    /// Without encryption, on this machine.
    pub(super) plain: String,
    /// Encrypted, with a password.
    pub(super) signed_in: String,
    /// Encrypted, with a certificate.
    pub(super) certified: String,
}

/// What is in a topic.
pub(super) struct Arrived {
    pub(super) partition: i32,
    pub(super) key: String,
    pub(super) content_type: String,
    pub(super) envelope: Value,
    pub(super) at: DateTime<Utc>,
}

impl Arrived {
    pub(super) fn number(&self) -> i64 {
        self.envelope["data"]["number"].as_i64().expect("a number")
    }
}

impl Broker {
    /// The one that all tests of this process may share; nobody stops it.
    pub(super) async fn shared() -> &'static Self {
        static BROKER: OnceCell<Broker> = OnceCell::const_new();
        let start = || async {
            let mut broker = Self::prepare();
            broker.start().await;
            broker
        };
        BROKER.get_or_init(start).await
    }

    /// One that is not running yet.
    pub(super) fn prepare() -> Self {
        let files = tempfile::Builder::new().prefix("slotwright-kafka-").tempdir().expect("a directory");
        let address = |host: &str| format!("{host}:{}", free_port());
        let (plain, signed_in, certified) =
            (address("127.0.0.1"), address("localhost"), address("localhost"));
        let broker = Self { files, running: None, plain, signed_in, certified };
        broker.write_certificates();
        fs::write(broker.file("server.properties"), broker.properties(free_port())).expect("written");
        let scram = |hash: &str| format!("SCRAM-SHA-{hash}=[name={USER},password={PASSWORD}]");
        let formatted = java()
            .args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"])
            .arg(broker.file("server.properties"))
            .args(["--add-scram", &scram("256"), "--add-scram", &scram("512")])
            .stdin(Stdio::null())
            .output()
            .expect("java runs");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        broker
    }

    /// A file of its directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn properties(&self, controller: u16) -> String {
        let Self { plain, signed_in, certified, .. } = self;
        let port = |address: &str| address.rsplit_once(':').expect("a port").1.to_owned();
        let (data, server, authority) =
            (self.file("data"), self.file("server.pem"), self.file("authority.pem"));
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=CONTROLLER://127.0.0.1:{controller},PLAIN://{plain},SIGNED://127.0.0.1:{},CERTIFIED://127.0.0.1:{}\n\
             advertised.listeners=PLAIN://{plain},SIGNED://{signed_in},CERTIFIED://{certified}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,SIGNED:SASL_SSL,CERTIFIED:SSL\n\
             inter.broker.listener.name=PLAIN\n\
             auto.create.topics.enable=false\n\
             log.dirs={}\n\
             ssl.keystore.type=PEM\nssl.keystore.location={}\n\
             ssl.truststore.type=PEM\nssl.truststore.location={}\n\
             listener.name.certified.ssl.client.auth=required\n\
             listener.name.signed.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.signed.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
             listener.name.signed.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
             listener.name.signed.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n",
            port(signed_in),
            port(certified),
            data.display(),
            server.display(),
            authority.display(),
        )
    }

    /// An authority, the broker's certificate of it, and that of a client.
    fn write_certificates(&self) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(self.file("authority.pem"), params.self_signed(&key).expect("a certificate").pem())
            .expect("written");
        let issuer = Issuer::new(params, key);
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            (params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
        };
        let (certificate, key) = issue("localhost");
        fs::write(self.file("server.pem"), format!("{key}{certificate}")).expect("written");
        let (certificate, key) = issue("slotwright.example");
        fs::write(self.file("client.pem"), certificate).expect("written");
        fs::write(self.file("client.key"), key).expect("written");
        fs::set_permissions(self.file("client.key"), fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// Starts it on what data there is, and waits until it answers.
    pub(super) async fn start(&mut self) {
        // When our end of its input closes, because we say so or are gone, the broker is killed. Who cannot clear
        // away, because the process ended, has it cleared away.
        let script = "dir=$1; shift; \"$@\" >>\"$dir/log\" 2>&1 </dev/null & pid=$!; \
                      read -r keep; kill -9 $pid; wait $pid; [ \"$keep\" ] || rm -rf \"$dir\"";
        let broker = java();
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", script, "sh"])
            .arg(self.files.path())
            .arg(broker.get_program())
            .args(broker.get_args());
        keeper.arg("kafka.Kafka").arg(self.file("server.properties"));
        keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(keeper.spawn().expect("sh runs"));
        // It takes part when its topics can be listed.
        let up = async || {
            let asked = tokio::time::timeout(Duration::from_secs(2), self.client()).await;
            asked.is_ok_and(|client| client.is_some())
        };
        if !wait_until(Duration::from_mins(2), up).await {
            let log = fs::read_to_string(self.file("log")).unwrap_or_default();
            panic!("Kafka does not answer:\n{log}");
        }
    }

    /// `kill -9`; its data stays.
    pub(super) fn kill(&mut self) {
        if let Some(mut keeper) = self.running.take() {
            use std::io::Write;
            let _ = keeper.stdin.take().map(|mut input| input.write_all(b"keep\n"));
            let _ = keeper.wait();
        }
    }

    async fn client(&self) -> Option<Client> {
        ClientBuilder::new(vec![self.plain.clone()]).build().await.ok()
    }

    /// Makes a topic.
    pub(super) async fn make(&self, topic: &str, partitions: i32) {
        let client = self.client().await.expect("a client");
        let controller = client.controller_client().expect("a controller");
        controller.create_topic(topic, partitions, 1, 10_000).await.expect("a topic");
        let there = async || {
            let topics = client.list_topics().await.expect("topics");
            topics.iter().any(|known| known.name == topic)
        };
        assert!(wait_until(Duration::from_secs(10), there).await, "{topic} is not made");
    }

    /// Everything in a topic, one partition after the other.
    pub(super) async fn all(&self, topic: &str) -> Vec<Arrived> {
        let client = self.client().await.expect("a client");
        let topics = client.list_topics().await.expect("topics");
        let known = topics.into_iter().find(|known| known.name == topic).expect("the topic");
        let mut arrived = Vec::new();
        for partition in known.partitions {
            let part = client
                .partition_client(topic, partition, UnknownTopicHandling::Retry)
                .await
                .expect("a leader");
            let end = part.get_offset(OffsetAt::Latest).await.expect("an end");
            let mut next = 0;
            while next < end {
                let (records, _) = part.fetch_records(next, 1..1_000_000, 1000).await.expect("records");
                for read in records {
                    next = read.offset + 1;
                    let record = read.record;
                    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
                    arrived.push(Arrived {
                        partition,
                        key: text(record.key.expect("a key")),
                        content_type: text(record.headers["content-type"].clone()),
                        envelope: serde_json::from_slice(&record.value.expect("a value")).expect("JSON"),
                        at: record.timestamp,
                    });
                }
            }
        }
        arrived
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Java, with what Kafka needs.
fn java() -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/jars");
    let found = Command::new(&script).stdin(Stdio::null()).output().expect("tests/kafka/jars runs");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let jars = String::from_utf8(found.stdout).expect("a path");
    let mut java = Command::new("java");
    java.args(JAVA).args(["-cp", &format!("{}/*", jars.trim())]);
    java
}
