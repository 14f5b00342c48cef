//! Every route, and every interaction and operation of FHIR, leaves an event: when it succeeds, when it is denied,
//! and when it fails.

use crate::pages::browser::{Browser, account};
use crate::support::clinic::seed;
use crate::support::{Client, TestApp, both_engines, text};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::auth::principal::Role;
use slotwright::http::{Trace, routes, trace};

/// Routes that concern nobody. Another one belongs here only with a reason as good, which `trace` tells.
const NOBODYS: &[&str] = &[
    "/",
    "/.well-known/openid-configuration",
    "/account/passkeys/options",
    "/assets/passkey.js",
    "/assets/proof.js",
    "/assets/style.css",
    "/brands.json",
    "/fhir/.well-known/smart-configuration",
    "/livez",
    "/oauth/jwks",
    "/openapi",
    "/openapi.json",
    "/readyz",
    "/sign-in/code/passkey/options",
    "/sign-in/passkey/options",
    "/smart-style.json",
];

#[test]
fn every_route_says_what_it_leaves_on_the_record() {
    let unsaid: Vec<_> = routes().into_iter().filter(|route| trace(route.path).is_none()).collect();
    assert!(unsaid.is_empty(), "say in `trace` what they leave: {unsaid:#?}");
    let mut nobodys: Vec<&str> = Vec::new();
    for route in routes() {
        if let Some(Trace::Nothing(reason)) = trace(route.path) {
            assert!(!reason.is_empty(), "{}", route.path);
            nobodys.push(route.path);
        }
        assert_eq!(route.is_fhir, trace(route.path) == Some(Trace::Fhir), "{}", route.path);
    }
    nobodys.sort_unstable();
    assert_eq!(nobodys, NOBODYS);
}

/// Events of the request with this id.
pub fn of_request<'a>(events: &'a [Value], id: &str) -> Vec<&'a Value> {
    let is_it = |entity: &Value| entity.pointer("/what/identifier/value") == Some(&json!(id));
    let of = |event: &&Value| event["entity"].as_array().is_some_and(|entities| entities.iter().any(is_it));
    events.iter().filter(of).collect()
}

/// A path that a route takes.
fn filled(path: &str) -> String {
    ["{id}", "{kid}", "{provider}", "{file}", "{*path}"]
        .iter()
        .fold(path.to_owned(), |path, name| path.replace(name, "none"))
}

async fn send(browser: &mut Browser, method: &str, path: &str, id: &str) -> u16 {
    browser.headers = vec![("x-request-id", id.to_owned())];
    match method {
        "GET" => browser.get(path).await.status,
        method => {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            browser.json(method, path, &json!({"nonsense": true})).await.0
        }
    }
}

both_engines! {
    async fn whatever_is_asked_of_a_route_is_on_the_record(app: TestApp) {
        account(&app, "root", &[Role::Administrator, Role::Compliance], None).await;
        let mut nobody = Browser::new(&app);
        let mut root = Browser::new(&app);
        root.sign_in("root").await;
        let session = root.cookies.clone();
        let mut asked = Vec::new();
        let mut number = 0;
        for route in routes() {
            let only_sent = match trace(route.path) {
                Some(Trace::All(_)) => false,
                Some(Trace::Sent(_)) => true,
                _ => continue,
            };
            for method in route.methods.iter().filter(|method| **method != "HEAD") {
                let path = filled(route.path);
                number += 1;
                let (denied, wrong) = (format!("denied-{number}"), format!("wrong-{number}"));
                let denied_status = send(&mut nobody, method, &path, &denied).await;
                // The last request may have ended the session.
                root.cookies.clone_from(&session);
                let status = send(&mut root, method, &path, &wrong).await;
                if !(only_sent && *method == "GET") {
                    asked.push((format!("{method} {path}"), denied, denied_status, wrong, status));
                }
            }
        }
        assert!(asked.len() > 50, "{asked:#?}");
        let events = app.audit_events().await;
        let mut missing = Vec::new();
        for (what, denied, denied_status, wrong, status) in &asked {
            match of_request(&events, denied)[..] {
                [event] if text(event, "/outcome") != "0" || what.starts_with("POST /sign-in/with") => {}
                ref found => missing.push(format!("{what} by nobody ({denied_status}): {found:?}")),
            }
            match of_request(&events, wrong)[..] {
                [event] if (text(event, "/outcome") == "0") == (*status < 300) => {}
                ref found => missing.push(format!("{what} ({status}): {found:?}")),
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    async fn every_interaction_and_operation_of_fhir_is_on_the_record(app: TestApp) {
        seed(&app).await;
        let statement = app.get("metadata").await.is(200).json;
        let mut calls: Vec<(Method, String)> = [
            (Method::GET, "Patient/pat-1"), (Method::GET, "Patient/pat-1/_history/1"),
            (Method::GET, "Patient/pat-1/_history"), (Method::GET, "Patient/_history"),
            (Method::GET, "_history"), (Method::GET, "Patient?_id=pat-1"), (Method::GET, "?_type=Patient"),
            (Method::GET, "Patient/pat-1/Appointment"), (Method::POST, "Patient/_search"),
            (Method::POST, "Patient"), (Method::PUT, "Patient/pat-1"), (Method::PATCH, "Patient/pat-1"),
            (Method::DELETE, "Patient/pat-9"), (Method::POST, ""), (Method::GET, "AuditEvent?date=ge2020-01-01"),
        ].map(|(method, path)| (method, path.to_owned())).to_vec();
        let rest = &statement["rest"][0];
        let named = |of: &Value| -> Vec<String> {
            let all = of["operation"].as_array().cloned().unwrap_or_default();
            all.iter().map(|operation| text(operation, "/name").to_owned()).collect()
        };
        calls.extend(named(rest).iter().map(|name| (Method::POST, format!("${name}"))));
        for resource in rest["resource"].as_array().expect("resources") {
            let rtype = text(resource, "/type");
            for name in named(resource) {
                calls.push((Method::POST, format!("{rtype}/${name}")));
                calls.push((Method::POST, format!("{rtype}/none/${name}")));
            }
        }
        assert!(calls.iter().filter(|(_, path)| path.contains('$')).count() > 2, "{calls:?}");
        let mut asked = Vec::new();
        for (number, (method, path)) in calls.iter().enumerate() {
            let ask = async |client: &Client, id: String| {
                let request = client.request(method.clone(), path).header("x-request-id", &id);
                let request = match *method {
                    Method::GET | Method::DELETE => request,
                    _ if path.ends_with("_search") => {
                        request.bytes("application/x-www-form-urlencoded", b"_id=pat-1".to_vec())
                    }
                    _ => request.json(&json!({"resourceType": "Nonsense"})),
                };
                let status = request.send().await.status;
                (format!("{method} {path}"), id, status)
            };
            asked.push(ask(&app.anonymous(), format!("denied-{number}")).await);
            asked.push(ask(&app.client(), format!("asked-{number}")).await);
        }
        let events = app.audit_events().await;
        let mut missing = Vec::new();
        for (what, id, status) in &asked {
            let found = of_request(&events, id);
            let succeeded = found.iter().all(|event| text(event, "/outcome") == "0");
            if found.is_empty() || succeeded != (*status < 400) {
                missing.push(format!("{what} {id} ({status}): {found:?}"));
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }
}
