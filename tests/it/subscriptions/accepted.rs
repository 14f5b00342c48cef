//! What is accepted, of topics and of classic criteria.

use super::{BACKPORT, classic, filtered, status_of, subscription, told, topic};
use crate::support::{TestApp, both_engines, clinic};
use serde_json::{Value, json};
use slotwright::fhir::subscription::topic::TOPICS;

both_engines! {
    async fn a_subscription_is_requested_until_its_endpoint_answers(app: TestApp) {
        let sent = subscription("appointment-booked", "rest-hook", "id-only");
        let made = app.post("Subscription", &sent).await.is(201);
        assert_eq!(made.text("/status"), "requested");
        assert_eq!(made.text("/criteria"), topic("appointment-booked"));
        // Everything that the profile asks for is there as it was sent.
        for part in ["reason", "criteria", "channel"] {
            assert_eq!(made.json[part], sent[part]);
        }
        let read = app.get(&format!("Subscription/{}", made.id())).await.is(200);
        assert_eq!(read.json, made.json);
        let status = status_of(&app, made.id()).await;
        assert_eq!(told(&status, "status"), "requested");
        assert_eq!(told(&status, "events-since-subscription-start"), "0");
    }

    async fn every_topic_channel_and_level_is_accepted(app: TestApp) {
        for topic in TOPICS {
            for channel in ["rest-hook", "websocket", "server-sent-events"] {
                for content in ["empty", "id-only", "full-resource"] {
                    let made = app.post("Subscription", &subscription(topic.code, channel, content)).await;
                    assert_eq!(made.status, 201, "{} {channel} {content}: {}", topic.code, made.json);
                }
            }
        }
    }

    async fn filters_periods_and_limits_are_read(app: TestApp) {
        let mut sent = filtered(
            subscription("appointment-booked", "rest-hook", "empty"),
            &["Appointment?patient=Patient/pat-1&status=booked", "Appointment?date=ge2031-01-01"],
        );
        sent["channel"]["extension"] = json!([
            { "url": format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt": 60 },
            { "url": format!("{BACKPORT}backport-timeout"), "valueUnsignedInt": 5 },
            { "url": format!("{BACKPORT}backport-max-count"), "valuePositiveInt": 10 },
        ]);
        sent["channel"]["_type"] = json!({ "extension": [{
            "url": format!("{BACKPORT}backport-channel-type"),
            "valueCoding": { "system": "http://terminology.hl7.org/CodeSystem/subscription-channel-type",
                "code": "rest-hook" }
        }] });
        sent["channel"]["payload"] = json!("application/fhir+xml; fhirVersion=4.0");
        let made = app.post("Subscription", &sent).await.is(201);
        assert_eq!(made.json["_criteria"], sent["_criteria"]);
        let most = format!("SELECT most FROM subscription WHERE id = '{}'", made.id());
        assert_eq!(app.database().number(&most).await, 10);
    }

    async fn classic_criteria_are_accepted_beside_topics(app: TestApp) {
        for criteria in ["Appointment", "Appointment?status=booked", "Slot?status=free&schedule=Schedule/sch-a"] {
            for payload in [None, Some("application/fhir+json"), Some("application/fhir+xml")] {
                let made = app.post("Subscription", &classic(criteria, payload)).await;
                assert_eq!(made.status, 201, "{criteria}: {}", made.json);
                assert_eq!(made.text("/status"), "requested");
                let status = status_of(&app, made.id()).await;
                assert!(status["parameter"].as_array().unwrap().iter().all(|one| one["name"] != "topic"));
            }
        }
    }

    async fn own_references_in_filters_become_relative(app: TestApp) {
        let filter = format!("Appointment?patient={}/Patient/pat-1", app.base());
        let sent = filtered(subscription("appointment-booked", "websocket", "id-only"), &[&filter]);
        let made = app.post("Subscription", &sent).await.is(201);
        assert_eq!(made.text("/_criteria/extension/0/valueString"), "Appointment?patient=Patient/pat-1");
    }

    async fn they_are_read_searched_for_changed_and_deleted(app: TestApp) {
        let made = app.post("Subscription", &subscription("slot-freed", "rest-hook", "id-only")).await.is(201);
        let id = made.id();
        for query in ["url=https://receiver.example/hook", "status=requested", "type=rest-hook",
            "payload=application/fhir%2Bjson", "criteria=https://slotwright.org/fhir/SubscriptionTopic/slot"] {
            let found = app.get(&format!("Subscription?{query}")).await.is(200);
            assert_eq!(found.ids(), [id], "{query}");
        }
        assert!(app.get("Subscription?status=active").await.is(200).ids().is_empty());
        let changed = clinic::with(made.json.clone(), "reason", "another");
        app.put(&format!("Subscription/{id}"), &changed).await.is(200);
        let patch = json!([{ "op": "replace", "path": "/reason", "value": "a third" }]);
        assert_eq!(app.patch(&format!("Subscription/{id}"), &patch).await.is(200).text("/reason"), "a third");
        app.delete(&format!("Subscription/{id}")).await.is(204);
        app.get(&format!("Subscription/{id}")).await.is(410);
        app.get(&format!("Subscription/{id}/$status")).await.is(404);
        assert_eq!(app.database().number("SELECT COUNT(*) FROM subscription").await, 0);
    }

    async fn nobody_says_whose_a_subscription_is(app: TestApp) {
        let owner = "https://slotwright.org/fhir/CodeSystem/subscription-owner";
        let mut sent = subscription("slot-freed", "websocket", "id-only");
        sent["meta"] = json!({ "tag": [{ "system": owner, "code": "somebody-else" }, { "code": "mine" }] });
        let made = app.post("Subscription", &sent).await.is(201);
        let tags: Vec<&Value> = made.json["meta"]["tag"].as_array().unwrap().iter().collect();
        assert_eq!(tags.len(), 2);
        assert!(tags.iter().all(|tag| tag["code"] != "somebody-else"), "{tags:?}");
        app.get(&format!("Subscription/{}", made.id())).await.is(200);
    }
}
