//! Tokens of another authorization server, which the test runs itself.

use super::tls::Made;
use crate::support::{Database, Engine, TestApp, block_on, both_engines};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use slotwright::clock::Clock;
use std::sync::{Arc, Mutex};

/// What the other server publishes, and how often it was asked for its keys.
#[derive(Default)]
struct Published {
    discovery: Value,
    keys: Vec<Value>,
    asked: usize,
    away: bool,
}

type Shared = Arc<Mutex<Published>>;

/// Another authorization server.
struct Issuer {
    url: String,
    published: Shared,
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer =
            Self::at(format!("http://{}/realms/clinic", listener.local_addr().expect("its address")));
        let router = issuer.router();
        tokio::spawn(async { axum::serve(listener, router).await });
        issuer
    }

    /// The same by https, with a certificate of the test's own root.
    fn start_by_https(made: &Made) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let issuer = Self::at(format!("https://localhost:{port}/realms/clinic"));
        let service = issuer.router().into_make_service();
        let certificates = CertificateDer::pem_file_iter(&made.certificate).expect("a file");
        let certificates: Result<Vec<_>, _> = certificates.collect();
        let key = PrivateKeyDer::from_pem_file(&made.key).expect("a key");
        let settings = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(certificates.expect("certificates"), key)
            .expect("a certificate and its key");
        let config = RustlsConfig::from_config(Arc::new(settings));
        let server = axum_server::from_tcp_rustls(listener, config).expect("a server");
        tokio::spawn(server.serve(service));
        issuer
    }

    fn at(url: String) -> Self {
        let published = Shared::default();
        published.lock().unwrap().discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/certs") });
        Self { url, published }
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/realms/clinic/.well-known/openid-configuration", get(discovery))
            .route("/realms/clinic/certs", get(certs))
            .with_state(Arc::clone(&self.published))
    }

    /// Publishes a new key beside those that there are.
    fn add_key(&self, kid: &str) -> EncodingKey {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES384).unwrap()).unwrap();
        jwk["kid"] = kid.into();
        self.published.lock().unwrap().keys.push(jwk);
        key
    }

    fn token(&self, key: &EncodingKey, kid: &str, changes: &Value) -> String {
        let now = Clock::system().now() / 1_000_000;
        let mut claims = json!({
            "iss": self.url, "aud": "slotwright", "sub": "jane", "azp": "portal", "iat": now, "exp": now + 300,
            "groups": ["front-desk"], "scope": "user/Slot.rs",
        });
        for (name, value) in changes.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES384) };
        encode(&header, &claims, key).expect("a token")
    }

    /// A server that takes this issuer's tokens.
    async fn trusted_by(&self, engine: Engine) -> TestApp {
        self.trusted_with(Database::create(engine).await, "allow = [\"127.0.0.1\"]").await
    }

    /// The same, with these settings for what it fetches.
    async fn trusted_with(&self, database: Database, outbound: &str) -> TestApp {
        let file = database.dir().join("slotwright.toml");
        let text = format!(
            "[[auth.issuers]]\nissuer = \"{}\"\naudience = \"slotwright\"\nmax_scopes = \"user/*.cruds\"\n\
             roles_claim = \"groups\"\nroles = [{{ name = \"front-desk\", role = \"scheduler\" }}]\n\
             [outbound]\n{outbound}\n",
            self.url
        );
        std::fs::write(&file, text).expect("a file");
        let settings = [("SLOTWRIGHT_CONFIG", file.to_str().expect("a path"))];
        TestApp::start_with(database, Clock::system(), &settings).await
    }

    fn asked(&self) -> usize {
        self.published.lock().unwrap().asked
    }
}

async fn discovery(State(published): State<Shared>) -> impl IntoResponse {
    Json(published.lock().unwrap().discovery.clone())
}

async fn certs(State(published): State<Shared>) -> impl IntoResponse {
    let mut published = published.lock().unwrap();
    published.asked += 1;
    let status = if published.away { 503 } else { 200 };
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, [("cache-control", "max-age=600")], Json(json!({ "keys": published.keys })))
}

