//! The transaction time: an export is the state of one moment, whenever it is fetched.

use super::{backend, files, kick_off, lines, manifest, resources, seed};
use crate::support::{Database, Engine, TestApp, both_engines, clinic};
use serde_json::{Value, json};
use slotwright::app::bulk;
use slotwright::clock::Clock;
use std::time::Duration;

both_engines! {
    async fn what_is_written_later_changes_nothing(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Patient/$export?_type=Patient,Appointment").await;
        // Before the files are known.
        let mut changed = clinic::patient_resource("pat-1");
        changed["name"][0]["family"] = json!("Changed");
        app.store(&changed).await;
        app.store(&clinic::patient_resource("pat-9")).await;
        let made = manifest(&client, &place).await;
        // And after.
        let _ = app.patch("Appointment/apt-pat-1", &json!([{ "op": "replace", "path": "/status", "value": "arrived" }])).await.is(200);
        let _ = app.delete("Appointment/apt-pat-2").await.is(204);
        app.store(&clinic::patient_resource("pat-8")).await;
        let names = resources(&client, &made).await;
        let expected = [
            "Appointment/apt-pat-1", "Appointment/apt-pat-2", "Appointment/apt-pat-3", "Patient/pat-1", "Patient/pat-2",
            "Patient/pat-3",
        ];
        assert_eq!(names, expected);
        for (_, url) in files(&made, "output") {
            for line in lines(&client, url).await {
                assert_eq!(line["meta"]["versionId"], "1", "{line}");
                assert!(line["status"] != "arrived" && line["name"][0]["family"] != "Changed");
            }
            // Again, the same bytes.
            let (once, twice) = (client.get(url).await.is(200), client.get(url).await.is(200));
            assert!(!once.body.is_empty() && once.body == twice.body);
        }
    }

    async fn since_gives_what_changed_and_what_was_deleted(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let first = manifest(&client, &kick_off(&client, "Group/two/$export").await).await;
        assert!(first.get("deleted").is_none());
        let time = first["transactionTime"].as_str().unwrap().to_owned();
        // The next millisecond.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut changed = clinic::patient_resource("pat-2");
        changed["active"] = json!(true);
        app.store(&changed).await;
        for id in ["apt-pat-1", "apt-pat-3"] {
            let _ = app.delete(&format!("Appointment/{id}")).await.is(204);
        }
        let later = format!("Group/two/$export?_since={time}&_type=Patient,Appointment");
        let second = manifest(&client, &kick_off(&client, &later).await).await;
        assert_eq!(resources(&client, &second).await, ["Patient/pat-2"]);
        // Of the Group's members only.
        let deleted = files(&second, "deleted");
        assert_eq!(deleted.len(), 1);
        let bundles = lines(&client, deleted[0].1).await;
        assert_eq!(deleted[0].0, "Bundle");
        let urls: Vec<&Value> = bundles.iter().map(|bundle| &bundle["entry"][0]["request"]).collect();
        assert_eq!(urls, [&json!({ "method": "DELETE", "url": "Appointment/apt-pat-1" })]);
        assert_eq!(bundles[0]["type"], "transaction");
        let nothing = manifest(&client, &kick_off(&client, "Group/two/$export?_since=2100-01-01T00:00:00Z").await).await;
        assert!(files(&nothing, "output").is_empty() && files(&nothing, "deleted").is_empty());
    }

    async fn an_export_expires_and_is_removed(engine: Engine) {
        let clock = Clock::fixed("2031-03-01T08:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
        let app = TestApp::start_with(Database::create(engine).await, clock, &[]).await;
        seed(&app).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Patient/$export?_type=Patient").await;
        let made = manifest(&client, &place).await;
        app.advance(Duration::from_hours(23));
        bulk::forget_old(app.library()).await.expect("a database");
        let _ = client.get(&place).await.is(200);
        app.advance(Duration::from_secs(3601));
        assert_eq!(client.get(&place).await.is(404).json["resourceType"], "OperationOutcome");
        assert_eq!(client.get(files(&made, "output")[0].1).await.status, 404);
        bulk::forget_old(app.library()).await.expect("a database");
        assert_eq!(app.database().number("SELECT COUNT(*) FROM bulk_file").await, 0);
    }

    async fn an_export_survives_a_restart(engine: Engine) {
        let app = TestApp::start(engine).await;
        seed(&app).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Group/two/$export?_type=Patient").await;
        let path = place.split("/fhir/").nth(1).unwrap().to_owned();
        drop(client);
        let app = TestApp::start_with(app.stop().await, Clock::system(), &[]).await;
        let client = backend(&app).await;
        let made = manifest(&client, &path).await;
        assert_eq!(resources(&client, &made).await, ["Patient/pat-1", "Patient/pat-2"]);
    }
}
