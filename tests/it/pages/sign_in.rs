//! Passwords and sessions.

use super::browser::{Browser, PASSWORD, account};
use crate::support::{FixedApp, TestApp, both_engines};
use slotwright::app::account as use_case;
use slotwright::auth::principal::Role;
use std::time::{Duration, Instant};

both_engines! {
    async fn a_password_opens_a_session_and_signing_out_ends_it(app: TestApp) {
        account(&app, "Ana", &[Role::Scheduler], None).await;
        let mut browser = Browser::new(&app);
        let page = browser.get("/account").await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Faccount");
        // However the name is written: case and width don't matter.
        let page = browser.try_sign_in(" ＡNA ", PASSWORD).await.is(303);
        assert_eq!(page.location(), "/account");
        assert!(browser.get("/account").await.is(200).says("Test Ana"));
        let stolen = browser.cookies.clone();
        let page = browser.fill("/account", "/sign-out", &[]).await.is(303);
        assert_eq!(page.location(), "/sign-out");
        assert!(browser.get("/sign-out").await.is(200).says("You are signed out"));
        assert!(!browser.is_signed_in().await);
        // The cookie is worth nothing any more, wherever it was copied to.
        browser.cookies = stolen;
        assert!(!browser.is_signed_in().await);
    }

    async fn nothing_tells_whether_an_account_exists(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let id = account(&app, "off", &[], None).await;
        use_case::disable(app.library(), &id).await.expect("disabled");
        let mut told = Vec::new();
        for (username, password) in [("ana", "wrong wrong wrong"), ("nobody", PASSWORD), ("off", PASSWORD)] {
            let mut browser = Browser::new(&app);
            #[allow(clippy::disallowed_methods)] // A test may look at the clock on the wall.
            let started = Instant::now();
            let page = browser.try_sign_in(username, password).await.is(422);
            let text = page.html.replace(username, "NAME");
            // What differs between browsers is the token alone.
            let token = page.hidden("/sign-in").into_iter().find(|(name, _)| name == "token").expect("a token");
            told.push((text.replace(&token.1, "TOKEN"), started.elapsed()));
        }
        assert_eq!(told[0].0, told[1].0);
        assert_eq!(told[0].0, told[2].0);
        // Hashing takes tens of milliseconds; skipping it for nobody would show.
        let hashing = Duration::from_millis(8);
        assert!(told.iter().all(|(_, time)| *time > hashing), "{:?}", told.iter().map(|(_, time)| time).collect::<Vec<_>>());
    }

    async fn a_session_is_new_at_every_sign_in(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        // A cookie that somebody else planted does not become a session.
        browser.cookies.insert("session".to_owned(), "planted".to_owned());
        browser.sign_in("ana").await;
        let first = browser.cookies["session"].clone();
        assert_ne!(first, "planted");
        let page = browser.fill("/sign-in?again=1", "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await;
        page.is(303);
        let second = browser.cookies["session"].clone();
        assert_ne!(first, second);
        browser.cookies.insert("session".to_owned(), first);
        assert!(!browser.is_signed_in().await, "the session before is over");
        // The database holds nothing that could be used as a cookie.
        let stored = app.database().texts("SELECT hash FROM session").await;
        assert!(stored.iter().all(|hash| *hash != second));
    }

    async fn sessions_end_when_idle_and_in_any_case(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut idle = Browser::new(&app);
        idle.sign_in("ana").await;
        let mut busy = Browser::new(&app);
        busy.sign_in("ana").await;
        for _ in 0..2 {
            app.advance(Duration::from_mins(16));
            assert!(busy.is_signed_in().await);
        }
        assert!(!idle.is_signed_in().await, "idle for 32 minutes");
        for _ in 0..27 {
            app.advance(Duration::from_mins(25));
            assert!(busy.is_signed_in().await);
        }
        // 32 + 27 * 25 = 707 minutes of at most 720.
        app.advance(Duration::from_mins(14));
        assert!(!busy.is_signed_in().await, "in use for more than 12 hours");
    }

    async fn disabling_an_account_ends_its_sessions_at_once(app: TestApp) {
        let id = account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        use_case::disable(app.library(), &id).await.expect("disabled");
        assert!(!browser.is_signed_in().await);
        use_case::enable(app.library(), &id).await.expect("enabled");
        assert!(!browser.is_signed_in().await, "the old session stays over");
        browser.sign_in("ana").await;
    }

    async fn after_the_sign_in_only_our_own_pages_follow(app: TestApp) {
        account(&app, "ana", &[], None).await;
        for evil in ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-out", "/consent/../x"] {
            let mut browser = Browser::new(&app);
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("return", evil).finish();
            let page = format!("/sign-in?{query}");
            let answer = browser.fill(&page, "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await.is(303);
            assert_eq!(answer.location(), "/account", "{evil}");
            // Not by tampering with the form either.
            let mut browser = Browser::new(&app);
            let token = browser.get("/sign-in").await.hidden("/sign-in").swap_remove(0).1;
            let fields = [("token", token.as_str()), ("return", evil), ("username", "ana"), ("password", PASSWORD)];
            assert_eq!(browser.post("/sign-in", &fields).await.is(303).location(), "/account", "{evil}");
        }
        let mut browser = Browser::new(&app);
        let answer =
            browser.fill("/sign-in?return=/apps", "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await;
        assert_eq!(answer.is(303).location(), "/apps");
    }
}
