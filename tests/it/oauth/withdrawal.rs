//! Revocation and introspection (RFC 7009, RFC 7662; SMART 271–283, 4.2.*; C3, C4).

use super::backend::{ask, rs384, sound};
use super::flow::{
    SCOPE, backend, basic, claims, code, exchanged, post, public, refreshed, refused, registered,
};
use super::signer::Signer;
use crate::support::{Reply, TestApp, both_engines};
use serde_json::json;
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::{ClientKeys, Proof};

/// Tokens of an application that Ann allowed.
async fn tokens(app: &TestApp) -> Reply {
    registered(app, public("app")).await;
    app.account("ann", &["patient"], Some("Patient/p1")).await;
    let code = code(app, "app", SCOPE, "ann", "p1").await;
    exchanged(app, "app", &code).await.is(200)
}

/// The token of a client that may introspect.
pub async fn auditor(app: &TestApp) -> String {
    let signer = Signer::rsa(0);
    let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
    let new = NewClient { may_introspect: true, ..backend("auditor", "system/Slot.rs", keys) };
    registered(app, new).await;
    let reply = ask(app, &signer.sign(&rs384("k1"), &sound(app, "auditor")), "system/Slot.rs").await.is(200);
    format!("Bearer {}", reply.text("/access_token"))
}

async fn revoke(app: &TestApp, client: &str, token: &str) -> Reply {
    post(app, "revoke", &[("token", token), ("client_id", client)], None).await
}

