//! Notifications as server-sent events.

use super::{book, subscription, told};
use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// An answer that goes on, read event by event.
struct Events {
    response: reqwest::Response,
    read: String,
}

/// An event: its name, its id and its data.
type Event = (String, Option<String>, String);

impl Events {
    async fn open(client: &Client, id: &str, after: Option<&str>) -> Self {
        let url = format!("{}/subscription-events/{id}", client.base());
        let mut request = reqwest::Client::new().get(url).header("authorization", client.authorization());
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self { response, read: String::new() }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
                };
                match field("event") {
                    Some(kind) => return Some((kind, field("id"), field("data").expect("data"))),
                    None => continue,
                }
            }
            let more =
                timeout(Duration::from_secs(10), self.response.chunk()).await.expect("something in time");
            self.read.push_str(std::str::from_utf8(&more.ok()??).expect("UTF-8"));
        }
    }

    async fn bundle(&mut self) -> (Option<String>, Value) {
        let (_, id, data) = self.next().await.expect("an event");
        (id, serde_json::from_str(&data).expect("JSON"))
    }
}

async fn clinic_with_slots(app: &TestApp) {
    clinic::seed(app).await;
    for (slot, time) in [("slot-0", "09:00"), ("slot-1", "10:00"), ("slot-2", "11:00")] {
        app.store(&clinic::slot(slot, "sch-a", &clinic::at(time), 30)).await;
    }
    super::hand_out(app).await;
}

both_engines! {
    async fn events_come_as_they_happen_and_again_from_the_last_one_seen(app: TestApp) {
        clinic_with_slots(&app).await;
        let sent = subscription("appointment-booked", "server-sent-events", "id-only");
        let made = app.post("Subscription", &sent).await.is(201);
        let mut events = Events::open(&app, made.id(), None).await;
        let (id, handshake) = events.bundle().await;
        assert_eq!((id, told(&handshake["entry"][0]["resource"], "type")), (None, "handshake"));
        assert_eq!(app.get(&format!("Subscription/{}", made.id())).await.text("/status"), "active");
        for (slot, number) in [("slot-0", "1"), ("slot-1", "2")] {
            let booked = book(&app, &app, slot).await;
            let (id, bundle) = events.bundle().await;
            assert_eq!(id.as_deref(), Some(number));
            assert!(bundle["entry"][1]["fullUrl"].as_str().unwrap().ends_with(&booked));
        }
        drop(events);
        book(&app, &app, "slot-2").await;
        let mut again = Events::open(&app, made.id(), Some("1")).await;
        assert_eq!(again.next().await.expect("a handshake").0, "handshake");
        let (id, bundle) = again.bundle().await;
        assert_eq!(id.as_deref(), Some("3"));
        let told = bundle["entry"][0]["resource"].to_string();
        assert!(told.contains("\"valueString\":\"2\"") && told.contains("\"valueString\":\"3\""), "{told}");
    }

    async fn no_more_events_go_together_than_the_subscription_wants(app: TestApp) {
        clinic_with_slots(&app).await;
        let mut sent = subscription("appointment-booked", "server-sent-events", "id-only");
        sent["channel"]["extension"] = serde_json::json!([{
            "url": format!("{}backport-max-count", super::BACKPORT), "valuePositiveInt": 1 }]);
        let made = app.post("Subscription", &sent).await.is(201);
        for slot in ["slot-0", "slot-1", "slot-2"] {
            book(&app, &app, slot).await;
        }
        let mut events = Events::open(&app, made.id(), Some("0")).await;
        events.next().await.expect("a handshake");
        for number in ["1", "2", "3"] {
            assert_eq!(events.bundle().await.0.as_deref(), Some(number));
        }
    }

    async fn they_end_when_the_subscription_is_off_or_its_owner_is_gone(app: TestApp) {
        clinic_with_slots(&app).await;
        let robot = app.system("robot", "system/Appointment.rs system/Subscription.cruds").await;
        let sent = subscription("appointment-booked", "server-sent-events", "id-only");
        let made = robot.post("Subscription", &sent).await.is(201);
        let mut events = Events::open(&robot, made.id(), None).await;
        events.next().await.expect("a handshake");
        book(&app, &app, "slot-0").await;
        assert_eq!(events.next().await.expect("an event").0, "notification");
        app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'robot'").await;
        book(&app, &app, "slot-1").await;
        // Events that nobody may be told of are not told: neither by this connection nor by another.
        let next = timeout(Duration::from_millis(500), events.next()).await;
        assert!(!matches!(next, Ok(Some((kind, ..))) if kind == "notification"));
        robot.get(&format!("subscription-events/{}", made.id())).await.is(401);
    }

    async fn only_whoever_set_it_up_listens(app: TestApp) {
        let sent = subscription("slot-freed", "server-sent-events", "id-only");
        let made = app.post("Subscription", &sent).await.is(201);
        let place = format!("subscription-events/{}", made.id());
        app.anonymous().get(&place).await.is(401);
        app.system("robot", "system/*.cruds").await.get(&place).await.is(404);
        app.get("subscription-events/none").await.is(404);
        let socket = app.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        app.get(&format!("subscription-events/{}", socket.id())).await.is(422);
        let wrong = app.request(reqwest::Method::GET, &place).header("last-event-id", "x").send().await;
        wrong.is(400);
    }
}
