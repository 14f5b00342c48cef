//! What an access token must be to be taken (SMART rows 77, 94, 96, 265; g10 1.9.10; C5).

use crate::support::auth::{Person, TESTS, key_dir, signed, system_claims};
use crate::support::{Database, Engine, Reply, ServerProcess, TestApp, block_on, both_engines, slotwright};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::json;
use slotwright::auth::token::AccessClaims;
use std::os::unix::fs::PermissionsExt;

/// Insists on 401 with a challenge and an issue of this code.
#[track_caller]
fn refused(reply: Reply, code: &str) {
    let reply = reply.is(401);
    assert!(reply.header("www-authenticate").starts_with("Bearer "), "{:?}", reply.headers);
    assert_eq!(reply.text("/resourceType"), "OperationOutcome");
    assert_eq!(reply.text("/issue/0/code"), code, "{reply}");
    let has_error = reply.header("www-authenticate").contains("error=\"invalid_token\"");
    assert_eq!(has_error, code != "login", "{:?}", reply.headers);
}

both_engines! {
    async fn nothing_is_read_without_a_token(app: TestApp) {
        for path in ["Patient/x", "Patient", "", "_history", "Dog/1", "Patient/x/$validate", "metadata/x"] {
            refused(app.anonymous().get(path).await, "login");
        }
        refused(app.anonymous().put("Patient/x", &json!({"resourceType": "Patient", "id": "x"})).await, "login");
        let _ = app.anonymous().get("metadata").await.is(200);
    }

    async fn tokens_are_taken_from_the_header_alone(app: TestApp) {
        let token = app.authorization().replace("Bearer ", "");
        let _ = app.anonymous().get(&format!("Slot?access_token={token}")).await.is(400);
        let _ = app.get(&format!("Slot?access_token={token}")).await.is(400);
        for header in [format!("bearer {token}"), format!("BEARER  {token}")] {
            let request = app.anonymous().request(Method::GET, "Slot").header("authorization", &header);
            let _ = request.send().await.is(200);
        }
        for header in [token.clone(), format!("Basic {token}"), "Bearer".to_owned(), "Bearer ".to_owned()] {
            let request = app.anonymous().request(Method::GET, "Slot").header("authorization", &header);
            refused(request.send().await, "login");
        }
    }

    async fn tokens_that_are_not_good_are_refused(app: TestApp) {
        let claims = system_claims(app.base(), TESTS, "system/*.cruds");
        let with = |change: &dyn Fn(&mut AccessClaims)| {
            let mut changed = claims.clone();
            change(&mut changed);
            signed(&changed)
        };
        let good = signed(&claims);
        let _ = app.with_token(&good).get("Slot").await.is(200);
        refused(app.with_token(&with(&|claims| claims.exp = 1)).get("Slot").await, "expired");
        let elsewhere = "https://other.example/fhir";
        for token in [
            with(&|claims| elsewhere.clone_into(&mut claims.aud)),
            with(&|claims| "https://other.example".clone_into(&mut claims.iss)),
            with(&|claims| claims.aud.push('/')),
        ] {
            refused(app.with_token(&token).get("Slot").await, "unknown");
        }
        refused(app.with_token(&with(&|claims| claims.client_id.push('x'))).get("Slot").await, "expired");
        let (signed_part, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = signed_part.split_once('.').unwrap();
        let encode = |header: &serde_json::Value| URL_SAFE_NO_PAD.encode(header.to_string());
        let kid = |name: &str| {
            let header = encode(&json!({"alg": "RS256", "typ": "at+jwt", "kid": name}));
            format!("{header}.{payload}.{signature}")
        };
        let none = encode(&json!({"alg": "none", "typ": "at+jwt"}));
        for token in [
            "nonsense".to_owned(),
            format!("{none}.{payload}."),
            format!("{none}.{payload}.{signature}"),
            format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([7; 256])),
            kid("../../keys/other"),
            kid("/etc/passwd"),
            kid(""),
            format!("{}.{payload}.{signature}", encode(&json!({"alg": "RS256", "typ": "at+jwt"}))),
        ] {
            refused(app.with_token(&token).get("Slot").await, "unknown");
        }
    }

    async fn id_tokens_open_nothing(app: TestApp) {
        let claims = system_claims(app.base(), TESTS, "system/*.cruds");
        let keys = app.library().keys.current().await;
        let token = keys.signer(1).unwrap().sign("JWT", &claims).unwrap();
        refused(app.with_token(&token).get("Slot").await, "unknown");
    }

    async fn what_is_withdrawn_ends_at_the_next_request(app: TestApp) {
        let person =
            Person { account: "ann", roles: &["scheduler"], scope: "user/Slot.rs", ..Person::default() };
        let ann = app.person(person).await;
        let reports = app.system("reports", "system/Slot.rs").await;
        let database = app.database();
        let _ = reports.get("Slot").await.is(200);
        assert_ne!(ann.get("Slot").await.status, 401);
        database.execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'reports'").await;
        refused(reports.get("Slot").await, "expired");
        database.execute("UPDATE account SET disabled_us = 1 WHERE id = 'ann'").await;
        refused(ann.get("Slot").await, "expired");
        database.execute("UPDATE account SET disabled_us = NULL WHERE id = 'ann'").await;
        assert_ne!(ann.get("Slot").await.status, 401);
        database.execute("UPDATE oauth_grant SET revoked_us = 1").await;
        refused(ann.get("Slot").await, "expired");
    }
}

#[test]
fn serve_needs_a_key_that_only_its_owner_reads() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let dir = key_dir(&database);
        let key = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
        let said = String::from_utf8(slotwright(&database, &["serve"]).stderr).unwrap();
        assert!(said.contains(key.to_str().unwrap()) && said.contains("640"), "{said}");
        std::fs::remove_file(&key).unwrap();
        let said = String::from_utf8(slotwright(&database, &["serve"]).stderr).unwrap();
        assert!(said.contains("slotwright key new"), "{said}");
    });
}

#[test]
fn keys_are_rotated_while_serving() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let server = ServerProcess::start(&database).await;
        let _ = server.client().get("Slot").await.is(200);
        let run = |arguments: &[&str]| {
            let output = slotwright(&database, arguments);
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let old = run(&["key", "list"]).split_whitespace().next().unwrap().to_owned();
        run(&["key", "new"]);
        let listed = run(&["key", "list"]);
        assert_eq!(listed.lines().count(), 2, "{listed}");
        assert!(listed.lines().any(|line| line.starts_with(&old) && line.ends_with("signs")), "{listed}");
        assert!(listed.contains("does not sign yet"), "{listed}");
        let refused = slotwright(&database, &["key", "retire", &old]);
        assert!(!refused.status.success(), "the key that signs stays");
        run(&["key", "new", "--now"]);
        run(&["key", "retire", &old]);
        // The old key's tokens end once the server has looked.
        let ended = crate::support::pg::wait_until(std::time::Duration::from_secs(20), async || {
            server.client().get("Slot").await.status == 401
        });
        assert!(ended.await);
    });
}
