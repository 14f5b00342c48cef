//! What the record costs: the same reads and bookings with and without it. What leaves no record is a build of its own
//! (feature `unaudited`, named by `UNAUDITED`), which can't serve.

use crate::sandbox::Sandbox;
use crate::support::{Client, Database, Engine};
use crate::{data, paths, seconds_each, table, wrk};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How often both are measured, in turn: what disturbs one disturbs the other.
const ROUNDS: usize = 3;
/// Slots that one measurement of bookings may use up.
const BOOKABLE: usize = 8_000;
/// Connections that read. What is on the record is durable before the answer leaves, and readers share that wait, so
/// this is measured with as many readers as keep the machine busy.
const READERS: u32 = 256;

/// Measures both engines and prints the table.
pub async fn measure() {
    let unaudited =
        PathBuf::from(std::env::var("UNAUDITED").expect("benches/run names the build without a record"));
    println!();
    table::head();
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        let audited = Path::new(env!("CARGO_BIN_EXE_slotwright"));
        let (ours, theirs) = (Database::create(engine).await, Database::create(engine).await);
        let ours = Measured::start(audited, &ours).await;
        let theirs = Measured::start(&unaudited, &theirs).await;
        compare(&format!("read one Slot, {name}"), 0.5, |_| (ours.reads(), theirs.reads()));
        compare(&format!("book, {name}"), 0.8, |round| {
            let slots = round * BOOKABLE..(round + 1) * BOOKABLE;
            (ours.books(slots.clone()), theirs.books(slots))
        });
    }
}

/// Runs both in turn; the first round warms up.
fn compare(path: &str, aim: f64, measure: impl Fn(usize) -> (f64, f64)) {
    let (mut with, mut without) = (0.0, 0.0);
    for round in 0..=ROUNDS {
        let (audited, unaudited) = measure(round);
        if round > 0 {
            with += audited / ROUNDS as f64;
            without += unaudited / ROUNDS as f64;
        }
    }
    table::line(&format!("{path}, on the record"), with, "off the record", without, aim);
}

struct Measured {
    sandbox: Sandbox,
    client: Client,
}

impl Measured {
    async fn start(binary: &Path, database: &Database) -> Self {
        let sandbox = Sandbox::start(binary, database).await;
        let client = sandbox.system();
        let slots = (ROUNDS + 1) * BOOKABLE;
        data::seed(&client, slots, slots).await;
        Self { sandbox, client }
    }

    fn seconds() -> u64 {
        seconds_each().div_ceil(ROUNDS as u64)
    }

    fn reads(&self) -> f64 {
        let url = format!("{}/Slot/slot-7", self.sandbox.base);
        let measured = wrk::load_over(READERS, &self.client, &url, Self::seconds(), None);
        assert_eq!(measured.failed, 0, "{measured:?}");
        measured.per_second
    }

    fn books(&self, slots: Range<usize>) -> f64 {
        paths::book(&self.client, slots, Self::seconds())
    }
}
