//! Keys, clients and tokens for tests.
//!
//! [`TestApp`] and [`ServerProcess`](super::ServerProcess) send by default a token of the system client `tests`,
//! which may do everything. Others:
//!
//! - `app.anonymous()` sends no token, `app.with_token(..)` another one;
//! - `app.system("reports", "system/Slot.rs").await` is a client that acts for itself;
//! - [`Person`] is somebody with an account, whose application was granted scopes.

use super::{Client, Database, TestApp};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use slotwright::app::App;
use slotwright::app::oauth::{clients, keys};
use slotwright::audit::key::Signer;
use slotwright::auth::client::{Client as Registered, Proof};
use slotwright::auth::keys::{SigningKey, to_pem};
use slotwright::auth::scope::Scopes;
use slotwright::auth::token::{ACCESS, AccessClaims, issuer_of};
use slotwright::clock::Clock;
use slotwright::config::Config;
use slotwright::store::Intent;
use slotwright::store::oauth::grant::{self, Grant};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The client that tests come through.
pub const TESTS: &str = "tests";
/// What it may do.
const EVERYTHING: &str = "system/*.cruds";
/// Valid before the year 2100, for tests that let time pass.
const FOREVER: i64 = 4_102_444_800;

/// One key for all tests of this process: making one takes a while.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        to_pem(pair.as_der().expect("DER").as_ref())
    })
}

/// The directory of keys that belongs to a database, with a key that has signed ever since.
pub fn key_dir(database: &Database) -> PathBuf {
    let dir = database.dir().join("keys");
    if !dir.exists() {
        keys::store(&dir, pem(), 0).expect("a stored key");
    }
    dir
}

/// The name of the tests' audit log.
pub const AUDIT_LOG: &str = "localhost/audit";

/// The key that signs the tests' audit logs.
pub fn audit_signer() -> Signer {
    Signer::from_seed(AUDIT_LOG, &[7; 32]).expect("a key")
}

/// The directory of the audit log's keys that belongs to a database.
pub fn audit_key_dir(database: &Database) -> PathBuf {
    let dir = database.dir().join("audit-keys");
    if !dir.exists() {
        slotwright::app::audit::keys::create(&dir, AUDIT_LOG, &[7; 32]).expect("a stored key");
    }
    dir
}

/// An access token with these claims, signed by the tests' key.
pub fn signed(claims: &AccessClaims) -> String {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    let key = KEY.get_or_init(|| SigningKey::from_pem(pem(), 0).expect("a key"));
    key.sign(ACCESS, claims).expect("a token")
}

/// Claims of a client that acts for itself at `base`, good for ever.
pub fn system_claims(base: &str, client: &str, scope: &str) -> AccessClaims {
    AccessClaims {
        iss: issuer_of(base).to_owned(),
        aud: base.to_owned(),
        sub: client.to_owned(),
        client_id: client.to_owned(),
        jti: Clock::system().new_id(),
        iat: 0,
        exp: FOREVER,
        scope: scope.to_owned(),
        grant: None,
        patient: None,
        encounter: None,
        fhir_user: None,
        auth_time: None,
        purpose_of_use: None,
        emergency: None,
    }
}

/// A client that acts for itself, as it is registered.
pub fn system_client(id: &str, scope: &str) -> Registered {
    Registered {
        id: id.to_owned(),
        name: id.to_owned(),
        proof: Proof::Key,
        system: true,
        scopes: Scopes::parse(scope),
        redirect_uris: Vec::new(),
        launch_uri: None,
        keys: None,
        may_introspect: false,
        may_launch: false,
        may_provision: false,
        disabled: false,
    }
}

/// A client of `base` that may do everything; `app` is any app on the server's database.
pub async fn tests_client(app: &App, base: String) -> Client {
    clients::add(app, system_client(TESTS, EVERYTHING), "the tests").await.expect("a client");
    let public = app.config.server.public_base_url.as_ref().map(|url| format!("{url}/fhir"));
    come_as_tests(base, public)
}