both_engines! {
    async fn a_token_of_a_trusted_issuer_is_taken(engine: Engine) {
        let issuer = Issuer::start().await;
        let key = issuer.add_key("k1");
        let app = issuer.trusted_by(engine).await;
        let jane = app.with_token(&issuer.token(&key, "k1", &json!({})));
        for _ in 0..5 {
            let _ = jane.get("Slot").await.is(200);
        }
        assert_eq!(issuer.asked(), 1, "its keys are remembered");
        for (changes, why) in [
            (json!({"groups": []}), "no role"),
            (json!({"groups": ["scheduler", "administrators"]}), "names that are not listed"),
            (json!({"scope": "user/Appointment.rs"}), "a scope for something else"),
            (json!({"scope": "system/*.cruds"}), "more than this issuer may give"),
            (json!({"scope": "openid profile"}), "no scope, and none is assumed"),
        ] {
            let reply = app.with_token(&issuer.token(&key, "k1", &changes)).get("Slot").await;
            assert_eq!(reply.status, 403, "{why}: {reply}");
        }
        for (changes, why) in [
            (json!({"aud": "another"}), "for another server"),
            (json!({"exp": 1_000_000_000}), "expired"),
            (json!({"nonce": "n"}), "an id_token"),
            (json!({"iss": format!("{}/", issuer.url)}), "an issuer that is not listed"),
            (json!({"iss": app.root()}), "our own name under another's key"),
        ] {
            let reply = app.with_token(&issuer.token(&key, "k1", &changes)).get("Slot").await;
            assert_eq!(reply.status, 401, "{why}: {reply}");
            assert!(reply.header("www-authenticate").contains("invalid_token"), "{why}");
        }
        let stranger = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let stranger = EncodingKey::from_ec_der(&stranger.serialize_der());
        let forged = app.with_token(&issuer.token(&stranger, "k1", &json!({}))).get("Slot").await;
        assert_eq!(forged.status, 401, "{forged}");
    }
}

#[test]
fn keys_rotate_without_waiting() {
    block_on(async {
        let issuer = Issuer::start().await;
        let old = issuer.add_key("old");
        let app = issuer.trusted_by(Engine::Sqlite).await;
        let _ = app.with_token(&issuer.token(&old, "old", &json!({}))).get("Slot").await.is(200);
        // The old set may be kept for ten minutes, but it lacks the new key.
        issuer.published.lock().unwrap().keys.clear();
        let new = issuer.add_key("new");
        let _ = app.with_token(&issuer.token(&new, "new", &json!({}))).get("Slot").await.is(200);
        assert_eq!(issuer.asked(), 2);
        let _ = app.with_token(&issuer.token(&old, "old", &json!({}))).get("Slot").await.is(401);
        for number in 0..20 {
            let token = issuer.token(&old, &format!("invented-{number}"), &json!({}));
            let _ = app.with_token(&token).get("Slot").await.is(401);
        }
        assert_eq!(issuer.asked(), 2, "invented names do not make us ask all the time");
    });
}

#[test]
fn an_issuer_that_is_away_or_not_itself_lets_nobody_in() {
    block_on(async {
        let issuer = Issuer::start().await;
        let key = issuer.add_key("k1");
        issuer.published.lock().unwrap().away = true;
        let app = issuer.trusted_by(Engine::Sqlite).await;
        let jane = app.with_token(&issuer.token(&key, "k1", &json!({})));
        let refused = jane.get("Slot").await.is(503);
        assert!(!refused.diagnostics().contains("127.0.0.1"), "{refused}");
        let _ = app.get("Slot").await.is(200);
        let other = Issuer::start().await;
        let key = other.add_key("k1");
        other.published.lock().unwrap().discovery["issuer"] = issuer.url.clone().into();
        let app = other.trusted_by(Engine::Sqlite).await;
        let _ = app.with_token(&other.token(&key, "k1", &json!({}))).get("Slot").await.is(503);
        assert_eq!(other.asked(), 0, "its keys were not asked for");
    });
}

#[test]
fn keys_are_fetched_by_https_from_whom_the_administrator_trusts() {
    block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let made = Made::write(&database);
        let issuer = Issuer::start_by_https(&made);
        let key = issuer.add_key("k1");
        let (token, root) = (issuer.token(&key, "k1", &json!({})), made.root_file.display().to_string());
        let app =
            issuer.trusted_with(database, &format!("allow = [\"localhost\"]\nroots = \"{root}\"")).await;
        let _ = app.with_token(&token).get("Slot").await.is(200);
        let app =
            issuer.trusted_with(Database::create(Engine::Sqlite).await, "allow = [\"localhost\"]").await;
        let _ = app.with_token(&token).get("Slot").await.is(503);
    });
}
