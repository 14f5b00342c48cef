//! What libraries of clients send where the specifications leave a choice.

use super::backend::{ask, rs384, sound};
use super::flow::{SCOPE, backend, basic, code, exchanged, post, public, refreshed, refused, registered};
use super::signer::Signer;
use crate::support::{TestApp, both_engines};
use serde_json::json;
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::{ClientKeys, Proof};

both_engines! {
    async fn a_public_client_refreshes_without_its_client_id(app: TestApp) {
        registered(&app, public("app")).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let first = exchanged(&app, "app", &code).await.is(200).text("/refresh_token").to_owned();
        let nameless = async |token: &str| {
            post(&app, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)], None).await
        };
        let second = nameless(&first).await.is(200);
        refused(&nameless("made-up").await, "invalid_grant");
        // Used twice, it ends its family as it does for a client that says its name.
        refused(&nameless(&first).await, "invalid_grant");
        refused(&refreshed(&app, "app", second.text("/refresh_token")).await, "invalid_grant");
    }

    async fn a_client_with_a_secret_does_not_refresh_without_it(app: TestApp) {
        let new = NewClient { proof: Proof::Secret, ..public("app") };
        let secret = registered(&app, new).await.expect("a secret");
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let code = code(&app, "app", SCOPE, "ann", "p1").await;
        let proof = basic("app", &secret);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", super::flow::REDIRECT),
            ("code_verifier", super::flow::VERIFIER),
        ];
        let reply = post(&app, "token", &form, Some(&proof)).await.is(200);
        let token = reply.text("/refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        refused(&post(&app, "token", &form, None).await, "invalid_client");
        // Trying did not use it up.
        let _ = post(&app, "token", &form, Some(&proof)).await.is(200);
    }
    async fn an_assertion_may_be_for_the_issuer(app: TestApp) {
        let signer = Signer::rsa(0);
        let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
        registered(&app, backend("b", "system/Slot.rs", keys)).await;
        let of = |aud: String| {
            let mut claims = sound(&app, "b");
            claims["aud"] = aud.into();
            signer.sign(&rs384("k1"), &claims)
        };
        let _ = ask(&app, &of(app.root().to_owned()), "system/Slot.rs").await.is(200);
        // To the byte.
        refused(&ask(&app, &of(format!("{}/", app.root())), "system/Slot.rs").await, "invalid_client");
    }
}
