//! Ways of an application: asking for authorization, fetching tokens. The person's part is played through the
//! library, as the pages do it.

use crate::support::{Reply, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::redirect::Policy;
use serde_json::Value;
use slotwright::app::oauth::clients::{self, NewClient};
use slotwright::app::oauth::pending::{self, Approval, Pending};
use slotwright::auth::client::{ClientKeys, Proof};
use std::collections::HashMap;

pub const REDIRECT: &str = "https://app.example/callback";
// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const SCOPE: &str =
    "openid fhirUser launch/patient offline_access patient/Appointment.rs patient/Patient.r";
/// Everything that the tests' applications are registered for.
pub const REGISTERED: &str = "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access \
    patient/*.cruds user/*.cruds";

/// An application that nobody can prove to be.
pub fn public(id: &str) -> NewClient {
    NewClient {
        id: Some(id.to_owned()),
        name: format!("The application {id}"),
        proof: Proof::None,
        system: false,
        scope: REGISTERED.to_owned(),
        redirect_uris: vec![REDIRECT.to_owned()],
        launch_uri: Some("https://app.example/launch".to_owned()),
        keys: None,
        may_introspect: false,
        may_launch: false,
        may_provision: false,
    }
}

/// A client that acts for itself.
pub fn backend(id: &str, scope: &str, keys: ClientKeys) -> NewClient {
    NewClient {
        proof: Proof::Key,
        system: true,
        scope: scope.to_owned(),
        redirect_uris: Vec::new(),
        launch_uri: None,
        keys: Some(keys),
        ..public(id)
    }
}

/// Registers a client; its secret if it has one.
pub async fn registered(app: &TestApp, new: NewClient) -> Option<String> {
    use secrecy::ExposeSecret;
    let (_, secret) = clients::create(app.library(), new, "a test").await.expect("a client");
    secret.map(|secret| secret.expose_secret().to_owned())
}

/// A browser without cookies that follows no redirect.
pub fn browser() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().expect("a browser")
}

/// Parameters of a sound authorization request of `client`.
pub fn asking(app: &TestApp, client: &str, scope: &str) -> Vec<(String, String)> {
    [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("scope", scope),
        ("state", "a state"),
        ("aud", app.base()),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("nonce", "a nonce"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The same with one parameter changed, or left out.
pub fn with(mut params: Vec<(String, String)>, name: &str, value: Option<&str>) -> Vec<(String, String)> {
    params.retain(|(own, _)| own != name);
    params.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    params
}

/// What the authorization endpoint answered: its status, and where it leads.
pub struct Led {
    pub status: u16,
    pub location: String,
    pub body: String,
}

impl Led {
    /// Parameters of the URL that it leads to.
    pub fn params(&self) -> HashMap<String, String> {
        let query = self.location.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The error that the application is told; empty when it is told none.
    pub fn error(&self) -> String {
        let told = self.location.starts_with(REDIRECT);
        if told { self.params().get("error").cloned().unwrap_or_default() } else { String::new() }
    }

    /// The id under which the request waits.
    #[track_caller]
    pub fn waits(&self) -> String {
        assert!(
            self.location.contains("/sign-in?request="),
            "{} {} {}",
            self.status,
            self.location,
            self.body
        );
        self.params()["request"].clone()
    }

    /// That it stayed here, as a page, and led nowhere.
    #[track_caller]
    pub fn stays(&self) {
        assert_eq!((self.status, self.location.as_str()), (400, ""), "{}", self.body);
        assert!(self.body.contains("<h1>"), "{}", self.body);
    }
}

/// Sends an authorization request by GET.
pub async fn authorize(app: &TestApp, params: &[(String, String)]) -> Led {
    led(browser().get(format!("{}/oauth/authorize", app.root())).query(params)).await
}

/// Sends it by POST.
pub async fn authorize_by_post(app: &TestApp, params: &[(String, String)]) -> Led {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let request = browser().post(format!("{}/oauth/authorize", app.root()));
    led(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
}

async fn led(request: reqwest::RequestBuilder) -> Led {
    let response = request.send().await.expect("an answer");
    let location =
        response.headers().get("location").map_or("", |value| value.to_str().expect("ASCII")).to_owned();
    Led { status: response.status().as_u16(), location, body: response.text().await.expect("a body") }
}

/// A person's yes to all that can be granted.
pub fn approval(account: &str, pending: &Pending, patient: Option<&str>) -> Approval {
    Approval {
        account: account.to_owned(),
        session: format!("session-of-{account}"),
        auth_time_us: slotwright::clock::Clock::system().now(),
        scopes: pending.grantable.clone(),
        patient: patient.map(str::to_owned),
        encounter: None,
    }
}

/// Approves a waiting request: where the browser is sent.
pub async fn approved(app: &TestApp, id: &str, account: &str, patient: Option<&str>) -> Led {
    let pending = pending::load(app.library(), id).await.expect("a database").expect("a waiting request");
    let approval = approval(account, &pending, patient);
    let url = pending::approve(app.library(), id, approval).await.expect("a database").expect("a URL");
    Led { status: 303, location: url, body: String::new() }
}

/// A code for `client`, approved by `account` for `patient`.
pub async fn code(app: &TestApp, client: &str, scope: &str, account: &str, patient: &str) -> String {
    let id = authorize(app, &asking(app, client, scope)).await.waits();
    approved(app, &id, account, Some(patient)).await.params()["code"].clone()
}

/// Posts a form to an endpoint of the authorization server.
pub async fn post(
    app: &TestApp,
    endpoint: &str,
    form: &[(&str, &str)],
    authorization: Option<&str>,
) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = format!("{}/oauth/{endpoint}", app.root());
    let mut request = app.anonymous().request(reqwest::Method::POST, &url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.bytes("application/x-www-form-urlencoded", body.into_bytes()).send().await
}

/// Exchanges a code as a public client.
pub async fn exchanged(app: &TestApp, client: &str, code: &str) -> Reply {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_id", client),
    ];
    post(app, "token", &form, None).await
}

/// Refreshes as a public client.
pub async fn refreshed(app: &TestApp, client: &str, token: &str) -> Reply {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)];
    post(app, "token", &form, None).await
}

/// Insists on an error of RFC 6749 §5.2.
#[track_caller]
pub fn refused(reply: &Reply, error: &str) {
    assert_eq!(reply.text("/error"), error, "{reply}");
    let expected = if error == "invalid_client" || error == "invalid_token" { 401 } else { 400 };
    assert_eq!(reply.status, expected, "{reply}");
    assert!(reply.header("cache-control").contains("no-store"), "{:?}", reply.headers);
    assert!(!reply.text("/error_description").is_empty(), "{reply}");
}

pub fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")))
}

/// The claims of a JWT.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a JWT.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}
