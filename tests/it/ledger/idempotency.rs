//! `Idempotency-Key`: a request that is sent again is carried out once.

use crate::support::{Client, Reply, TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

async fn post(client: &Client, key: &str, body: &Value) -> Reply {
    client.request(Method::POST, "Appointment").header("Idempotency-Key", key).json(body).send().await
}

fn visit(start: &str) -> Value {
    let start = clinic::at(start);
    clinic::unslotted("booked", &start, &clinic::later(&start, 30), "pat-1", &["Practitioner/dr-a"])
}

both_engines! {
    async fn the_same_request_gives_the_same_answer(app: TestApp) {
        clinic::seed(&app).await;
        let first = post(&app, "k1", &visit("09:00")).await.is(201);
        let again = post(&app, "k1", &visit("09:00")).await.is(201);
        assert_eq!(first.json, again.json);
        assert_eq!(first.header("location"), again.header("location"));
        assert_eq!(first.header("etag"), again.header("etag"));
        assert_eq!(app.get("Appointment").await.ids(), [first.id()]);
    }

    async fn another_request_under_the_same_key_is_refused(app: TestApp) {
        clinic::seed(&app).await;
        let _ = post(&app, "k1", &visit("09:00")).await.is(201);
        let _ = post(&app, "k1", &visit("10:00")).await.is(422);
        let _ = post(&app, "k2", &visit("10:00")).await.is(201);
    }

    async fn a_refusal_does_not_use_up_the_key(app: TestApp) {
        clinic::seed(&app).await;
        let taken = app.post("Appointment", &visit("09:00")).await.is(201);
        let _ = post(&app, "k1", &visit("09:00")).await.is(409);
        let deleted = app.delete(&format!("Appointment/{}", taken.id())).await;
        assert!(matches!(deleted.status, 200 | 204), "{deleted}");
        let _ = post(&app, "k1", &visit("09:00")).await.is(201);
    }

    async fn twenty_at_once_make_one(app: TestApp) {
        clinic::seed(&app).await;
        let mut senders = JoinSet::new();
        for _ in 0..20 {
            let client = app.client();
            senders.spawn(async move { post(&client, "k1", &visit("09:00")).await.is(201).id().to_owned() });
        }
        let mut ids = senders.join_all().await;
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(app.get("Appointment").await.ids(), ids);
    }

    async fn a_bundle_may_have_a_key_too(app: TestApp) {
        clinic::seed(&app).await;
        let bundle = clinic::transaction(&[("POST", "Appointment", Some(visit("09:00")))]);
        let send = || app.request(Method::POST, "").header("Idempotency-Key", "b1").json(&bundle).send();
        let first = send().await.is(200);
        let again = send().await.is(200);
        assert_eq!(first.json, again.json);
        assert_eq!(app.get("Appointment").await.ids().len(), 1);
    }
}
