//! A hand-made OpenID Connect provider, which answers as a test says, rightly or not; and a clinic whose people sign in
//! there.

use super::browser::{Browser, Page};
use crate::support::{Database, Engine, TestApp};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::{Value, json};
use slotwright::clock::Clock;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

/// What clients call the clinic. Tests reach it at its port.
pub const CLINIC: &str = "https://clinic.example";
/// The clinic's secret at every provider.
pub const SECRET: &str = "a secret between two servers";
/// Settings of roles that most tests use.
pub const ROLES: &str = "roles = [{ name = \"desk\", role = \"scheduler\" }, \
     { name = \"doctors\", role = \"clinician\", organization = \"org-1\" }]";

/// How the provider signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Rightly,
    /// By a key that it does not publish, under the name of the one that it does.
    Strangely,
    /// `alg: none`
    Not,
    /// HS256 by its public key.
    ByItsPublicKey,
    /// HS256 by the secret that it shares with the client.
    ByTheSecret,
}

/// What it answers.
pub struct Answers {
    /// Claims of the id_token that differ from the right ones; null: left out.
    pub claims: Value,
    pub sign: Sign,
    /// Claims of userinfo.
    pub userinfo: Value,
    /// The token endpoint's status; 302 leads to `jwks`.
    pub status: u16,
    /// Put into the token response.
    pub padding: usize,
    /// Members of the discovery document that differ; null: left out.
    pub discovery: Value,
    /// Nobody answers anything.
    pub away: bool,
    nonce: String,
    /// The last form that the token endpoint got, and how its sender proved who it is.
    pub asked: HashMap<String, String>,
    pub authorization: String,
    key: KeyPair,
    kid: String,
}

type Shared = Arc<Mutex<Answers>>;

/// A provider.
#[derive(Clone)]
pub struct Provider {
    pub root: String,
    pub answers: Shared,
    clock: Clock,
}

fn changed(mut document: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            document.as_object_mut().expect("an object").remove(name);
        } else {
            document[name] = value.clone();
        }
    }
    document
}

impl Provider {
    pub async fn start(clock: &Clock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let root = format!("http://{}", listener.local_addr().expect("its address"));
        let answers = Answers {
            claims: json!({}),
            sign: Sign::Rightly,
            userinfo: json!({}),
            status: 200,
            padding: 0,
            discovery: json!({}),
            away: false,
            nonce: String::new(),
            asked: HashMap::new(),
            authorization: String::new(),
            key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"),
            kid: "k1".to_owned(),
        };
        let provider = Self { root, answers: Arc::new(Mutex::new(answers)), clock: clock.clone() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        provider
    }

    /// Another key from now on.
    pub fn rotate(&self, kid: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        kid.clone_into(&mut answers.kid);
    }

    /// Sets claims of the next id_token.
    pub fn says(&self, claims: Value) {
        self.answers.lock().unwrap().claims = claims;
    }

    /// Remembers the nonce of the authorization request, as a provider does; its parameters.
    pub fn receives(&self, url: &str) -> HashMap<String, String> {
        let rest = url.strip_prefix(&format!("{}/authorize?", self.root));
        let query = rest.unwrap_or_else(|| panic!("not for this provider: {url}"));
        let params: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        self.answers.lock().unwrap().nonce.clone_from(&params["nonce"]);
        params
    }

    fn id_token(&self) -> String {
        let answers = self.answers.lock().unwrap();
        let now = self.clock.now() / 1_000_000;
        let right = json!({
            "iss": self.root, "aud": "clinic", "sub": "ana-17", "nonce": answers.nonce, "iat": now,
            "exp": now + 300, "auth_time": now, "groups": ["desk"], "preferred_username": "ana",
            "name": "Ana Novak",
        });
        let claims = changed(right, &answers.claims);
        let header = |algorithm| Header { kid: Some(answers.kid.clone()), ..Header::new(algorithm) };
        let by = |algorithm, key: &EncodingKey| encode(&header(algorithm), &claims, key).expect("a token");
        match answers.sign {
            Sign::Rightly => by(Algorithm::ES256, &EncodingKey::from_ec_der(&answers.key.serialize_der())),
            Sign::Strangely => {
                let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
                by(Algorithm::ES256, &EncodingKey::from_ec_der(&other.serialize_der()))
            }
            Sign::Not => {
                let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
                format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims))
            }
            Sign::ByItsPublicKey => {
                let key = EncodingKey::from_secret(answers.key.der_bytes());
                by(Algorithm::HS256, &key)
            }
            Sign::ByTheSecret => by(Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes())),
        }
    }

    fn away(&self) -> Option<Response> {
        let away = self.answers.lock().unwrap().away;
        away.then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
    }
}

