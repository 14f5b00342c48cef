//! What is refused, each with the element at fault.

use super::{BACKPORT, classic, filtered, subscription, topic};
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use serde_json::{Value, json};
use slotwright::clock::Clock;

fn booked() -> Value {
    subscription("appointment-booked", "rest-hook", "id-only")
}

/// Refused as against a rule, naming the element.
async fn refused(app: &TestApp, sent: &Value, element: &str) {
    let reply = app.post("Subscription", sent).await;
    assert_eq!(reply.status, 422, "{sent} {}", reply.json);
    let issues = reply.json["issue"].as_array().expect("issues");
    let named = issues.iter().any(|issue| issue["expression"][0].as_str().unwrap_or("").starts_with(element));
    assert!(named, "{element} in {}", reply.json);
    assert_eq!(app.database().number("SELECT COUNT(*) FROM subscription").await, 0);
}

both_engines! {
    async fn unknown_topics(app: TestApp) {
        for criteria in [topic("tea-is-ready"), format!("{}|9.9", topic("slot-freed")),
            "http://hl7.org/SubscriptionTopic/admission".to_owned(), "urn:uuid:1".to_owned()] {
            refused(&app, &clinic::with(booked(), "criteria", criteria), "Subscription.criteria").await;
        }
    }

    async fn unknown_filters(app: TestApp) {
        for filter in ["Appointment?colour=red", "Slot?status=free", "Appointment?actor.name=x", "Appointment",
            "Appointment?_has:Slot:schedule:status=x", "Appointment?_sort=date", "Appointment?reason-code=x"] {
            refused(&app, &filtered(booked(), &[filter]), "Subscription.criteria").await;
        }
        for criteria in ["Dragon?status=x", "Appointment?colour=red", "Appointment?patient.name=x", ""] {
            refused(&app, &classic(criteria, None), "Subscription.criteria").await;
        }
    }

    async fn unknown_channels(app: TestApp) {
        for code in ["email", "sms", "message"] {
            let mut sent = booked();
            sent["channel"]["type"] = json!(code);
            refused(&app, &sent, "Subscription.channel.type").await;
        }
        for coding in [json!({ "system": "urn:x", "code": "zulip" }),
            json!({ "system": "http://terminology.hl7.org/CodeSystem/subscription-channel-type", "code": "email" })] {
            let mut sent = booked();
            sent["channel"]["_type"] = json!({ "extension": [{
                "url": format!("{BACKPORT}backport-channel-type"), "valueCoding": coding }] });
            refused(&app, &sent, "Subscription.channel.type").await;
        }
    }

    async fn endpoints_that_nothing_may_be_sent_to(app: TestApp) {
        for endpoint in ["mailto:a@b.example", "ftp://receiver.example/", "receiver.example/hook", "https://",
            "http://receiver.example/hook", "https://127.0.0.1/", "https://10.254.0.0/", "https://[::1]/",
            "https://2130706433/", "https://0x7f.1/", "https://good@127.0.0.1/", "https://receiver.example:8443/",
            "https://localhost/", "https://receiver/", "https://receiver.example./"] {
            let mut sent = booked();
            sent["channel"]["endpoint"] = json!(endpoint);
            refused(&app, &sent, "Subscription.channel.endpoint").await;
        }
        let mut without = booked();
        without["channel"].as_object_mut().unwrap().remove("endpoint");
        refused(&app, &without, "Subscription.channel.endpoint").await;
        let mut with = subscription("slot-freed", "websocket", "id-only");
        with["channel"]["endpoint"] = json!("wss://receiver.example/");
        refused(&app, &with, "Subscription.channel.endpoint").await;
    }

    async fn payloads_that_are_not_sent(app: TestApp) {
        for payload in ["text/plain", "application/fhir+turtle", "application/fhir+json; fhirVersion=5.0",
            "application/fhir+json; charset=latin1", "application/fhir+json; x=y"] {
            let mut sent = booked();
            sent["channel"]["payload"] = json!(payload);
            refused(&app, &sent, "Subscription.channel.payload").await;
        }
        let mut without = booked();
        without["channel"].as_object_mut().unwrap().remove("payload");
        refused(&app, &without, "Subscription.channel.payload").await;
        refused(&app, &classic("Appointment?status=booked", Some("text/plain")), "Subscription.channel.payload").await;
    }

    async fn unknown_content_levels(app: TestApp) {
        refused(&app, &subscription("slot-freed", "rest-hook", "everything"), "Subscription.channel.payload").await;
        let mut without = booked();
        without["channel"].as_object_mut().unwrap().remove("_payload");
        refused(&app, &without, "Subscription.channel.payload").await;
    }

    async fn payloads_that_do_not_go_with_the_channel(app: TestApp) {
        // All of a resource in plain JSON, and anything but FHIR JSON over a connection.
        let mut sent = subscription("slot-freed", "rest-hook", "full-resource");
        sent["channel"]["payload"] = json!("application/json");
        refused(&app, &sent, "Subscription.channel.payload").await;
        for channel in ["websocket", "server-sent-events"] {
            let mut sent = subscription("slot-freed", channel, "id-only");
            sent["channel"]["payload"] = json!("application/fhir+xml");
            refused(&app, &sent, "Subscription.channel.payload").await;
        }
        // Over http not even ids.
        let mut sent = subscription("slot-freed", "rest-hook", "full-resource");
        sent["channel"]["endpoint"] = json!("http://receiver.example/hook");
        refused(&app, &sent, "Subscription.channel.endpoint").await;
    }

    async fn cross_version_and_modifier_extensions(app: TestApp) {
        for name in ["topic", "content", "filterBy", "heartbeatPeriod"] {
            let url = format!("http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.{name}");
            let extension = json!([{ "url": url, "valueUri": topic("slot-freed") }]);
            refused(&app, &clinic::with(booked(), "extension", extension.clone()), "Subscription.extension").await;
            let mut inside = booked();
            inside["channel"]["extension"] = extension;
            refused(&app, &inside, "Subscription.extension").await;
        }
        let modifier = json!([{ "url": "urn:x", "valueBoolean": true }]);
        refused(&app, &clinic::with(booked(), "modifierExtension", modifier), "Subscription.modifierExtension").await;
    }

    async fn headers_that_are_not_the_subscribers(app: TestApp) {
        for header in ["Host: elsewhere.example", "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close",
            "webhook-id: 1", "Webhook-Signature: v1,x", "X-A: b\r\nHost: c", "no colon", ": empty", "A B: c",
            "Content-Type: text/plain"] {
            let mut sent = booked();
            sent["channel"]["header"] = json!([header]);
            refused(&app, &sent, "Subscription.channel.header").await;
        }
        let mut twice = booked();
        twice["channel"]["header"] = json!(["X-A: 1", "x-a: 2"]);
        refused(&app, &twice, "Subscription.channel.header").await;
    }

    async fn statuses_that_the_server_gives(app: TestApp) {
        for status in ["active", "error"] {
            refused(&app, &clinic::with(booked(), "status", status), "Subscription.status").await;
        }
        refused(&app, &clinic::with(booked(), "end", "2020-01-01T00:00:00Z"), "Subscription.end").await;
    }

    async fn numbers_that_mean_nothing(app: TestApp) {
        for name in ["backport-heartbeat-period", "backport-timeout", "backport-max-count"] {
            for value in [json!([{ "url": format!("{BACKPORT}{name}"), "valueUnsignedInt": 0 }]),
                json!([{ "url": format!("{BACKPORT}{name}"), "valueString": "10" }])] {
                let mut sent = booked();
                sent["channel"]["extension"] = value;
                refused(&app, &sent, "Subscription.channel.extension").await;
            }
        }
    }

    async fn classic_criteria_take_nothing_of_topics(app: TestApp) {
        let sent = filtered(classic("Appointment?status=booked", None), &["Appointment?patient=1"]);
        refused(&app, &sent, "Subscription.criteria").await;
        let mut sent = classic("Appointment?status=booked", Some("application/fhir+json"));
        sent["channel"]["_payload"] = booked()["channel"]["_payload"].clone();
        refused(&app, &sent, "Subscription.channel.payload").await;
        let mut sent = classic("Appointment?status=booked", Some("application/fhir+json"));
        sent["channel"]["type"] = json!("websocket");
        sent["channel"].as_object_mut().unwrap().remove("endpoint");
        refused(&app, &sent, "Subscription.channel.payload").await;
    }

    async fn plain_http_is_for_hosts_that_an_administrator_listed(engine: Engine) {
        let listed = [("SLOTWRIGHT_SUBSCRIPTIONS__ALLOW", "127.0.0.1:9")];
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &listed).await;
        let mut sent = subscription("slot-freed", "rest-hook", "full-resource");
        sent["channel"]["endpoint"] = json!("http://127.0.0.1:9/hook");
        app.post("Subscription", &sent).await.is(201);
        sent["channel"]["endpoint"] = json!("http://127.0.0.1:10/hook");
        app.post("Subscription", &sent).await.is(422);
    }
}
