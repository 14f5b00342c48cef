//! Guessing passwords, and keeping others out by guessing.

use super::browser::{Browser, PASSWORD, account};
use crate::support::{FixedApp, TestApp, both_engines};
use std::time::Duration;

/// Fails `times` in a row, and returns the last status.
async fn fail(browser: &mut Browser, username: &str, times: usize) -> u16 {
    let mut status = 0;
    for _ in 0..times {
        status = browser.try_sign_in(username, "a wrong password").await.status;
    }
    status
}

both_engines! {
    async fn the_wait_grows_with_every_failure(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        assert_eq!(fail(&mut browser, "ana", 4).await, 422);
        for wait in [1, 2, 4, 8] {
            let page = browser.try_sign_in("ana", PASSWORD).await.is(429);
            assert_eq!(page.header("retry-after"), (wait + 1).to_string(), "{}", page.html);
            assert!(page.says("Try again in"), "{}", page.html);
            app.advance(Duration::from_secs(wait));
            assert_eq!(fail(&mut browser, "ana", 1).await, 422);
        }
        app.advance(Duration::from_secs(16));
        browser.sign_in("ana").await;
        // A success forgives.
        let mut browser = Browser::new(&app);
        assert_eq!(fail(&mut browser, "ana", 4).await, 422);
    }

    async fn somebody_who_does_not_exist_is_locked_out_alike(app: FixedApp) {
        let mut browser = Browser::new(&app);
        assert_eq!(fail(&mut browser, "nobody", 4).await, 422);
        assert_eq!(fail(&mut browser, "nobody", 1).await, 429);
        // Names that are one are counted as one.
        assert_eq!(fail(&mut browser, " NOBODY", 1).await, 429);
        assert_eq!(fail(&mut browser, "somebody", 1).await, 422);
    }

    async fn many_attempts_at_once_are_all_counted(app: TestApp) {
        account(&app, "ana", &[], None).await;
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let mut browser = Browser::new(&app);
            tasks.push(tokio::spawn(async move { fail(&mut browser, "ana", 1).await }));
        }
        let mut judged = 0;
        for task in tasks {
            judged += usize::from(task.await.expect("an answer") == 422);
        }
        // Four are free; time that passes during the test may let a few more in.
        assert!((4..=8).contains(&judged), "{judged} of 20 were judged");
    }

    async fn a_stranger_can_not_lock_the_owner_out(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut ana = Browser::at(&app, "127.0.0.7");
        ana.sign_in("ana").await;
        ana.fill("/account", "/sign-out", &[]).await.is(303);
        // Strangers from many addresses.
        for machine in 10..26 {
            let mut stranger = Browser::at(&app, &format!("127.0.0.{machine}"));
            fail(&mut stranger, "ana", 3).await;
        }
        // A new stranger has to wait, though this address failed never before.
        let mut stranger = Browser::at(&app, "127.0.0.99");
        assert_eq!(fail(&mut stranger, "ana", 1).await, 429);
        // The owner's browser is known, and another name is not concerned.
        ana.sign_in("ana").await;
        account(&app, "ben", &[], None).await;
        stranger.sign_in("ben").await;
        // Half a minute later even a browser that nobody knows gets in.
        app.advance(Duration::from_secs(31));
        let mut other = Browser::at(&app, "127.0.0.98");
        other.sign_in("ana").await;
    }

    async fn a_known_browser_is_no_licence_to_guess(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        account(&app, "ben", &[], None).await;
        let mut ana = Browser::new(&app);
        ana.sign_in("ana").await;
        ana.fill("/account", "/sign-out", &[]).await.is(303);
        assert_eq!(fail(&mut ana, "ana", 5).await, 429);
        // Ana's browser is a stranger to Ben's account.
        assert_eq!(fail(&mut ana, "ben", 5).await, 429);
    }
}
