//! Notifications over a WebSocket.

use super::{book, subscription, told};
use crate::support::{Client, TestApp, both_engines, clinic};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The token and the place of the socket that `$get-ws-binding-token` gives.
async fn binding(client: &Client, path: &str) -> (String, String) {
    let given = client.get(path).await.is(200).json;
    assert!(told(&given, "expiration") > "2020");
    (told(&given, "token").to_owned(), told(&given, "websocket-url").to_owned())
}

async fn bound(url: &str, token: &str) -> Socket {
    let (mut socket, _) = connect_async(url).await.expect("a socket");
    socket.send(Message::text(format!("bind-with-token: {token}"))).await.expect("sent");
    socket
}

/// The next notification; none when the server closed the connection.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        let message = timeout(Duration::from_secs(10), socket.next()).await.expect("something in time");
        match message {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

fn kind(bundle: &Value) -> (&str, &str, &str) {
    let status = &bundle["entry"][0]["resource"];
    (told(status, "type"), told(status, "status"), told(status, "events-since-subscription-start"))
}

async fn clinic_with_slots(app: &TestApp) {
    clinic::seed(app).await;
    for (slot, time) in [("slot-0", "09:00"), ("slot-1", "10:00"), ("slot-2", "11:00")] {
        app.store(&clinic::slot(slot, "sch-a", &clinic::at(time), 30)).await;
    }
    super::hand_out(app).await;
}

both_engines! {
    async fn a_bound_socket_gets_a_handshake_and_then_every_event(app: TestApp) {
        clinic_with_slots(&app).await;
        let sent = subscription("appointment-booked", "websocket", "full-resource");
        let made = app.post("Subscription", &sent).await.is(201);
        // Before anybody listens.
        book(&app, &app, "slot-0").await;
        let (token, url) = binding(&app, &format!("Subscription/{}/$get-ws-binding-token", made.id())).await;
        assert!(url.starts_with("ws://") && url.ends_with("/fhir/subscription-socket"), "{url}");
        let mut socket = bound(&url, &token).await;
        assert_eq!(kind(&next(&mut socket).await.expect("a handshake")), ("handshake", "requested", "1"));
        let state = app.get(&format!("Subscription/{}", made.id())).await;
        assert_eq!(state.text("/status"), "active");
        for (slot, number) in [("slot-1", "2"), ("slot-2", "3")] {
            let booked = book(&app, &app, slot).await;
            let told = next(&mut socket).await.expect("a notification");
            assert_eq!(kind(&told), ("event-notification", "active", number));
            assert_eq!((told["type"].as_str(), told["entry"][1]["resource"]["id"].as_str()), (Some("history"), Some(&*booked)));
        }
        // What was missed is there to be asked for.
        let missed = app.get(&format!("Subscription/{}/$events?eventsUntilNumber=1", made.id())).await.is(200);
        assert_eq!(missed.json["entry"].as_array().unwrap().len(), 2);
        // Each notification is on the record.
        let events = app.audit_events().await;
        let sent = events.iter().filter(|event| event["subtype"][0]["code"] == "notification");
        let patients = sent.clone().filter(|event| event.to_string().contains("Patient/pat-1"));
        assert_eq!((sent.count(), patients.count()), (3, 2));
    }

    async fn one_socket_serves_many_subscriptions(app: TestApp) {
        clinic_with_slots(&app).await;
        for code in ["appointment-booked", "slot-taken"] {
            app.post("Subscription", &subscription(code, "websocket", "id-only")).await.is(201);
        }
        app.post("Subscription", &subscription("slot-freed", "rest-hook", "id-only")).await.is(201);
        let (token, url) = binding(&app, "Subscription/$get-ws-binding-token").await;
        let mut socket = bound(&url, &token).await;
        for _ in 0..2 {
            assert_eq!(kind(&next(&mut socket).await.expect("a handshake")).0, "handshake");
        }
        book(&app, &app, "slot-0").await;
        let mut topics = Vec::new();
        for _ in 0..2 {
            let told = next(&mut socket).await.expect("a notification");
            topics.push(super::told(&told["entry"][0]["resource"], "topic").to_owned());
        }
        topics.sort();
        assert_eq!(topics, [super::topic("appointment-booked"), super::topic("slot-taken")]);
    }

    async fn tokens_of_others_and_of_long_ago_bind_nothing(app: TestApp) {
        let made = app.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        let (token, url) = binding(&app, &format!("Subscription/{}/$get-ws-binding-token", made.id())).await;
        let (said, tag) = token.split_once('.').expect("two parts");
        for forged in ["", "x.y", said, &format!("{said}.{}", "A".repeat(tag.len())), &format!("{said}A.{tag}")] {
            let mut socket = bound(&url, forged).await;
            assert_eq!(next(&mut socket).await, None, "{forged}");
        }
        let (mut talker, _) = connect_async(&*url).await.expect("a socket");
        talker.send(Message::text("bind x")).await.expect("sent");
        assert_eq!(next(&mut talker).await, None);
        assert_eq!(app.get(&format!("Subscription/{}", made.id())).await.text("/status"), "requested");
        // What is no WebSocket is told so.
        app.get("subscription-socket").await.is(400);
        // A token is for subscriptions of this channel that are not off.
        let hook = app.post("Subscription", &subscription("slot-freed", "rest-hook", "id-only")).await.is(201);
        app.get(&format!("Subscription/{}/$get-ws-binding-token", hook.id())).await.is(422);
    }

    async fn a_socket_ends_with_its_subscriptions(app: TestApp) {
        clinic_with_slots(&app).await;
        let made = app.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(201);
        let (token, url) = binding(&app, &format!("Subscription/{}/$get-ws-binding-token", made.id())).await;
        let mut socket = bound(&url, &token).await;
        assert_eq!(kind(&next(&mut socket).await.expect("a handshake")).0, "handshake");
        let place = format!("Subscription/{}", made.id());
        let other = app.post("Subscription", &subscription("appointment-booked", "websocket", "id-only")).await.is(201);
        app.patch(&place, &json!([{ "op": "replace", "path": "/status", "value": "off" }])).await.is(200);
        // The next event wakes whoever listens.
        book(&app, &app, "slot-0").await;
        assert_eq!(next(&mut socket).await, None);
        let count = super::status_of(&app, other.id()).await;
        assert_eq!(told(&count, "events-since-subscription-start"), "1");
    }
}
