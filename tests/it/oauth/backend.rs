//! SMART Backend Services and client assertions (SMART 240–262, 285–342, 3.2.*; g10 8.1.*; B1, B3).

use super::flow::{backend, claims, post, public, refused, registered};
use super::signer::Signer;
use crate::support::{Reply, TestApp, both_engines};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha384;
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::{ClientKeys, Proof};
use slotwright::clock::Clock;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub fn seconds() -> i64 {
    Clock::system().now() / 1_000_000
}

/// Sound claims of an assertion of `client`.
pub fn sound(app: &TestApp, client: &str) -> Value {
    json!({
        "iss": client, "sub": client, "aud": format!("{}/oauth/token", app.root()),
        "exp": seconds() + 240, "jti": Clock::system().new_id(),
    })
}

pub fn rs384(kid: &str) -> Value {
    json!({"alg": "RS384", "typ": "JWT", "kid": kid})
}

/// Asks for `scope` with an assertion.
pub async fn ask(app: &TestApp, assertion: &str, scope: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    post(app, "token", &form, None).await
}

both_engines! {
    async fn a_signed_assertion_gives_a_short_token(app: TestApp) {
        for (id, signer, alg) in [("rsa", Signer::rsa(0), "RS384"), ("ec", Signer::p384(), "ES384")] {
            let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
            registered(&app, backend(id, "system/Slot.rs system/Appointment.read", keys)).await;
            let header = json!({"alg": alg, "typ": "JWT", "kid": "k1"});
            let assertion = signer.sign(&header, &sound(&app, id));
            let reply = ask(&app, &assertion, "system/Slot.rs").await.is(200);
            assert_eq!((reply.text("/token_type"), reply.text("/scope")), ("Bearer", "system/Slot.rs"));
            assert!(reply.json["expires_in"].as_i64().is_some_and(|seconds| seconds <= 300));
            assert!(reply.json["refresh_token"].is_null());
            assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
            let _ = app.with_token(reply.text("/access_token")).get("Slot").await.is(200);
            assert_eq!(claims(reply.text("/access_token"))["sub"], id);
        }
    }

    async fn b1_assertions_that_are_not_sound_are_refused(app: TestApp) {
        let (mine, other) = (Signer::rsa(0), Signer::rsa(1));
        let keys = ClientKeys::Set(json!({"keys": [mine.jwk("k1")]}));
        registered(&app, backend("b", "system/Slot.rs", keys)).await;
        let now = seconds();
        let with = |name: &str, value: Value| {
            let mut claims = sound(&app, "b");
            if value.is_null() { claims.as_object_mut().unwrap().remove(name); } else { claims[name] = value; }
            mine.sign(&rs384("k1"), &claims)
        };
        let _ = ask(&app, &with("aud", json!(["x", format!("{}/oauth/token", app.root())])), "system/Slot.rs").await.is(200);
        let _ = ask(&app, &with("nbf", json!(now - 5)), "system/Slot.rs").await.is(200);
        let sound = sound(&app, "b");
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let unsigned = format!("{}.{}.", encode(&json!({"alg": "none", "kid": "k1"})), encode(&sound));
        let hs = {
            // The public key as a shared secret.
            let signed = format!("{}.{}", encode(&json!({"alg": "HS384", "kid": "k1"})), encode(&sound));
            let mut mac = Hmac::<Sha384>::new_from_slice(mine.jwk("k1")["n"].as_str().unwrap().as_bytes()).unwrap();
            mac.update(signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
        };
        let jku = |url: &str| {
            let mut header = rs384("k1");
            header["jku"] = url.into();
            mine.sign(&header, &sound)
        };
        let cases = [
            ("another's signature", other.sign(&rs384("k1"), &sound)),
            ("alg none", unsigned),
            ("a shared secret", hs),
            ("RS256", mine.sign(&json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}), &sound)),
            ("ES384 with an RSA key", Signer::p384().sign(&json!({"alg": "ES384", "kid": "k1"}), &sound)),
            ("another iss", with("iss", json!("c"))),
            ("another sub", with("sub", json!("c"))),
            ("no sub", with("sub", Value::Null)),
            ("another aud", with("aud", json!("https://other.example/oauth/token"))),
            ("the FHIR base as aud", with("aud", json!(app.base()))),
            ("no aud", with("aud", Value::Null)),
            ("too long", with("exp", json!(now + 3600))),
            ("expired", with("exp", json!(now - 1))),
            ("no exp", with("exp", Value::Null)),
            ("not yet", with("nbf", json!(now + 120))),
            ("from the future", with("iat", json!(now + 120))),
            ("no jti", with("jti", Value::Null)),
            ("an empty jti", with("jti", json!(""))),
            ("a jti that is no text", with("jti", json!(7))),
            ("no kid", mine.sign(&json!({"alg": "RS384", "typ": "JWT"}), &sound)),
            ("an unknown kid", mine.sign(&rs384("k2"), &sound)),
            ("another typ", mine.sign(&json!({"alg": "RS384", "typ": "at+jwt", "kid": "k1"}), &sound)),
            ("a jku that is not registered", jku("https://evil.example/jwks")),
            ("a jku of the cloud", jku("http://169.254.169.254/latest/meta-data")),
            ("nonsense", "nonsense".to_owned()),
            ("nothing", String::new()),
        ];
        for (name, assertion) in cases {
            let reply = ask(&app, &assertion, "system/Slot.rs").await;
            assert!(reply.text("/error") == "invalid_client" && reply.status == 401, "{name}: {reply}");
        }
        for kind in ["not_an_assertion_type", ""] {
            let assertion = with("nbf", json!(now));
            let form = [
                ("grant_type", "client_credentials"), ("scope", "system/Slot.rs"),
                ("client_assertion_type", kind), ("client_assertion", &assertion),
            ];
            refused(&post(&app, "token", &form, None).await, "invalid_client");
        }
    }

    async fn b1_an_assertion_is_good_once(app: TestApp) {
        let signer = Signer::rsa(0);
        for id in ["b", "c"] {
            let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
            registered(&app, backend(id, "system/Slot.rs", keys)).await;
        }
        let mut claims = sound(&app, "b");
        claims["jti"] = "the same".into();
        let assertion = signer.sign(&rs384("k1"), &claims);
        let _ = ask(&app, &assertion, "system/Slot.rs").await.is(200);
        refused(&ask(&app, &assertion, "system/Slot.rs").await, "invalid_client");
        claims["exp"] = (seconds() + 200).into();
        refused(&ask(&app, &signer.sign(&rs384("k1"), &claims), "system/Slot.rs").await, "invalid_client");
        // Ids are each client's own.
        claims["iss"] = "c".into();
        claims["sub"] = "c".into();
        let _ = ask(&app, &signer.sign(&rs384("k1"), &claims), "system/Slot.rs").await.is(200);
    }

    async fn b1_two_keys_of_one_kid_are_never_registered(app: TestApp) {
        let keys = json!({"keys": [Signer::rsa(0).jwk("k1"), Signer::rsa(1).jwk("k1")]});
        let mut private = Signer::rsa(0).jwk("k1");
        private["d"] = "AQAB".into();
        for set in [keys, json!({"keys": [private]}), json!({"keys": []}), json!({})] {
            let made = slotwright::app::oauth::clients::create(
                app.library(), backend("b", "system/Slot.rs", ClientKeys::Set(set.clone())), "a test",
            );
            assert!(made.await.is_err(), "{set}");
        }
    }

    async fn b3_no_more_than_registered_is_given(app: TestApp) {
        let signer = Signer::rsa(0);
        let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
        registered(&app, backend("b", "system/Slot.rs system/Appointment.r", keys)).await;
        for (asked, given) in [
            ("system/*.cruds", "system/Slot.rs system/Appointment.r"),
            ("system/Slot.cruds system/Patient.rs", "system/Slot.rs"),
            ("system/Slot.read", "system/Slot.read"),
            ("user/Slot.rs system/Slot.r openid offline_access", "system/Slot.r"),
        ] {
            let assertion = signer.sign(&rs384("k1"), &sound(&app, "b"));
            assert_eq!(ask(&app, &assertion, asked).await.is(200).text("/scope"), given, "{asked}");
        }
        for asked in ["system/Patient.rs", "patient/Slot.rs", "user/Slot.rs", "openid", "system/Slot.d"] {
            let assertion = signer.sign(&rs384("k1"), &sound(&app, "b"));
            refused(&ask(&app, &assertion, asked).await, "invalid_scope");
        }
    }

    async fn clients_for_people_can_prove_themselves_by_a_key_too(app: TestApp) {
        let signer = Signer::p384();
        let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
        registered(&app, NewClient { proof: Proof::Key, keys: Some(keys), ..public("web") }).await;
        app.account("ann", &["patient"], Some("Patient/p1")).await;
        let code = super::flow::code(&app, "web", super::flow::SCOPE, "ann", "p1").await;
        let assertion = signer.sign(&json!({"alg": "ES384", "typ": "JWT", "kid": "k1"}), &sound(&app, "web"));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", super::flow::REDIRECT),
            ("code_verifier", super::flow::VERIFIER),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        let reply = post(&app, "token", &form, None).await.is(200);
        assert!(!reply.text("/id_token").is_empty());
        // And does not act for itself.
        let assertion = signer.sign(&json!({"alg": "ES384", "typ": "JWT", "kid": "k1"}), &sound(&app, "web"));
        refused(&ask(&app, &assertion, "system/Slot.rs").await, "unauthorized_client");
    }
}
