//! Reading one Slot, searching a clinic day, booking.

use crate::bare::Bare;
use crate::support::{Client, Database, Engine, ServerProcess};
use crate::{data, seconds_each, sql, table, wrk};
use std::io::Write;
use std::ops::Range;

/// Slots to book: more than any measurement here gets through.
const SLOTS: usize = 60_000;
/// The first slots are read and searched and stay free.
const BOOKABLE_FROM: usize = 20_000;

/// Measures both engines and prints the table.
pub async fn measure() {
    let seconds = seconds_each();
    eprintln!(
        "reading, searching, booking: {SLOTS} slots, {seconds} s each, {} connections",
        wrk::CONNECTIONS
    );
    let mut lines = Vec::new();
    for (engine, name) in [(Engine::Sqlite, "SQLite"), (Engine::Postgres, "PostgreSQL")] {
        eprintln!("{name}: storing slots");
        let database = Database::create(engine).await;
        let server = ServerProcess::start(&database).await;
        let client = server.client();
        data::seed(&client, SLOTS, SLOTS).await;
        // One booking through the server, for SQL to write the same rows as.
        client.store(&crate::support::clinic::with_id(data::booking(SLOTS - 1), "template")).await;

        let read = compare(&client, "Slot/slot-7", seconds);
        let read = read.await;
        lines.push((format!("read one Slot, {name}"), read.0, "bare axum handler", read.1, 0.4));
        let search = compare(&client, data::CLINIC_DAY, seconds).await;
        lines.push((format!("search a clinic day, {name}"), search.0, "bare axum handler", search.1, 0.25));

        if engine == Engine::Postgres {
            let reference = sql::read(&database, seconds);
            lines.push((format!("read one Slot, {name}"), read.0, "pgbench selecting it", reference, 0.7));
        }
        eprintln!("{name}: booking");
        let reference = match engine {
            Engine::Postgres => Some(sql::book(&database, seconds).await),
            Engine::Sqlite => None,
        };
        let booked = book(&client, BOOKABLE_FROM..SLOTS - 1, seconds);
        assert!(server.stop().await, "the server stops by itself");
        match reference {
            Some(reference) => {
                let path = format!("book, {name}");
                lines.push((path.clone(), booked, "pgbench writing the same rows", reference.same_rows, 0.5));
                lines.push((path, booked, "pgbench, bare claim and insert", reference.bare, 0.25));
            }
            None => println!("book, {name}: {booked:.0} a second"),
        }
    }
    println!();
    table::head();
    for (path, measured, with, reference, aim) in lines {
        table::line(&path, measured, with, reference, aim);
    }
}

/// The rate of `GET path`, and that of a bare handler with the same body.
async fn compare(client: &Client, path: &str, seconds: u64) -> (f64, f64) {
    let reply = client.get(path).await.is(200);
    let bare = Bare::start(&reply.body);
    let url = format!("{}/{path}", client.base());
    // Both are warm before they are measured.
    for url in [&url, &bare.url] {
        wrk::load(client, url, 1, None);
    }
    let ours = wrk::load(client, &url, seconds, None);
    let theirs = wrk::load(client, &bare.url, seconds, None);
    assert_eq!((ours.failed, theirs.failed), (0, 0), "{path}");
    eprintln!(
        "{path}: {} bytes, {:.0}/s, bare {:.0}/s",
        reply.body.len(),
        ours.per_second,
        theirs.per_second
    );
    (ours.per_second, theirs.per_second)
}

/// The rate of bookings of these slots, each of a free slot of its own.
pub fn book(client: &Client, slots: Range<usize>, seconds: u64) -> f64 {
    let mut bodies = tempfile::NamedTempFile::new().expect("a file");
    for n in slots {
        writeln!(bodies, "{}", data::booking(n)).expect("a body");
    }
    let mut script = tempfile::NamedTempFile::with_suffix(".lua").expect("a script");
    script.write_all(wrk::post_each_line(bodies.path()).as_bytes()).expect("a script");
    let booked = wrk::load(client, &format!("{}/Appointment", client.base()), seconds, Some(script.path()));
    assert_eq!(booked.failed, 0, "every booking succeeds: {booked:?}");
    booked.per_second
}
