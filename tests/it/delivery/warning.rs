//! Whoever keeps the server running hears by mail of an endpoint that has failed for long, before it is given up.

use super::receiver::Receiver;
use super::{Notifying, subscription};
use crate::emergency::mail::{MailServer, text};
use crate::support::ports::free_port;
use crate::support::{Engine, both_engines};
use slotwright::worker::delivery;
use std::time::Duration;
use tokio::task::JoinSet;

/// A server that warns two people after a second, and a subscription that fails for longer.
async fn failing(engine: Engine, port: u16) -> (Notifying, Receiver, String) {
    let mails = format!("127.0.0.1:{port}");
    let settings = [
        ("SLOTWRIGHT_SUBSCRIPTIONS__WARN_AFTER", "1s"),
        ("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "50ms,1h"),
        ("SLOTWRIGHT_NOTIFY__OPERATIONS", "ops@clinic.example,night@clinic.example"),
        ("SLOTWRIGHT_NOTIFY__EMAIL__SERVER", mails.as_str()),
        ("SLOTWRIGHT_NOTIFY__EMAIL__SECURITY", "none"),
        ("SLOTWRIGHT_NOTIFY__EMAIL__FROM", "Slotwright <slotwright@clinic.example>"),
    ];
    let server = Notifying::start(engine, &settings).await;
    let receiver = Receiver::start().await;
    let id = server.subscribed(&subscription(&receiver, "application/fhir+json", "full-resource")).await;
    receiver.always(500);
    server.book(0, 1).await;
    receiver.until(|heard| heard.len() >= 3).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    (server, receiver, id)
}

const TOLD: &str = "SELECT COUNT(*) FROM subscription WHERE warned_us IS NOT NULL";

both_engines! {
    async fn an_endpoint_that_fails_for_long_is_told_of_once(engine: Engine) {
        let port = free_port();
        let mails = MailServer::start(port);
        let (server, receiver, id) = failing(engine, port).await;
        // Two replicas: nobody gets a mail twice.
        let mut work = JoinSet::new();
        for _ in 0..2 {
            work.spawn(delivery::run(server.app.library().clone()));
        }
        let told = tokio::task::spawn_blocking(move || {
            let told = [mails.next(), mails.next()];
            assert!(mails.is_silent(), "a mail came twice");
            told
        });
        let told = told.await.expect("mails");
        let mut to = told.each_ref().map(|mail| mail["to"][0].as_str().expect("an address").to_owned());
        to.sort();
        assert_eq!(to, ["night@clinic.example", "ops@clinic.example"]);
        for mail in &told {
            let text = text(mail);
            for said in ["Subject: A subscriber can't be reached", &id, &format!("127.0.0.1:{}", receiver.port), "answered 500"] {
                assert!(text.contains(said), "{said}: {text}");
            }
            // Neither of whom it is, nor the rest of the URL, which may be a secret.
            assert!(!text.contains("pat-1") && !text.contains("/hook") && !text.contains("of-the-receiver"), "{text}");
        }
        assert_eq!(server.app.database().number(TOLD).await, 1);
    }

    async fn a_mail_server_that_was_away_is_asked_again(engine: Engine) {
        let port = free_port();
        let (server, _receiver, id) = failing(engine, port).await;
        let library = server.app.library().clone();
        let mut work = JoinSet::new();
        work.spawn(delivery::run(library.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        work.shutdown().await;
        assert_eq!(server.app.database().number(TOLD).await, 0, "nobody was told");
        let mails = MailServer::start(port);
        let mut work = JoinSet::new();
        work.spawn(delivery::run(library));
        let told = tokio::task::spawn_blocking(move || [mails.next(), mails.next()]);
        let told = told.await.expect("mails");
        assert!(told.iter().all(|mail| text(mail).contains(&id)), "{told:?}");
    }
}
