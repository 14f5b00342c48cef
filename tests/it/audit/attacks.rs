//! What others write does not harm whoever reads the log, and no secret gets into it.

use super::coverage::of_request;
use crate::oauth::backend::{ask, rs384, sound};
use crate::oauth::flow::{VERIFIER, backend, code, post, public, refreshed, registered};
use crate::oauth::signer::Signer;
use crate::pages::browser::{Browser, PASSWORD, account};
use crate::support::clinic::seed;
use crate::support::{TestApp, both_engines, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::client::{ClientKeys, Proof};
use slotwright::auth::principal::Role;

/// Every text of an event, queries decoded.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member.as_str()) {
                    ("query", Some(packed)) => {
                        let raw = STANDARD.decode(packed).expect("base64");
                        found.push(String::from_utf8(raw).expect("UTF-8"));
                    }
                    _ => texts(member, found),
                }
            }
        }
        _ => {}
    }
}

fn all_texts(events: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for event in events {
        texts(event, &mut found);
    }
    found
}

both_engines! {
    async fn no_secret_gets_into_the_log(app: TestApp) {
        seed(&app).await;
        let pat = account(&app, "pat", &[Role::Patient], Some("Patient/pat-1")).await;
        let mut secrets = vec![PASSWORD.to_owned(), VERIFIER.to_owned()];
        // A password where the username belongs, and a wrong one.
        let mut browser = Browser::new(&app);
        let _ = browser.try_sign_in("typed-too-soon-pass", "another wrong pass").await;
        let _ = browser.try_sign_in("pat", "another wrong pass").await;
        browser.sign_in("pat").await;
        secrets.extend(["typed-too-soon-pass".to_owned(), "another wrong pass".to_owned()]);
        secrets.extend(browser.cookies.values().cloned());
        // Codes, verifiers, refresh tokens, client secrets, assertions.
        registered(&app, public("app")).await;
        let secret = registered(&app, slotwright::app::oauth::clients::NewClient {
            proof: Proof::Secret, ..public("kept")
        }).await.expect("a secret");
        let code = code(&app, "app", "launch/patient offline_access patient/Appointment.rs", &pat, "pat-1").await;
        let first = crate::oauth::flow::exchanged(&app, "app", &code).await.is(200);
        let refresh = first.text("/refresh_token").to_owned();
        let next = refreshed(&app, "app", &refresh).await.is(200);
        let form = [("grant_type", "authorization_code"), ("code", "guessed-code-value"), ("client_id", "kept"),
            ("client_secret", secret.as_str()), ("redirect_uri", "https://app.example/callback"),
            ("code_verifier", VERIFIER)];
        let _ = post(&app, "token", &form, None).await;
        let signer = Signer::p384();
        let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
        registered(&app, backend("robot", "system/Slot.rs", keys)).await;
        let assertion = signer.sign(&rs384("k1"), &sound(&app, "robot"));
        let _ = ask(&app, &assertion, "system/Slot.rs").await;
        let _ = post(&app, "revoke", &[("client_id", "app"), ("token", next.text("/refresh_token"))], None).await;
        let _ = app.get("Patient?access_token=leaked-by-query").await;
        let _ = app.get(&format!("{}/oauth/authorize?client_id=x&launch=launch-value-1", app.root())).await;
        secrets.extend([code, refresh, secret, assertion, "guessed-code-value".into(), "leaked-by-query".into()]);
        secrets.push("launch-value-1".into());
        for reply in [&first, &next] {
            secrets.push(reply.text("/access_token").to_owned());
            secrets.push(reply.text("/refresh_token").to_owned());
        }
        let events = app.audit_events().await;
        let log = all_texts(&events).join("\n");
        assert!(log.contains("[removed]"), "nothing was cleaned: {log}");
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        }
    }

    async fn what_others_write_is_bounded_and_shows_as_it_is(app: TestApp) {
        seed(&app).await;
        let id = account(&app, "root", &[Role::Administrator], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("root").await;
        let evil = "=cmd|'/c calc'!A1\u{202E}<script>alert(1)</script>\u{200B}";
        let client = json!({"client_id": "evil", "name": evil, "scope": "user/Slot.rs",
            "redirect_uris": ["https://app.example/callback"], "proof": "none"});
        let _ = browser.json(Method::POST, "/admin/clients", &client).await;
        let _ = Browser::new(&app).try_sign_in(evil, "x").await;
        let agent = app.request(Method::GET, "Patient/pat-1").header("user-agent", &"A".repeat(8000));
        let _ = agent.send().await.is(200);
        let _ = app.get(&format!("Patient?name=%0D%0AX%3A%20y%E2%80%AE%00{}", "z".repeat(3000))).await;
        let long = "n".repeat(1_000_000);
        let form = format!("grant_type=none&client_id={evil}{long}").into_bytes();
        let token = format!("{}/oauth/token", app.root());
        let request = app.request(Method::POST, &token);
        let _ = request.bytes("application/x-www-form-urlencoded", form).send().await;
        let short = format!("grant_type=none&client_id={}", "n".repeat(100_000)).into_bytes();
        let request = app.request(Method::POST, &token);
        let _ = request.bytes("application/x-www-form-urlencoded", short).send().await;
        let hidden = |c: char| {
            c.is_control() || ('\u{202A}'..='\u{202E}').contains(&c) || ('\u{200B}'..='\u{200F}').contains(&c)
        };
        let events = app.audit_events().await;
        assert!(!id.is_empty() && events.len() > 5);
        for text in all_texts(&events) {
            assert!(!text.contains(hidden), "{text:?}");
            assert!(text.len() <= 9000, "{} bytes: {}", text.len(), &text[..100]);
        }
        for event in &events {
            assert!(event.to_string().len() < 40_000);
        }
    }

    async fn what_other_systems_report_is_made_harmless(app: TestApp) {
        seed(&app).await;
        let ehr = app.system("ehr", "system/AuditEvent.c").await;
        let evil = "=cmd|'/c calc'!A1\r\n\u{202E}<script>alert(1)</script>\u{200B}{\"seq\":0}";
        let mut event = super::query::report();
        event["outcomeDesc"] = json!(evil);
        event["agent"][0]["name"] = json!(evil.repeat(2000));
        event["agent"][0]["network"] = json!({"address": evil, "type": "1"});
        event["source"]["site"] = json!(evil);
        let query = format!("POST /token?code_verifier={VERIFIER}&client_secret=s3cret&a={evil}{}", "z".repeat(100_000));
        event["entity"] = json!([{"name": evil, "description": evil}, {"query": STANDARD.encode(query)}]);
        let _ = ehr.post("AuditEvent", &event).await.is(201);
        let huge = json!({"resourceType": "AuditEvent", "outcomeDesc": "x".repeat(1_000_000)});
        assert!(ehr.post("AuditEvent", &huge).await.status >= 400);
        let events = app.audit_events().await;
        for text in all_texts(&events) {
            assert!(!text.contains(|c: char| c.is_control() || "\u{202E}\u{200B}".contains(c)), "{text:?}");
            assert!(!text.contains("s3cret") && !text.contains(VERIFIER) && text.len() <= 9000, "{}", text.len());
        }
        // One event is one line of an export, whatever is in it.
        let dir = super::database_export::exported(app.database(), "evil", &[]);
        super::database_export::holds(&dir);
        let text = std::fs::read_to_string(dir.join("events.ndjson")).unwrap();
        assert!(text.contains("<script>") && text.lines().count() >= events.len());
    }

    async fn a_request_id_is_taken_only_when_it_is_one(app: TestApp) {
        seed(&app).await;
        for (id, taken) in [("a-1.b_2".to_owned(), true), ("x".repeat(65), false), ("<b>".to_owned(), false), ("a b".to_owned(), false)] {
            let reply = app.request(Method::GET, "Patient/pat-1").header("x-request-id", &id).send().await.is(200);
            let given = reply.header("x-request-id").to_owned();
            assert_eq!(given == id, taken, "{id}");
            let events = app.audit_events().await;
            let found = of_request(&events, &given);
            assert_eq!(found.len(), 1, "{id}");
            assert_eq!(text(found[0], "/outcome"), "0");
            assert!(taken || of_request(&events, &id).is_empty());
        }
    }
}
