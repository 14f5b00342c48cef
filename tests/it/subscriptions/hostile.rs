//! Input made to hurt those who are told of events: refused or bounded, and nobody else notices.

use super::{book, subscription, told};
use crate::support::{Client, FixedApp, TestApp, both_engines, clinic};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use slotwright::app::subscriptions::MOST_UNBOUND;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A subscription by WebSocket, the place of the socket, and a token for it.
async fn prepared(app: &TestApp) -> (String, String, String) {
    clinic::seed(app).await;
    app.store(&clinic::slot("slot-0", "sch-a", &clinic::at("09:00"), 30)).await;
    super::hand_out(app).await;
    let sent = subscription("appointment-booked", "websocket", "id-only");
    let id = app.post("Subscription", &sent).await.is(201).id().to_owned();
    let (token, url) = binding(app, &id).await;
    (id, url, token)
}

async fn binding(client: &Client, id: &str) -> (String, String) {
    let given = client.get(&format!("Subscription/{id}/$get-ws-binding-token")).await.is(200).json;
    (told(&given, "token").to_owned(), told(&given, "websocket-url").to_owned())
}

async fn opened(url: &str) -> Socket {
    connect_async(url).await.expect("a socket").0
}

/// What comes next besides signs of life: a text, or why the connection ended.
async fn next(socket: &mut Socket) -> Result<String, Option<CloseCode>> {
    loop {
        match timeout(Duration::from_secs(20), socket.next()).await.expect("something in time") {
            Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
            _ => return Err(None),
        }
    }
}

async fn answered(url: &str, message: Message) -> Result<String, Option<CloseCode>> {
    let mut socket = opened(url).await;
    let _ = socket.send(message).await;
    next(&mut socket).await
}

/// Whether a socket is bound and told of a booking.
async fn works(app: &TestApp, url: &str, token: &str, slot: &str) {
    let mut socket = opened(url).await;
    socket.send(Message::text(format!("bind-with-token: {token}"))).await.expect("sent");
    assert!(next(&mut socket).await.expect("a handshake").contains("handshake"));
    let booked = book(app, app, slot).await;
    assert!(next(&mut socket).await.expect("a notification").contains(&booked));
}

/// The status of an answer to a request for events, read no further.
async fn stream(client: &Client, id: &str, last: &str) -> u16 {
    let url = format!("{}/subscription-events/{id}", client.base());
    let request = reqwest::Client::new().get(url).header("authorization", client.authorization());
    let last = reqwest::header::HeaderValue::from_bytes(last.as_bytes()).expect("a header");
    request.header("last-event-id", last).send().await.expect("an answer").status().as_u16()
}

