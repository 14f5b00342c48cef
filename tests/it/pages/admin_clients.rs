//! The administrator API for clients and keys.

use super::browser::{Browser, account};
use crate::support::auth::system_client;
use crate::support::{TestApp, both_engines};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::app::oauth::clients;
use slotwright::auth::principal::Role;

const CLIENTS: &str = "/admin/clients";
const KEYS: &str = "/admin/keys";
const INVITATIONS: &str = "/admin/invitations";

async fn signed_in(app: &TestApp, username: &str, role: Role) -> Browser {
    account(app, username, &[role], None).await;
    let mut browser = Browser::new(app);
    browser.sign_in(username).await;
    browser
}

fn portal() -> Value {
    json!({
        "client_id": "portal", "client_name": "Portal", "token_endpoint_auth_method": "client_secret_basic",
        "scope": "openid patient/Appointment.rs", "redirect_uris": ["https://portal.example/cb"],
    })
}

/// A token request by the portal with this secret: whether the secret was taken.
async fn is_taken(app: &TestApp, secret: &str) -> bool {
    let url = format!("{}/oauth/token", app.root());
    let form = format!(
        "grant_type=authorization_code&client_id=portal&client_secret={secret}&code=x&redirect_uri=x&code_verifier=x"
    );
    let request = app.anonymous().request(Method::POST, &url);
    let reply = request.bytes("application/x-www-form-urlencoded", form.into_bytes()).send().await;
    match reply.text("/error") {
        "invalid_grant" => true,
        "invalid_client" => false,
        other => panic!("{other}"),
    }
}

