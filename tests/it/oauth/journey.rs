//! The whole way of an application, with a person at a browser: authorization, sign-in, consent, tokens, records
//! (SMART 1.2.*, 1.3.07, 100, 164, 168; g10 1.9.11; C2).

use super::flow::{CHALLENGE, REDIRECT, exchanged, public, refreshed, refused, registered};
use crate::pages::browser::{Browser, PASSWORD, account};
use crate::support::{TestApp, both_engines, clinic};
use slotwright::auth::principal::Role;
use std::collections::HashMap;

/// The path of an authorization request for `scope`.
fn asking(app: &TestApp, scope: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", "app"),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "a state"),
            ("aud", app.base()),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    format!("/oauth/authorize?{query}")
}

/// The path of one of our own URLs.
fn path(app: &TestApp, url: &str) -> String {
    let path = url.strip_prefix(app.root()).unwrap_or(url);
    assert!(path.starts_with('/'), "{url}");
    path.to_owned()
}

/// The page at which a browser ends up.
async fn followed(app: &TestApp, browser: &mut Browser, mut place: String) -> String {
    for _ in 0..5 {
        let page = browser.get(&place).await;
        if page.status != 303 {
            return place;
        }
        place = path(app, page.location());
    }
    panic!("redirected for ever, at last to {place}");
}

/// Says yes to all of `scopes` on the consent page: the code.
async fn consented(browser: &mut Browser, page: &str, scopes: &[&str]) -> String {
    let mut fields = vec![("decision", "approve")];
    fields.extend(scopes.iter().map(|scope| ("scope", *scope)));
    let done = browser.fill(page, page, &fields).await.is(303);
    let (to, query) = done.location().split_once('?').expect("a query");
    assert_eq!(to, REDIRECT);
    let params: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(params["state"], "a state");
    params["code"].clone()
}

both_engines! {
    async fn from_the_first_request_to_the_record(app: TestApp) {
        clinic::seed(&app).await;
        registered(&app, public("app")).await;
        account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let scopes = ["openid", "fhirUser", "launch/patient", "offline_access", "patient/Patient.r"];
        let mut browser = Browser::new(&app);
        let led = browser.get(&asking(&app, &scopes.join(" "))).await.is(303);
        let first = path(&app, led.location());
        assert!(first.starts_with("/sign-in?request="), "{first}");
        let sign_in = followed(&app, &mut browser, first).await;
        assert!(sign_in.starts_with("/sign-in"), "{sign_in}");
        let led = browser.fill(&sign_in, "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await.is(303);
        let consent = path(&app, led.location());
        let code = consented(&mut browser, &consent, &scopes).await;
        let reply = exchanged(&app, "app", &code).await.is(200);
        assert_eq!((reply.text("/patient"), reply.text("/scope")), ("pat-1", scopes.join(" ").as_str()));
        let user = super::flow::claims(reply.text("/id_token"))["fhirUser"].as_str().unwrap().to_owned();
        assert_eq!(user, format!("{}/Patient/pat-1", app.base()));
        let client = app.with_token(reply.text("/access_token"));
        assert_eq!(client.get(&user).await.is(200).id(), "pat-1");
        let _ = client.get("Patient/pat-2").await.is(404);
        let _ = client.get("Appointment").await.is(403);
        let again = refreshed(&app, "app", reply.text("/refresh_token")).await.is(200);
        let _ = app.with_token(again.text("/access_token")).get("Patient/pat-1").await.is(200);
        // Whoever is signed in goes straight to the consent page.
        let led = browser.get(&asking(&app, "patient/Patient.r")).await.is(303);
        let consent = followed(&app, &mut browser, path(&app, led.location())).await;
        assert!(consent.starts_with("/consent/"), "{consent}");
    }

    async fn c2_online_access_ends_when_the_person_signs_out(app: TestApp) {
        clinic::seed(&app).await;
        registered(&app, public("app")).await;
        account(&app, "sam", &[Role::Scheduler], None).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("sam").await;
        let scopes = ["user/Slot.rs", "online_access"];
        let led = browser.get(&asking(&app, &scopes.join(" "))).await.is(303);
        let consent = followed(&app, &mut browser, path(&app, led.location())).await;
        let code = consented(&mut browser, &consent, &scopes).await;
        let reply = exchanged(&app, "app", &code).await.is(200);
        let _ = app.with_token(reply.text("/access_token")).get("Slot").await.is(200);
        let reply = refreshed(&app, "app", reply.text("/refresh_token")).await.is(200);
        browser.fill("/sign-out", "/sign-out", &[]).await.is(303);
        refused(&refreshed(&app, "app", reply.text("/refresh_token")).await, "invalid_grant");
    }
}
