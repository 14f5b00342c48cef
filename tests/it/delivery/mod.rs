//! Notifications to endpoints.

mod access;
mod chaos;
mod flaky;
mod manage;
mod random;
mod receiver;
mod sending;
mod trouble;
mod warning;
mod webhooks;

use crate::support::{Database, Engine, TestApp, clinic};
use receiver::Receiver;
use serde_json::{Value, json};
use slotwright::app::delivery::Courier;
use slotwright::app::events::Sequencer;
use slotwright::clock::Clock;
use std::time::Duration;
use tokio::task::JoinSet;

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const BOOKED: &str = "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked";

/// A server that notifies endpoints on this machine and does not wait long, with a clinic.
pub struct Notifying {
    pub app: TestApp,
    // Dropping it ends the work.
    _work: JoinSet<()>,
}

impl Notifying {
    pub async fn start(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__TIMEOUT", "1s"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__RETRIES", "50ms,50ms,50ms,50ms,50ms,50ms"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__THROTTLE", "50ms"),
            ("SLOTWRIGHT_SUBSCRIPTIONS__BREAKER", "100"),
        ];
        all.retain(|(name, _)| settings.iter().all(|(own, _)| own != name));
        all.extend(settings);
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &all).await;
        clinic::seed(&app).await;
        let mut work = JoinSet::new();
        let library = app.library().clone();
        work.spawn(Courier::new(library.clone()).run());
        work.spawn(async move {
            let sequencer = Sequencer::new(library);
            loop {
                let _ = sequencer.run().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Self { app, _work: work }
    }

    /// Subscribes, and waits until it is active.
    pub async fn subscribed(&self, subscription: &Value) -> String {
        let id = self.app.post("Subscription", subscription).await.is(201).id().to_owned();
        self.status(&id, "active").await;
        id
    }

    /// Waits until a subscription has this status.
    pub async fn status(&self, id: &str, status: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.app.get(&format!("Subscription/{id}")).await.is(200).json;
            if last["status"] == status {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("not {status}: {last}");
    }

    /// Books so many appointments, one after the other, from the slot with number `from` on.
    pub async fn book(&self, from: usize, count: usize) -> Vec<String> {
        let mut booked = Vec::new();
        for number in from..from + count {
            let start = clinic::later(&clinic::at("08:00"), i64::try_from(number * 10).expect("few"));
            let slot = clinic::slot(&format!("slot-{number}"), "sch-a", &start, 10);
            self.app.store(&slot).await;
            let appointment = clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]);
            booked.push(self.app.post("Appointment", &appointment).await.is(201).id().to_owned());
        }
        booked
    }
}

/// A subscription to bookings.
pub fn subscription(receiver: &Receiver, payload: &str, content: &str) -> Value {
    json!({
        "resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": BOOKED,
        "channel": {
            "type": "rest-hook", "endpoint": receiver.url(), "payload": payload,
            "_payload": { "extension": [{ "url": format!("{BACKPORT}backport-payload-content"), "valueCode": content }] },
            "header": ["Authorization: Bearer of-the-receiver"]
        }
    })
}

/// The same with an extension of the channel.
pub fn with_extension(mut subscription: Value, name: &str, value: u32) -> Value {
    let extension = json!({ "url": format!("{BACKPORT}{name}"), "valueUnsignedInt": value });
    match subscription["channel"]["extension"].as_array_mut() {
        Some(extensions) => extensions.push(extension),
        None => subscription["channel"]["extension"] = json!([extension]),
    }
    subscription
}
