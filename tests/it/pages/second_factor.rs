//! Codes of an authenticator app, and recovery codes.

use super::browser::{Browser, PASSWORD, account};
use crate::support::{FixedApp, TestApp, both_engines};
use slotwright::auth::totp::Authenticator;
use std::time::Duration;

/// Sets an authenticator app up; the app and the recovery codes.
pub async fn enrol(app: &TestApp, browser: &mut Browser, username: &str) -> (Authenticator, Vec<String>) {
    let page = browser.get("/account/authenticator").await.is(200);
    let secret =
        page.html.split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a secret");
    assert!(page.says("otpauth://totp/Slotwright:"), "{}", page.html);
    let authenticator = Authenticator::stored(&secret.replace(' ', ""), username).expect("a good secret");
    let code = authenticator.code(app.library().clock.now());
    let page =
        browser.fill("/account/authenticator", "/account/authenticator", &[("code", &code)]).await.is(200);
    let list =
        page.html.split("id=\"codes\">").nth(1).and_then(|rest| rest.split("</ul>").next()).expect("codes");
    let codes: Vec<String> =
        list.split("<li>").skip(1).filter_map(|item| item.split('<').next()).map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    (authenticator, codes)
}

/// Gives the password and comes to the page that asks for the code.
async fn half_way(app: &TestApp) -> Browser {
    let mut browser = Browser::new(app);
    let page = browser.try_sign_in("ana", PASSWORD).await.is(303);
    assert_eq!(page.location(), "/sign-in/code?return=%2Faccount");
    assert!(!browser.is_signed_in().await, "half a sign-in is none");
    browser
}

async fn give(browser: &mut Browser, code: &str) -> u16 {
    browser.fill("/sign-in/code", "/sign-in/code", &[("code", code)]).await.status
}

both_engines! {
    async fn a_code_is_asked_for_and_good_once(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let mut elsewhere = Browser::new(&app);
        elsewhere.sign_in("ana").await;
        let (authenticator, _) = enrol(&app, &mut browser, "ana").await;
        assert!(browser.is_signed_in().await);
        assert!(!elsewhere.is_signed_in().await, "signed in with the password alone");
        let now = || app.library().clock.now();
        // The code that turned it on was used.
        let mut browser = half_way(&app).await;
        assert_eq!(give(&mut browser, &authenticator.code(now())).await, 422);
        app.advance(Duration::from_secs(30));
        let code = authenticator.code(now());
        assert_eq!(give(&mut browser, &code).await, 303);
        assert!(browser.is_signed_in().await);
        // Looked at over the shoulder: a replay within its window.
        let mut thief = half_way(&app).await;
        assert_eq!(give(&mut thief, &code).await, 422);
        // An older code than the last that was used is no good either.
        assert_eq!(give(&mut thief, &authenticator.code(now() - 30_000_000)).await, 422);
        assert!(!thief.is_signed_in().await);
    }

    async fn half_a_sign_in_does_not_last(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let (authenticator, _) = enrol(&app, &mut browser, "ana").await;
        let mut browser = half_way(&app).await;
        app.advance(Duration::from_mins(11));
        let code = authenticator.code(app.library().clock.now());
        let page = browser.fill("/sign-in/code", "/sign-in/code", &[("code", &code)]).await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Faccount");
        assert!(!browser.is_signed_in().await);
    }

    async fn guessing_codes_is_slowed_down(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let (authenticator, _) = enrol(&app, &mut browser, "ana").await;
        app.advance(Duration::from_mins(1));
        let mut thief = half_way(&app).await;
        for _ in 0..4 {
            assert_eq!(give(&mut thief, "000000").await, 422);
        }
        assert_eq!(give(&mut thief, &authenticator.code(app.library().clock.now())).await, 429);
        // A new password step gives no new tries.
        let mut thief = half_way(&app).await;
        assert_eq!(give(&mut thief, "000000").await, 429);
    }

    async fn a_recovery_code_works_once(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let (_, codes) = enrol(&app, &mut browser, "ana").await;
        let typed = codes[0].to_uppercase().replace('-', " ");
        let mut browser = half_way(&app).await;
        assert_eq!(give(&mut browser, &typed).await, 303);
        assert!(browser.get("/account").await.is(200).says("9 recovery codes are left"));
        let mut browser = half_way(&app).await;
        assert_eq!(give(&mut browser, &codes[0]).await, 422);
        assert_eq!(give(&mut browser, &codes[1]).await, 303);
        // New ones replace all that were left.
        browser.fill("/account", "/account/recovery-codes", &[]).await.is(200);
        let mut browser = half_way(&app).await;
        assert_eq!(give(&mut browser, &codes[2]).await, 422);
        let stored = app.database().texts("SELECT hash FROM recovery_code").await;
        assert!(stored.iter().all(|hash| hash.len() == 43), "only hashes: {stored:?}");
    }

    async fn turning_it_off_takes_a_recent_sign_in(app: FixedApp) {
        account(&app, "ana", &[], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let (authenticator, _) = enrol(&app, &mut browser, "ana").await;
        app.advance(Duration::from_mins(12));
        let page = browser.fill("/account", "/account/authenticator/remove", &[]).await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Faccount&again=1");
        let fields = [("username", "ana"), ("password", PASSWORD)];
        browser.fill("/sign-in?again=1&return=/account", "/sign-in", &fields).await.is(303);
        let code = authenticator.code(app.library().clock.now());
        assert_eq!(give(&mut browser, &code).await, 303);
        let page = browser.fill("/account", "/account/authenticator/remove", &[]).await.is(303);
        assert_eq!(page.location(), "/account?done=authenticator");
        Browser::new(&app).sign_in("ana").await;
    }
}
