//! What it takes to declare an emergency.

use super::{REASON, begun, declare, try_declare};
use crate::pages::browser::{Browser, PASSWORD};
use crate::support::{FixedApp, TestApp, both_engines};
use serde_json::json;
use slotwright::auth::totp::Authenticator;
use std::time::Duration;

both_engines! {
    async fn the_password_is_asked_for_and_attempts_are_counted(app: FixedApp) {
        let mut carl = begun(&app).await;
        for _ in 0..4 {
            // Whether there is such a patient is not said to who does not know the password.
            for patient in ["pat-2", "nobody"] {
                let page = try_declare(&mut carl.browser, patient, "a wrong password").await;
                if page.status == 429 {
                    continue;
                }
                let page = page.is(422);
                assert!(page.says("The password is not right") && !page.says("no such patient"), "{}", page.html);
            }
        }
        let page = try_declare(&mut carl.browser, "pat-2", PASSWORD).await.is(429);
        assert!(page.says("Try again in") && !page.header("retry-after").is_empty(), "{}", page.html);
        // They are the same attempts as those at the sign-in.
        let mut stranger = Browser::new(&app);
        stranger.cookies = carl.browser.cookies.clone();
        stranger.cookies.remove("session");
        stranger.try_sign_in("carl", PASSWORD).await.is(429);
        carl.client.get("Patient/pat-2").await.is(404);
        assert_eq!(app.database().number("SELECT COUNT(*) FROM emergency").await, 0);
        app.advance(Duration::from_mins(1));
        declare(&mut carl.browser, "pat-2").await;
        // A success forgives.
        try_declare(&mut carl.browser, "pat-2", "a wrong password").await.is(422);
    }

    async fn a_reason_and_a_purpose_are_given(app: TestApp) {
        let mut carl = begun(&app).await;
        let sound = [("patient", "pat-2"), ("purpose", "BTG"), ("reason", REASON), ("password", PASSWORD)];
        let long = "x".repeat(501);
        for (name, value, told) in [
            ("patient", " ", "Say which patient"), ("purpose", "", "Say what it is for"),
            ("purpose", "TREAT", "Say what it is for"), ("reason", "", "Give a reason"),
            ("reason", "urgent", "Give a reason"), ("reason", "\u{200b}\u{202e}   urgent   \r\n", "Give a reason"),
            ("reason", long.as_str(), "Give a reason"), ("password", "", "Enter your password"),
        ] {
            let fields = sound.map(|(own, sound)| (own, if own == name { value } else { sound }));
            let page = carl.browser.fill("/emergency", "/emergency", &fields).await.is(422);
            assert!(page.says(&format!("<a href=\"#{name}\">{told}")), "{name}={value}: {}", page.html);
        }
        let reason = "  \u{202e}Found\tunconscious\r\n<b>at home</b>\u{0}";
        let fields = sound.map(|(own, sound)| (own, if own == "reason" { reason } else { sound }));
        carl.browser.fill("/emergency", "/emergency", &fields).await.is(303);
        let kept = app.database().texts("SELECT purpose || ' ' || reason FROM emergency").await;
        assert_eq!(kept, ["BTG Found unconscious <b>at home</b>"]);
    }

    async fn the_patient_is_named_exactly(app: TestApp) {
        let mut carl = begun(&app).await;
        let other = json!({ "resourceType": "Patient", "id": "pat-5", "identifier": [{ "value": "shared" }] });
        app.put("Patient/pat-5", &other).await;
        for unknown in ["nobody", "M", "pat", "*", "|", "M-3,M-4", "urn:other|M-3", "../pat-2", "Patient/pat-2?x"] {
            let page = try_declare(&mut carl.browser, unknown, PASSWORD).await.is(422);
            assert!(page.says("There is no such patient"), "{unknown}: {}", page.html);
        }
        let page = try_declare(&mut carl.browser, "shared", PASSWORD).await.is(422);
        assert!(page.says("Several patients have this number"), "{}", page.html);
        for named in [" pat-3 ", "M-3", "urn:mrn|M-3"] {
            declare(&mut carl.browser, named).await;
            carl.client.get("Patient/pat-3").await.is(200);
            carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        }
        let page = carl.browser.get("/emergency?patient=M-3").await.is(200);
        assert!(page.says("value=\"M-3\""), "{}", page.html);
    }

    async fn who_has_a_second_factor_shows_it(app: FixedApp) {
        let mut carl = begun(&app).await;
        let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        let enrol = format!("UPDATE account SET totp_secret = '{secret}', totp_since_us = 1 WHERE id = '{}'", carl.id);
        app.database().execute(&enrol).await;
        let authenticator = Authenticator::stored(secret, "carl").expect("a secret");
        let give = async |browser: &mut Browser, patient: &str, code: &str| {
            let fields = [("patient", patient), ("purpose", "ETREAT"), ("reason", REASON), ("password", PASSWORD), ("code", code)];
            browser.fill("/emergency", "/emergency", &fields).await
        };
        for wrong in ["", "12", "abcde-fghij"] {
            let page = give(&mut carl.browser, "pat-2", wrong).await.is(422);
            assert!(page.says("This code is not right"), "{}", page.html);
            // Nor is a patient's existence told to who has the password alone.
            assert!(!give(&mut carl.browser, "nobody", wrong).await.says("no such patient"));
        }
        app.advance(Duration::from_mins(1));
        let code = authenticator.code(app.library().clock.now());
        // A mistyped patient does not use the code up.
        assert!(give(&mut carl.browser, "nobody", &code).await.is(422).says("There is no such patient"));
        give(&mut carl.browser, "pat-2", &code).await.is(303);
        carl.client.get("Patient/pat-2").await.is(200);
        carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        give(&mut carl.browser, "pat-2", &code).await.is(422);
        carl.client.get("Patient/pat-2").await.is(404);
    }

    async fn who_has_no_password_has_just_signed_in(app: FixedApp) {
        let mut carl = begun(&app).await;
        let without = format!("UPDATE account SET password_hash = NULL WHERE id = '{}'", carl.id);
        app.database().execute(&without).await;
        let fields = [("patient", "pat-2"), ("purpose", "ETREAT"), ("reason", REASON)];
        let (_, form) = carl.browser.get("/emergency").await.is(200).hidden("/emergency").swap_remove(0);
        app.advance(Duration::from_mins(6));
        carl.browser.get("/emergency").await.is(303);
        let page = carl.browser.post("/emergency", &[&fields[..], &[("token", form.as_str())]].concat()).await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Femergency%3Fpatient%3Dpat-2&again=1");
        carl.client.get("Patient/pat-2").await.is(404);
        let again = "UPDATE session SET authenticated_us = seen_us";
        app.database().execute(again).await;
        carl.browser.fill("/emergency", "/emergency", &fields).await.is(303);
        carl.client.get("Patient/pat-2").await.is(200);
    }
}
