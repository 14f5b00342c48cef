//! Exports of the database's log: whole and in parts, checked by both verifiers without the database.

use crate::support::auth::audit_signer;
use crate::support::clinic::seed;
use crate::support::{Database, TestApp, both_engines, slotwright};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/verify_audit.py");

fn export(database: &Database, dir: &Path, more: &[&str]) -> Output {
    slotwright(database, &[&["audit", "export", dir.to_str().unwrap()], more].concat())
}

pub fn exported(database: &Database, name: &str, more: &[&str]) -> PathBuf {
    let dir = database.dir().join(name);
    let output = export(database, &dir, more);
    assert!(output.status.success(), "{output:?}");
    dir
}

/// Both verifiers find nothing wrong, knowing the key.
pub fn holds(dir: &Path) {
    let key = audit_signer().verifier().to_string();
    let mut ours = Command::new(env!("CARGO_BIN_EXE_slotwright"));
    let mut script = Command::new("python3");
    ours.args(["audit", "verify"]);
    script.arg(SCRIPT);
    for mut verifier in [ours, script] {
        let output = verifier.arg(dir).args(["--key", &key]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

pub fn events(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("events.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn used(app: &TestApp) {
    seed(app).await;
    for _ in 0..150 {
        let _ = app.get("Patient/pat-1").await.is(200);
    }
    for _ in 0..150 {
        let _ = app.get("Patient/pat-2").await.is(200);
    }
    app.sequence().await;
}

both_engines! {
    async fn the_whole_log_and_parts_of_it_are_proved_without_the_database(app: TestApp) {
        used(&app).await;
        let size = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        let whole = exported(app.database(), "whole", &[]);
        holds(&whole);
        assert_eq!(events(&whole).len() as i64, size);
        let own = exported(app.database(), "own", &["--patient", "pat-1"]);
        holds(&own);
        let about = app.places_of("r:Patient/pat-1").await.len();
        let own = events(&own);
        assert!(own.len() == about && own.len() > 150, "{}", own.len());
        assert!(own.iter().all(|line| line["event"].to_string().contains("Patient/pat-1")));
        let from = own[own.len() / 2]["recorded"].as_str().unwrap();
        let later = exported(app.database(), "later", &["--from", from]);
        holds(&later);
        let later = events(&later);
        assert_eq!(later[0]["seq"], own[own.len() / 2]["seq"]);
        assert_eq!(later.last().unwrap()["seq"], size - 1);
        let until = exported(app.database(), "until", &["--patient", "pat-1", "--until", from]);
        holds(&until);
        assert_eq!(events(&until).len(), own.len() / 2);
        let nothing = exported(app.database(), "nothing", &["--patient", "nobody"]);
        holds(&nothing);
        assert!(events(&nothing).is_empty());
        // That all this was taken is on the record.
        app.sequence().await;
        let taken = app.audit_events().await.iter().filter(|event| event.pointer("/type/code") == Some(&"110106".into())).count();
        assert_eq!(taken, 5);
    }

    async fn an_export_that_was_broken_off_is_gone_on_with(app: TestApp) {
        used(&app).await;
        for more in [&[][..], &["--patient", "pat-1"]] {
            let dir = exported(app.database(), &format!("export{}", more.len()), more);
            let before = fs::read(dir.join("events.ndjson")).unwrap();
            // A complete one is not written over.
            let again = export(app.database(), &dir, more);
            assert!(!again.status.success() && format!("{again:?}").contains("is not empty"), "{again:?}");
            // As it was when half of it was there.
            fs::remove_file(dir.join("export.json")).unwrap();
            let wanted = match more { [_, patient] => format!("\"{patient}\""), _ => "null".to_owned() };
            fs::write(dir.join("unfinished.json"), format!("{{\"patient\":{wanted},\"from\":null,\"until\":null}}")).unwrap();
            fs::write(dir.join("events.ndjson"), &before[..before.len() / 2 + 7]).unwrap();
            let other = export(app.database(), &dir, &["--patient", "pat-2"]);
            assert!(!other.status.success() && format!("{other:?}").contains("an unfinished export of other events"), "{other:?}");
            // What came into the log meanwhile is not of this export.
            let _ = app.get("Patient/pat-1").await.is(200);
            app.sequence().await;
            let output = export(app.database(), &dir, more);
            assert!(output.status.success(), "{output:?}");
            assert_eq!(fs::read(dir.join("events.ndjson")).unwrap(), before);
            assert!(!dir.join("unfinished.json").exists());
            holds(&dir);
        }
    }
}
