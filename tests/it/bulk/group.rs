//! What an export has: the compartments of a Group's members, and what these refer to.

use super::{backend, exported, files, group, kick_off, lines, manifest, resources, seed};
use crate::access::world;
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use serde_json::json;
use slotwright::clock::Clock;
use slotwright::fhir::registry::TYPES;

both_engines! {
    async fn a_group_is_its_members_records_and_what_they_refer_to(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let all = exported(&client, "Group/two/$export").await;
        let expected = [
            "Appointment/apt-pat-1", "Appointment/apt-pat-2", "Group/two", "Location/room-a",
            "Patient/pat-1", "Patient/pat-2", "Practitioner/dr-a",
        ];
        assert_eq!(all, expected);
        assert_eq!(exported(&client, "Group/two/$export?_type=Patient").await, ["Patient/pat-1", "Patient/pat-2"]);
        let one = exported(&client, "Group/two/$export?_type=Appointment,Location&patient=Patient/pat-2").await;
        assert_eq!(one, ["Appointment/apt-pat-2", "Location/room-a"]);
        assert_eq!(super::ask(&client, "Group/two/$export?patient=pat-1,pat-3").await.status, 400);
    }

    async fn all_patients_and_the_whole_system_are_exported(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let of_patients = exported(&client, "Patient/$export").await;
        for name in ["Patient/pat-3", "Appointment/apt-pat-3", "Practitioner/dr-a", "Location/room-a", "Group/two"] {
            assert!(of_patients.contains(&name.to_owned()), "{name}: {of_patients:?}");
        }
        // In nobody's compartment, and nobody's record refers to them.
        for name in ["Practitioner/dr-b", "Location/room-b", "Schedule/sch-a"] {
            assert!(!of_patients.contains(&name.to_owned()), "{name}: {of_patients:?}");
        }
        let everything = exported(&client, "$export").await;
        assert!(everything.contains(&"Schedule/sch-a".to_owned()) && everything.contains(&"Practitioner/dr-b".to_owned()));
        let stored = app.database().number("SELECT COUNT(*) FROM resource").await;
        assert_eq!(everything.len() as i64, stored);
        let filtered = exported(&client, "Patient/$export?_type=Appointment&_typeFilter=Appointment?date=gt2031-03-03T09:30:00Z,Appointment?actor=Patient/pat-1").await;
        assert_eq!(filtered.len(), 3);
        let filtered = exported(&client, "Patient/$export?_typeFilter=Appointment%3Fpatient%3Dpat-1%26status%3Dbooked,cancelled&_type=Appointment").await;
        assert_eq!(filtered, ["Appointment/apt-pat-1"]);
    }

    async fn every_type_can_be_exported(app: TestApp) {
        world::build(&app).await;
        app.store(&group("both", &["pat-1", "pat-2"])).await;
        let client = backend(&app).await;
        let manifest = manifest(&client, &kick_off(&client, "Group/both/$export").await).await;
        let has: Vec<&str> = files(&manifest, "output").into_iter().map(|(rtype, _)| rtype).collect();
        for rtype in TYPES.iter().filter(|rtype| !rtype.patient_compartment.is_empty()) {
            assert!(has.contains(&rtype.name), "{}: {has:?}", rtype.name);
        }
        for name in ["Organization", "Practitioner"] {
            assert!(has.contains(&name), "{name}: {has:?}");
        }
        assert!(resources(&client, &manifest).await.len() > 20);
    }

    async fn who_is_a_member_is_settled_when_it_is_asked_for(app: TestApp) {
        seed(&app).await;
        let mut changing = group("changing", &["pat-1", "pat-2", "pat-3"]);
        changing["member"][1]["inactive"] = json!(true);
        changing["member"][2]["period"] = json!({ "end": "2020-01-01" });
        app.store(&changing).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Group/changing/$export?_type=Patient").await;
        app.store(&group("changing", &["pat-3"])).await;
        let manifest = manifest(&client, &place).await;
        assert_eq!(resources(&client, &manifest).await, ["Patient/pat-1"]);
        let _ = app.delete("Group/changing").await.is(204);
        assert_eq!(resources(&client, &manifest).await, ["Patient/pat-1"]);
        assert_eq!(super::ask(&client, "Group/changing/$export").await.status, 404);
    }

    async fn files_are_bounded_and_hold_everything_once(engine: Engine) {
        let settings = [("SLOTWRIGHT_BULK__FILE_SIZE", "7")];
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await;
        let ids: Vec<String> = (0..40).map(|number| format!("many-{number:02}")).collect();
        for id in &ids {
            app.store(&clinic::patient_resource(id)).await;
        }
        let client = backend(&app).await;
        let manifest = manifest(&client, &kick_off(&client, "Patient/$export?_type=Patient").await).await;
        let all = files(&manifest, "output");
        assert_eq!(all.len(), 6);
        for (_, url) in &all {
            assert!(lines(&client, url).await.len() <= 7);
        }
        let expected: Vec<String> = ids.iter().map(|id| format!("Patient/{id}")).collect();
        assert_eq!(resources(&client, &manifest).await, expected);
    }
}
