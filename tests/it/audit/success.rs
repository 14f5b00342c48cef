//! What succeeds is on the record, on every route, and with every interaction and operation of FHIR.

use super::coverage::of_request;
use crate::access::world;
use crate::oauth::backend::{rs384, sound};
use crate::oauth::flow::{REDIRECT, VERIFIER, approved, asking, authorize, backend, public, registered};
use crate::oauth::signer::Signer;
use crate::pages::authenticator::Authenticator;
use crate::pages::browser::{Browser, PASSWORD, Page, account};
use crate::pages::provider::{CLINIC, Provider, come_back, leave, two};
use crate::pages::second_factor::enrol;
use crate::subscriptions::subscription;
use crate::support::auth::{signed, system_claims, system_client};
use crate::support::clinic::{appointment, at, patient_resource, seed, slot};
use crate::support::{Client, Database, Engine, Reply, ServerProcess, TestApp, both_engines, text};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::app::audit::Follower;
use slotwright::app::oauth::clients::{self, NewClient};
use slotwright::auth::client::ClientKeys;
use slotwright::auth::principal::Role;
use slotwright::clock::Clock;
use slotwright::http::{Trace, routes, trace};
use std::collections::BTreeSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Requests that succeeded: their route, and their id.
#[derive(Default)]
struct Asked(Vec<(&'static str, String)>);

impl Asked {
    /// The id of the next request, to this route.
    fn id(&mut self, route: &'static str) -> String {
        let id = format!("success-{}", self.0.len());
        self.0.push((route, id.clone()));
        id
    }

    /// The next requests of a browser go to this route; to look at the form leaves nothing.
    fn by(&mut self, browser: &mut Browser, route: &'static str) {
        browser.headers = vec![("x-request-id", self.id(route))];
    }

    /// Loads a page.
    async fn get(&mut self, browser: &mut Browser, route: &'static str, path: &str) -> Page {
        self.by(browser, route);
        let page = browser.get(path).await;
        browser.headers.clear();
        assert!(page.status < 400, "{route}: {} {}", page.status, page.html);
        page
    }

    /// Sends the form of a page.
    async fn fill(
        &mut self,
        browser: &mut Browser,
        route: &'static str,
        (page, action): (&str, &str),
        fields: &[(&str, &str)],
    ) -> Page {
        browser.headers.clear();
        let hidden = browser.get(page).await.is(200).hidden(action);
        let hidden: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.by(browser, route);
        let answer = browser.post(action, &[&hidden[..], fields].concat()).await;
        browser.headers.clear();
        assert!(answer.status < 400, "{route}: {} {}", answer.status, answer.html);
        answer
    }

    /// Sends what an authenticator gave for the form of a page, as its script does.
    async fn credential(
        &mut self,
        browser: &mut Browser,
        route: &'static str,
        (page, action): (&str, &str),
        credential: &str,
    ) {
        let hidden = browser.get(page).await.is(200).hidden(action);
        let token = hidden.into_iter().find(|(name, _)| name == "token").expect("a token").1;
        self.by(browser, route);
        let fields = [("token", token.as_str()), ("credential", credential), ("name", "My phone")];
        let answer = browser.post(action, &fields).await;
        browser.headers.clear();
        assert_eq!(answer.status, 303, "{route}: {}", answer.html);
    }

    /// Sends JSON with a session.
    async fn json(&mut self, browser: &mut Browser, route: &'static str, path: &str, body: &Value) -> Value {
        let method = route.split(' ').next().unwrap().parse().unwrap();
        self.by(browser, route);
        let (status, answer) = browser.json(method, path, body).await;
        browser.headers.clear();
        assert!((200..300).contains(&status), "{route}: {status} {answer}");
        answer
    }

    /// Sends a request with a token or without.
    async fn send(
        &mut self,
        client: &Client,
        route: &'static str,
        url: &str,
        (kind, body): (&str, String),
        authorization: Option<&str>,
    ) -> Reply {
        let method: Method = route.split(' ').next().unwrap().parse().unwrap();
        let mut request = client.request(method, url).header("x-request-id", &self.id(route));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if !body.is_empty() {
            request = request.bytes(kind, body.into_bytes());
        }
        let reply = request.send().await;
        assert!(reply.status < 400, "{route}: {reply}");
        reply
    }

    /// That each left events, all of a success.
    async fn are_on_the_record(&self, app: &TestApp) {
        let events = app.audit_events().await;
        let mut wrong = Vec::new();
        for (route, id) in &self.0 {
            let found = of_request(&events, id);
            if found.is_empty() || found.iter().any(|event| text(event, "/outcome") != "0") {
                wrong.push(format!("{route}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const NOTHING: (&str, String) = (JSON, String::new());

fn form(fields: &[(&str, &str)]) -> (&'static str, String) {
    (FORM, form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

/// Administration of accounts, clients and keys.
async fn administration(app: &TestApp, asked: &mut Asked) {
    account(app, "root", &[Role::Administrator, Role::Compliance], None).await;
    let root = &mut Browser::new(app);
    asked.by(root, "POST /sign-in");
    root.sign_in("root").await;
    root.headers.clear();
    asked.get(root, "GET /admin/accounts", "/admin/accounts").await;
    let new = json!({"username": "sam", "name": "Sam", "password": PASSWORD});
    let made = asked.json(root, "POST /admin/accounts", "/admin/accounts", &new).await;
    let sam = format!("/admin/accounts/{}", text(&made, "/id"));
    asked.get(root, "GET /admin/accounts/{id}", &sam).await;
    asked.json(root, "PUT /admin/accounts/{id}", &sam, &json!({"name": "Samuel", "locale": "es"})).await;
    let password = json!({"password": "seven green umbrellas"});
    asked.json(root, "PUT /admin/accounts/{id}/password", &format!("{sam}/password"), &password).await;
    let roles = json!({"add": [{"role": "scheduler"}]});
    asked.json(root, "POST /admin/accounts/{id}/roles", &format!("{sam}/roles"), &roles).await;
    asked.json(root, "POST /admin/accounts/{id}/disable", &format!("{sam}/disable"), &json!({})).await;
    asked.json(root, "POST /admin/accounts/{id}/enable", &format!("{sam}/enable"), &json!({})).await;
    asked.get(root, "GET /admin/review", "/admin/review").await;
    let portal = json!({
        "client_id": "portal", "client_name": "Portal", "token_endpoint_auth_method": "client_secret_basic",
        "scope": "openid patient/Appointment.rs", "redirect_uris": ["https://portal.example/cb"],
    });
    asked.get(root, "GET /admin/clients", "/admin/clients").await;
    asked.json(root, "POST /admin/clients", "/admin/clients", &portal).await;
    asked.get(root, "GET /admin/clients/{id}", "/admin/clients/portal").await;
    asked.json(root, "PUT /admin/clients/{id}", "/admin/clients/portal", &portal).await;
    asked.json(root, "POST /admin/clients/{id}/secret", "/admin/clients/portal/secret", &json!({})).await;
    asked.json(root, "POST /admin/clients/{id}/disable", "/admin/clients/portal/disable", &json!({})).await;
    asked.json(root, "POST /admin/clients/{id}/enable", "/admin/clients/portal/enable", &json!({})).await;
    asked.get(root, "GET /admin/keys", "/admin/keys").await;
    let next = asked.json(root, "POST /admin/keys", "/admin/keys", &json!({})).await;
    let retire = format!("/admin/keys/{}/retire", text(&next, "/kid"));
    asked.json(root, "POST /admin/keys/{kid}/retire", &retire, &json!({})).await;
    let scope = json!({"scope": "patient/Slot.rs"});
    let invited = asked.json(root, "POST /admin/invitations", "/admin/invitations", &scope).await;
    let body = json!({
        "client_name": "New", "token_endpoint_auth_method": "none", "scope": "patient/Slot.rs",
        "redirect_uris": ["https://new.example/cb"],
    });
    let bearer = format!("Bearer {}", text(&invited, "/initial_access_token"));
    let url = format!("{}/oauth/register", app.root());
    let body = (JSON, body.to_string());
    let _ = asked.send(&app.anonymous(), "POST /oauth/register", &url, body, Some(&bearer)).await;
    asked.get(root, "GET /admin/invitations", "/admin/invitations").await;
    let invited = asked.json(root, "POST /admin/invitations", "/admin/invitations", &scope).await;
    let revoke = format!("/admin/invitations/{}/revoke", text(&invited, "/id"));
    asked.json(root, "POST /admin/invitations/{id}/revoke", &revoke, &json!({})).await;
    deliveries(app, root, asked).await;
    let mut source = system_client("entra", "system/Organization.r");
    source.may_provision = true;
    clients::add(app.library(), source, "a test").await.expect("a client");
    let tokens = "/admin/clients/entra/scim-tokens";
    asked.get(root, "GET /admin/clients/{id}/scim-tokens", tokens).await;
    let made = asked.json(root, "POST /admin/clients/{id}/scim-tokens", tokens, &json!({})).await;
    let revoke = format!("/admin/scim-tokens/{}/revoke", text(&made, "/id"));
    asked.json(root, "POST /admin/scim-tokens/{id}/revoke", &revoke, &json!({})).await;
}

/// A subscription to an endpoint at which nobody is.
fn dead_end() -> Value {
    let extension =
        "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content";
    json!({
        "resourceType": "Subscription", "status": "requested", "reason": "test",
        "criteria": "https://slotwright.org/fhir/SubscriptionTopic/appointment-booked",
        "channel": {
            "type": "rest-hook", "endpoint": "https://receiver.invalid/hook", "payload": "application/fhir+json",
            "_payload": { "extension": [{ "url": extension, "valueCode": "id-only" }] }
        }
    })
}

/// What is seen of deliveries, and done about them.
async fn deliveries(app: &TestApp, root: &mut Browser, asked: &mut Asked) {
    let id = app.post("Subscription", &dead_end()).await.is(201).id().to_owned();
    let place = |what: &str| format!("/admin/deliveries/{id}{what}");
    asked.get(root, "GET /admin/deliveries", "/admin/deliveries").await;
    asked.get(root, "GET /admin/deliveries/{id}", &place("")).await;
    asked.json(root, "POST /admin/deliveries/{id}/pause", &place("/pause"), &json!({})).await;
    asked.json(root, "POST /admin/deliveries/{id}/resume", &place("/resume"), &json!({})).await;
    asked.json(root, "POST /admin/deliveries/{id}/replay", &place("/replay"), &json!({"from": 1})).await;
    let kind = json!({"kind": "hmac"});
    asked.json(root, "POST /admin/deliveries/{id}/rotate-secret", &place("/rotate-secret"), &kind).await;
    asked.json(root, "POST /admin/deliveries/{id}/test", &place("/test"), &json!({})).await;
    clients::add(app.library(), system_client("billing", "system/*.cruds"), "a test")
        .await
        .expect("a client");
    let webhook = json!({"url": "https://receiver.invalid/hook", "event": "appointment-booked", "client_id": "billing"});
    let made = asked.json(root, "POST /admin/webhooks", "/admin/webhooks", &webhook).await;
    asked.get(root, "GET /admin/webhooks", "/admin/webhooks").await;
    let place = format!("/admin/webhooks/{}", text(&made, "/id"));
    asked.get(root, "GET /admin/webhooks/{id}", &place).await;
    asked.json(root, "DELETE /admin/webhooks/{id}", &place, &json!({})).await;
    asked.get(root, "GET /console/deliveries", "/console/deliveries").await;
    let page = format!("/console/deliveries/{id}");
    asked.get(root, "GET /console/deliveries/{id}", &page).await;
    let pause = &[("do", "pause")];
    asked.fill(root, "POST /console/deliveries/{id}", (&page, &page), pause).await;
}

/// An emergency, and its review.
async fn emergencies(app: &TestApp, asked: &mut Asked) {
    world::build(app).await;
    account(app, "carl", &[Role::Clinician], Some("Practitioner/dr-b")).await;
    account(app, "cora", &[Role::Compliance], None).await;
    let (carl, cora) = (&mut Browser::new(app), &mut Browser::new(app));
    carl.sign_in("carl").await;
    cora.sign_in("cora").await;
    for round in 0..2 {
        let fields = [
            ("patient", "pat-2"),
            ("purpose", "ETREAT"),
            ("reason", "Found unconscious at home"),
            ("password", PASSWORD),
        ];
        asked.fill(carl, "POST /emergency", ("/emergency", "/emergency"), &fields).await;
        asked.fill(carl, "POST /emergency/end", ("/emergency", "/emergency/end"), &[]).await;
        if round == 0 {
            asked.get(cora, "GET /emergencies", "/emergencies").await;
            let fields = [("finding", "justified"), ("note", "Yes")];
            asked.fill(cora, "POST /emergencies", ("/emergencies", "/emergencies"), &fields).await;
        }
    }
    let queue = asked.get(cora, "GET /admin/emergencies", "/admin/emergencies").await;
    let queue: Value = serde_json::from_str(&queue.html).unwrap();
    let review = format!("/admin/emergencies/{}/review", text(&queue, "/emergencies/0/id"));
    let verdict = json!({"finding": "justified"});
    asked.json(cora, "POST /admin/emergencies/{id}/review", &review, &verdict).await;
}

/// What compliance officers do at the console, after an emergency was found by the reports.
async fn console(app: &TestApp, asked: &mut Asked) {
    app.sequence().await;
    Follower::new(app.library().clone()).run().await.expect("findings");
    let cora = &mut Browser::new(app);
    cora.sign_in("cora").await;
    const HERE: &str = "/console/audit";
    asked.get(cora, "GET /console/audit", HERE).await;
    let of_patient = app.database().texts(
        "SELECT l.id FROM audit_leaf l JOIN audit_term t ON t.seq = l.seq WHERE t.term = 'r:Patient/pat-1' \
         ORDER BY l.seq LIMIT 1",
    );
    let event = format!("{HERE}/events/{}", of_patient.await.remove(0));
    asked.get(cora, "GET /console/audit/events/{id}", &event).await;
    asked.get(cora, "GET /console/audit/events/{id}/proof", &format!("{event}/proof")).await;
    asked.get(cora, "GET /console/audit/checkpoint", "/console/audit/checkpoint").await;
    let export = ("/console/audit?patient=pat-1", "/console/audit/export");
    asked.fill(cora, "POST /console/audit/export", export, &[]).await;
    asked.get(cora, "GET /console/audit/reports", "/console/audit/reports").await;
    asked.get(cora, "GET /console/audit/reports.csv", "/console/audit/reports.csv").await;
    let found = asked.get(cora, "GET /console/audit/reports.json", "/console/audit/reports.json").await;
    let found: Value = serde_json::from_str(&found.html).expect("JSON");
    let finding = format!("/console/audit/findings/{}", text(&found, "/findings/0/id"));
    asked.get(cora, "GET /console/audit/findings/{id}", &finding).await;
    let reviews = "/console/audit/reviews";
    asked.get(cora, "GET /console/audit/reviews", reviews).await;
    asked.fill(cora, "POST /console/audit/reviews", (&event, reviews), &[("note", "As agreed")]).await;
    asked.get(cora, "GET /console/audit/disclosures", "/console/audit/disclosures?patient=pat-1").await;
    asked
        .get(cora, "GET /console/audit/disclosures.csv", "/console/audit/disclosures.csv?patient=pat-1")
        .await;
    let recipients = "/console/audit/recipients";
    asked.get(cora, "GET /console/audit/recipients", recipients).await;
    let fields = [("recipient", "client:tests"), ("name", "The tests"), ("counts", "no")];
    asked.fill(cora, "POST /console/audit/recipients", (recipients, recipients), &fields).await;
}

/// What people do with their own accounts.
async fn own_account(app: &TestApp, asked: &mut Asked) {
    account(app, "ana", &[], None).await;
    let ana = &mut Browser::new(app);
    ana.sign_in("ana").await;
    const ACCOUNT: &str = "/account";
    let language = (ACCOUNT, "/account/language");
    asked.fill(ana, "POST /account/language", language, &[("language", "en")]).await;
    let new = [("old-password", PASSWORD), ("new-password", "seven green umbrellas")];
    asked.fill(ana, "POST /account/password", (ACCOUNT, "/account/password"), &new).await;
    asked.by(ana, "POST /account/authenticator");
    let (_, codes) = enrol(app, ana, "ana").await;
    ana.headers.clear();
    let ben = &mut Browser::new(app);
    let half = ben.try_sign_in("ana", "seven green umbrellas").await.is(303);
    let code = (half.location().to_owned(), "/sign-in/code");
    asked.fill(ben, "POST /sign-in/code", (&code.0, code.1), &[("code", &codes[0])]).await;
    asked.fill(ana, "POST /account/recovery-codes", (ACCOUNT, "/account/recovery-codes"), &[]).await;
    asked
        .fill(ana, "POST /account/authenticator/remove", (ACCOUNT, "/account/authenticator/remove"), &[])
        .await;
    asked.fill(ben, "POST /sign-out", ("/sign-out", "/sign-out"), &[]).await;
}

/// What applications ask for, and what people let them have.
async fn applications(app: &TestApp, asked: &mut Asked) {
    registered(app, public("app")).await;
    account(app, "pia", &[Role::Patient], Some("Patient/pat-1")).await;
    account(app, "sue", &[Role::Scheduler], None).await;
    let scope = "launch/patient offline_access patient/Appointment.rs";
    let params = asking(app, "app", scope);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
    for (route, username) in [("GET /oauth/authorize", "pia"), ("POST /oauth/authorize", "sue")] {
        let browser = &mut Browser::new(app);
        browser.sign_in(username).await;
        asked.by(browser, route);
        let fields: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = match route {
            "GET /oauth/authorize" => browser.get(&format!("/oauth/authorize?{query}")).await,
            _ => browser.post("/oauth/authorize", &fields).await,
        };
        browser.headers.clear();
        let mut place = page.is(303).location().to_owned();
        if username == "sue" {
            // Led to sign in, and from there to the consent.
            let id = place.rsplit(['=', '/']).next().unwrap().to_owned();
            let picker = format!("/pick-patient/{id}");
            asked.get(browser, "GET /pick-patient/{id}", &picker).await;
            asked.fill(browser, "POST /pick-patient/{id}", (&picker, &picker), &[("name", "pat-1")]).await;
            continue;
        }
        if !place.contains("/consent/") {
            place = format!("/consent/{}", place.rsplit(['=', '/']).next().unwrap());
        }
        let consent = place.strip_prefix(app.root()).unwrap_or(&place).to_owned();
        let ticks = [
            ("decision", "approve"),
            ("scope", "launch/patient"),
            ("scope", "offline_access"),
            ("scope", "patient/Appointment.rs"),
        ];
        let done = asked.fill(browser, "POST /consent/{id}", (&consent, &consent), &ticks).await;
        let code = done.location().split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let exchange = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "app"),
        ];
        let url = |endpoint: &str| format!("{}/oauth/{endpoint}", app.root());
        let anyone = app.anonymous();
        let token = asked.send(&anyone, "POST /oauth/token", &url("token"), form(&exchange), None).await;
        let refresh = [("client_id", "app"), ("token", token.text("/refresh_token"))];
        let _ = asked.send(&anyone, "POST /oauth/revoke", &url("revoke"), form(&refresh), None).await;
    }
    // What the code was for is gone by now; another access, taken back by the person.
    let id = authorize(app, &asking(app, "app", scope)).await.waits();
    let pia = app.database().texts("SELECT id FROM account WHERE username = 'pia'").await.remove(0);
    let _ = approved(app, &id, &pia, Some("pat-1")).await;
    let browser = &mut Browser::new(app);
    browser.sign_in("pia").await;
    asked.fill(browser, "POST /apps/revoke", ("/apps", "/apps/revoke"), &[]).await;
    systems(app, asked).await;
}

/// What systems ask of the authorization server.
async fn systems(app: &TestApp, asked: &mut Asked) {
    let signer = Signer::rsa(0);
    let keys = ClientKeys::Set(json!({"keys": [signer.jwk("k1")]}));
    let ehr = NewClient { may_launch: true, may_introspect: true, ..backend("ehr", "system/Slot.rs", keys) };
    registered(app, ehr).await;
    let assertion = signer.sign(&rs384("k1"), &sound(app, "ehr"));
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Slot.rs"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let url = |endpoint: &str| format!("{}/oauth/{endpoint}", app.root());
    let anyone = app.anonymous();
    let token = asked.send(&anyone, "POST /oauth/token", &url("token"), form(&fields), None).await;
    let token = token.text("/access_token").to_owned();
    let bearer = format!("Bearer {token}");
    let what = form(&[("token", token.as_str())]);
    let _ = asked.send(&anyone, "POST /oauth/introspect", &url("introspect"), what, Some(&bearer)).await;
    let service = system_client("exporting", "system/*.rs");
    clients::add(app.library(), service, "a test").await.unwrap();
    let service = app.with_token(&signed(&system_claims(app.base(), "exporting", "system/*.rs")));
    let export = crate::bulk::kick_off(&service, "Patient/$export").await;
    let _ = asked.send(&service, "DELETE /fhir/bulk-export/{id}", &export, NOTHING, None).await;
    let launch = (JSON, json!({"client_id": "app", "patient": "pat-1"}).to_string());
    let _ = asked.send(&anyone, "POST /oauth/launch", &url("launch"), launch, Some(&bearer)).await;
}

/// Connections over which notifications are fetched.
async fn notifications(app: &TestApp, asked: &mut Asked) {
    let listening = |channel| subscription("slot-freed", channel, "id-only");
    let made = app.post("Subscription", &listening("server-sent-events")).await.is(201);
    let route = "GET /fhir/subscription-events/{id}";
    let url = format!("{}/subscription-events/{}", app.base(), made.id());
    // The answer goes on, so it is not read to its end.
    let request = reqwest::Client::new().get(url).header("authorization", app.client().authorization());
    let answer = request.header("x-request-id", asked.id(route)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{route}");
    let route = "GET /fhir/subscription-socket";
    let url = format!("{}/subscription-socket", app.base().replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("x-request-id", asked.id(route).parse().expect("a header"));
    let (_, answer) = tokio_tungstenite::connect_async(request).await.expect("a socket");
    assert_eq!(answer.status(), 101, "{route}");
}

/// Accounts and roles that another system keeps here.
async fn provisioning(app: &TestApp, asked: &mut Asked) {
    const KIND: &str = "application/scim+json";
    let mut client = system_client("entra", "system/Organization.r");
    client.may_provision = true;
    clients::add(app.library(), client, "a test").await.unwrap();
    let source = app.with_token(&signed(&system_claims(app.base(), "entra", "system/Organization.r")));
    let url = |path: &str| format!("{}/scim/v2/{path}", app.root());
    let source = &source;
    for (route, path) in [
        ("GET /scim/v2/ServiceProviderConfig", "ServiceProviderConfig"),
        ("GET /scim/v2/ResourceTypes", "ResourceTypes"),
        ("GET /scim/v2/ResourceTypes/{id}", "ResourceTypes/User"),
        ("GET /scim/v2/Schemas", "Schemas"),
        ("GET /scim/v2/Schemas/{id}", "Schemas/urn:ietf:params:scim:schemas:core:2.0:User"),
        ("GET /scim/v2/Users", "Users"),
        ("GET /scim/v2/Groups", "Groups"),
    ] {
        let _ = asked.send(source, route, &url(path), NOTHING, None).await;
    }
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1});
    for (route, path) in [
        ("POST /scim/v2/Users/.search", "Users/.search"),
        ("POST /scim/v2/Groups/.search", "Groups/.search"),
        ("POST /scim/v2/.search", ".search"),
    ] {
        let _ = asked.send(source, route, &url(path), (KIND, search.to_string()), None).await;
    }
    let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "una"});
    let group =
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "clinician"});
    let patch = |path: &str, value: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": path, "value": value}],
        })
    };
    for (routes, new, change) in [
        (
            [
                "POST /scim/v2/Users",
                "GET /scim/v2/Users/{id}",
                "PUT /scim/v2/Users/{id}",
                "PATCH /scim/v2/Users/{id}",
                "DELETE /scim/v2/Users/{id}",
            ],
            user,
            patch("displayName", json!("Una")),
        ),
        (
            [
                "POST /scim/v2/Groups",
                "GET /scim/v2/Groups/{id}",
                "PUT /scim/v2/Groups/{id}",
                "PATCH /scim/v2/Groups/{id}",
                "DELETE /scim/v2/Groups/{id}",
            ],
            group,
            patch("members", json!([])),
        ),
    ] {
        let types = routes[0].rsplit('/').next().unwrap();
        let [post, get, put, change_it, delete] = routes;
        let made = asked.send(source, post, &url(types), (KIND, new.to_string()), None).await;
        let one = url(&format!("{types}/{}", made.text("/id")));
        let _ = asked.send(source, get, &one, NOTHING, None).await;
        let _ = asked.send(source, put, &one, (KIND, new.to_string()), None).await;
        let _ = asked.send(source, change_it, &one, (KIND, change.to_string()), None).await;
        let _ = asked.send(source, delete, &one, NOTHING, None).await;
    }
}

/// What the script of a page is given for a passkey.
async fn options(browser: &mut Browser, page: &str, action: &str) -> Value {
    let hidden = browser.get(page).await.is(200).hidden(action);
    let token = hidden.into_iter().find(|(name, _)| name == "token").expect("a token").1;
    let answer = browser.post(&format!("{action}/options"), &[("token", &token)]).await.is(200);
    serde_json::from_str(&answer.html).expect("JSON")
}

/// Passkeys.
async fn passkeys(app: &TestApp, asked: &mut Asked) {
    account(app, "pat", &[], None).await;
    let pat = &mut Browser::new(app);
    pat.sign_in("pat").await;
    let mut phone = Authenticator::new(CLINIC);
    const OWN: (&str, &str) = ("/account", "/account/passkeys");
    let credential = phone.create(&options(pat, OWN.0, OWN.1).await);
    asked.credential(pat, "POST /account/passkeys", OWN, &credential).await;
    let browser = &mut Browser::new(app);
    const SIGN_IN: (&str, &str) = ("/sign-in", "/sign-in/passkey");
    let credential = phone.get(&options(browser, SIGN_IN.0, SIGN_IN.1).await);
    asked.credential(browser, "POST /sign-in/passkey", SIGN_IN, &credential).await;
    enrol(app, pat, "pat").await;
    let browser = &mut Browser::new(app);
    browser.try_sign_in("pat", PASSWORD).await.is(303);
    const CODE: (&str, &str) = ("/sign-in/code", "/sign-in/code/passkey");
    let credential = phone.get(&options(browser, CODE.0, CODE.1).await);
    asked.credential(browser, "POST /sign-in/code/passkey", CODE, &credential).await;
    asked.fill(pat, "POST /account/passkeys/remove", ("/account", "/account/passkeys/remove"), &[]).await;
}

/// Signing in at a provider.
async fn upstream(app: &TestApp, provider: &Provider, asked: &mut Asked) {
    provider.says(json!({"sub": "u-1", "groups": ["desk"]}));
    let browser = &mut Browser::new(app);
    asked.by(browser, "POST /sign-in/with/{provider}");
    let url = leave(browser, "/sign-in", "hospital").await;
    asked.by(browser, "GET /sign-in/callback/{provider}");
    let _ = come_back(browser, "hospital", provider, &url, "").await.is(303);
    browser.headers.clear();
}

both_engines! {
    async fn every_route_leaves_its_success_on_the_record(engine: Engine) {
        let app = TestApp::start(engine).await;
        let mut asked = Asked::default();
        emergencies(&app, &mut asked).await;
        console(&app, &mut asked).await;
        administration(&app, &mut asked).await;
        own_account(&app, &mut asked).await;
        applications(&app, &mut asked).await;
        provisioning(&app, &mut asked).await;
        notifications(&app, &mut asked).await;
        asked.are_on_the_record(&app).await;
        // Passkeys and providers need the name that others know the server by.
        let clock = Clock::fixed(1_930_000_000_000_000);
        let (named, hospital, _) = two(engine, &clock, "").await;
        let mut more = Asked::default();
        passkeys(&named, &mut more).await;
        upstream(&named, &hospital, &mut more).await;
        more.are_on_the_record(&named).await;
        // And that is all there is.
        let done: BTreeSet<&str> = asked.0.iter().chain(&more.0).map(|(route, _)| *route).collect();
        let mut missing = Vec::new();
        for route in routes() {
            let only_sent = match trace(route.path) {
                Some(Trace::All(_)) => false,
                Some(Trace::Sent(_)) => true,
                _ => continue,
            };
            for method in route.methods.iter().filter(|method| **method != "HEAD") {
                let name = format!("{method} {}", route.path);
                let asked = !only_sent || *method != "GET";
                if asked && !done.contains(name.as_str()) {
                    missing.push(name);
                }
            }
        }
        assert!(missing.is_empty(), "show that these leave their success on the record: {missing:#?}");
    }

    async fn every_interaction_of_fhir_leaves_its_success_on_the_record(app: TestApp) {
        seed(&app).await;
        let made = app.store(&slot("s1", "sch-a", &at("09:00"), 30)).await.is(201);
        let booking = appointment(&made.json, "pat-1", &["Practitioner/dr-a"]);
        let read = json!({"request": {"method": "GET", "url": "Patient/pat-1"}});
        let write = json!({"resource": patient_resource("pat-2"), "request": {"method": "PUT", "url": "Patient/pat-2"}});
        let hook = app.post("Subscription", &dead_end()).await.is(201);
        let [keys, renewed] = ["$signing-keys", "$rotate-secret"].map(|name| format!("Subscription/{}/{name}", hook.id()));
        let hmac = json!({"resourceType": "Parameters", "parameter": [{"name": "kind", "valueCode": "hmac"}]});
        let bundle = |kind: &str| json!({
            "resourceType": "Bundle", "type": kind, "entry": [read, write]
        });
        let patch = json!([{"op": "add", "path": "/active", "value": true}]);
        let report = super::query::report();
        let listening = app.post("Subscription", &subscription("slot-freed", "websocket", "id-only")).await.is(201);
        let [status, events, token] = ["$status", "$events", "$get-ws-binding-token"]
            .map(|name| format!("Subscription/{}/{name}", listening.id()));
        type Body<'a> = Option<(&'a str, Value)>;
        let sound: Vec<(Method, &str, Body)> = vec![
            (Method::GET, "metadata", None),
            (Method::GET, "Patient/pat-1", None), (Method::GET, "Patient/pat-1/_history/1", None),
            (Method::GET, "Patient/pat-1/_history", None), (Method::GET, "Patient/_history", None),
            (Method::GET, "_history", None), (Method::GET, "Patient?_id=pat-1", None),
            (Method::GET, "?_type=Patient", None), (Method::GET, "Patient/pat-1/Appointment", None),
            (Method::POST, "Patient/_search", Some((FORM, json!("_id=pat-1")))),
            (Method::POST, "Appointment", Some((JSON, booking))),
            (Method::POST, "Patient", Some((JSON, json!({"resourceType": "Patient"})))),
            (Method::PUT, "Patient/pat-2", Some((JSON, patient_resource("pat-2")))),
            (Method::PATCH, "Patient/pat-2", Some(("application/json-patch+json", patch))),
            (Method::DELETE, "Patient/pat-3", None),
            (Method::GET, keys.as_str(), None),
            (Method::POST, renewed.as_str(), Some((JSON, hmac))),
            (Method::POST, "", Some((JSON, bundle("batch")))), (Method::POST, "", Some((JSON, bundle("transaction")))),
            (Method::GET, "AuditEvent?date=ge2020-01-01", None), (Method::POST, "AuditEvent", Some((JSON, report))),
            (Method::POST, "Patient/$validate", Some((JSON, patient_resource("pat-2")))),
            (Method::GET, "$export", None), (Method::POST, "Patient/$export", None),
            (Method::GET, "Subscription/$status", None), (Method::GET, status.as_str(), None),
            (Method::GET, events.as_str(), None), (Method::GET, token.as_str(), None),
        ];
        // An operation that is new here is to be called in the list above, too.
        let statement = app.get("metadata").await.is(200).json;
        let rest = &statement["rest"][0];
        let resources = rest["resource"].as_array().expect("resources");
        let named: BTreeSet<&str> = [rest].into_iter().chain(resources)
            .flat_map(|of| of["operation"].as_array().into_iter().flatten())
            .map(|operation| text(operation, "/name")).collect();
        for name in named {
            assert!(sound.iter().any(|(_, path, _)| path.contains(&format!("${name}"))), "${name} is never called rightly");
        }
        let officer = super::query::officer(&app).await;
        let mut asked = Vec::new();
        for (number, (method, path, body)) in sound.into_iter().enumerate() {
            let id = format!("sound-{number}");
            // Who writes events and who reads them are two.
            let reads_log = method == Method::GET && path.starts_with("AuditEvent");
            let client: &Client = if reads_log { &officer } else { &app };
            let mut request = client.request(method.clone(), path).header("x-request-id", &id);
            if path.ends_with("$export") {
                request = request.header("prefer", "respond-async");
            }
            request = match body {
                Some((FORM, body)) => request.bytes(FORM, body.as_str().unwrap().as_bytes().to_vec()),
                Some((JSON, body)) => request.json(&body),
                Some((kind, body)) => request.bytes(kind, body.to_string().into_bytes()),
                None => request,
            };
            let reply = request.send().await;
            assert!(reply.status < 300, "{method} {path}: {reply}");
            asked.push((format!("{method} {path}"), id));
        }
        let events = app.audit_events().await;
        for (what, id) in asked {
            let found = of_request(&events, &id);
            assert!(!found.is_empty(), "{what}");
            let failed = found.iter().find(|event| text(event, "/outcome") != "0");
            assert!(failed.is_none(), "{what}: {failed:?}");
        }
    }

    async fn start_and_stop_are_on_the_record(engine: Engine) {
        let database = Database::create(engine).await;
        let server = ServerProcess::start(&database).await;
        assert!(server.stop().await);
        let recorded = database.recorded().await;
        for (code, what) in [("110120", "start"), ("110121", "stop")] {
            let told = recorded.iter().filter(|event| event.contains(&format!("\"{code}\"")));
            assert_eq!(told.count(), 1, "{what}");
        }
    }
}