both_engines! {
    async fn c3_a_revoked_refresh_token_takes_everything_with_it(app: TestApp) {
        let given = tokens(&app).await;
        let auditor = auditor(&app).await;
        let access = given.text("/access_token");
        let _ = revoke(&app, "app", given.text("/refresh_token")).await.is(200);
        let _ = app.with_token(access).get("Appointment").await.is(401);
        refused(&refreshed(&app, "app", given.text("/refresh_token")).await, "invalid_grant");
        for token in [access, given.text("/refresh_token")] {
            let said = post(&app, "introspect", &[("token", token)], Some(&auditor)).await.is(200);
            assert_eq!(said.body, br#"{"active":false}"#);
        }
    }

    async fn c3_a_revoked_access_token_ends_alone(app: TestApp) {
        let given = tokens(&app).await;
        let _ = revoke(&app, "app", given.text("/access_token")).await.is(200);
        let _ = app.with_token(given.text("/access_token")).get("Appointment").await.is(401);
        let _ = refreshed(&app, "app", given.text("/refresh_token")).await.is(200);
    }

    async fn c3_what_is_not_the_clients_own_is_not_revoked(app: TestApp) {
        let given = tokens(&app).await;
        registered(&app, public("other")).await;
        for token in ["made-up", "", "a.b.c"] {
            let reply = revoke(&app, "app", token).await;
            assert_eq!(reply.status, if token.is_empty() { 400 } else { 200 }, "{reply}");
        }
        for token in [given.text("/access_token"), given.text("/refresh_token")] {
            refused(&revoke(&app, "other", token).await, "invalid_grant");
        }
        refused(&revoke(&app, "nobody", given.text("/access_token")).await, "invalid_client");
        assert_ne!(app.with_token(given.text("/access_token")).get("Appointment").await.status, 401);
        let _ = refreshed(&app, "app", given.text("/refresh_token")).await.is(200);
    }

    async fn a_token_is_explained_to_those_who_may_ask(app: TestApp) {
        let given = tokens(&app).await;
        let auditor = auditor(&app).await;
        let said = post(&app, "introspect", &[("token", given.text("/access_token"))], Some(&auditor)).await.is(200);
        assert_eq!(said.json["active"], true);
        assert_eq!((said.text("/scope"), said.text("/client_id"), said.text("/patient")), (SCOPE, "app", "p1"));
        let id = claims(given.text("/id_token"));
        assert_eq!((&said.json["iss"], &said.json["sub"]), (&id["iss"], &id["sub"]));
        assert_eq!(said.json["fhirUser"], id["fhirUser"]);
        assert_eq!(said.json["exp"], claims(given.text("/access_token"))["exp"]);
        for name in ["need_patient_banner", "smart_style_url"] {
            assert_eq!(said.json[name], given.json[name]);
        }
        let said = post(&app, "introspect", &[("token", given.text("/refresh_token"))], Some(&auditor)).await.is(200);
        assert_eq!((said.json["active"].clone(), said.text("/client_id")), (true.into(), "app"));
        for token in ["invalid_token_value", given.text("/id_token")] {
            let said = post(&app, "introspect", &[("token", token)], Some(&auditor)).await.is(200);
            assert_eq!(said.body, br#"{"active":false}"#);
        }
    }

    async fn c4_others_learn_nothing(app: TestApp) {
        let given = tokens(&app).await;
        let token = given.text("/access_token");
        refused(&post(&app, "introspect", &[("token", token)], None).await, "invalid_client");
        refused(&post(&app, "introspect", &[("token", token), ("client_id", "app")], None).await, "invalid_client");
        refused(&post(&app, "introspect", &[("token", token)], Some("Bearer made-up")).await, "invalid_token");
        let patient = format!("Bearer {token}");
        let reply = post(&app, "introspect", &[("token", token)], Some(&patient)).await.is(403);
        assert_eq!(reply.text("/error"), "insufficient_scope");
        let system = app.authorization();
        let _ = post(&app, "introspect", &[("token", token)], Some(&system)).await.is(403);
        // A client that has a secret may ask about its own tokens, and hears nothing of others.
        let secret = registered(&app, NewClient { proof: Proof::Secret, ..public("web") }).await.unwrap();
        let said = post(&app, "introspect", &[("token", token)], Some(&basic("web", &secret))).await.is(200);
        assert_eq!(said.body, br#"{"active":false}"#);
    }

    async fn people_take_back_what_they_gave(app: TestApp) {
        use slotwright::app::oauth::revoke;
        let given = tokens(&app).await;
        let grants = revoke::grants_of(app.library(), "ann").await.unwrap();
        assert_eq!(grants.len(), 1);
        assert!(!revoke::revoke_of(app.library(), "bob", &grants[0].id).await.unwrap());
        assert_ne!(app.with_token(given.text("/access_token")).get("Appointment").await.status, 401);
        assert!(revoke::revoke_of(app.library(), "ann", &grants[0].id).await.unwrap());
        let _ = app.with_token(given.text("/access_token")).get("Appointment").await.is(401);
        assert!(revoke::grants_of(app.library(), "ann").await.unwrap().is_empty());
    }

    async fn every_change_behind_its_back_ends_what_is_remembered(app: TestApp) {
        let changes = [
            ("UPDATE oauth_client SET disabled_us = 1 WHERE id = 'app'", "UPDATE oauth_client SET disabled_us = NULL", 401),
            ("UPDATE account SET disabled_us = 1 WHERE id = 'ann'", "UPDATE account SET disabled_us = NULL", 401),
            ("UPDATE role_grant SET role = 'administrator'", "UPDATE role_grant SET role = 'patient'", 403),
            ("UPDATE oauth_grant SET revoked_us = 1", "UPDATE oauth_grant SET revoked_us = NULL", 401),
        ];
        let given = tokens(&app).await;
        let ann = app.with_token(given.text("/access_token"));
        for (change, back, status) in changes {
            let _ = ann.get("Appointment").await.is(200);
            app.database().execute(change).await;
            // By a search, by a read of what is not there, and by something that does not read.
            let _ = ann.get("Appointment").await.is(status);
            app.database().execute(back).await;
            let _ = ann.get("Appointment/none").await.is(404);
            app.database().execute(change).await;
            let _ = ann.get("Appointment/none").await.is(status);
            app.database().execute(back).await;
            let _ = ann.get("Appointment/none").await.is(404);
            app.database().execute(change).await;
            let _ = ann.get("Appointment/none/_history").await.is(status);
            app.database().execute(back).await;
        }
    }
}
