//! SMART configuration, OpenID Connect discovery, keys (SMART 1.1.*, 1.3.02–04, 207, 228, 285–289, 372–394;
//! g10 1.8.05).

use super::flow::browser;
use crate::support::{TestApp, both_engines};
use serde_json::Value;

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|item| item.as_str().expect("a text")).collect()
}

async fn document(app: &TestApp, url: &str, accept: &str) -> Value {
    let response = browser().get(url).header("accept", accept).send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{url}");
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/json"), "{kind}");
    let _ = app;
    response.json().await.expect("JSON")
}

both_engines! {
    async fn smart_configuration_says_what_works(app: TestApp) {
        let url = format!("{}/.well-known/smart-configuration", app.base());
        let mut said = Value::Null;
        // JSON, whatever is accepted.
        for accept in ["application/json", "text/html", "application/fhir+xml"] {
            said = document(&app, &url, accept).await;
        }
        for name in [
            "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint", "introspection_endpoint",
            "revocation_endpoint", "management_endpoint", "issuer",
        ] {
            assert!(said[name].as_str().is_some_and(|url| url.starts_with(app.root())), "{name}: {said}");
        }
        assert_eq!(strings(&said["code_challenge_methods_supported"]), ["S256"]);
        assert!(strings(&said["grant_types_supported"]).contains(&"authorization_code"));
        assert!(strings(&said["grant_types_supported"]).contains(&"client_credentials"));
        assert!(strings(&said["token_endpoint_auth_methods_supported"]).contains(&"private_key_jwt"));
        assert_eq!(strings(&said["token_endpoint_auth_signing_alg_values_supported"]), ["RS384", "ES384"]);
        assert!(!strings(&said["scopes_supported"]).is_empty());
        let capabilities = strings(&said["capabilities"]);
        for wanted in [
            "launch-standalone", "client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
            "sso-openid-connect", "context-standalone-patient", "permission-offline", "permission-patient",
            "authorize-post", "permission-v2", "permission-v1", "launch-ehr", "context-banner", "context-style",
            "context-ehr-patient", "context-ehr-encounter", "permission-user", "context-standalone-encounter",
        ] {
            assert!(capabilities.contains(&wanted), "{wanted}");
        }
    }

    async fn openid_configuration_and_keys_are_published(app: TestApp) {
        let url = format!("{}/.well-known/openid-configuration", app.root());
        let said = document(&app, &url, "application/json").await;
        assert_eq!(said["issuer"], app.root());
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(said[name].is_string(), "{said}");
        }
        assert_eq!(strings(&said["response_types_supported"]), ["code"]);
        assert_eq!(strings(&said["subject_types_supported"]), ["public"]);
        assert_eq!(strings(&said["id_token_signing_alg_values_supported"]), ["RS256"]);
        let keys = document(&app, said["jwks_uri"].as_str().unwrap(), "application/json").await;
        let key = &keys["keys"][0];
        assert_eq!((&key["kty"], &key["alg"]), (&"RSA".into(), &"RS256".into()));
        assert!(key["kid"].is_string() && key["n"].is_string() && key["d"].is_null(), "{key}");
    }

    async fn metadata_names_the_endpoints(app: TestApp) {
        let said = app.anonymous().get("metadata").await.is(200);
        assert_eq!(said.text("/rest/0/security/service/0/coding/0/code"), "SMART-on-FHIR");
        let uris = said.json.pointer("/rest/0/security/extension/0/extension").and_then(Value::as_array).unwrap();
        let authorize = uris.iter().find(|uri| uri["url"] == "authorize").unwrap();
        assert_eq!(authorize["valueUri"], format!("{}/oauth/authorize", app.root()));
    }

    async fn styles_are_offered(app: TestApp) {
        let said = document(&app, &format!("{}/smart-style.json", app.root()), "*/*").await;
        assert!(said["color_background"].is_string(), "{said}");
    }
}
