//! The audit log at size: an officer's page, a proof, a verification.

use crate::support::{Database, Engine, TestApp, auth};
use slotwright::app::App;
use slotwright::app::audit::browse::{self, Filter};
use slotwright::app::audit::export::{Wanted, export};
use slotwright::app::audit::{inclusion, verify};
use slotwright::audit::act::Act;
use slotwright::audit::balp::audit_event;
use slotwright::audit::event::{Actor, Event, Outcome, Person, Recorded, Scene};
use slotwright::audit::import::{self, Files, Trust};
use slotwright::audit::leaf::recorded_text;
use slotwright::audit::terms;
use slotwright::clock::Clock;
use slotwright::store::{Intent, StoreError, audit};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

/// Events that are recorded in one transaction.
const BATCH: u64 = 4096;
/// Patients, people, applications and addresses that events speak of.
const PATIENTS: u64 = 20_000;
const PEOPLE: u64 = 200;
const CLIENTS: u64 = 20;
const ADDRESSES: u64 = 100;
/// Time from one event to the next, in microseconds: 10 million are five years.
const APART: u64 = 15_000_000;
/// 2030-01-01T00:00:00Z
const BEGIN: u64 = 1_893_456_000_000_000;
/// The most events that are verified and exported: each takes 2 kB of an export, and none longer than any other.
const MOST_VERIFIED: u64 = 1_000_000;
/// Pages and proofs that are measured.
const LOOKS: u64 = 400;

/// Fills a log of each engine to a tenth of `events`, then to all of it, and prints what looking into it costs.
pub async fn measure(events: u64) {
    println!(
        "\n| audit log | events | page of 50: p50 | p99 | again: p50 | p99 | proof: p50 | p99 | verified a second: database | export |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let only = std::env::var("ENGINE").ok();
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        if only.as_deref().is_some_and(|only| !name.eq_ignore_ascii_case(only)) {
            continue;
        }
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &[]).await;
        let mut sizes = Vec::new();
        for (from, until) in [(0, events / 10), (events / 10, events)] {
            fill(&app, from, until).await;
            if engine == Engine::Postgres {
                app.database().execute("VACUUM ANALYZE").await;
            }
            let [pages, again] = pages(app.library(), until).await;
            let proofs = proofs(app.library(), until).await;
            let (verified, exported) = if until <= MOST_VERIFIED {
                let (database, export) = (verified(app.library()).await, exported(app.library()).await);
                (format!("{database:.0}"), format!("{export:.0}"))
            } else {
                (String::new(), String::new())
            };
            println!(
                "| {name} | {until} | {} | {} | {} | {} | {} | {} | {verified} | {exported} |",
                shown(part(&pages, 50)),
                shown(part(&pages, 99)),
                shown(part(&again, 50)),
                shown(part(&again, 99)),
                shown(part(&proofs, 50)),
                shown(part(&proofs, 99))
            );
            sizes.push(again.iter().sum::<Duration>());
        }
        if let [small, large] = sizes.as_slice() {
            let ratio = large.as_secs_f64() / small.as_secs_f64();
            println!(
                "| {name} | | ten times the events: a page costs {ratio:.2} times as much | | | | | | | |"
            );
        }
    }
}

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// The time that so many percent stay within.
fn part(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// A number that looks random, the same in every run.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 17
}

fn id(n: u64) -> String {
    format!("event-{n:012}")
}

fn event(n: u64) -> Recorded {
    let person = mixed(n) % PEOPLE;
    let actor = Actor {
        client: Some(format!("client-{}", mixed(n + 1) % CLIENTS)),
        person: Some(Person {
            issuer: "https://clinic.example".to_owned(),
            subject: format!("account-{person}"),
            fhir_user: Some(format!("Practitioner/dr-{person}")),
        }),
        roles: vec!["clinician"],
        organizations: Vec::new(),
        token: Some(format!("token-{}", n / 50)),
        purpose: None,
        work: None,
    };
    let scene = Scene {
        address: Some(format!("192.0.2.{}", mixed(n + 2) % ADDRESSES)),
        server: "https://clinic.example/fhir".to_owned(),
        request_id: format!("request-{n}"),
    };
    let acts =
        [Act::Read, Act::Read, Act::Search, Act::Read, Act::Create, Act::Update, Act::Read, Act::Search];
    let act = acts[(mixed(n + 3) % 8) as usize];
    let patient = format!("pat-{}", mixed(n + 4) % PATIENTS);
    let mut event = Event::new(act, actor, scene).patient(patient.as_str());
    match act {
        Act::Search => event.query = Some(format!("Appointment?patient={patient}")),
        _ => event.data = vec![format!("Appointment/{}/_history/1", mixed(n + 5) % 1_000_000)],
    }
    if mixed(n + 6).is_multiple_of(50) {
        event.outcome = Outcome::Denied("Your role does not allow this".to_owned());
    }
    let recorded_us = i64::try_from(BEGIN + n * APART).expect("a time");
    let (body, terms) = audit_event(&event, &id(n), &recorded_text(recorded_us)).expect("JSON");
    Recorded { id: id(n), recorded_us, salt: [7; 32], body, terms }
}

