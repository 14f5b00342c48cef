//! Receivers that fail, and what comes of it.

use super::receiver::Receiver;
use super::{Notifying, subscription};
use crate::support::{Engine, both_engines};
use serde_json::json;
use std::time::Duration;

fn wanted(receiver: &Receiver) -> serde_json::Value {
    subscription(receiver, "application/fhir+json", "id-only")
}

both_engines! {
    async fn what_did_not_arrive_comes_again_as_it_was(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        server.subscribed(&wanted(&receiver)).await;
        // The first notification: an error, a redirect, too busy, too late; then it is taken.
        receiver.answers(|before, _| match before {
            1 => (500, Duration::ZERO),
            2 => (302, Duration::ZERO),
            3 => (429, Duration::ZERO),
            4 => (200, Duration::from_millis(1500)),
            _ => (200, Duration::ZERO),
        });
        server.book(0, 1).await;
        receiver.until(|heard| heard.len() >= 3).await;
        server.book(1, 3).await;
        receiver.until_all(4).await;
        let heard = receiver.heard();
        let first: Vec<_> = heard.iter().filter(|one| one.numbers().contains(&1)).collect();
        assert_eq!(first.len(), 5, "{:?}", heard.iter().map(|one| (one.numbers(), one.answered)).collect::<Vec<_>>());
        for one in &first {
            assert_eq!(one.header("webhook-id"), first[0].header("webhook-id"));
            assert_eq!(one.body, first[0].body);
        }
        // Nothing overtakes it.
        let behind = heard.iter().position(|one| one.numbers().contains(&2)).expect("the second");
        assert!(heard[behind..].iter().all(|one| !one.numbers().contains(&1)));
    }

    async fn who_never_answers_well_is_in_error_and_gets_all_when_asked_again(engine: Engine) {
        let server = Notifying::start(engine, &[("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "20ms,20ms")]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&wanted(&receiver)).await;
        receiver.always(503);
        server.book(0, 1).await;
        let told = server.status(&id, "error").await;
        assert!(told["error"].as_str().is_some_and(|error| error.contains("503")), "{told}");
        assert_eq!(receiver.heard().len(), 1 + 3);
        // Counted, not sent.
        server.book(1, 2).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(receiver.heard().len(), 1 + 3);
        let status = server.app.get(&format!("Subscription/{id}/$status")).await.is(200).json.to_string();
        assert!(status.contains("\"valueString\":\"3\"") && status.contains("503"), "{status}");
        // The server does not try by itself; its owner asks.
        receiver.always(200);
        let mut again = told.clone();
        again["status"] = json!("requested");
        let _ = server.app.put(&format!("Subscription/{id}"), &again).await.is(200);
        receiver.until_all(3).await;
        let restored = server.status(&id, "active").await;
        assert!(restored.get("error").is_none(), "{restored}");
    }

    async fn a_handshake_that_fails_is_an_error_and_nothing_else_is_sent(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        receiver.always(500);
        let id = server.app.post("Subscription", &wanted(&receiver)).await.is(201).id().to_owned();
        let told = server.status(&id, "error").await;
        assert!(told["error"].as_str().is_some_and(|error| error.contains("handshake")), "{told}");
        server.book(0, 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(receiver.heard().len(), 1);
    }

    async fn nobody_there_no_encryption_and_no_answer_are_failed_handshakes(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        receiver.answers(|_, _| (200, Duration::from_secs(5)));
        let mut nobody = wanted(&receiver);
        nobody["channel"]["endpoint"] = json!("http://127.0.0.1:9/");
        let mut plain = wanted(&receiver);
        plain["channel"]["endpoint"] = json!(format!("https://127.0.0.1:{}/", receiver.port));
        for (one, why) in [(nobody, "connect"), (plain, "connect"), (wanted(&receiver), "in time")] {
            let id = server.app.post("Subscription", &one).await.is(201).id().to_owned();
            let told = server.status(&id, "error").await;
            assert!(told["error"].as_str().is_some_and(|error| error.contains(why)), "{told}");
        }
    }

    async fn gone_is_off_for_good(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&wanted(&receiver)).await;
        receiver.always(410);
        server.book(0, 1).await;
        server.status(&id, "off").await;
        server.book(1, 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(receiver.heard().len(), 2);
    }

    async fn switched_off_nothing_is_sent(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        let id = server.subscribed(&wanted(&receiver)).await;
        let mut off = server.status(&id, "active").await;
        off["status"] = json!("off");
        let _ = server.app.put(&format!("Subscription/{id}"), &off).await.is(200);
        server.book(0, 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(receiver.heard().len(), 1);
    }

    async fn one_dead_endpoint_slows_no_other(engine: Engine) {
        let settings = [
            ("SLOTWRIGHT_SUBSCRIPTIONS__CONCURRENCY", "8"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__HOST_CONCURRENCY", "2"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__TIMEOUT", "3s"),
        ];
        let server = Notifying::start(engine, &settings).await;
        let (dead, well) = (Receiver::start().await, Receiver::start().await);
        for _ in 0..10 {
            server.subscribed(&wanted(&dead)).await;
        }
        server.subscribed(&wanted(&well)).await;
        dead.answers(|_, _| (200, Duration::from_mins(1)));
        for number in 0..5 {
            let started = slotwright::clock::Clock::system().instant();
            server.book(number, 1).await;
            let last = i64::try_from(number + 1).expect("few");
            well.until(|_| well.taken().contains(&last)).await;
            let took = started.elapsed();
            assert!(took < Duration::from_secs(2), "{took:?}");
        }
        // Of ten that wait for the dead one, two were on their way at a time.
        let tried = dead.heard().iter().filter(|one| !one.numbers().is_empty()).count();
        assert!((1..=2 * 6).contains(&tried), "{tried}");
    }

    async fn a_host_that_fails_is_left_alone_for_a_while(engine: Engine) {
        let settings = [
            ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER", "3"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER_PAUSE", "2s"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms,10ms"),
        ];
        let server = Notifying::start(engine, &settings).await;
        let receiver = Receiver::start().await;
        server.subscribed(&wanted(&receiver)).await;
        receiver.always(500);
        server.book(0, 1).await;
        receiver.until(|heard| heard.len() >= 4).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(receiver.heard().len(), 4, "a handshake and three failures");
        receiver.always(200);
        receiver.until_all(1).await;
    }

    async fn endpoints_and_headers_that_could_do_harm_are_refused(engine: Engine) {
        let server = Notifying::start(engine, &[]).await;
        let receiver = Receiver::start().await;
        for endpoint in [
            "http://receiver.example/", "https://10.0.0.1/", "https://167772161/", "https://[::1]/", "https://localhost/",
            "https://169.254.169.254/latest/meta-data/", "https://user@receiver.example/", "http://127.0.0.1.evil.example/",
            "https://receiver.example:22/",
        ] {
            let mut one = wanted(&receiver);
            one["channel"]["endpoint"] = json!(endpoint);
            let refused = server.app.post("Subscription", &one).await.is(422);
            assert!(refused.body.windows(8).any(|part| part == b"endpoint"), "{endpoint}");
        }
        for header in [
            "Host: inside", "Content-Length: 0", "Transfer-Encoding: chunked", "webhook-id: x", "X: a\r\nHost: b", "Connection: x",
        ] {
            let mut one = wanted(&receiver);
            one["channel"]["header"] = json!([header]);
            let status = server.app.post("Subscription", &one).await.status;
            assert!(status == 422 || status == 400, "{header:?}: {status}");
        }
        assert!(receiver.heard().is_empty());
    }
}
