//! What tokens and introspection say of an emergency.

use super::{begun, declare};
use crate::oauth::flow::{claims, code, exchanged, post, public, registered};
use crate::oauth::withdrawal::auditor;
use crate::support::{TestApp, both_engines};
use serde_json::Value;
use slotwright::app::oauth::clients::NewClient;

both_engines! {
    async fn tokens_say_what_for_and_introspection_whether_it_still_runs(app: TestApp) {
        let mut carl = begun(&app).await;
        let scope = "user/Patient.rs";
        registered(&app, NewClient { scope: scope.to_owned(), ..public("app") }).await;
        let token = async || {
            let code = code(&app, "app", scope, &carl.id, "").await;
            exchanged(&app, "app", &code).await.is(200).text("/access_token").to_owned()
        };
        let before = token().await;
        assert_eq!(claims(&before)["purpose_of_use"], Value::Null);
        declare(&mut carl.browser, "pat-2").await;
        let id = app.database().texts("SELECT id FROM emergency").await.swap_remove(0);
        let during = token().await;
        assert_eq!(claims(&during)["purpose_of_use"], "ETREAT");
        assert_eq!(claims(&during)["emergency"], id.as_str());
        assert!(!during.contains("pat-2"));
        let auditor = auditor(&app).await;
        for token in [&before, &during] {
            let said = post(&app, "introspect", &[("token", token)], Some(&auditor)).await.is(200);
            assert_eq!(said.json["purpose_of_use"], "ETREAT", "{said}");
            assert_eq!(said.json["emergency"], id.as_str());
            app.with_token(token).get("Patient/pat-2").await.is(200);
        }
        carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        let said = post(&app, "introspect", &[("token", &during)], Some(&auditor)).await.is(200);
        assert!(said.json["active"] == true && said.json["purpose_of_use"].is_null(), "{said}");
        app.with_token(&during).get("Patient/pat-2").await.is(404);
        assert_eq!(claims(&token().await)["emergency"], Value::Null);
    }
}
