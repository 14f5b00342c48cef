//! Receivers that fail, hang, answer late and come back, and senders that are killed: at the end each receiver has every
//! event from 1 to n in order, and what came twice came under one id.
//!
//! `SLOTWRIGHT_CHAOS=SUBSCRIPTIONS,BOOKINGS` runs a longer one, such as `100,10000`.

use super::receiver::Receiver;
use super::{BOOKED, subscription};
use crate::support::{Client, Database, Engine, ServerProcess, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const CANCELLED: &str = "https://slotwright.org/fhir/SubscriptionTopic/appointment-cancelled";

const SETTINGS: [(&str, &str); 5] = [
    ("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1"),
    ("SLOTWRIGHT_SUBSCRIPTIONS__TIMEOUT", "500ms"),
    (
        "SLOTWRIGHT_SUBSCRIPTIONS__RETRIES",
        "20ms,20ms,50ms,50ms,100ms,100ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,\
         200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms,200ms",
    ),
    ("SLOTWRIGHT_SUBSCRIPTIONS__THROTTLE", "20ms"),
    ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER_PAUSE", "200ms"),
];

/// Subscriptions and bookings.
fn size() -> (usize, usize) {
    let said = std::env::var("SLOTWRIGHT_CHAOS").ok();
    let read = said.as_deref().and_then(|said| said.split_once(','));
    read.map_or((8, 40), |(one, other)| (one.parse().expect("a number"), other.parse().expect("a number")))
}

/// Asks the servers in turn until one carries it out, as a client does whose server is killed.
async fn insist(clients: &[Client], method: &Method, path: &str, body: &Value) {
    for turn in 0..600 {
        let client = &clients[turn % clients.len()];
        let sent = client.request(method.clone(), path).json(body).try_send().await;
        match sent {
            Ok(reply) if matches!(reply.status, 200 | 201) => return,
            Ok(reply) if reply.status < 500 => panic!("{path}: {reply}"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("{path}: nobody carried it out");
}

/// A receiver in trouble: of ten requests four go wrong, each in another way.
fn trouble(receiver: &Receiver, seed: usize) {
    receiver.answers(move |before, _| match (before + seed) % 10 {
        1 => (500, Duration::ZERO),
        3 => (200, Duration::from_millis(900)),
        5 => (429, Duration::ZERO),
        6 => (200, Duration::from_millis(300)),
        8 => (302, Duration::ZERO),
        _ => (200, Duration::ZERO),
    });
}

both_engines! {
    async fn nothing_is_missing_and_nothing_out_of_order(engine: Engine) {
        let (subscriptions, bookings) = size();
        let database = Database::create(engine).await;
        let replicas = if engine == Engine::Postgres { 2 } else { 1 };
        let mut servers = Vec::new();
        for _ in 0..replicas {
            servers.push(ServerProcess::start_with(&database, &SETTINGS).await);
        }
        let first = servers[0].client();
        clinic::seed(&first).await;
        let mut receivers = Vec::new();
        for number in 0..subscriptions {
            let receiver = Receiver::start().await;
            let mut wanted = subscription(&receiver, "application/fhir+json", "id-only");
            wanted["criteria"] = json!(if number % 2 == 0 { BOOKED } else { CANCELLED });
            let id = first.post("Subscription", &wanted).await.is(201).id().to_owned();
            receivers.push((id, receiver));
        }
        for (_, receiver) in &receivers {
            receiver.until(|heard| !heard.is_empty()).await;
        }
        for (seed, (_, receiver)) in receivers.iter().enumerate() {
            trouble(receiver, seed);
        }
        // A process is killed after each fifth of the bookings, in the middle of its deliveries.
        let mut killed = 0;
        for number in 0..bookings {
            let clients: Vec<Client> = servers.iter().map(ServerProcess::client).collect();
            let start = clinic::later(&clinic::at("08:00"), i64::try_from(number * 10).expect("few"));
            let slot = clinic::slot(&format!("slot-{number}"), "sch-a", &start, 10);
            insist(&clients, &Method::PUT, &format!("Slot/slot-{number}"), &slot).await;
            let id = format!("chaos-{number}");
            let mut appointment = clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), &id);
            insist(&clients, &Method::PUT, &format!("Appointment/{id}"), &appointment).await;
            appointment["status"] = json!("cancelled");
            insist(&clients, &Method::PUT, &format!("Appointment/{id}"), &appointment).await;
            if number % (bookings / 5).max(1) == bookings / 10 {
                servers.remove(killed % servers.len()).kill();
                killed += 1;
                servers.push(ServerProcess::start_with(&database, &SETTINGS).await);
            }
        }
        assert!(killed >= 4, "{killed}");
        for (_, receiver) in &receivers {
            receiver.always(200);
        }
        let client = servers[0].client();
        let all = i64::try_from(bookings).expect("few");
        for (id, receiver) in &receivers {
            let mut behind = true;
            for _ in 0..2400 {
                behind = !receiver.taken().contains(&all);
                if !behind {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let stands = client.get(&format!("Subscription/{id}")).await.is(200).json;
            assert!(!behind, "{:?} of {all}: {stands}", receiver.taken().last());
            receiver.until_all(all).await;
            assert_eq!(stands["status"], "active");
        }
        let again: usize = receivers.iter().map(|(_, receiver)| receiver.heard().iter().filter(|one| one.answered != 200).count()).sum();
        assert!(again > receivers.len(), "there was no trouble");
    }
}
