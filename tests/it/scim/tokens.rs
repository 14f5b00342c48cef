//! Long-lived tokens for identity providers that can't fetch tokens themselves, as Entra ID and Okta can't.

use super::{Source, refused};
use crate::pages::browser::{Browser, account};
use crate::support::{Database, Engine, TestApp, block_on, both_engines, slotwright, text};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use slotwright::app::scim::token;
use slotwright::auth::principal::Role;
use slotwright::clock::Clock;
use std::time::Duration;

async fn administrator(app: &TestApp) -> Browser {
    account(app, "ada", &[Role::Administrator], None).await;
    let mut browser = Browser::new(app);
    browser.sign_in("ada").await;
    browser
}

/// A source that brings this token.
fn bringing(app: &TestApp, token: &str) -> Source {
    Source { client: app.with_token(token), base: format!("{}/scim/v2", app.root()) }
}

const TOKENS: &str = "/admin/clients/entra/scim-tokens";

both_engines! {
    async fn an_administrator_gives_a_source_a_token_and_takes_it_back(app: TestApp) {
        let _ = Source::new(&app).await;
        let mut ada = administrator(&app).await;
        let (status, made) = ada.json(Method::POST, TOKENS, &json!({ "days": 30 })).await;
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().expect("a token").to_owned();
        assert!(token.strip_prefix("slotwright_scim_").is_some_and(|random| random.len() == 43), "{token}");
        let okta = bringing(&app, &token);
        let user = okta.user("bea").await;
        okta.get(&user).await.is(200);
        // Nothing of it but its hash is kept.
        let kept = app.database().texts("SELECT hash FROM scim_token").await;
        assert!(kept.len() == 1 && !kept[0].contains(&token) && !token.contains(&kept[0]), "{kept:?}");
        let listed = ada.get(TOKENS).await.is(200);
        assert!(!listed.says(&token) && listed.says("last_used"), "{}", listed.html);
        let listed: Value = serde_json::from_str(&listed.html).expect("JSON");
        assert!(listed["tokens"][0]["last_used"].is_string() && listed["tokens"][0]["revoked"].is_null(), "{listed}");
        // What it did is told with its name and the client's.
        let events = app.audit_events().await;
        let id = made["id"].as_str().expect("an id");
        let by_token = |event: &&Value| event.to_string().contains(&format!("urn:ietf:params:oauth:jti:{id}"));
        assert!(events.iter().filter(by_token).count() >= 2, "{events:#?}");
        assert!(!format!("{events:?}").contains(&token));
        let revoke = format!("/admin/scim-tokens/{id}/revoke");
        assert_eq!(ada.json(Method::POST, &revoke, &json!({})).await.0, 200);
        refused(&okta.get(&user).await, 401, None);
        assert_eq!(ada.json(Method::POST, &revoke, &json!({})).await.0, 404);
        for (what, count) in [("make a provisioning token", 1), ("take a provisioning token back", 1)] {
            let events = app.audit_events().await;
            let told = events.iter().filter(|event| event.to_string().contains(what)).count();
            assert_eq!(told, count, "{what}");
        }
    }

    async fn it_opens_scim_and_nothing_else(app: TestApp) {
        let _ = Source::new(&app).await;
        let (_, secret) = token::issue(app.library(), "entra", 1, "a test").await.expect("a token");
        let okta = bringing(&app, secret.expose_secret());
        okta.get("Users").await.is(200);
        for path in ["Organization/1", "Patient"] {
            okta.client.get(path).await.is(401);
        }
        for path in ["introspect", "launch", "register"] {
            let url = format!("{}/oauth/{path}", app.root());
            let reply = okta.client.request(Method::POST, &url).bytes("application/json", b"{}".to_vec()).send().await;
            assert!((400..=401).contains(&reply.status), "{path}: {reply}");
        }
        let url = format!("{}/admin/clients", app.root());
        okta.client.request(Method::GET, &url).send().await.is(401);
        for other in ["slotwright_scim_", "slotwright_scim_made-up", &secret.expose_secret()[..40]] {
            refused(&bringing(&app, other).get("Users").await, 401, None);
        }
    }

    async fn it_ends_with_its_client_and_its_permission(app: TestApp) {
        let _ = Source::new(&app).await;
        let (_, secret) = token::issue(app.library(), "entra", 1, "a test").await.expect("a token");
        let okta = bringing(&app, secret.expose_secret());
        app.database().execute("UPDATE oauth_client SET may_provision = 0 WHERE id = 'entra'").await;
        refused(&okta.get("Users").await, 403, None);
        let without = token::issue(app.library(), "entra", 1, "a test").await;
        assert!(without.is_err_and(|error| error.description.contains("may not keep accounts")));
        app.database().execute("UPDATE oauth_client SET may_provision = 1 WHERE id = 'entra'").await;
        okta.get("Users").await.is(200);
        slotwright::app::oauth::clients::switch(app.library(), "entra", false, "a test").await.expect("off");
        refused(&okta.get("Users").await, 401, None);
        for days in [0, 1097] {
            assert!(token::issue(app.library(), "entra", days, "a test").await.is_err(), "{days}");
        }
        assert!(token::issue(app.library(), "nobody", 1, "a test").await.is_err());
    }

    async fn it_ends_by_itself(engine: Engine) {
        let database = Database::create(engine).await;
        let app = TestApp::start_with(database, Clock::fixed(1_900_000_000_000_000), &[]).await;
        let _ = Source::new(&app).await;
        let (_, secret) = token::issue(app.library(), "entra", 2, "a test").await.expect("a token");
        let okta = bringing(&app, secret.expose_secret());
        okta.get("Users").await.is(200);
        app.advance(Duration::from_hours(47));
        okta.get("Users").await.is(200);
        app.advance(Duration::from_hours(2));
        refused(&okta.get("Users").await, 401, None);
    }

    async fn whom_a_provider_knows_is_forgotten_with_the_account(app: TestApp) {
        let entra = Source::new(&app).await;
        let user = entra.user("bea").await;
        let id = super::id(&user).to_owned();
        app.database().execute(&format!(
            "INSERT INTO upstream_identity (issuer, subject, account, since_us, last_us) VALUES ('https://sso', 'bea', '{id}', 1, 1)"
        )).await;
        entra.delete(&user).await.is(204);
        assert_eq!(app.database().texts("SELECT account FROM upstream_identity").await, Vec::<String>::new());
    }
}