/// A client of `base` for a server that calls itself `public` or by the address it listens on.
fn come_as_tests(base: String, public: Option<String>) -> Client {
    let token = signed(&system_claims(public.as_ref().unwrap_or(&base), TESTS, EVERYTHING));
    Client::new(base).with_token(&token)
}

/// The same for a server that is a process of its own.
pub async fn tests_client_of(database: &Database, base: String, settings: &[(&str, &str)]) -> Client {
    if !database.has_client() {
        let env = [("SLOTWRIGHT_DATABASE__URL".to_owned(), database.url.clone())];
        let config = Config::load(None, env).expect("good settings");
        let app = App::start(Arc::new(config), Clock::system()).await.expect("an app");
        tests_client(&app, base.clone()).await;
        app.store.close().await;
        database.set_has_client();
    }
    let public = settings.iter().find(|(name, _)| *name == "SLOTWRIGHT_SERVER__PUBLIC_BASE_URL");
    come_as_tests(base, public.map(|(_, url)| format!("{url}/fhir")))
}

/// Somebody with an account, and what an application was granted in their name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Person<'a> {
    /// Account id and username.
    pub account: &'a str,
    /// Codes of their roles, in all organisations.
    pub roles: &'a [&'a str],
    /// `Type/id` of the resource that stands for them.
    pub fhir_user: Option<&'a str>,
    /// Logical id of the Patient in context.
    pub patient: Option<&'a str>,
    /// Granted scopes.
    pub scope: &'a str,
}

impl TestApp {
    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.base())
    }

    /// A client with another token.
    pub fn with_token(&self, token: &str) -> Client {
        Client::new(self.base()).with_token(token)
    }

    /// Registers a client that acts for itself, and comes as it.
    pub async fn system(&self, id: &str, scope: &str) -> Client {
        clients::add(self.library(), system_client(id, scope), "a test").await.expect("a client");
        self.with_token(&signed(&system_claims(self.base(), id, scope)))
    }

    /// Makes an account with roles, without a password; its id is its username.
    pub async fn account(&self, account: &str, roles: &[&str], fhir_user: Option<&str>) {
        let fhir_user = fhir_user.map_or("NULL".to_owned(), |user| format!("'{user}'"));
        let database = self.database();
        database
            .execute(&format!(
                "INSERT INTO account (id, username, name, fhir_user, created_us) \
                 VALUES ('{account}', '{account}', '{account}', {fhir_user}, 0) ON CONFLICT DO NOTHING"
            ))
            .await;
        for role in roles {
            database
                .execute(&format!(
                    "INSERT INTO role_grant (account, role, since_us, granted_by) \
                     VALUES ('{account}', '{role}', 0, 'a test') ON CONFLICT DO NOTHING"
                ))
                .await;
        }
    }

    /// Makes an account with roles and a grant, and comes with a token of it.
    pub async fn person(&self, person: Person<'_>) -> Client {
        let application = Registered { system: false, ..system_client("application", person.scope) };
        clients::add(self.library(), application, "a test").await.expect("a client");
        self.account(person.account, person.roles, person.fhir_user).await;
        let account = person.account;
        let id = Clock::system().new_id();
        let kept = Grant {
            id: id.clone(),
            client: "application".to_owned(),
            account: account.to_owned(),
            base: self.base().to_owned(),
            session: None,
            scope: person.scope.to_owned(),
            patient: person.patient.map(str::to_owned),
            encounter: None,
            launch: None,
            nonce: None,
            auth_time_us: 0,
            made_us: 0,
            last_used_us: 0,
            revoked: false,
        };
        let stored = self.library().store.write(Intent::Upsert, move |tx| {
            let kept = kept.clone();
            Box::pin(async move { grant::insert(tx, &kept).await })
        });
        stored.await.expect("a grant");
        let claims = AccessClaims {
            sub: account.to_owned(),
            grant: Some(id),
            patient: person.patient.map(str::to_owned),
            fhir_user: person.fhir_user.map(|user| format!("{}/{user}", self.base())),
            auth_time: Some(0),
            ..system_claims(self.base(), "application", person.scope)
        };
        self.with_token(&signed(&claims))
    }
}
