//! Refresh tokens (SMART 100–104, 109–115, 1.4.*; g10 1.6.*, 11.16; C1, C2).

use super::flow::{
    SCOPE, approval, asking, authorize, code, exchanged, post, public, refreshed, refused, registered,
};
use crate::support::{FixedApp, TestApp, both_engines};
use slotwright::app::oauth::pending;
use std::time::Duration;

/// Registers the application and Ann, and gives the first refresh token.
async fn granted(app: &TestApp) -> String {
    registered(app, public("app")).await;
    app.account("ann", &["patient"], Some("Patient/p1")).await;
    let code = code(app, "app", SCOPE, "ann", "p1").await;
    exchanged(app, "app", &code).await.is(200).text("/refresh_token").to_owned()
}

both_engines! {
    async fn a_refresh_token_gives_new_tokens_of_the_same_scope(app: TestApp) {
        let first = granted(&app).await;
        let reply = refreshed(&app, "app", &first).await.is(200);
        assert_eq!((reply.text("/scope"), reply.text("/token_type")), (SCOPE, "Bearer"));
        assert_eq!((reply.json["expires_in"].clone(), reply.text("/patient")), (3600.into(), "p1"));
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        assert_ne!(reply.text("/refresh_token"), first);
        assert_ne!(app.with_token(reply.text("/access_token")).get("Appointment").await.status, 401);
        let _ = refreshed(&app, "app", reply.text("/refresh_token")).await.is(200);
    }

    async fn c1_fewer_scopes_can_be_asked_and_more_can_not(app: TestApp) {
        let first = granted(&app).await;
        let ask = async |token: &str, scope: &str| {
            let form = [
                ("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope), ("client_id", "app"),
            ];
            post(&app, "token", &form, None).await
        };
        for wider in ["patient/*.rs", "patient/Appointment.cruds", "user/Appointment.rs", "openid patient/Slot.r", "x"] {
            refused(&ask(&first, wider).await, "invalid_scope");
        }
        let reply = ask(&first, "patient/Appointment.r").await.is(200);
        assert_eq!(reply.text("/scope"), "patient/Appointment.r");
        // The grant is as wide as it was.
        let reply = ask(reply.text("/refresh_token"), SCOPE).await.is(200);
        assert_eq!(reply.text("/scope"), SCOPE);
    }

    async fn c1_a_refresh_token_used_twice_ends_its_family(app: TestApp) {
        let first = granted(&app).await;
        let second = refreshed(&app, "app", &first).await.is(200);
        refused(&refreshed(&app, "app", &first).await, "invalid_grant");
        refused(&refreshed(&app, "app", second.text("/refresh_token")).await, "invalid_grant");
        let _ = app.with_token(second.text("/access_token")).get("Appointment").await.is(401);
    }

    async fn c1_of_many_who_refresh_at_once_none_keeps_access(app: TestApp) {
        let first = granted(&app).await;
        let replies = futures_util::future::join_all((0..6).map(|_| refreshed(&app, "app", &first))).await;
        let given: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert!(given.len() <= 1, "{}", given.len());
        for reply in given {
            refused(&refreshed(&app, "app", reply.text("/refresh_token")).await, "invalid_grant");
        }
    }

    async fn c1_a_refresh_token_is_for_its_client(app: TestApp) {
        let first = granted(&app).await;
        registered(&app, public("other")).await;
        refused(&refreshed(&app, "other", &first).await, "invalid_grant");
        refused(&refreshed(&app, "app", "made-up").await, "invalid_grant");
        // Whoever tried did not take it from its owner.
        let _ = refreshed(&app, "app", &first).await.is(200);
    }

    async fn a_refresh_token_lives_on_by_being_used(app: FixedApp) {
        let mut token = granted(&app).await;
        for _ in 0..3 {
            app.advance(Duration::from_hours(24 * 95));
            let reply = refreshed(&app, "app", &token).await.is(200);
            reply.text("/refresh_token").clone_into(&mut token);
        }
        app.advance(Duration::from_hours(24 * 101));
        refused(&refreshed(&app, "app", &token).await, "invalid_grant");
    }

    async fn c2_offline_access_ends_with_the_account_and_the_client(app: TestApp) {
        let token = granted(&app).await;
        app.database().execute("UPDATE account SET disabled_us = 1").await;
        refused(&refreshed(&app, "app", &token).await, "invalid_grant");
        app.database().execute("UPDATE account SET disabled_us = NULL").await;
        app.database().execute("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'app'").await;
        refused(&refreshed(&app, "app", &token).await, "invalid_client");
        app.database().execute("UPDATE oauth_client SET disabled_us = NULL WHERE id = 'app'").await;
        let _ = refreshed(&app, "app", &token).await.is(200);
    }

    async fn c2_online_access_ends_with_the_session(app: TestApp) {
        registered(&app, public("app")).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        app.database()
            .execute(
                "INSERT INTO session (hash, account, created_us, authenticated_us, second_factor, seen_us, expires_us, \
                 ends_us) VALUES ('session-of-ann', 'ann', 1, 1, 0, 1, 4102444800000000, 4102444800000000)",
            )
            .await;
        let id = authorize(&app, &asking(&app, "app", "user/Slot.rs online_access")).await.waits();
        let waiting = pending::load(app.library(), &id).await.unwrap().unwrap();
        let url = pending::approve(app.library(), &id, approval("ann", &waiting, None)).await.unwrap().unwrap();
        let led = super::flow::Led { status: 303, location: url, body: String::new() };
        let reply = exchanged(&app, "app", &led.params()["code"]).await.is(200);
        let reply = refreshed(&app, "app", reply.text("/refresh_token")).await.is(200);
        app.database().execute("UPDATE session SET ended_us = 1").await;
        refused(&refreshed(&app, "app", reply.text("/refresh_token")).await, "invalid_grant");
    }
}
