//! Exports of the audit log, downloaded and then checked by both verifiers without the server.

use super::{ask, backend, files, kick_off, lines, manifest, seed};
use crate::access::world;
use crate::audit::database_export::holds;
use crate::support::auth::Person;
use crate::support::{Client, Database, Engine, TestApp, both_engines};
use serde_json::Value;
use slotwright::clock::Clock;
use std::fs;
use std::path::{Path, PathBuf};

async fn officer(app: &TestApp) -> Client {
    world::staff(app, "compliance", None, "user/AuditEvent.rs").await
}

/// Downloads what proves an export, as its README says.
async fn download(client: &Client, manifest: &Value, dir: &Path) {
    fs::create_dir_all(dir).expect("a directory");
    let proofs = &manifest["extension"]["https://slotwright.org/fhir/audit-export"]["files"];
    for file in proofs.as_array().expect("files") {
        let (name, url) = (file["name"].as_str().expect("a name"), file["url"].as_str().expect("a URL"));
        let path: PathBuf = dir.join(name);
        let mut content = fs::read(&path).unwrap_or_default();
        // What has the same name is one behind the other.
        content.extend(client.get(url).await.is(200).body);
        fs::write(path, content).expect("a file");
    }
}

async fn events(client: &Client, manifest: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for (rtype, url) in files(manifest, "output") {
        assert_eq!(rtype, "AuditEvent");
        all.extend(lines(client, url).await);
    }
    all
}

both_engines! {
    async fn the_log_is_exported_and_verified_elsewhere(engine: Engine) {
        let settings = [("SLOTWRIGHT_BULK__FILE_SIZE", "20")];
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await;
        seed(&app).await;
        for _ in 0..60 {
            let _ = app.get("Patient/pat-1").await.is(200);
        }
        app.sequence().await;
        let officer = officer(&app).await;
        let size = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        let place = kick_off(&officer, "AuditEvent/$export").await;
        let made = manifest(&officer, &place).await;
        // What happens meanwhile is not in it, whenever it is fetched.
        let _ = app.get("Patient/pat-2").await.is(200);
        app.sequence().await;
        let dir = app.database().dir().join("whole");
        download(&officer, &made, &dir).await;
        holds(&dir);
        let all = events(&officer, &made).await;
        assert_eq!(all.len() as i64, size);
        assert!(files(&made, "output").len() > 3);
        let proved = fs::read_to_string(dir.join("events.ndjson")).unwrap();
        for (line, event) in proved.lines().zip(&all) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["event"], *event);
        }
        // One that was tampered with is found out.
        fs::write(dir.join("events.ndjson"), proved.replacen("pat-1", "pat-3", 1)).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_slotwright")).args(["audit", "verify"]).arg(&dir).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
    }

    async fn a_patients_events_and_a_period_are_exported(app: TestApp) {
        seed(&app).await;
        for id in ["pat-1", "pat-2", "pat-1"] {
            let _ = app.get(&format!("Patient/{id}")).await.is(200);
        }
        app.sequence().await;
        let officer = officer(&app).await;
        let own = manifest(&officer, &kick_off(&officer, "AuditEvent/$export?patient=Patient/pat-1").await).await;
        let dir = app.database().dir().join("own");
        download(&officer, &own, &dir).await;
        holds(&dir);
        let about = app.places_of("r:Patient/pat-1").await.len();
        let found = events(&officer, &own).await;
        assert_eq!(found.len(), about);
        let middle = found[found.len() / 2]["recorded"].as_str().unwrap();
        let later = manifest(&officer, &kick_off(&officer, &format!("AuditEvent/$export?_since={middle}")).await).await;
        let dir = app.database().dir().join("later");
        download(&officer, &later, &dir).await;
        holds(&dir);
        let before = manifest(&officer, &kick_off(&officer, &format!("AuditEvent/$export?_until={middle}&_since=2020-01-01")).await).await;
        let dir = app.database().dir().join("before");
        download(&officer, &before, &dir).await;
        holds(&dir);
        let placed = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        let (before, later) = (events(&officer, &before).await.len(), events(&officer, &later).await.len());
        assert!(before > 0 && later > 0 && (before + later) as i64 <= placed, "{before} {later} {placed}");
        let nothing = manifest(&officer, &kick_off(&officer, "AuditEvent/$export?patient=nobody").await).await;
        let dir = app.database().dir().join("nothing");
        download(&officer, &nothing, &dir).await;
        holds(&dir);
        // That it was taken is on the record, at the patient whom it was about.
        let taken = app.audit_events().await;
        let taken = taken.iter().filter(|event| event["type"]["code"] == "110106" && event.to_string().contains("Patient/pat-1"));
        assert!(taken.count() >= 2);
    }

    async fn only_compliance_officers_export_the_log(app: TestApp) {
        seed(&app).await;
        let refused = [
            backend(&app).await,
            app.system("siem", "system/AuditEvent.rs").await,
            world::staff(&app, "administrator", None, "user/*.rs").await,
            world::staff(&app, "clinician", None, "user/*.rs").await,
            world::patient(&app, "patient/*.rs user/*.rs").await,
            app.person(Person { account: "officer", roles: &["compliance"], scope: "user/Consent.rs", ..Person::default() }).await,
            app.person(Person { account: "officer", roles: &["compliance"], scope: "user/AuditEvent.rs?action=R", ..Person::default() }).await,
            app.person(Person { account: "officer", roles: &["compliance"], scope: "user/AuditEvent.r", ..Person::default() }).await,
        ];
        for client in &refused {
            let _ = ask(client, "AuditEvent/$export").await.is(403);
        }
        app.sequence().await;
        let officer = officer(&app).await;
        for wrong in ["_type=Patient&_until=x", "_since=x", "_until=x", "patient=a,b", "patient=!"] {
            assert_eq!(ask(&officer, &format!("AuditEvent/$export?{wrong}")).await.status, 400, "{wrong}");
        }
        let made = manifest(&officer, &kick_off(&officer, "AuditEvent/$export").await).await;
        // Whoever is no officer any more gets nothing.
        app.database().execute("DELETE FROM role_grant WHERE account = 'compliance'").await;
        assert_eq!(officer.get(files(&made, "output")[0].1).await.status, 403);
    }
}