#[test]
fn tokens_are_made_listed_and_taken_back_from_the_command_line() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let run = |arguments: &[&str]| {
            let output = slotwright(&database, arguments);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(error) }
        };
        let jwks = database.dir().join("keys.json");
        let key = crate::oauth::signer::Signer::rsa(0).jwk("k1");
        std::fs::write(&jwks, json!({ "keys": [key] }).to_string()).unwrap();
        let add = ["client", "add", "--name", "Okta", "--id", "okta", "--auth", "key", "--system"];
        let more = ["--scope", "system/Organization.r", "--may-provision", "--jwks", jwks.to_str().unwrap()];
        run(&[&add[..], &more[..]].concat()).unwrap();
        let token = run(&["client", "scim-token", "new", "okta", "--days", "90"]).unwrap();
        assert!(token.starts_with("slotwright_scim_"), "{token}");
        assert!(run(&["client", "scim-token", "new", "nobody"]).unwrap_err().contains("no such client"));
        let listed = run(&["client", "scim-token", "list", "okta"]).unwrap();
        assert!(listed.contains("last used never") && !listed.contains(token.trim()), "{listed}");
        let id = listed.split_whitespace().next().unwrap().to_owned();
        run(&["client", "scim-token", "revoke", &id]).unwrap();
        assert!(run(&["client", "scim-token", "list", "okta"]).unwrap().contains("taken back"));
        assert!(run(&["client", "scim-token", "revoke", &id]).is_err());
        let app = TestApp::start_with(database, Clock::system(), &[]).await;
        let reply = bringing(&app, token.trim()).get("Users").await;
        assert_eq!((reply.status, text(&reply.json, "/status")), (401, "401"));
    });
}
