//! Changing the password; the command line and the access review.

use super::browser::{Browser, PASSWORD, account};
use crate::support::{Database, Engine, FixedApp, TestApp, both_engines, slotwright};
use serde_json::Value;
use slotwright::app::account as use_case;
use slotwright::auth::principal::{Role, RoleGrant};
use std::time::Duration;

const NEW: &str = "seven green umbrellas";

both_engines! {
    async fn a_new_password_takes_the_old_one_and_ends_other_sessions(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let (mut here, mut there) = (Browser::new(&app), Browser::new(&app));
        here.sign_in("ana").await;
        there.sign_in("ana").await;
        let change = async |browser: &mut Browser, old: &str, new: &str| {
            browser.fill("/account", "/account/password", &[("old-password", old), ("new-password", new)]).await
        };
        let page = change(&mut here, "not the old one", NEW).await.is(422);
        assert!(page.says("<a href=\"#old-password\">"), "{}", page.html);
        for weak in ["short", "ana ana ana ana ana", "password1234", "aaaaaaaaaaaaaaaa"] {
            let page = change(&mut here, PASSWORD, weak).await.is(422);
            assert!(page.says("<a href=\"#new-password\">"), "{weak}: {}", page.html);
        }
        let page = change(&mut here, PASSWORD, NEW).await.is(303);
        assert_eq!(page.location(), "/account?done=password");
        assert!(here.is_signed_in().await);
        assert!(!there.is_signed_in().await);
        Browser::new(&app).try_sign_in("ana", PASSWORD).await.is(422);
        Browser::new(&app).try_sign_in("ana", NEW).await.is(303);
    }

    async fn the_review_says_who_may_what_and_since_when(app: FixedApp) {
        let id = account(&app, "ana", &[Role::Clinician], Some("Practitioner/dr-a")).await;
        account(&app, "ben", &[], None).await;
        app.advance(Duration::from_hours(24));
        let north = RoleGrant { role: Role::Scheduler, organization: Some("north".to_owned()) };
        use_case::give_role(app.library(), &id, &north, &id).await.expect("a role");
        app.advance(Duration::from_hours(24));
        Browser::new(&app).sign_in("ana").await;
        let rows = use_case::json(&use_case::review(app.library()).await.expect("a review"));
        let row = |index: usize| rows[index].clone();
        assert_eq!(row(0)["username"], "ana");
        assert_eq!(row(0)["role"], "clinician");
        assert_eq!(row(0)["organization"], Value::Null);
        assert_eq!(row(0)["since"], "2031-03-01T08:00:00.000Z");
        assert_eq!(row(0)["givenBy"], "a test");
        assert_eq!(row(0)["lastUsed"], "2031-03-03T08:00:00.000Z");
        assert_eq!(row(0)["lastSignIn"], "2031-03-03T08:00:00.000Z");
        assert_eq!(row(1)["organization"], "north");
        assert_eq!(row(1)["since"], "2031-03-02T08:00:00.000Z");
        assert_eq!(row(1)["givenBy"], "ana");
        assert_eq!(row(2)["username"], "ben");
        assert_eq!(row(2)["role"], Value::Null);
        assert_eq!(rows.as_array().map(Vec::len), Some(3));
        use_case::take_role(app.library(), &id, &north).await.expect("taken");
        assert_eq!(use_case::review(app.library()).await.expect("a review").len(), 2);
    }

    async fn accounts_are_made_from_the_command_line(engine: Engine) {
        let database = Database::create(engine).await;
        let run = |arguments: &[&str]| {
            let done = slotwright(&database, &[&["user"], arguments].concat());
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            let error = String::from_utf8_lossy(&done.stderr).into_owned();
            (done.status.success(), text, error)
        };
        let (ok, out, error) = run(&["add", "ana", "--name", "=HYPERLINK(\"x\")", "--role", "scheduler@north", "--role", "administrator"]);
        assert!(ok, "{error}");
        let password = out.split("Password: ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a password");
        assert_eq!(password.len(), 19);
        let (ok, _, error) = run(&["add", "ANA", "--name", "Another"]);
        assert!(!ok && error.contains("taken"), "{error}");
        let (ok, _, error) = run(&["add", "eve", "--name", "Eve", "--role", "system"]);
        assert!(!ok && error.contains("a role is one of"), "{error}");
        let (ok, out, _) = run(&["role", "ana", "--remove", "administrator", "--add", "compliance"]);
        assert!(ok && out.contains("compliance scheduler@north") && !out.contains("administrator"), "{out}");
        let (ok, out, _) = run(&["review"]);
        assert!(ok && out.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{out}");
        let (_, out, _) = run(&["review", "--format", "json"]);
        let rows: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(rows[0]["givenBy"], "command line");
        let (ok, ..) = run(&["disable", "ana"]);
        let (_, out, _) = run(&["list"]);
        assert!(ok && out.contains("disabled"), "{out}");
        let (ok, _, error) = run(&["enable", "nobody"]);
        assert!(!ok && error.contains("no such account"), "{error}");
    }
}