both_engines! {
    async fn an_administrator_looks_after_clients(app: TestApp) {
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        let (status, made) = ada.json(Method::POST, CLIENTS, &portal()).await;
        assert_eq!(status, 201, "{made}");
        let secret = made["client_secret"].as_str().expect("a secret").to_owned();
        assert!(is_taken(&app, &secret).await);
        let shown = ada.get(&format!("{CLIENTS}/portal")).await.is(200);
        assert!(!shown.says(&secret) && shown.says("https://portal.example/cb"), "{}", shown.html);
        let (status, told) = ada.json(Method::POST, CLIENTS, &portal()).await;
        assert_eq!((status, &told["field"]), (409, &json!("client_id")), "{told}");

        let mut change = portal();
        change["redirect_uris"] = json!(["https://portal.example/new"]);
        change["scope"] = json!("openid");
        let (status, changed) = ada.json(Method::PUT, &format!("{CLIENTS}/portal"), &change).await;
        assert_eq!((status, &changed["redirect_uris"]), (200, &change["redirect_uris"]), "{changed}");
        assert_eq!(changed["scope"], "openid");

        let path = format!("{CLIENTS}/portal/secret");
        let (status, renewed) = ada.json(Method::POST, &path, &json!({})).await;
        assert_eq!(status, 200, "{renewed}");
        assert!(!is_taken(&app, &secret).await, "the old secret");
        let newer = renewed["client_secret"].as_str().expect("a secret").to_owned();
        assert!(is_taken(&app, &newer).await);
        let (_, kept) = ada.json(Method::POST, &path, &json!({ "keep_old": 1 })).await;
        assert!(is_taken(&app, &newer).await && is_taken(&app, kept["client_secret"].as_str().unwrap()).await);

        assert_eq!(ada.json(Method::POST, &format!("{CLIENTS}/portal/disable"), &json!({})).await.1["disabled"], true);
        assert!(!is_taken(&app, &newer).await, "disabled");
        assert_eq!(ada.json(Method::POST, &format!("{CLIENTS}/portal/enable"), &json!({})).await.1["disabled"], false);
        assert!(is_taken(&app, &newer).await);
        let all = ada.get(CLIENTS).await.is(200);
        assert!(all.says("\"portal\"") && !all.says("client_secret\""), "{}", all.html);
    }

    async fn what_is_wrong_with_a_client_is_named(app: TestApp) {
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        for (field, value) in [
            ("client_name", json!("")),
            ("client_id", json!("no spaces")),
            ("scope", json!("")),
            ("scope", json!("system/Slot.rs")),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["http://portal.example/cb"])),
            ("token_endpoint_auth_method", json!("tls_client_auth")),
            ("launch_uri", json!("portal")),
            ("jwks_uri", json!("https://portal.example/jwks")),
            ("may_launch", json!(true)),
            ("may_provision", json!(true)),
        ] {
            let mut wrong = portal();
            wrong[field] = value.clone();
            let (status, told) = ada.json(Method::POST, CLIENTS, &wrong).await;
            assert_eq!((status, &told["error"], &told["field"]), (422, &json!("invalid"), &json!(field)), "{value}: {told}");
        }
        let mut unknown = portal();
        unknown["is_admin"] = json!(true);
        assert_eq!(ada.json(Method::POST, CLIENTS, &unknown).await.0, 422);
        assert_eq!(ada.json(Method::POST, CLIENTS, &portal()).await.0, 201);
        for (field, value) in
            [("client_id", json!("other")), ("token_endpoint_auth_method", json!("none")), ("system", json!(true))]
        {
            let mut wrong = portal();
            wrong[field] = value;
            let (status, told) = ada.json(Method::PUT, &format!("{CLIENTS}/portal"), &wrong).await;
            assert_eq!((status, &told["field"]), (422, &json!(field)), "{told}");
        }
        assert_eq!(ada.json(Method::PUT, &format!("{CLIENTS}/nobody"), &portal()).await.0, 404);
        assert_eq!(ada.json(Method::POST, &format!("{CLIENTS}/nobody/enable"), &json!({})).await.0, 404);
        assert_eq!(ada.get(&format!("{CLIENTS}/nobody")).await.status, 404);
    }

    async fn narrower_scopes_end_what_was_allowed_beyond_them(app: TestApp) {
        use crate::support::auth::Person;
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        let person = Person { account: "sam", roles: &["scheduler"], scope: "user/Slot.rs", ..Person::default() };
        let sam = app.person(person).await;
        assert_eq!(sam.get("Slot").await.status, 200);
        let id = clients::all(app.library()).await.unwrap().into_iter().find(|client| !client.system).unwrap().id;
        let change = json!({
            "client_name": "App", "scope": "user/Schedule.rs", "redirect_uris": ["https://app.example/cb"],
            "jwks_uri": "https://app.example/jwks",
        });
        let (status, changed) = ada.json(Method::PUT, &format!("{CLIENTS}/{id}"), &change).await;
        assert_eq!(status, 200, "{changed}");
        assert_eq!(sam.get("Slot").await.status, 401);
    }

    async fn keys_are_made_and_retired(app: TestApp) {
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        let first: Value = serde_json::from_str(&ada.get(KEYS).await.is(200).html).unwrap();
        let old = first["keys"][0]["kid"].as_str().expect("a key").to_owned();
        assert_eq!(first["keys"][0]["state"], "signs");
        let (status, told) = ada.json(Method::POST, &format!("{KEYS}/{old}/retire"), &json!({})).await;
        assert_eq!(status, 409, "{told}");
        let (status, next) = ada.json(Method::POST, KEYS, &json!({})).await;
        assert_eq!((status, &next["state"]), (201, &json!("next")), "{next}");
        assert!(next.as_object().unwrap().len() == 3 && !next.to_string().contains(".pem"), "{next}");
        let kid = next["kid"].as_str().unwrap();
        assert_eq!(ada.json(Method::POST, &format!("{KEYS}/{kid}/retire"), &json!({})).await.0, 200);
        assert_eq!(ada.json(Method::POST, &format!("{KEYS}/{kid}/retire"), &json!({})).await.0, 404);
        assert_eq!(ada.json(Method::POST, KEYS, &json!({ "now": true })).await.1["state"], "signs");
        assert_eq!(ada.json(Method::POST, &format!("{KEYS}/{old}/retire"), &json!({})).await.0, 200);
        assert!(!ada.get(KEYS).await.says(&old));
    }

    async fn an_invitation_is_good_for_a_registration(app: TestApp) {
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        for (field, value) in [("scope", json!("")), ("uses", json!(0)), ("hours", json!(0))] {
            let mut wrong = json!({ "scope": "patient/Slot.rs" });
            wrong[field] = value;
            let (status, told) = ada.json(Method::POST, INVITATIONS, &wrong).await;
            assert_eq!((status, &told["field"]), (422, &json!(field)), "{told}");
        }
        let (status, made) = ada.json(Method::POST, INVITATIONS, &json!({ "scope": "patient/Slot.rs" })).await;
        assert_eq!(status, 201, "{made}");
        let bearer = format!("Bearer {}", made["initial_access_token"].as_str().unwrap());
        // Another one is listed, and withdrawn before anybody uses it.
        let (_, other) = ada.json(Method::POST, INVITATIONS, &json!({ "scope": "patient/Slot.rs", "uses": 3 })).await;
        let listed = ada.get(INVITATIONS).await.is(200);
        assert!(listed.says(other["id"].as_str().unwrap()) && listed.says("\"uses\":3"), "{}", listed.html);
        assert!(!listed.says(other["initial_access_token"].as_str().unwrap()));
        let revoke = format!("{INVITATIONS}/{}/revoke", other["id"].as_str().unwrap());
        assert_eq!(ada.json(Method::POST, &revoke, &json!({})).await.0, 200);
        assert_eq!(ada.json(Method::POST, &revoke, &json!({})).await.0, 404);
        let withdrawn = format!("Bearer {}", other["initial_access_token"].as_str().unwrap());
        let url = format!("{}/oauth/register", app.root());
        let request = app.anonymous().request(Method::POST, &url).header("authorization", &withdrawn);
        request.bytes("application/json", b"{}".to_vec()).send().await.is(401);
        let body = json!({
            "client_name": "New", "token_endpoint_auth_method": "none", "scope": "patient/Slot.rs",
            "redirect_uris": ["https://new.example/cb"],
        });
        let url = format!("{}/oauth/register", app.root());
        let request = app.anonymous().request(Method::POST, &url).header("authorization", &bearer);
        request.bytes("application/json", body.to_string().into_bytes()).send().await.is(201);
    }

    async fn only_administrators_change_clients_and_keys(app: TestApp) {
        clients::add(app.library(), system_client("backend", "system/Slot.rs"), "a test").await.unwrap();
        let changes = [
            (Method::POST, CLIENTS.to_owned(), portal()),
            (Method::PUT, format!("{CLIENTS}/backend"), portal()),
            (Method::POST, format!("{CLIENTS}/backend/secret"), json!({})),
            (Method::POST, format!("{CLIENTS}/backend/disable"), json!({})),
            (Method::POST, format!("{CLIENTS}/backend/enable"), json!({})),
            (Method::POST, INVITATIONS.to_owned(), json!({ "scope": "patient/Slot.rs" })),
            (Method::POST, format!("{INVITATIONS}/x/revoke"), json!({})),
            (Method::POST, format!("{CLIENTS}/backend/scim-tokens"), json!({})),
            (Method::POST, "/admin/scim-tokens/x/revoke".to_owned(), json!({})),
            (Method::POST, KEYS.to_owned(), json!({})),
            (Method::POST, format!("{KEYS}/x/retire"), json!({})),
        ];
        for (username, role) in [
            ("pia", Role::Patient), ("sam", Role::Scheduler), ("carl", Role::Clinician), ("cora", Role::Compliance),
        ] {
            let mut browser = signed_in(&app, username, role).await;
            for (method, path, body) in &changes {
                let (status, told) = browser.json(method.clone(), path, body).await;
                assert_eq!((status, &told["error"]), (403, &json!("forbidden")), "{username} {path}");
            }
            let may_look = role == Role::Compliance;
            for path in [CLIENTS, "/admin/clients/backend", KEYS] {
                assert_eq!(browser.get(path).await.status, if may_look { 200 } else { 403 }, "{username} {path}");
            }
        }
        let mut ada = signed_in(&app, "ada", Role::Administrator).await;
        ada.headers = vec![("sec-fetch-site", "cross-site".to_owned())];
        for (method, path, body) in &changes {
            assert_eq!(ada.json(method.clone(), path, body).await.1["error"], "not-from-here", "{path}");
        }
        for path in [CLIENTS, KEYS] {
            Browser::new(&app).get(path).await.is(401);
            assert_eq!(app.get(&format!("{}{path}", app.root())).await.status, 401, "a system client");
        }
    }
}
