//! Lawful purge: what is older than its retention goes, what it was worth as a proof stays, and nothing else may go.

use super::database_export::{exported, holds};
use super::query::{officer, report};
use crate::access::world;
use crate::support::clinic::seed;
use crate::support::{Database, Engine, Given, TestApp, both_engines, slotwright, text};
use serde_json::{Value, json};
use slotwright::app::App;
use slotwright::app::audit::purge::{Step, step};
use slotwright::audit::purge::{CODE, DETAIL, SYSTEM};
use slotwright::clock::Clock;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// Six years, and two days of leap years.
const SIX_YEARS: Duration = Duration::from_hours(24 * (6 * 365 + 2));

/// A server in 2005: its six years are over before the tests run, which verifiers see to.
struct Old(TestApp);

impl Given for Old {
    async fn on(engine: Engine) -> Self {
        let begin: jiff::Timestamp = "2005-03-01T08:00:00Z".parse().unwrap();
        let clock = Clock::fixed(begin.as_microsecond());
        Self(TestApp::start_with(Database::create(engine).await, clock, &[]).await)
    }
}

/// Purges to the end; how many contents went.
async fn purged(app: &TestApp) -> u64 {
    let mut removed = 0;
    for _ in 0..1000 {
        match step(app.library()).await.unwrap() {
            Step::Idle => return removed,
            Step::Waiting => app.sequence().await,
            Step::Removed(events) => removed += events,
            Step::Named(_) => {}
        }
    }
    panic!("no end of it");
}

/// What the verifier says about the database.
fn verified(app: &TestApp, more: &[&str]) -> Result<String, String> {
    let database = app.database();
    let output = slotwright(database, &[&["audit", "verify", "--database", &database.url], more].concat());
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}

async fn leaves(app: &TestApp) -> i64 {
    app.database().number("SELECT COUNT(*) FROM audit_leaf").await
}

async fn contents(app: &TestApp) -> i64 {
    app.database().number("SELECT COUNT(*) FROM audit_event").await
}

/// The newest event about a patient, by its id and time.
async fn newest(app: &TestApp, patient: &str) -> (String, String) {
    let events = app.audit_events().await;
    let named = |event: &&Value| event.to_string().contains(&format!("\"Patient/{patient}\""));
    let event = events.iter().rfind(named).expect("an event");
    (text(event, "/id").to_owned(), text(event, "/recorded").to_owned())
}

