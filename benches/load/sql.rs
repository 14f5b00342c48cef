//! The same work as bare SQL, by pgbench on the same PostgreSQL.

use crate::support::pg::Cluster;
use crate::support::{Database, Engine};
use crate::wrk::CONNECTIONS;
use std::io::Write;
use std::process::Command;

/// Bookings as SQL, a second.
#[derive(Clone, Copy, Debug)]
pub struct Booked {
    /// All the rows that the server writes.
    pub same_rows: f64,
    /// A claim and one insert.
    pub bare: f64,
}

/// Selecting the Slot that the server reads.
pub fn read(database: &Database, seconds: u64) -> f64 {
    let script =
        "SELECT rid, vid, deleted, updated_us, body FROM resource WHERE type = 'Slot' AND id = 'slot-7';\n";
    pgbench(database, seconds, script)
}

/// Booking, in a scratch copy of the tables so that the server's own rows stay as they are.
pub async fn book(database: &Database, seconds: u64) -> Booked {
    let scratch = Database::create(Engine::Postgres).await;
    scratch.store().await.close().await;
    copy(database, &scratch);
    scratch.execute("CREATE SEQUENCE bench_n").await;
    scratch.execute("CREATE TABLE bare (n BIGINT PRIMARY KEY, body BYTEA NOT NULL)").await;
    scratch.execute("ANALYZE").await;
    let template =
        scratch.number("SELECT rid FROM resource WHERE type = 'Appointment' AND id = 'template'").await;
    let same_rows = pgbench(&scratch, seconds, &same_rows(template));
    let bare = pgbench(&scratch, seconds, &bare(template));
    Booked { same_rows, bare }
}

/// Copies all rows of `from` into the empty tables of `to`.
fn copy(from: &Database, to: &Database) {
    let program = |name: &str| Cluster::shared().program(name).display().to_string();
    let script = format!(
        "set -e; {} --data-only --disable-triggers -T _sqlx_migrations -T setting '{}' | {} -q -v ON_ERROR_STOP=1 '{}' >/dev/null",
        program("pg_dump"),
        from.url,
        program("psql"),
        to.url
    );
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &script]).status().expect("bash runs");
    assert!(done.success(), "copying {} to {}", from.url, to.url);
}

/// One booking's rows, copied from those that the server wrote for the appointment `template`, at a time of
/// its own. The slot changes its status and gets a new version, as it does when the server books it.
fn same_rows(template: i64) -> String {
    format!(
        "SELECT nextval('bench_n') AS n \\gset
BEGIN;
INSERT INTO resource (type, id, vid, deleted, updated_us, body)
  SELECT type, 'bench-' || :n::text, 1, 0, updated_us, body FROM resource WHERE rid = {template} RETURNING rid \\gset
INSERT INTO history (rid, type, id, vid, method, at_us, body)
  SELECT :rid::bigint, type, 'bench-' || :n::text, 1, method, at_us, body FROM history WHERE rid = {template} AND vid = 1;
INSERT INTO appointment (rid, id, status, start_us, end_us)
  SELECT :rid::bigint, 'bench-' || :n::text, status, start_us + :n::bigint * 900000000, end_us + :n::bigint * 900000000 FROM appointment WHERE rid = {template};
INSERT INTO appointment_actor (rid, actor, start_us)
  SELECT :rid::bigint, actor, start_us + :n::bigint * 900000000 FROM appointment_actor WHERE rid = {template};
INSERT INTO idx_token (rid, type, param, system, code, text_norm)
  SELECT :rid::bigint, type, param, system, code, text_norm FROM idx_token WHERE rid = {template};
INSERT INTO idx_reference (rid, type, param, target_type, target_id, url)
  SELECT :rid::bigint, type, param, target_type, target_id, url FROM idx_reference WHERE rid = {template};
INSERT INTO idx_date (rid, type, param, lo_us, hi_us)
  SELECT :rid::bigint, type, param, lo_us, hi_us FROM idx_date WHERE rid = {template};
INSERT INTO idx_string (rid, type, param, value, norm)
  SELECT :rid::bigint, type, param, value, norm FROM idx_string WHERE rid = {template};
UPDATE slot SET status = 'busy' WHERE id = 'slot-' || (20000 + :n::bigint) RETURNING rid AS slot \\gset
INSERT INTO seat_claim (slot, seat, capacity, appointment) VALUES (:slot, 0, 1, :rid);
INSERT INTO actor_claim (actor, party, start_us, end_us, appointment)
  SELECT actor, 'Appointment/bench-' || :n, start_us + :n::bigint * 900000000, end_us + :n::bigint * 900000000, :rid
  FROM actor_claim WHERE appointment = {template};
UPDATE resource SET vid = 2, updated_us = 1, body = body WHERE rid = :slot;
INSERT INTO history (rid, type, id, vid, method, at_us, body)
  SELECT rid, type, id, 2, 'PATCH', 1, body FROM resource WHERE rid = :slot;
COMMIT;
"
    )
}

/// A claim and one insert of the appointment's text.
fn bare(template: i64) -> String {
    format!(
        "SELECT nextval('bench_n') AS n \\gset
BEGIN;
INSERT INTO actor_claim (actor, party, start_us, end_us, appointment)
  VALUES ('Practitioner/bare', 'Appointment/bare-' || :n, :n::bigint * 900000000, :n::bigint * 900000000 + 900000000, :n);
INSERT INTO bare (n, body) SELECT :n::bigint, body FROM resource WHERE rid = {template};
COMMIT;
"
    )
}

/// Transactions a second of a script, with as many clients as wrk has connections.
fn pgbench(database: &Database, seconds: u64, script: &str) -> f64 {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(script.as_bytes()).expect("a script");
    let output = Command::new(Cluster::shared().program("pgbench"))
        .args(["-n", "-M", "prepared", "-c", &CONNECTIONS.to_string(), "-j", "1", "-T", &seconds.to_string()])
        .arg("-f")
        .arg(file.path())
        .arg(&database.url)
        .output()
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "pgbench: {said}{complaint}");
    let tps =
        said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("pgbench said nothing of its rate: {said}{complaint}"))
}