async fn fill(app: &TestApp, from: u64, until: u64) {
    let begun = Clock::system().instant();
    let store = &app.library().store;
    for first in (from..until).step_by(BATCH as usize) {
        let last = (first + BATCH).min(until);
        let written = store.write(Intent::Upsert, move |tx| {
            Box::pin(async move {
                let events: Vec<Recorded> = (first..last).map(event).collect();
                audit::event::record(tx, &events).await?;
                Ok::<_, StoreError>(())
            })
        });
        written.await.expect("events");
        app.sequence().await;
    }
    let rate = (until - from) as f64 / begun.elapsed().as_secs_f64();
    eprintln!("{} events, {rate:.0} a second", until - from);
}

/// How long pages of 50 took that officers look at, and how long when they looked again at once, the shortest first. A
/// log of ten million has ten gigabytes: the first look is also a matter of the disk, the second of the log alone.
async fn pages(app: &App, events: u64) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    let mut found = 0;
    for look in 0..LOOKS {
        let some = mixed(look * 31);
        let patient = Some(format!("pat-{}", some % PATIENTS));
        let user = Some(terms::identifier(&format!("account-{}", some % PEOPLE)));
        let address = Some(format!("192.0.2.{}", some % ADDRESSES));
        let until = i64::try_from(BEGIN + (events - some % (events / 2)) * APART).expect("a time");
        let filter = match look % 8 {
            0 => Filter { patient, ..Filter::default() },
            1 => Filter { user, until, ..Filter::default() },
            2 => Filter { user, address, until, ..Filter::default() },
            3 => Filter { outcome: Some(8), until, ..Filter::default() },
            4 => Filter { user, outcome: Some(8), until, ..Filter::default() },
            5 => Filter { address, subtype: Some("update".to_owned()), until, ..Filter::default() },
            6 => Filter { action: Some("C".to_owned()), user, until, ..Filter::default() },
            _ => Filter { until, ..Filter::default() },
        };
        for times in &mut times {
            let begun = Clock::system().instant();
            let page = browse::page(app, &filter, None, 50).await.expect("a page");
            times.push(begun.elapsed());
            found += u64::from(!page.rows.is_empty());
        }
    }
    // Two things that a short log seldom has together may be in none of its events.
    assert!(found > 2 * LOOKS * 9 / 10, "{found} of {} looks found rows", 2 * LOOKS);
    times.each_mut().into_iter().for_each(|times| times.sort_unstable());
    times
}

/// How long events with their proofs took, the shortest first.
async fn proofs(app: &App, events: u64) -> Vec<Duration> {
    let mut times = Vec::new();
    for look in 0..LOOKS {
        let wanted = id(mixed(look) % events);
        let begun = Clock::system().instant();
        let proven = inclusion::proven(app, &wanted).await.expect("a log").expect("an event");
        times.push(begun.elapsed());
        assert!(proven.verdict.place && proven.verdict.content == Some(true), "{:?}", proven.verdict);
    }
    times.sort_unstable();
    times
}

/// Events that are verified a second.
async fn verified(app: &App) -> f64 {
    let keys = vec![auth::audit_signer().verifier().clone()];
    let begun = Clock::system().instant();
    let verified = verify::verify(&app.store, keys, None, i64::MAX / 2).await.expect("a log");
    assert!(verified.report.findings.is_empty(), "{:?}", verified.report);
    verified.report.events as f64 / begun.elapsed().as_secs_f64()
}

/// The files of an export in a directory.
struct Directory(PathBuf);

impl Files for Directory {
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn BufRead + '_>>> {
        match std::fs::File::open(self.0.join(name)) {
            Ok(file) => Ok(Some(Box::new(BufReader::with_capacity(1 << 16, file)))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Events of an export of the whole log that are verified a second.
async fn exported(app: &App) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("export");
    let keys = vec![auth::audit_signer().verifier().clone()];
    export(&app.store, &path, &Wanted::default(), &keys).await.expect("an export");
    let begun = Clock::system().instant();
    let trust = Trust { keys: &keys, saved: None, now: i64::MAX / 2 };
    let report = import::verify(&Directory(path), trust).expect("an export that can be read");
    assert!(report.findings.is_empty(), "{report:?}");
    report.events as f64 / begun.elapsed().as_secs_f64()
}
