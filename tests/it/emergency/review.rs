//! The review queue.

use super::{REASON, begun, declare};
use crate::pages::browser::{Browser, account};
use crate::support::{FixedApp, TestApp, both_engines};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::principal::Role;
use std::time::Duration;

const QUEUE: &str = "/admin/emergencies";

async fn officer(app: &TestApp) -> Browser {
    account(app, "cora", &[Role::Compliance], None).await;
    let mut cora = Browser::new(app);
    cora.sign_in("cora").await;
    cora
}

/// What the queue's API says.
async fn asked(browser: &mut Browser, path: &str) -> Vec<Value> {
    let page = browser.get(path).await.is(200);
    let answer: Value = serde_json::from_str(&page.html).expect("JSON");
    answer["emergencies"].as_array().expect("a list").clone()
}

both_engines! {
    async fn an_officer_sees_and_judges_every_emergency(app: FixedApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        let mut cora = officer(&app).await;
        let page = cora.get("/emergencies").await.is(200);
        for told in ["Test carl (carl)", "Still running", "pat-2", REASON, "Treatment in an emergency"] {
            assert!(page.says(told), "{told}: {}", page.html);
        }
        assert!(!page.says("name=\"finding\""), "not before it is over");
        let running = asked(&mut cora, QUEUE).await;
        assert_eq!(running[0]["state"], "running");
        assert_eq!(running[0]["patient"], "Patient/pat-2");
        assert_eq!(running[0]["purposeOfUse"], "ETREAT");
        let path = format!("{QUEUE}/{}/review", running[0]["id"].as_str().expect("an id"));
        let verdict = json!({ "finding": "justified" });
        assert_eq!(cora.json(Method::POST, &path, &verdict).await.0, 422);
        carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        let none = cora.fill("/emergencies", "/emergencies", &[]).await.is(422);
        assert!(none.says("Say whether it was justified"), "{}", none.html);
        let fields = [("finding", "not-justified"), ("note", "Did not \u{202e}know <i>the</i> patient")];
        cora.fill("/emergencies", "/emergencies", &fields).await.is(303);
        let page = cora.get("/emergencies?reviewed=1").await.is(200);
        for told in ["Not justified", "Did not know &#60;i&#62;the", "by the clinician", "cora", "There is nothing to review"] {
            assert!(page.says(told), "{told}: {}", page.html);
        }
        // Said once and for all.
        assert_eq!(cora.json(Method::POST, &path, &verdict).await.0, 404);
        assert!(asked(&mut cora, QUEUE).await.is_empty());
        let kept = asked(&mut cora, &format!("{QUEUE}?reviewed=true")).await;
        assert_eq!(kept[0]["review"]["finding"], "not-justified");
        assert_eq!(kept[0]["endedHow"], "early");
    }

    async fn the_overdue_come_first(app: FixedApp) {
        let mut carl = begun(&app).await;
        for patient in ["pat-1", "pat-2", "pat-3"] {
            carl.browser = Browser::new(&app);
            carl.browser.sign_in("carl").await;
            declare(&mut carl.browser, patient).await;
            app.advance(Duration::from_hours(40));
        }
        carl.browser = Browser::new(&app);
        carl.browser.sign_in("carl").await;
        declare(&mut carl.browser, "pat-1").await;
        let mut cora = officer(&app).await;
        let all = asked(&mut cora, QUEUE).await;
        let order: Vec<_> = all.iter().map(|one| (one["patient"].as_str().unwrap(), one["state"].as_str().unwrap())).collect();
        assert_eq!(order, [
            ("Patient/pat-1", "overdue"), ("Patient/pat-2", "overdue"), ("Patient/pat-3", "waiting"), ("Patient/pat-1", "running"),
        ]);
        assert_eq!(all[0]["endedHow"], "time");
        let path = format!("{QUEUE}/{}/review", all[2]["id"].as_str().expect("an id"));
        let (status, judged) = cora.json(Method::POST, &path, &json!({ "finding": "justified", "note": "ok" })).await;
        assert_eq!((status, &judged["review"]["by"]), (200, &json!("cora")), "{judged}");
        assert_eq!(asked(&mut cora, QUEUE).await.len(), 3);
    }

    async fn it_is_for_officers_alone(app: FixedApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        app.advance(Duration::from_mins(5));
        carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        let id = app.database().texts("SELECT id FROM emergency").await.swap_remove(0);
        let path = format!("{QUEUE}/{id}/review");
        let verdict = json!({ "finding": "justified" });
        for (username, role) in [("pia", Role::Patient), ("sam", Role::Scheduler), ("ada", Role::Administrator), ("dora", Role::Clinician)] {
            account(&app, username, &[role], None).await;
            let mut browser = Browser::new(&app);
            browser.sign_in(username).await;
            browser.get("/emergencies").await.is(403);
            browser.get(QUEUE).await.is(403);
            assert_eq!(browser.json(Method::POST, &path, &verdict).await.0, 403, "{username}");
        }
        Browser::new(&app).get(QUEUE).await.is(401);
        // A clinician who is an officer too does not judge in their own cause.
        let officer_too = format!("INSERT INTO role_grant (account, role, since_us, granted_by) VALUES ('{}', 'compliance', 0, 'a test')", carl.id);
        app.database().execute(&officer_too).await;
        assert_eq!(carl.browser.json(Method::POST, &path, &verdict).await.0, 422);
        assert!(!carl.browser.get("/emergencies").await.is(200).says("name=\"finding\""));
        let (_, form) = carl.browser.get("/account").await.hidden("/sign-out").swap_remove(0);
        let fields = [("token", form.as_str()), ("id", id.as_str()), ("finding", "justified")];
        assert!(carl.browser.post("/emergencies", &fields).await.is(422).says("Nobody reviews an emergency of their own"));
    }

    async fn the_database_keeps_what_was_declared(app: TestApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        let refused = async |sql: &str| {
            assert!(app.database().try_execute(sql).await.is_err(), "{sql}");
        };
        refused("DELETE FROM emergency").await;
        for change in ["reason = 'none of yours'", "patient = 'pat-1'", "until_us = until_us + 1", "began_us = 0", "purpose = 'BTG'",
            "reviewed_us = 1, reviewed_by = account, finding = 'justified'"] {
            refused(&format!("UPDATE emergency SET {change}")).await;
        }
        carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        refused("UPDATE emergency SET ended_us = NULL, ended_how = NULL").await;
        refused("UPDATE emergency SET ended_us = ended_us - 1").await;
    }
}
