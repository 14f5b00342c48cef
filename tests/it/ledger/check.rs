//! `slotwright check` finds nothing in good data and each kind of damage in broken data.

use crate::support::{Database, Engine, TestApp, both_engines, clinic, slotwright};
use serde_json::json;

/// A clinic with a booked slot `s`, a group `g` with one of two seats taken, and a cancelled visit.
async fn good_data(engine: Engine) -> Database {
    let app = TestApp::start(engine).await;
    clinic::seed(&app).await;
    let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
    let group = clinic::group_slot("g", "sch-b", &clinic::at("09:00"), 60, 2);
    app.store(&slot).await;
    app.store(&group).await;
    let actors = ["Practitioner/dr-a", "Location/room-a"];
    app.store(&clinic::with_id(clinic::appointment(&slot, "pat-1", &actors), "visit")).await;
    app.store(&clinic::with_id(clinic::appointment(&group, "pat-2", &["Practitioner/dr-b"]), "seat")).await;
    let (start, end) = (clinic::at("12:00"), clinic::at("12:30"));
    let gone = clinic::unslotted("cancelled", &start, &end, "pat-1", &["Practitioner/dr-a"]);
    app.store(&clinic::with_id(gone, "gone")).await;
    app.stop().await
}

/// What to run on each engine to get past the tables' own defence before the damage, if anything.
struct Damage {
    name: &'static str,
    disarm_sqlite: &'static str,
    disarm_postgres: &'static str,
    sql: &'static str,
    /// Part of what the checker must say.
    says: &'static str,
}

const fn damage(name: &'static str, sql: &'static str, says: &'static str) -> Damage {
    Damage { name, disarm_sqlite: "", disarm_postgres: "", sql, says }
}

const DAMAGES: &[Damage] = &[
    damage(
        "a seat is gone",
        "DELETE FROM seat_claim WHERE appointment = (SELECT rid FROM appointment WHERE id = 'visit')",
        "Slot/s",
    ),
    damage(
        "an actor's claim is gone",
        "DELETE FROM actor_claim WHERE actor = 'Location/room-a'",
        "Location/room-a",
    ),
    damage(
        "a claim outlived its appointment",
        "UPDATE appointment SET status = 'cancelled' WHERE id = 'visit'",
        "Appointment/visit",
    ),
    damage("an appointment's row is gone", "DELETE FROM appointment WHERE id = 'visit'", "Appointment/visit"),
    damage("a slot is served free", "UPDATE slot SET status = 'free' WHERE id = 's'", "Slot/s"),
    damage(
        "a slot's row was moved",
        "UPDATE slot SET start_us = start_us + 60000000 WHERE id = 'g'",
        "Slot/g",
    ),
    damage("more seats than there are", "UPDATE slot SET capacity = 0 WHERE id = 'g'", "Slot/g"),
    damage(
        "an appointment's text was changed",
        "UPDATE resource SET body = (SELECT body FROM resource WHERE id = 'gone') WHERE id = 'visit'",
        "Appointment/visit",
    ),
    damage("a version is missing", "UPDATE resource SET vid = vid + 1 WHERE id = 'pat-3'", "Patient/pat-3"),
    Damage {
        name: "history was cut",
        disarm_sqlite: "DROP TRIGGER history_keeps_rows",
        disarm_postgres: "DROP TRIGGER history_keeps_rows ON history",
        sql: "DELETE FROM history WHERE id = 's' AND vid = 1",
        says: "Slot/s",
    },
    Damage {
        name: "two parties have one minute",
        disarm_sqlite: "DROP TRIGGER actor_claim_exclusive",
        disarm_postgres: "ALTER TABLE actor_claim DROP CONSTRAINT actor_claim_actor_int8range_party_excl",
        sql: "INSERT INTO actor_claim (actor, party, start_us, end_us, appointment) \
              SELECT actor, 'Appointment/other', start_us, end_us, appointment FROM actor_claim \
              WHERE actor = 'Practitioner/dr-a'",
        says: "Practitioner/dr-a",
    },
];

both_engines! {
    async fn good_data_passes(engine: Engine) {
        let database = good_data(engine).await;
        let checked = slotwright(&database, &["check"]);
        assert!(checked.status.success(), "{checked:?}");
    }

    async fn what_may_change_under_a_booking_leaves_the_ledger_right(engine: Engine) {
        let app = TestApp::start(engine).await;
        clinic::seed(&app).await;
        let role = |practitioner: &str| json!({
            "resourceType": "PractitionerRole", "id": "role", "active": true,
            "practitioner": { "reference": format!("Practitioner/{practitioner}") },
        });
        app.store(&role("dr-a")).await;
        let mut corner = clinic::room("corner");
        corner.as_object_mut().expect("an object").remove("physicalType");
        app.store(&corner).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let _ = app.post("Appointment", &clinic::appointment(&slot, "pat-1", &[])).await.is(201);
        let (start, end) = (clinic::at("12:00"), clinic::at("12:30"));
        let visit = clinic::unslotted("booked", &start, &end, "pat-2", &["PractitionerRole/role", "Location/corner"]);
        let _ = app.post("Appointment", &visit).await.is(201);
        // Each is refused, or taken and followed by the claims.
        for change in [clinic::schedule("sch-a", "Practitioner/dr-b"), role("dr-b"), clinic::room("corner")] {
            let path = format!("{}/{}", change["resourceType"].as_str().expect("a type"), change["id"].as_str().expect("an id"));
            let reply = app.put(&path, &change).await;
            assert!(matches!(reply.status, 200 | 409), "{path}: {reply}");
            let checked = slotwright(app.database(), &["check"]);
            assert!(checked.status.success(), "after PUT {path} ({}): {checked:?}", reply.status);
        }
    }

    async fn each_kind_of_damage_is_found(engine: Engine) {
        for damage in DAMAGES {
            let database = good_data(engine).await;
            let disarm = match engine {
                Engine::Sqlite => damage.disarm_sqlite,
                Engine::Postgres => damage.disarm_postgres,
            };
            if !disarm.is_empty() {
                database.execute(disarm).await;
            }
            assert!(database.execute(damage.sql).await > 0, "{} changed nothing", damage.name);
            let checked = slotwright(&database, &["check"]);
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&checked.stdout),
                String::from_utf8_lossy(&checked.stderr)
            );
            assert!(!checked.status.success(), "{} went unnoticed: {said}", damage.name);
            assert!(said.contains(damage.says), "{}: {} is not named: {said}", damage.name, damage.says);
        }
    }

    async fn the_tables_defend_themselves(engine: Engine) {
        let database = good_data(engine).await;
        for forbidden in [
            "UPDATE history SET body = NULL",
            "DELETE FROM history",
            "UPDATE actor_claim SET start_us = start_us + 1",
            "INSERT INTO seat_claim (slot, seat, capacity, appointment) VALUES (1, 2, 2, 1)",
        ] {
            assert!(database.try_execute(forbidden).await.is_err(), "{forbidden} was taken");
        }
        let count = "SELECT COUNT(*) FROM actor_claim";
        let before = database.number(count).await;
        let overlapping = "INSERT INTO actor_claim (actor, party, start_us, end_us, appointment) \
            SELECT actor, 'Appointment/other', start_us + 1, end_us + 1, appointment FROM actor_claim \
            WHERE actor = 'Practitioner/dr-a'";
        // PostgreSQL refuses it aloud, SQLite's trigger drops the row.
        let _ = database.try_execute(overlapping).await;
        assert_eq!(database.number(count).await, before);
    }
}
