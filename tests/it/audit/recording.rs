//! What goes on the record, and what that record comes to: places, a tree, checkpoints.

use crate::support::auth::audit_signer;
use crate::support::clinic::{appointment, seed, slot};
use crate::support::{TestApp, both_engines, text};
use serde_json::{Value, json};
use slotwright::app::audit::verify;
use slotwright::audit::checkpoint::SignedCheckpoint;
use slotwright::audit::tree::{Frontier, leaf_hash};
use slotwright::store::audit::{event, sequence};

/// Events with this subtype, in the order of the log.
fn of<'a>(events: &'a [Value], subtype: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event.pointer("/subtype/0/code") == Some(&json!(subtype))).collect()
}

/// References of the entities with this role.
fn entities<'a>(event: &'a Value, role: &str) -> Vec<&'a str> {
    let all = event["entity"].as_array().expect("entities");
    let with_role = all.iter().filter(|entity| entity.pointer("/role/code") == Some(&json!(role)));
    with_role.map(|entity| text(entity, "/what/reference")).collect()
}

both_engines! {
    async fn a_write_and_a_read_of_it_name_version_patient_and_client(app: TestApp) {
        seed(&app).await;
        let slot = app.store(&slot("s1", "sch-a", "2031-03-03T09:00:00Z", 30)).await.is(201);
        let booked = app.post("Appointment", &appointment(&slot.json, "pat-1", &["Practitioner/dr-a"])).await.is(201);
        let _ = app.get(&format!("Appointment/{}", booked.id())).await.is(200);
        let events = app.audit_events().await;
        let version = format!("Appointment/{}/_history/1", booked.id());
        for subtype in ["create", "read"] {
            let about = of(&events, subtype);
            let found: Vec<_> = about.iter().filter(|event| entities(event, "4") == [version.as_str()]).collect();
            assert_eq!(found.len(), 1, "{subtype}: {events:#?}");
            let event = found[0];
            assert_eq!(entities(event, "1"), ["Patient/pat-1"]);
            assert_eq!(text(event, "/outcome"), "0");
            assert_eq!(event.pointer("/agent/0/who/identifier/value"), Some(&json!("tests")));
            assert_eq!(event.pointer("/agent/0/network/address"), Some(&json!("127.0.0.1")));
            assert!(event.pointer("/agent/0/policy/0").is_some_and(|it| it.as_str().unwrap().starts_with("urn:ietf:params:oauth:jti:")));
        }
    }

    async fn a_booking_names_the_slots_that_it_changed(app: TestApp) {
        seed(&app).await;
        let mut slots = Vec::new();
        for (id, start) in [("s1", "2031-03-03T09:00:00Z"), ("s2", "2031-03-03T10:00:00Z")] {
            slots.push(app.store(&slot(id, "sch-a", start, 30)).await.is(201));
        }
        let entry = |slot: &Value, patient: &str| json!({
            "resource": appointment(slot, patient, &["Practitioner/dr-a"]),
            "request": { "method": "POST", "url": "Appointment" }
        });
        let entries = json!([entry(&slots[0].json, "pat-1"), entry(&slots[1].json, "pat-2")]);
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        let made = app.post("", &bundle).await.is(200);
        let id = made.text("/entry/0/response/location").split('/').find(|part| part.len() == 36).unwrap().to_owned();
        let _ = app.patch(&format!("Appointment/{id}"), &json!([
            { "op": "replace", "path": "/status", "value": "cancelled" }
        ])).await.is(200);
        let events = app.audit_events().await;
        let changed = |patient: &str| -> Vec<Vec<String>> {
            let of_patient = events.iter().filter(|event| {
                entities(event, "1") == [format!("Patient/{patient}")] && entities(event, "4").iter().any(|one| one.starts_with("Appointment/"))
            });
            let slots = of_patient.map(|event| {
                let others = event["entity"].as_array().unwrap().iter();
                let others = others.filter(|entity| entity.pointer("/type/code") == Some(&json!("4")));
                others.map(|entity| text(entity, "/what/reference").to_owned()).collect()
            });
            slots.collect()
        };
        assert_eq!(changed("pat-1"), [["Slot/s1/_history/2"], ["Slot/s1/_history/3"]]);
        assert_eq!(changed("pat-2"), [["Slot/s2/_history/2"]]);
        // So whoever asks about a slot finds who took it.
        assert_eq!(app.places_of("r:Slot/s1").await.len(), 3);
    }

    async fn a_search_leaves_one_event_for_each_patient_in_it(app: TestApp) {
        seed(&app).await;
        for (id, patient, at) in [("s1", "pat-1", "2031-03-03T09:00:00Z"), ("s2", "pat-2", "2031-03-03T10:00:00Z")] {
            let slot = app.store(&slot(id, "sch-a", at, 30)).await.is(201);
            let _ = app.post("Appointment", &appointment(&slot.json, patient, &["Practitioner/dr-a"])).await.is(201);
        }
        let _ = app.get("Appointment?_elements=status").await.is(200);
        let _ = app.get("Appointment?patient=Patient/pat-9&code:in=x").await;
        let events = app.audit_events().await;
        let searches = of(&events, "search");
        let patients: Vec<_> = searches.iter().flat_map(|event| entities(event, "1")).collect();
        assert_eq!(patients, ["Patient/pat-1", "Patient/pat-2", "Patient/pat-9"], "{searches:#?}");
    }

    async fn what_is_refused_is_on_the_record_too(app: TestApp) {
        seed(&app).await;
        let _ = app.anonymous().get("Patient/pat-1").await.is(401);
        let reader = app.system("reader", "system/Slot.rs").await;
        let _ = reader.get("Patient/pat-1").await.is(403);
        let _ = app.get("Patient/nobody").await.is(404);
        let _ = app.post("Appointment", &json!({"resourceType": "Appointment"})).await.is(422);
        let events = app.audit_events().await;
        let refused: Vec<(&str, &str)> = events.iter()
            .filter(|event| text(event, "/outcome") != "0")
            .map(|event| (event.pointer("/subtype/0/code").unwrap().as_str().unwrap(), text(event, "/outcome")))
            .collect();
        assert_eq!(refused, [("read", "8"), ("read", "8"), ("read", "4"), ("create", "4")]);
    }

    async fn every_event_has_its_place_under_a_signed_checkpoint(app: TestApp) {
        seed(&app).await;
        for _ in 0..70 {
            let _ = app.get("Patient/pat-1").await.is(200);
        }
        let events = app.audit_events().await;
        assert!(events.len() > 70);
        let mut tx = app.library().store.reader().await.unwrap();
        let latest = sequence::latest(&mut tx).await.unwrap().expect("a checkpoint");
        let mut tree = Frontier::new();
        for (place, entry) in event::entries(&mut tx, 0, i64::MAX).await.unwrap().iter().enumerate() {
            assert_eq!(entry.leaf.seq, place as u64);
            tree.append(leaf_hash(entry.leaf.text().as_bytes()));
        }
        let signed = SignedCheckpoint::parse(latest.note.as_bytes()).expect("a note");
        let key = audit_signer().verifier().clone();
        signed.verify(&[key]).expect("a good signature");
        assert_eq!((signed.checkpoint.size, signed.checkpoint.root), (tree.size(), tree.root()));
        // Nothing new, nothing to publish.
        app.sequence().await;
        assert_eq!(app.database().number("SELECT COUNT(*) FROM audit_checkpoint").await, 1);
    }

    async fn what_a_crowd_reads_at_once_is_on_the_record_once_each(app: TestApp) {
        seed(&app).await;
        let reads = (0..400).map(|_| app.get("Patient/pat-1"));
        for answer in futures_util::future::join_all(reads).await {
            let _ = answer.is(200);
        }
        let events = app.audit_events().await;
        assert_eq!(of(&events, "read").len(), 400);
        let keys = vec![audit_signer().verifier().clone()];
        let verified = verify::verify(&app.library().store, keys, None, i64::MAX / 2).await.expect("a log");
        assert_eq!((verified.report.findings.len(), verified.waiting), (0, 0), "{:?}", verified.report);
    }

    async fn the_database_refuses_to_change_the_log(app: TestApp) {
        seed(&app).await;
        let _ = app.audit_events().await;
        for table in ["audit_event", "audit_leaf", "audit_node", "audit_checkpoint"] {
            for change in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET {} = NULL", if table == "audit_node" { "hash" } else if table == "audit_checkpoint" { "root" } else { "recorded_us" })] {
                let error = app.database().try_execute(&change).await.expect_err(&change);
                assert!(error.to_string().contains("is append-only"), "{change}: {error}");
            }
        }
    }

    async fn without_a_record_there_is_no_answer(app: TestApp) {
        seed(&app).await;
        app.database().execute("ALTER TABLE audit_event RENAME TO lost").await;
        let _ = app.get("Patient/pat-1").await.is(503);
        let new = slot("s1", "sch-a", "2031-03-03T09:00:00Z", 30);
        let _ = app.put("Slot/s1", &new).await.is(503);
        app.database().execute("ALTER TABLE lost RENAME TO audit_event").await;
        let _ = app.get("Slot/s1").await.is(404);
        let _ = app.get("Patient/pat-1").await.is(200);
    }
}
