//! Compliance officers are told by mail, by a real mail server that may be away for a while.

use super::{REASON, begun, declare};
use crate::support::ports::free_port;
use crate::support::{Database, Engine, TestApp, both_engines};
use serde_json::Value;
use slotwright::app::notices;
use slotwright::clock::Clock;
use slotwright::worker::mail;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A mail server in a process of its own; it ends with the test.
pub struct MailServer {
    process: Child,
    mails: Receiver<Value>,
}

impl MailServer {
    /// Starts one on a port.
    pub fn start(port: u16) -> Self {
        let python = std::env::var_os("TEST_PYTHON")
            .expect("TEST_PYTHON is not set: run tests/run, which installs aiosmtpd");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/smtp/server.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a mail server");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "listening");
        let (send, mails) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).expect("JSON"));
            }
        });
        Self { process, mails }
    }

    /// The next mail; fails when none comes within a minute.
    pub fn next(&self) -> Value {
        self.mails.recv_timeout(Duration::from_mins(1)).expect("a mail within a minute")
    }

    /// Whether no further mail comes for a while.
    pub fn is_silent(&self) -> bool {
        self.mails.recv_timeout(Duration::from_secs(3)).is_err()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that mails to two officers, by a mail server on this port.
async fn mailing(engine: Engine, port: u16) -> TestApp {
    let server = format!("127.0.0.1:{port}");
    let settings = [
        ("SLOTWRIGHT_NOTIFY__COMPLIANCE", "cora@clinic.example,ben@clinic.example"),
        ("SLOTWRIGHT_NOTIFY__EMAIL__SERVER", server.as_str()),
        ("SLOTWRIGHT_NOTIFY__EMAIL__SECURITY", "none"),
        ("SLOTWRIGHT_NOTIFY__EMAIL__FROM", "Slotwright <slotwright@clinic.example>"),
    ];
    TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await
}

/// The text of a mail as it is read, its lines put together again.
pub fn text(mail: &Value) -> String {
    mail["content"].as_str().expect("text").replace("=\r\n", "").replace("=3D", "=")
}

both_engines! {
    async fn officers_are_told_within_a_minute(engine: Engine) {
        let port = free_port();
        let server = MailServer::start(port);
        let app = mailing(engine, port).await;
        // Two replicas: nobody gets a mail twice.
        let workers = [(); 2].map(|()| tokio::spawn(mail::run(app.library().clone())));
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        let (mut told, mails) = tokio::task::spawn_blocking(move || {
            let mails = [server.next(), server.next()];
            assert!(server.is_silent(), "a mail came twice");
            (mails.each_ref().map(|mail| mail["to"][0].as_str().expect("an address").to_owned()), mails)
        }).await.expect("mails");
        told.sort();
        assert_eq!(told, ["ben@clinic.example", "cora@clinic.example"]);
        for mail in &mails {
            assert_eq!(mail["from"], "slotwright@clinic.example");
            let text = text(mail);
            for said in ["Subject: An emergency was declared", "Test carl (carl)", "Auto-Submitted: auto-generated"] {
                assert!(text.contains(said), "{said}: {text}");
            }
            assert!(text.contains(&format!("{}/emergencies", app.root())), "{text}");
            assert!(!text.contains("pat-2") && !text.contains(REASON) && !text.contains("Test, pat"), "{text}");
        }
        let open = "SELECT COUNT(*) FROM notice WHERE sent_us IS NULL";
        assert_eq!(app.database().number(open).await, 0);
        workers.iter().for_each(tokio::task::JoinHandle::abort);
    }

    async fn a_mail_server_that_was_away_gets_it_later(engine: Engine) {
        let port = free_port();
        let app = mailing(engine, port).await;
        let worker = tokio::spawn(mail::run(app.library().clone()));
        let mut carl = begun(&app).await;
        // Nothing keeps a clinician from the record meanwhile.
        declare(&mut carl.browser, "pat-2").await;
        carl.client.get("Patient/pat-2").await.is(200);
        let tried = "SELECT MIN(tries) FROM notice";
        for _ in 0..200 {
            if app.database().number(tried).await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(app.database().number(tried).await > 0, "it was never tried");
        // Even by another process.
        worker.abort();
        let server = MailServer::start(port);
        let worker = tokio::spawn(mail::run(app.library().clone()));
        let told = tokio::task::spawn_blocking(move || [server.next(), server.next()].map(|mail| mail["to"].to_string()));
        let told = told.await.expect("mails");
        assert_ne!(told[0], told[1]);
        worker.abort();
    }

    async fn a_claimed_message_is_nobody_elses(engine: Engine) {
        let app = mailing(engine, free_port()).await;
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        let library = app.library();
        let all = futures_util::future::join_all((0..8).map(|_| notices::claim(library))).await;
        let mut claimed: Vec<_> = all.into_iter().filter_map(|claimed| claimed.expect("a database")).collect();
        claimed.extend(notices::claim(library).await.expect("a database"));
        claimed.sort_by(|one, other| one.id.cmp(&other.id));
        claimed.dedup_by(|one, other| one.id == other.id);
        assert_eq!(claimed.len(), 2, "{claimed:?}");
        assert!(claimed.iter().all(|claimed| claimed.tries == 1), "{claimed:?}");
        notices::delivered(library, &claimed[0]).await.expect("a database");
        // One that was delivered by somebody else meanwhile is not tried again.
        notices::failed(library, &claimed[0]).await.expect("a database");
        assert_eq!(app.database().number("SELECT COUNT(*) FROM notice WHERE sent_us IS NULL").await, 1);
    }

    async fn without_a_mail_server_the_queue_remains(app: TestApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        assert_eq!(app.database().number("SELECT COUNT(*) FROM notice").await, 0);
        assert_eq!(app.database().number("SELECT COUNT(*) FROM emergency WHERE reviewed_us IS NULL").await, 1);
    }
}