async fn discovery(State(provider): State<Provider>) -> Response {
    if let Some(away) = provider.away() {
        return away;
    }
    let root = &provider.root;
    let right = json!({
        "issuer": root, "authorization_endpoint": format!("{root}/authorize"),
        "token_endpoint": format!("{root}/token"), "jwks_uri": format!("{root}/jwks"),
        "userinfo_endpoint": format!("{root}/userinfo"), "end_session_endpoint": format!("{root}/logout"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    let document = changed(right, &provider.answers.lock().unwrap().discovery);
    Json(document).into_response()
}

async fn jwks(State(provider): State<Provider>) -> Response {
    if let Some(away) = provider.away() {
        return away;
    }
    let answers = provider.answers.lock().unwrap();
    let key = EncodingKey::from_ec_der(&answers.key.serialize_der());
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
    jwk["kid"] = answers.kid.clone().into();
    ([("cache-control", "max-age=600")], Json(json!({ "keys": [jwk] }))).into_response()
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Response {
    if let Some(away) = provider.away() {
        return away;
    }
    let (status, padding) = {
        let mut answers = provider.answers.lock().unwrap();
        answers.asked = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
        authorization.unwrap_or_default().clone_into(&mut answers.authorization);
        (answers.status, answers.padding)
    };
    if status == 302 {
        let response = Response::builder().status(302).header("location", format!("{}/jwks", provider.root));
        return response.body(Body::empty()).unwrap();
    }
    if status != 200 {
        let told = Json(json!({ "error": "invalid_grant" }));
        return (StatusCode::from_u16(status).unwrap(), told).into_response();
    }
    Json(json!({
        "access_token": "an access token", "token_type": "Bearer", "expires_in": 300,
        "id_token": provider.id_token(), "padding": "x".repeat(padding),
    }))
    .into_response()
}

async fn userinfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
    if bearer != Some("Bearer an access token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(provider.answers.lock().unwrap().userinfo.clone()).into_response()
}

/// Settings of one provider.
pub fn settings(database: &Database, id: &str, issuer: &str, more: &str) -> String {
    let secret = database.dir().join("client.secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("a file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its permissions");
    format!(
        "[[auth.providers]]\nid = \"{id}\"\nname = \"The {id}\"\nissuer = \"{issuer}\"\ninternal = true\n\
         client_id = \"clinic\"\nclient_secret_file = \"{}\"\n{more}\n",
        secret.display()
    )
}

/// A clinic with these settings, on `clock`.
pub async fn clinic(database: Database, clock: &Clock, text: &str) -> TestApp {
    let file = database.dir().join("slotwright.toml");
    std::fs::write(&file, text).expect("a file");
    let settings = [
        ("SLOTWRIGHT_CONFIG", file.to_str().expect("a path")),
        ("SLOTWRIGHT_SERVER__PUBLIC_BASE_URL", CLINIC),
    ];
    TestApp::start_with(database, clock.clone(), &settings).await
}

/// A clinic whose people sign in at two providers.
pub async fn two(engine: Engine, clock: &Clock, more: &str) -> (TestApp, Provider, Provider) {
    let (one, other) = (Provider::start(clock).await, Provider::start(clock).await);
    let database = Database::create(engine).await;
    let mut text = more.to_owned();
    for (id, provider) in [("hospital", &one), ("university", &other)] {
        let _ = write!(text, "{}", settings(&database, id, &provider.root, ROLES));
    }
    (clinic(database, clock, &text).await, one, other)
}

/// Presses the button: the URL that the browser is led to.
pub async fn leave(browser: &mut Browser, page: &str, provider: &str) -> String {
    let left = browser.fill(page, &format!("/sign-in/with/{provider}"), &[]).await.is(200);
    let url = left.header("refresh").strip_prefix("0; url=").expect("a page that leads on").to_owned();
    assert!(left.html.contains(&url.replace('&', "&#38;")), "a link for browsers that stay: {}", left.html);
    url
}

/// Comes back from `provider` with what its authorization request was for.
pub async fn come_back(browser: &mut Browser, id: &str, provider: &Provider, url: &str, more: &str) -> Page {
    let state = provider.receives(url)["state"].clone();
    browser.get(&format!("/sign-in/callback/{id}?code=x&state={state}{more}")).await
}

/// The whole way with `provider` answering as it is told.
pub async fn sign_in(browser: &mut Browser, id: &str, provider: &Provider) -> Page {
    let url = leave(browser, "/sign-in", id).await;
    come_back(browser, id, provider, &url, "").await
}