both_engines! {
    async fn frames_that_are_no_binding_close_the_socket_and_nothing_else(app: TestApp) {
        let (_, url, token) = prepared(&app).await;
        let policy = Err(Some(CloseCode::Policy));
        for text in [
            String::new(), "bind".to_owned(), "bind-with-token".to_owned(), "bind-with-token:".to_owned(), "{}".to_owned(),
            "\u{0}".to_owned(), format!("bind-with-token: {token}\u{0}"), format!("bind-with-token: {token}{token}"),
            format!("bind-with-token: {}", ".".repeat(60_000)), format!("bind-with-token: {}", "A".repeat(60_000)),
            format!("bind-with-token: \u{202e}{token}"), format!("BIND-WITH-TOKEN: {token}"),
        ] {
            assert_eq!(answered(&url, Message::text(text.clone())).await, policy, "{text:.60?}");
        }
        let binary = Message::binary(format!("bind-with-token: {token}").into_bytes());
        assert_eq!(answered(&url, binary).await, Err(Some(CloseCode::Unsupported)));
        // More than a token needs is not even gathered, in one frame or in many.
        for size in [70_000, 20_000_000] {
            assert!(answered(&url, Message::text("x".repeat(size))).await.is_err(), "{size}");
        }
        let mut socket = opened(&url).await;
        for _ in 0..2_000 {
            if socket.send(Message::Ping(Bytes::from_static(&[7; 125]))).await.is_err() {
                break;
            }
        }
        drop(socket);
        works(&app, &url, &token, "slot-0").await;
    }

    async fn a_token_is_good_for_its_time_and_no_longer(app: FixedApp) {
        let (id, url, token) = prepared(&app).await;
        // Bound twice, by one socket and by another: each is told, once.
        let mut first = opened(&url).await;
        for _ in 0..50 {
            first.send(Message::text(format!("bind-with-token {token}"))).await.expect("sent");
        }
        let mut second = opened(&url).await;
        second.send(Message::text(format!("bind-with-token {token}"))).await.expect("sent");
        for socket in [&mut first, &mut second] {
            assert!(next(socket).await.expect("a handshake").contains("handshake"));
        }
        let booked = book(&app, &app, "slot-0").await;
        for socket in [&mut first, &mut second] {
            assert!(next(socket).await.expect("a notification").contains(&booked));
            let more = timeout(Duration::from_millis(300), socket.next()).await;
            assert!(!matches!(more, Ok(Some(Ok(Message::Text(_))))), "{more:?}");
        }
        app.advance(Duration::from_mins(5));
        let again = answered(&url, Message::text(format!("bind-with-token {token}"))).await;
        assert_eq!(again, Err(Some(CloseCode::Policy)), "it is over");
        // One for a subscription that is gone by now binds nothing.
        let (token, _) = binding(&app, &id).await;
        let _ = app.delete(&format!("Subscription/{id}")).await.is(204);
        let gone = answered(&url, Message::text(format!("bind-with-token {token}"))).await;
        assert_eq!(gone, Err(Some(CloseCode::Normal)));
    }

    async fn sockets_that_say_nothing_are_few_and_keep_nobody_out(app: TestApp) {
        let (id, url, token) = prepared(&app).await;
        let mut bound = opened(&url).await;
        bound.send(Message::text(format!("bind-with-token: {token}"))).await.expect("sent");
        assert!(next(&mut bound).await.expect("a handshake").contains("handshake"));
        let mut idle = Vec::new();
        let mut refused = 0;
        for _ in 0..MOST_UNBOUND + 20 {
            match connect_async(&*url).await {
                Ok((socket, _)) => idle.push(socket),
                Err(Error::Http(answer)) => {
                    assert_eq!(answer.status(), 503);
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0 && idle.len() <= MOST_UNBOUND + 20 - refused, "{refused}");
        // Who listens is told all the same, and others may begin to.
        let booked = book(&app, &app, "slot-0").await;
        assert!(next(&mut bound).await.expect("a notification").contains(&booked));
        let sent = subscription("appointment-booked", "server-sent-events", "id-only");
        let events = app.post("Subscription", &sent).await.is(201);
        assert_eq!(stream(&app, events.id(), "0").await, 200);
        // They are let go, and then there is room again.
        assert_eq!(next(&mut idle[0]).await, Err(Some(CloseCode::Policy)));
        drop(idle);
        let (token, _) = binding(&app, &id).await;
        for tries in 0.. {
            if let Ok((mut socket, _)) = connect_async(&*url).await {
                socket.send(Message::text(format!("bind-with-token: {token}"))).await.expect("sent");
                assert!(next(&mut socket).await.expect("a handshake").contains("handshake"));
                break;
            }
            assert!(tries < 100, "no socket is let in any more");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn odd_numbers_of_events_are_refused_or_mean_what_they_say(app: TestApp) {
        clinic::seed(&app).await;
        app.store(&clinic::slot("slot-0", "sch-a", &clinic::at("09:00"), 30)).await;
        super::hand_out(&app).await;
        let sent = subscription("appointment-booked", "server-sent-events", "id-only");
        let id = app.post("Subscription", &sent).await.is(201).id().to_owned();
        book(&app, &app, "slot-0").await;
        for (last, status) in [
            ("0", 200), ("1", 200), ("2", 200), ("9223372036854775807", 200), ("9223372036854775808", 400),
            ("-1", 400), ("-9223372036854775808", 400), ("1e3", 400), ("1.0", 400), ("0x1", 400), ("", 400), ("one", 400),
            ("\u{661}", 400), ("1,2", 400), ("99999999999999999999999999999999999999999", 400),
        ] {
            assert_eq!(stream(&app, &id, last).await, status, "{last}");
        }
        for id in ["nobody", "..%2f..", "a%20b", "%F0%9F%98%80", &"x".repeat(5_000)] {
            assert_eq!(stream(&app, id, "0").await, 404, "{id:.40}");
        }
        let count = async |query: &str| {
            let answer = app.get(&format!("Subscription/{id}/$events?{query}")).await;
            let entries = answer.json["entry"].as_array().map_or(0, Vec::len);
            (answer.status, entries)
        };
        for (query, wanted) in [
            ("eventsSinceNumber=0", (200, 2)), ("eventsSinceNumber=1", (200, 2)), ("eventsSinceNumber=2", (200, 1)),
            ("eventsSinceNumber=9223372036854775807", (200, 1)), ("eventsUntilNumber=0", (200, 1)),
            ("eventsUntilNumber=9223372036854775807", (200, 2)),
            ("eventsSinceNumber=5&eventsUntilNumber=1", (200, 1)),
        ] {
            assert_eq!(count(query).await, wanted, "{query}");
        }
        for odd in ["-1", "9223372036854775808", "1.5", "1e0", "0x1", "", "x", "%F0%9F%98%80", "1,2", "%2B%2B1"] {
            for name in ["eventsSinceNumber", "eventsUntilNumber"] {
                let answer = app.get(&format!("Subscription/{id}/$events?{name}={odd}")).await;
                assert_eq!(answer.status, 400, "{name}={odd}: {answer}");
            }
        }
        for value in [json!(-1), json!(1.5), json!("x"), json!(u64::MAX), Value::Null, json!([1]), json!({})] {
            let parameter = json!([{ "name": "eventsSinceNumber", "valueInteger": value }]);
            let body = json!({ "resourceType": "Parameters", "parameter": parameter });
            let answer = app.post(&format!("Subscription/{id}/$events"), &body).await;
            assert!(matches!(answer.status, 400 | 422), "{value}: {answer}");
        }
        // There is no operation that replays: who wants events again asks from a number on.
        let body = json!({ "resourceType": "Parameters" });
        assert_eq!(app.post(&format!("Subscription/{id}/$replay"), &body).await.status, 404);
        assert_eq!(app.get(&format!("Subscription/{id}")).await.is(200).text("/status"), "active");
    }
}
