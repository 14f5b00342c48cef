//! The log goes back as far as it is set to, and no further.

use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use slotwright::app::events::forget_old;
use slotwright::clock::Clock;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

both_engines! {
    async fn old_events_are_forgotten_and_the_rest_keeps_its_numbers(engine: Engine) {
        let clock = Clock::fixed(1_900_000_000_000_000);
        let settings = [("SLOTWRIGHT_EVENTS__RETENTION", "48h")];
        let app = TestApp::start_with(Database::create(engine).await, clock, &settings).await;
        clinic::seed(&app).await;
        let old = app.events().await.len();
        app.advance(DAY + Duration::from_hours(23));
        app.store(&clinic::schedule("sch-new", "Practitioner/dr-a")).await;
        let kept = app.events().await.split_off(old);
        assert_eq!(kept.len(), 1);
        assert!(!forget_old(app.library()).await.expect("done"));
        assert_eq!(app.events().await.len(), old + 1, "nothing is too old");

        app.advance(DAY);
        assert!(!forget_old(app.library()).await.expect("done"));
        let left: Vec<i64> = app.events().await.iter().map(|event| event.seq).collect();
        assert_eq!(left, [kept[0].seq]);
        for table in ["event", "event_number"] {
            let count = app.database().texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await;
            assert_eq!(count, ["1"], "{table}");
        }
        app.store(&clinic::schedule("sch-newer", "Practitioner/dr-a")).await;
        assert_eq!(app.events().await.last().map(|event| event.seq), Some(kept[0].seq + 1));
    }

    async fn what_a_stream_has_not_got_yet_stays(engine: Engine) {
        let clock = Clock::fixed(1_900_000_000_000_000);
        let settings = [
            ("SLOTWRIGHT_STREAM__NATS__URL", "nats://127.0.0.1:1"),
            ("SLOTWRIGHT_STREAM__KAFKA__BROKERS", "kafka.example:9093"),
        ];
        let app = TestApp::start_with(Database::create(engine).await, clock, &settings).await;
        clinic::seed(&app).await;
        let all = app.events().await.len();
        app.advance(40 * DAY);
        assert!(!forget_old(app.library()).await.expect("done"));
        assert_eq!(app.events().await.len(), all);
        app.database().execute("INSERT INTO event_stream (name, seq) VALUES ('nats', 2)").await;
        assert!(!forget_old(app.library()).await.expect("done"));
        assert_eq!(app.events().await.len(), all, "the other stream has got none");
        app.database().execute("INSERT INTO event_stream (name, seq) VALUES ('kafka', 1)").await;
        assert!(!forget_old(app.library()).await.expect("done"));
        assert_eq!(app.events().await.len(), all - 1);
    }
}
