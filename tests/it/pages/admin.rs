//! The administrator API.

use super::browser::{Browser, PASSWORD, account};
use crate::support::auth::Person;
use crate::support::{FixedApp, TestApp, both_engines};
use reqwest::Method;
use serde_json::json;
use slotwright::auth::principal::Role;
use std::time::Duration;

const ACCOUNTS: &str = "/admin/accounts";

both_engines! {
    async fn an_administrator_looks_after_accounts(app: TestApp) {
        account(&app, "ada", &[Role::Administrator], None).await;
        let mut ada = Browser::new(&app);
        ada.sign_in("ada").await;
        let new = json!({
            "username": "Sam", "name": "Sam Rivers", "password": PASSWORD, "fhirUser": "Practitioner/sam",
            "roles": [{ "role": "scheduler", "organization": "north" }],
        });
        let (status, made) = ada.json(Method::POST, ACCOUNTS, &new).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["username"], "sam");
        assert_eq!(made["roles"][0]["organization"], "north");
        assert!(!made.to_string().contains("argon2") && !made.to_string().contains(PASSWORD), "{made}");
        assert_eq!(ada.json(Method::POST, ACCOUNTS, &new).await.0, 409);
        let path = format!("{ACCOUNTS}/{}", made["id"].as_str().expect("an id"));
        let mut sam = Browser::new(&app);
        sam.sign_in("sam").await;
        let change = json!({ "add": [{ "role": "clinician" }], "remove": [{ "role": "scheduler", "organization": "north" }] });
        let (status, changed) = ada.json(Method::POST, &format!("{path}/roles"), &change).await;
        assert_eq!((status, changed["roles"].as_array().map(Vec::len)), (200, Some(1)), "{changed}");
        assert_eq!(changed["roles"][0]["role"], "clinician");
        let (status, _) = ada.json(Method::PUT, &path, &json!({ "name": "Samuel Rivers", "locale": "es" })).await;
        assert_eq!(status, 200);
        assert!(sam.get("/account").await.is(200).says("Samuel Rivers"));
        let (status, off) = ada.json(Method::POST, &format!("{path}/disable"), &json!({})).await;
        assert!(status == 200 && off["disabled"].is_string(), "{off}");
        assert!(!sam.is_signed_in().await);
        assert_eq!(ada.json(Method::POST, &format!("{path}/enable"), &json!({})).await.0, 200);
        let new = json!({ "password": "seven green umbrellas" });
        assert_eq!(ada.json(Method::PUT, &format!("{path}/password"), &new).await.0, 200);
        Browser::new(&app).try_sign_in("sam", "seven green umbrellas").await.is(303);
        let page = ada.get("/admin/accounts?after=ada").await.is(200);
        assert!(page.says("\"sam\"") && !page.says("\"ada\""), "{}", page.html);
        let page = ada.get("/admin/review?format=csv").await.is(200);
        assert_eq!(page.header("content-type"), "text/csv; charset=utf-8");
        assert!(page.says("\"clinician\"") && page.says("\"ada\""), "{}", page.html);
    }

    async fn what_can_not_be_taken_is_said(app: TestApp) {
        account(&app, "ada", &[Role::Administrator], None).await;
        let mut ada = Browser::new(&app);
        ada.sign_in("ada").await;
        for wrong in [
            json!({ "username": "x y", "name": "X" }),
            json!({ "username": "x", "name": "" }),
            json!({ "username": "x", "name": "X", "password": "short" }),
            json!({ "username": "x", "name": "X", "fhirUser": "Slot/1" }),
            json!({ "username": "x", "name": "X", "roles": [{ "role": "system" }] }),
            json!({ "username": "x", "name": "X", "roles": [{ "role": "king" }] }),
            json!({ "username": "x", "name": "X", "isAdmin": true }),
        ] {
            let (status, told) = ada.json(Method::POST, ACCOUNTS, &wrong).await;
            assert_eq!((status, &told["error"]), (422, &json!("invalid")), "{wrong}");
        }
        assert_eq!(ada.get("/admin/accounts/nobody").await.status, 404);
    }

    async fn nobody_else_gets_in(app: TestApp) {
        for (username, role) in [
            ("pia", Role::Patient), ("sam", Role::Scheduler), ("carl", Role::Clinician), ("cora", Role::Compliance),
        ] {
            account(&app, username, &[role], None).await;
            let mut browser = Browser::new(&app);
            browser.sign_in(username).await;
            let new = json!({ "username": "eve", "name": "Eve", "roles": [{ "role": "administrator" }] });
            assert_eq!(browser.json(Method::POST, ACCOUNTS, &new).await.0, 403, "{username}");
            // Whoever watches over access may look, not touch.
            let may_look = role == Role::Compliance;
            let status = browser.get("/admin/review").await.status;
            assert_eq!(status, if may_look { 200 } else { 403 }, "{username}");
        }
        Browser::new(&app).get(ACCOUNTS).await.is(401);
        // An app administers on nobody's behalf, whatever it was granted.
        let person = Person { account: "boss", roles: &["administrator"], scope: "user/*.cruds", ..Person::default() };
        let boss = app.person(person).await;
        let url = format!("{}{ACCOUNTS}", app.root());
        assert_eq!(boss.get(&url).await.status, 401);
        assert_eq!(app.get(&url).await.status, 401, "a system client");
    }

    async fn changes_come_from_here_and_from_a_recent_sign_in(app: FixedApp) {
        account(&app, "ada", &[Role::Administrator], None).await;
        let mut ada = Browser::new(&app);
        ada.sign_in("ada").await;
        let new = json!({ "username": "eve", "name": "Eve" });
        ada.headers = vec![("sec-fetch-site", "cross-site".to_owned())];
        assert_eq!(ada.json(Method::POST, ACCOUNTS, &new).await.1["error"], "not-from-here");
        ada.headers = vec![];
        // As a form of another site would send it.
        ada.post(ACCOUNTS, &[("{\"username\":\"eve\",\"name\":\"Eve\"}", "")]).await.is(403);
        app.advance(Duration::from_mins(11));
        assert_eq!(ada.json(Method::POST, ACCOUNTS, &new).await.1["error"], "sign-in-again");
        ada.get(ACCOUNTS).await.is(200);
    }
}
