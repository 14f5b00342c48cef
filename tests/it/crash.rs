//! `kill -9` under write load, over and over: what was acknowledged stays, once; what was not is there
//! whole or not at all; and the ledger agrees with the appointments.

use crate::support::{Client, Database, Engine, ServerProcess, both_engines, clinic, pg, slotwright};
use reqwest::Method;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the server is killed.
const ROUNDS: u64 = 20;
/// Clients that write at the same time.
const WRITERS: usize = 8;

both_engines! {
    async fn acknowledged_writes_survive_kill_minus_nine(engine: Engine) {
        let database = Database::create(engine).await;
        let mut server = ServerProcess::start(&database).await;
        clinic::seed(&server.client()).await;
        let next = Arc::new(AtomicI64::new(0));
        let acknowledged = Arc::new(AtomicI64::new(0));
        let mut written: Vec<Written> = Vec::new();
        for round in 0..ROUNDS {
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                writers.spawn(write(server.client(), writer, Arc::clone(&next), Arc::clone(&acknowledged)));
            }
            let before = acknowledged.load(Ordering::SeqCst);
            let under_load = async || acknowledged.load(Ordering::SeqCst) > before + WRITERS as i64;
            assert!(pg::wait_until(Duration::from_mins(1), under_load).await, "round {round} wrote nothing");
            // A different moment of the load in each round.
            tokio::time::sleep(Duration::from_millis(round * 17)).await;
            server.kill();
            let mut round_of = Vec::new();
            while let Some(writer) = writers.join_next().await {
                round_of.extend(writer.expect("a writer"));
            }
            check_agrees(&database);
            server = ServerProcess::start(&database).await;
            for one in &round_of {
                one.verify(&server.client()).await;
            }
            written.extend(round_of);
        }
        let unanswered = written.iter().filter(|one| one.acknowledged.is_none()).count();
        assert!(unanswered > 0, "no kill ever met a request in flight");
        for one in &written {
            one.verify(&server.client()).await;
        }
        assert!(server.stop().await, "a server that is asked to stop does so by itself");
        check_agrees(&database);
    }
}

/// One write, and whether it was acknowledged before the server died.
struct Written {
    number: i64,
    kind: Kind,
    /// The appointment's id, when an answer came.
    acknowledged: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A Slot, then an Appointment posted with an Idempotency-Key.
    Keyed,
    /// A transaction Bundle of a Patient, a Slot and an Appointment.
    Transaction,
}

/// Writes until the server no longer answers.
async fn write(
    client: Client,
    writer: usize,
    next: Arc<AtomicI64>,
    acknowledged: Arc<AtomicI64>,
) -> Vec<Written> {
    let mut written = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let kind = if writer.is_multiple_of(2) { Kind::Keyed } else { Kind::Transaction };
        let mut one = Written { number, kind, acknowledged: None };
        let reply = match kind {
            Kind::Keyed => {
                let slot = client.request(Method::PUT, &format!("Slot/{}", one.slot_id())).json(&one.slot());
                match slot.try_send().await {
                    Ok(reply) => assert_eq!(reply.status, 201, "{reply}"),
                    Err(_) => return written,
                }
                one.post(&client).try_send().await
            }
            Kind::Transaction => client.request(Method::POST, "").json(&one.bundle()).try_send().await,
        };
        let Ok(reply) = reply else {
            written.push(one);
            return written;
        };
        assert!(matches!(reply.status, 200 | 201), "{reply}");
        one.acknowledged = Some(match kind {
            Kind::Keyed => reply.id().to_owned(),
            Kind::Transaction => one.appointment_id(),
        });
        written.push(one);
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

impl Written {
    fn slot_id(&self) -> String {
        format!("slot-{}", self.number)
    }

    fn patient_id(&self) -> String {
        format!("new-{}", self.number)
    }

    fn appointment_id(&self) -> String {
        format!("appointment-{}", self.number)
    }

    /// Its own five minutes of dr-a's time.
    fn slot(&self) -> Value {
        clinic::slot(&self.slot_id(), "sch-a", &clinic::later(&clinic::at("00:00"), self.number * 5), 5)
    }

    fn appointment(&self, patient: &str) -> Value {
        clinic::appointment(&self.slot(), patient, &["Practitioner/dr-a"])
    }

    fn post(&self, client: &Client) -> crate::support::Request {
        let key = format!("key-{}", self.number);
        let request = client.request(Method::POST, "Appointment").header("Idempotency-Key", &key);
        request.json(&self.appointment("pat-1"))
    }

    fn bundle(&self) -> Value {
        let (patient, slot, id) = (self.patient_id(), self.slot_id(), self.appointment_id());
        clinic::transaction(&[
            ("PUT", &format!("Patient/{patient}"), Some(clinic::patient_resource(&patient))),
            ("PUT", &format!("Slot/{slot}"), Some(self.slot())),
            ("PUT", &format!("Appointment/{id}"), Some(clinic::with_id(self.appointment(&patient), &id))),
        ])
    }

    /// Looks whether the server kept its word.
    async fn verify(&self, client: &Client) {
        let there = self.appointments(client).await;
        match self.kind {
            Kind::Transaction => {
                let parts = [
                    client.get(&format!("Patient/{}", self.patient_id())).await.status,
                    client.get(&format!("Slot/{}", self.slot_id())).await.status,
                    client.get(&format!("Appointment/{}", self.appointment_id())).await.status,
                ];
                let whole = parts == [200, 200, 200] && there == [self.appointment_id()];
                let nothing = parts == [404, 404, 404] && there.is_empty();
                assert!(
                    whole || (nothing && self.acknowledged.is_none()),
                    "{}: {parts:?} {there:?}",
                    self.number
                );
            }
            Kind::Keyed => {
                if let Some(id) = &self.acknowledged {
                    assert_eq!(&there, std::slice::from_ref(id), "write {}", self.number);
                }
                assert!(there.len() <= 1, "write {} is there {} times", self.number, there.len());
                // A client that got no answer, or lost it, sends the same again.
                let again = self.post(client).send().await.is(201);
                let after = self.appointments(client).await;
                assert_eq!(after, [again.id()], "write {} after its retry", self.number);
                if let Some(first) = there.first() {
                    assert_eq!(first, again.id(), "write {}: the retry made another", self.number);
                }
            }
        }
    }

    /// The ids of the appointments in its slot.
    async fn appointments(&self, client: &Client) -> Vec<String> {
        let found = client.get(&format!("Appointment?slot=Slot/{}", self.slot_id())).await.is(200);
        found.ids().into_iter().map(str::to_owned).collect()
    }
}

fn check_agrees(database: &Database) {
    let checked = slotwright(database, &["check"]);
    assert!(checked.status.success(), "slotwright check: {checked:?}");
}
