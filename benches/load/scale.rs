//! A clinic-day search over ten times the data.

use crate::support::{Database, Engine, ServerProcess};
use crate::{data, seconds_each, wrk};

/// Few slots, none booked.
const SMALL: usize = 20_000;
/// Many slots, of which this many are booked.
const LARGE: usize = 200_000;
const BOOKED: usize = 100_000;

/// Measures both engines and prints what a search over the large data costs, in searches over the small.
pub async fn measure() {
    println!("\n| clinic-day search | {SMALL} slots | {LARGE} slots, {BOOKED} appointments | cost | aim | |");
    println!("|---|---:|---:|---:|---:|---|");
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        let small = rate(engine, SMALL, 0).await;
        let large = rate(engine, LARGE, BOOKED).await;
        let cost = small / large;
        let verdict = if cost <= 1.25 { "met" } else { "short" };
        println!("| {name} | {small:.0}/s | {large:.0}/s | {cost:.2} | ≤ 1.25 | {verdict} |");
    }
}

async fn rate(engine: Engine, slots: usize, booked: usize) -> f64 {
    eprintln!("scale, {engine:?}: storing {slots} slots and {booked} appointments");
    let database = Database::create(engine).await;
    let server = ServerProcess::start(&database).await;
    data::seed(&server.client(), slots, slots - booked).await;
    if engine == Engine::Postgres {
        // What the engine would have done by the time it matters, so that it does not do it meanwhile.
        database.execute("VACUUM (ANALYZE)").await;
        database.execute("CHECKPOINT").await;
    }
    let found = server.client().get(data::CLINIC_DAY).await.is(200).ids().len();
    assert_eq!(found, data::A_DAY, "a clinic day");
    let url = format!("{}/{}", server.client().base(), data::CLINIC_DAY);
    wrk::load(&server.client(), &url, 1, None);
    // The least disturbed of three.
    let mut best = 0.0_f64;
    for _ in 0..3 {
        let measured = wrk::load(&server.client(), &url, seconds_each(), None);
        assert_eq!(measured.failed, 0);
        best = best.max(measured.per_second);
    }
    assert!(server.stop().await, "the server stops by itself");
    best
}