both_engines! {
    async fn t8_old_contents_go_and_the_tree_stays(old: Old) {
        let app = old.0;
        seed(&app).await;
        for _ in 0..600 {
            let _ = app.get("Patient/pat-1").await.is(200);
        }
        let (id, _) = newest(&app, "pat-1").await;
        let before = leaves(&app).await;
        let saved = app.database().dir().join("saved");
        let note = app.database().texts("SELECT note FROM audit_checkpoint ORDER BY size DESC").await;
        std::fs::write(&saved, &note[0]).unwrap();
        let saved = saved.to_str().unwrap();
        app.advance(SIX_YEARS.saturating_sub(2 * DAY));
        assert_eq!(step(app.library()).await.unwrap(), Step::Idle, "too early");
        let _ = app.get("Patient/pat-2").await.is(200);
        app.sequence().await;
        app.advance(3 * DAY);
        // First it is said, then signed, then done; whatever ends it in between, the log is whole.
        assert_eq!(step(app.library()).await.unwrap(), Step::Named(before as u64));
        assert_eq!(step(app.library()).await.unwrap(), Step::Waiting);
        assert_eq!(contents(&app).await, before + 2);
        verified(&app, &["--checkpoint", saved]).unwrap();
        app.sequence().await;
        let Step::Removed(some) = step(app.library()).await.unwrap() else { panic!("nothing removed") };
        assert!(some > 0 && some < before as u64);
        let said = verified(&app, &["--checkpoint", saved]).unwrap();
        assert!(said.contains(&format!("{some} events: content lawfully purged.")), "{said}");
        assert_eq!(some + purged(&app).await, before as u64);
        assert_eq!((leaves(&app).await, contents(&app).await), (before + 2, 2));
        let said = verified(&app, &["--checkpoint", saved]).unwrap();
        assert!(said.contains(&format!("{before} events: content lawfully purged.")), "{said}");
        // What they were found by is gone, too.
        let found_by = format!("SELECT COUNT(*) FROM audit_term WHERE seq < {before}");
        assert_eq!(app.database().number(&found_by).await, 0);
        let of_patient = app.places_of("r:Patient/pat-1").await;
        assert!(of_patient.iter().all(|place| *place >= before), "{of_patient:?}");
        // Officers are told why; others, whose events nobody can tell from others any more, nothing.
        let officer = officer(&app).await;
        let gone = officer.get(&format!("AuditEvent/{id}")).await.is(410);
        assert!(gone.diagnostics().contains("lawfully purged"), "{gone}");
        world::build(&app).await;
        let ann = world::patient(&app, "patient/AuditEvent.rs").await;
        let _ = ann.get(&format!("AuditEvent/{id}")).await.is(404);
        let seen = officer.get("AuditEvent?patient=Patient/pat-1").await.is(200);
        assert!(seen.resources().iter().all(|event| text(event, "/recorded") > "2010"), "{seen}");
        assert_eq!(step(app.library()).await.unwrap(), Step::Idle);
    }

    async fn exports_of_a_purged_log_hold(old: Old) {
        let app = old.0;
        seed(&app).await;
        app.sequence().await;
        let before = leaves(&app).await;
        let (_, first) = newest(&app, "pat-1").await;
        app.advance(SIX_YEARS + DAY);
        let _ = app.get("Patient/pat-1").await.is(200);
        app.sequence().await;
        assert_eq!(purged(&app).await, before as u64);
        let whole = exported(app.database(), "whole", &[]);
        holds(&whole);
        let text = std::fs::read_to_string(whole.join("events.ndjson")).unwrap();
        assert_eq!(text.matches("\"purged\":true").count() as i64, before);
        // The event that says so is not in this period, but beside it.
        let part = exported(app.database(), "part", &["--until", "2006-01-01T00:00:00Z", "--from", &first]);
        let beside = part.join("purges.ndjson");
        assert!(std::fs::read_to_string(&beside).unwrap().contains("\"purge\""));
        holds(&part);
        std::fs::remove_file(beside).unwrap();
        let output = slotwright(app.database(), &["audit", "verify", part.to_str().unwrap()]);
        assert!(!output.status.success() && format!("{output:?}").contains("no purge event says so"), "{output:?}");
        let own = exported(app.database(), "own", &["--patient", "pat-1"]);
        assert!(!own.join("purges.ndjson").exists());
        holds(&own);
    }

    async fn purge_events_stay_for_ever(old: Old) {
        let app = old.0;
        seed(&app).await;
        app.sequence().await;
        app.advance(SIX_YEARS + DAY);
        let first = purged(&app).await;
        app.sequence().await;
        let _ = app.get("Patient/pat-1").await.is(200);
        app.sequence().await;
        app.advance(SIX_YEARS + DAY);
        assert_eq!((purged(&app).await, contents(&app).await), (1, 2));
        let said = verified(&app, &[]).unwrap();
        assert!(said.contains(&format!("{} events: content lawfully purged.", first + 1)), "{said}");
    }

    async fn what_others_report_stays_as_long_from_when_it_came(old: Old) {
        let app = old.0;
        seed(&app).await;
        let ehr = app.system("ehr", "system/AuditEvent.c").await;
        let reported = async |recorded: &str| {
            let mut event = report();
            event["recorded"] = json!(recorded);
            ehr.post("AuditEvent", &event).await.is(201).id().to_owned()
        };
        let (ancient, later) = (reported("1990-01-01T00:00:00Z").await, reported("2018-01-01T00:00:00Z").await);
        app.sequence().await;
        app.advance(DAY);
        assert_eq!(step(app.library()).await.unwrap(), Step::Idle);
        app.advance(SIX_YEARS + DAY);
        let all = leaves(&app).await;
        assert_eq!(purged(&app).await as i64, all - 1);
        let officer = officer(&app).await;
        let _ = officer.get(&format!("AuditEvent/{ancient}")).await.is(410);
        let _ = officer.get(&format!("AuditEvent/{later}")).await.is(200);
        verified(&app, &[]).unwrap();
        // Nobody else says what was purged.
        let mut purge = report();
        purge["subtype"] = json!([{"system": SYSTEM, "code": CODE}]);
        purge["entity"] = json!([{"name": "x", "detail": [{"type": DETAIL, "valueString": "0-99"}]}]);
        let _ = ehr.post("AuditEvent", &purge).await.is(422);
        purge["subtype"] = json!([{"system": format!("{SYSTEM}\u{200B}"), "code": CODE}]);
        let refused = ehr.post("AuditEvent", &purge).await;
        assert!(refused.status == 422 || refused.status == 400, "{refused}");
    }

    async fn what_goes_without_a_purge_is_found(old: Old) {
        let app = old.0;
        seed(&app).await;
        let _ = app.get("Patient/pat-1").await.is(200);
        app.sequence().await;
        let before = leaves(&app).await;
        app.advance(SIX_YEARS + DAY);
        purged(&app).await;
        let (id, _) = {
            let _ = app.get("Patient/pat-2").await.is(200);
            app.sequence().await;
            let last = leaves(&app).await - 1;
            let _ = app.get("Patient/pat-3").await.is(200);
            app.sequence().await;
            (app.database().texts(&format!("SELECT id FROM audit_leaf WHERE seq = {last}")).await.remove(0), last)
        };
        // The database itself refuses what is not old enough.
        let delete = format!("DELETE FROM audit_event WHERE id = '{id}'");
        let refused = app.database().try_execute(&delete).await.expect_err("refused");
        assert!(refused.to_string().contains("append-only"), "{refused}");
        // Somebody who can do more permits it to themselves, and even gets an event into the log that says so.
        app.database().execute("INSERT INTO audit_purge (before_us, at_us, by_whom) VALUES (4102444800000000, 0, 'me')").await;
        app.database().execute(&delete).await;
        let said = verified(&app, &[]).expect_err("it is gone");
        let told = format!("event {} is gone, and no purge event says so (deleted)", before + 1);
        assert!(said.contains(&told), "{said}");
        let officer = officer(&app).await;
        let _ = officer.get(&format!("AuditEvent/{id}")).await.is(410);
        let mut forged = slotwright::audit::event::Event::new(
            slotwright::audit::act::Act::Purge,
            slotwright::audit::event::Actor::default(),
            slotwright::audit::event::Scene::default(),
        );
        forged = forged.detail(DETAIL, format!("0-{}", before + 1));
        let forged = slotwright::app::audit::record(app.library(), &forged).unwrap();
        app.library().recorder.record(vec![forged]).await.unwrap();
        app.sequence().await;
        let said = verified(&app, &[]).expect_err("it was not old enough");
        assert!(said.contains(&told), "{said}");
    }

    async fn a_purge_by_hand_goes_on_with_what_a_server_began(old: Old) {
        let app = old.0;
        seed(&app).await;
        app.sequence().await;
        let before = leaves(&app).await;
        app.advance(SIX_YEARS + DAY);
        let dry = slotwright(app.database(), &["audit", "purge", "--dry-run"]);
        assert!(dry.status.success() && String::from_utf8_lossy(&dry.stdout).contains("Nothing was removed"), "{dry:?}");
        assert_eq!((leaves(&app).await, contents(&app).await), (before, before));
        assert_eq!(step(app.library()).await.unwrap(), Step::Named(before as u64));
        let done = slotwright(app.database(), &["audit", "purge"]);
        let told = format!("Contents of {before} events were removed");
        assert!(done.status.success() && String::from_utf8_lossy(&done.stdout).contains(&told), "{done:?}");
        assert_eq!(contents(&app).await, 1);
        verified(&app, &[]).unwrap();
        let status = slotwright(app.database(), &["audit", "status"]);
        assert!(String::from_utf8_lossy(&status.stdout).contains("checkpoint of"), "{status:?}");
        let short = std::process::Command::new(env!("CARGO_BIN_EXE_slotwright"))
            .args(["audit", "purge"])
            .env("SLOTWRIGHT_AUDIT__RETENTION", "5y")
            .output()
            .unwrap();
        assert!(!short.status.success() && format!("{short:?}").contains("audit.retention"), "{short:?}");
    }

    async fn replicas_purge_the_same_events_once(engine: Engine) {
        let begin: jiff::Timestamp = "2005-03-01T08:00:00Z".parse().unwrap();
        let clock = Clock::fixed(begin.as_microsecond());
        let app = TestApp::start_with(Database::create(engine).await, clock.clone(), &[]).await;
        seed(&app).await;
        app.sequence().await;
        let before = leaves(&app).await;
        app.advance(SIX_YEARS + DAY);
        let other = App::start(app.library().config.clone(), clock).await.unwrap();
        let (one, two) = tokio::join!(step(app.library()), step(&other));
        let mut steps = [one.unwrap(), two.unwrap()];
        steps.sort_by_key(|step| matches!(step, Step::Named(_)));
        assert!(steps[0] != steps[1] && steps[1] == Step::Named(before as u64), "{steps:?}");
        app.sequence().await;
        let _ = tokio::join!(purged(&app), async { while !matches!(step(&other).await.unwrap(), Step::Idle) {} });
        let told = app.audit_events_kept().await;
        let purges = told.iter().filter(|event| event.pointer("/subtype/0/code") == Some(&json!(CODE)));
        assert_eq!((purges.count(), contents(&app).await), (1, 1));
        verified(&app, &[]).unwrap();
        other.store.close().await;
    }
}
