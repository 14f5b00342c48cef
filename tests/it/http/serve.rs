//! What `slotwright serve` refuses to start with, as the real binary says it.

use super::tls::Made;
use crate::support::auth::{audit_key_dir, key_dir};
use crate::support::{Database, Engine, block_on, both_engines};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What the binary says when it refuses to start with these settings.
fn refused(database: &Database, settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slotwright"));
    command.arg("serve").current_dir(database.dir()).env("SLOTWRIGHT_DATABASE__URL", &database.url);
    // Of the tests, not of the server.
    command.env_remove("SLOTWRIGHT_R4_EXAMPLES");
    let output = command.envs(settings.iter().copied()).output().expect("slotwright runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

const UPSTREAM: (&str, &str) = ("SLOTWRIGHT_TLS__TERMINATED_UPSTREAM", "true");

#[test]
fn without_tls_and_without_a_name_every_reason_is_named_with_what_to_do() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let said = refused(&database, &[]);
        assert!(
            said.contains("tls.terminated_upstream = true") && said.contains("tls.certificate"),
            "{said}"
        );
        let elsewhere = ("SLOTWRIGHT_SERVER__LISTEN", "0.0.0.0:0");
        let said = refused(&database, &[elsewhere]);
        for reason in ["  tls: ", "  server.public_base_url: "] {
            assert!(said.contains(reason), "{said}");
        }
        let said = refused(&database, &[elsewhere, UPSTREAM]);
        assert!(said.contains("server.public_base_url: ") && !said.contains("tls: "), "{said}");
        let name = ("SLOTWRIGHT_SERVER__PUBLIC_BASE_URL", "http://clinic.example");
        let said = refused(&database, &[elsewhere, UPSTREAM, name]);
        assert!(said.contains("Let it start with https://"), "{said}");
    });
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&made.key, PermissionsExt::from_mode(mode)).unwrap();
            let said = refused(&database, &made.settings());
            assert!(said.contains("tls.key: ") && said.contains("chmod 600"), "{mode:o}: {said}");
            assert!(!said.contains("BEGIN"), "{said}");
        }
    });
}

#[test]
fn a_key_that_does_not_fit_and_files_that_are_not_there_are_refused() {
    block_on(async {
        let (database, other) =
            (Database::create(Engine::Sqlite).await, Database::create(Engine::Sqlite).await);
        let (made, strange) = (Made::write(&database), Made::write(&other));
        std::fs::copy(&strange.key, &made.key).unwrap();
        let said = refused(&database, &made.settings());
        assert!(said.contains("does not fit the certificate"), "{said}");
        std::fs::remove_file(&made.certificate).unwrap();
        let said = refused(&database, &made.settings());
        assert!(said.contains("tls.certificate: "), "{said}");
        let said = refused(&database, &made.settings()[..1]);
        assert!(said.contains("tls.certificate: is set together with tls.key"), "{said}");
    });
}

both_engines! {
    async fn a_sandbox_is_never_served(engine: Engine) {
        let database = Database::create(engine).await;
        let store = database.store().await;
        store.close().await;
        database.execute("INSERT INTO setting (name, value) VALUES ('sandbox', '1')").await;
        let said = refused(&database, &[UPSTREAM]);
        assert!(said.contains("this is a sandbox's database"), "{said}");
        let said = refused(&database, &[]);
        assert!(said.contains("  tls: ") && said.contains("  database.url: "), "all at once: {said}");
    }
}

#[test]
fn a_signing_key_that_others_may_read_is_refused() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let keys = key_dir(&database);
        let settings = [UPSTREAM, ("SLOTWRIGHT_AUTH__KEYS", keys.to_str().unwrap())];
        for file in std::fs::read_dir(&keys).unwrap() {
            std::fs::set_permissions(file.unwrap().path(), PermissionsExt::from_mode(0o644)).unwrap();
        }
        let said = refused(&database, &settings);
        assert!(said.contains("a private key that others may read (mode 644); chmod 600"), "{said}");
        let said = refused(&database, &settings[1..]);
        assert!(said.contains("  tls: ") && said.contains("chmod 600"), "all at once: {said}");
        let said = refused(&database, &[UPSTREAM, ("SLOTWRIGHT_AUTH__KEYS", "/nowhere/keys")]);
        assert!(said.contains("there is no key to sign with; make one: slotwright key new"), "{said}");
    });
}

#[test]
fn an_audit_key_that_is_missing_or_that_others_may_read_is_refused() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let (signing, keys) = (key_dir(&database), audit_key_dir(&database));
        let signing = ("SLOTWRIGHT_AUTH__KEYS", signing.to_str().unwrap());
        let said = refused(&database, &[UPSTREAM, signing, ("SLOTWRIGHT_AUDIT__KEYS", "/nowhere/keys")]);
        assert!(said.contains("audit.keys: ") && said.contains("slotwright audit key"), "{said}");
        for file in std::fs::read_dir(&keys).unwrap() {
            std::fs::set_permissions(file.unwrap().path(), PermissionsExt::from_mode(0o640)).unwrap();
        }
        let said =
            refused(&database, &[UPSTREAM, signing, ("SLOTWRIGHT_AUDIT__KEYS", keys.to_str().unwrap())]);
        assert!(said.contains("can be read by others (mode 640); run: chmod 600"), "{said}");
    });
}

#[test]
fn what_an_administrator_may_fetch_from_is_checked_at_start() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let said = refused(&database, &[UPSTREAM, ("SLOTWRIGHT_OUTBOUND__ALLOW", "https://ehr.example")]);
        assert!(said.contains("outbound.allow: \"https://ehr.example\""), "{said}");
    });
}
