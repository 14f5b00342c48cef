//! Counted reads of what is about nobody: what may be counted is, everything else is told one by one.

use super::coverage::of_request;
use crate::support::clinic::{appointment, at, seed, slot};
use crate::support::{Database, Engine, ServerProcess, TestApp, both_engines, text};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::clock::Clock;
use std::time::Duration;

async fn start(engine: Engine, settings: &[(&str, &str)]) -> TestApp {
    let clock = Clock::fixed(1_900_000_020_000_000);
    TestApp::start_with(Database::create(engine).await, clock, settings).await
}

const ON: [(&str, &str); 1] = [("SLOTWRIGHT_AUDIT__SUMMARIES", "true")];

/// Summaries: subtype, type and count.
fn sums(events: &[Value]) -> Vec<(String, String, String)> {
    let detail = |event: &Value, name: &str| {
        let all = event["entity"].as_array().cloned().unwrap_or_default();
        let mut details =
            all.iter().flat_map(|entity| entity["detail"].as_array().cloned().unwrap_or_default());
        details.find(|detail| detail["type"] == name).map(|detail| text(&detail, "/valueString").to_owned())
    };
    let mut sums: Vec<_> = events
        .iter()
        .filter_map(|event| {
            let count = detail(event, "count")?;
            Some((text(event, "/subtype/0/code").to_owned(), detail(event, "type")?, count))
        })
        .collect();
    sums.sort();
    sums
}

fn sum(subtype: &str, rtype: &str, count: &str) -> (String, String, String) {
    (subtype.to_owned(), rtype.to_owned(), count.to_owned())
}

both_engines! {
    async fn reads_of_what_is_about_nobody_are_counted_by_the_minute(engine: Engine) {
        let app = start(engine, &ON).await;
        seed(&app).await;
        let slot = app.store(&slot("s1", "sch-a", &at("09:00"), 30)).await.is(201);
        for _ in 0..3 {
            let _ = app.get("Slot?status=free&start=ge2031-01-01").await.is(200);
        }
        let _ = app.get("Slot/s1").await.is(200);
        let _ = app.get("metadata").await.is(200);
        let _ = app.get("Schedule?_id=sch-a").await.is(200);
        app.library().summaries.flush(app.library(), false).await.unwrap();
        assert_eq!(sums(&app.audit_events().await), [], "the minute is not over");
        app.advance(Duration::from_mins(1));
        let _ = app.get("Slot/s1").await.is(200);
        app.library().summaries.flush(app.library(), false).await.unwrap();
        let expected = [
            sum("capabilities", "CapabilityStatement", "1"), sum("read", "Slot", "1"),
            sum("search", "Schedule", "1"), sum("search", "Slot", "3"),
        ];
        let events = app.audit_events().await;
        assert_eq!(sums(&events), expected);
        let one = events.iter().find(|event| text(event, "/subtype/0/code") == "search").unwrap();
        assert_eq!(text(one, "/agent/0/who/identifier/value"), "tests");
        // Everything that names somebody, fails, or reaches further is on the record by itself.
        let booked = app.post("Appointment", &appointment(&slot.json, "pat-1", &["Practitioner/dr-a"])).await.is(201);
        let ask = async |path: &str, id: &str, status: u16| {
            let reply = app.request(Method::GET, path).header("x-request-id", id).send().await;
            assert_eq!(reply.status, status, "{path}: {reply}");
        };
        let by_person = format!("Slot?_has:Appointment:slot:patient={}", "pat-1");
        for (number, (path, status)) in [
            ("Slot/none", 404), ("Slot?nonsense=1&_count=x", 400), ("Patient/pat-1", 200),
            ("Slot?_revinclude=Appointment:slot", 200), ("Slot?_include=Slot:schedule", 200),
            ("Slot?schedule.actor=Practitioner/dr-a", 200), (by_person.as_str(), 200),
            ("Slot/s1/_history", 200), ("Practitioner/dr-a", 200), ("Appointment", 200),
        ].into_iter().enumerate() {
            ask(path, &format!("single-{number}"), status).await;
        }
        let denied = app.anonymous();
        let _ = denied.request(Method::GET, "Slot").header("x-request-id", "single-10").send().await.is(401);
        let events = app.audit_events().await;
        for number in 0..=10 {
            assert!(!of_request(&events, &format!("single-{number}")).is_empty(), "{number}");
        }
        assert!(!booked.id().is_empty());
        // Nothing is lost when the server stops.
        app.library().summaries.flush(app.library(), true).await.unwrap();
        assert_eq!(sums(&app.audit_events().await).len(), 5);
    }

    async fn by_default_every_read_is_on_the_record_by_itself(engine: Engine) {
        let app = start(engine, &[]).await;
        for id in ["a", "b"] {
            let _ = app.request(Method::GET, "metadata").header("x-request-id", id).send().await.is(200);
            let events = app.audit_events().await;
            assert_eq!(of_request(&events, id).len(), 1);
        }
    }

    async fn a_server_that_stops_tells_what_it_counted(engine: Engine) {
        let database = Database::create(engine).await;
        let server = ServerProcess::start_with(&database, &ON).await;
        for _ in 0..3 {
            let _ = server.client().get("metadata").await.is(200);
        }
        assert!(server.stop().await);
        let events = database.recorded().await;
        let counted = events.iter().filter(|event| event.contains("\"CapabilityStatement\"")).count();
        // More than one, when a minute ended meanwhile.
        assert!((1..=2).contains(&counted), "{events:#?}");
        let started = json!("110120");
        assert!(events.iter().any(|event| event.contains(&started.to_string())));
    }
}
