//! Passkeys over HTTP, with an authenticator in software.

use super::authenticator::Authenticator;
use super::browser::{Browser, PASSWORD, Page, account};
use super::provider::{CLINIC, clinic, sign_in as sign_in_upstream, two};
use super::second_factor::enrol;
use crate::support::{Database, Engine, TestApp, both_engines};
use serde_json::Value;
use slotwright::app::account as use_case;
use slotwright::auth::principal::Role;
use slotwright::clock::Clock;
use std::time::Duration;

const MARCH: i64 = 1_930_000_000_000_000;

async fn app(engine: Engine) -> (TestApp, Clock) {
    let clock = Clock::fixed(MARCH);
    (clinic(Database::create(engine).await, &clock, "").await, clock)
}

/// What the script is given when a form on `page` is sent.
async fn options(browser: &mut Browser, page: &str, action: &str) -> Value {
    let token = token(browser, page, action).await;
    let answer = browser.post(&format!("{action}/options"), &[("token", &token)]).await.is(200);
    serde_json::from_str(&answer.html).expect("JSON")
}

async fn token(browser: &mut Browser, page: &str, action: &str) -> String {
    let hidden = browser.get(page).await.is(200).hidden(action);
    hidden.into_iter().find(|(name, _)| name == "token").expect("a token").1
}

/// Sends what the authenticator gave.
async fn answer(browser: &mut Browser, page: &str, action: &str, credential: &str) -> Page {
    let token = token(browser, page, action).await;
    let fields = [("token", token.as_str()), ("credential", credential), ("name", "My phone")];
    browser.post(action, &fields).await
}

async fn register(browser: &mut Browser) -> Authenticator {
    let mut phone = Authenticator::new(CLINIC);
    let asked = options(browser, "/account", "/account/passkeys").await;
    let credential = phone.create(&asked);
    let page = answer(browser, "/account", "/account/passkeys", &credential).await.is(303);
    assert_eq!(page.location(), "/account?done=passkey");
    phone
}

/// Somebody with a password and a passkey.
async fn with_passkey(app: &TestApp, username: &str) -> (Browser, Authenticator) {
    account(app, username, &[], None).await;
    let mut browser = Browser::new(app);
    browser.sign_in(username).await;
    let phone = register(&mut browser).await;
    (browser, phone)
}

const SIGN_IN: (&str, &str) = ("/sign-in", "/sign-in/passkey");

/// Signs in by a passkey in a new browser.
async fn enter(app: &TestApp, phone: &mut Authenticator) -> (Browser, Page) {
    let mut browser = Browser::new(app);
    let asked = options(&mut browser, SIGN_IN.0, SIGN_IN.1).await;
    let credential = phone.get(&asked);
    let page = answer(&mut browser, SIGN_IN.0, SIGN_IN.1, &credential).await;
    (browser, page)
}

both_engines! {
    async fn a_passkey_is_registered_used_and_removed(engine: Engine) {
        let (app, clock) = app(engine).await;
        let (mut ana, mut phone) = with_passkey(&app, "ana").await;
        let page = ana.get("/account").await.is(200);
        assert!(page.says("My phone") && page.says("not used yet"), "{}", page.html);
        assert!(page.header("content-security-policy").contains("script-src 'self';"));
        assert!(!ana.get("/apps").await.header("content-security-policy").contains("script-src"));
        let id = app.database().texts("SELECT id FROM account").await.remove(0);
        let handle = app.database().texts("SELECT handle FROM passkey_user").await.remove(0);
        assert_ne!(id, handle, "the handle says nothing");
        clock.advance(Duration::from_hours(1));
        let (mut browser, page) = enter(&app, &mut phone).await;
        assert_eq!(page.is(303).location(), "/account");
        assert!(browser.get("/account").await.is(200).says("last used on"));
        let strong = "SELECT CAST(second_factor AS TEXT) FROM session ORDER BY created_us DESC LIMIT 1";
        assert_eq!(app.database().texts(strong).await, ["1"]);
        // Recent enough for a sensitive act, and then it is gone; the sessions stay.
        let passkey = app.database().texts("SELECT id FROM passkey").await.remove(0);
        let page = browser.fill("/account", "/account/passkeys/remove", &[]).await.is(303);
        assert_eq!(page.location(), "/account?done=passkey-removed");
        assert!(browser.is_signed_in().await);
        let token = token(&mut browser, "/account", "/account/passkeys").await;
        browser.post("/account/passkeys/remove", &[("token", &token), ("id", &passkey)]).await.is(404);
        let (mut browser, page) = enter(&app, &mut phone).await;
        assert!(page.is(422).says("is not known here"));
        assert!(!browser.is_signed_in().await);
    }

    async fn a_passkey_takes_the_place_of_a_code(engine: Engine) {
        let (app, clock) = app(engine).await;
        let (mut ana, mut phone) = with_passkey(&app, "ana").await;
        let (_, mut foreign) = with_passkey(&app, "ben").await;
        enrol(&app, &mut ana, "ana").await;
        clock.advance(Duration::from_mins(1));
        const CODE: (&str, &str) = ("/sign-in/code", "/sign-in/code/passkey");
        let mut browser = Browser::new(&app);
        browser.try_sign_in("ana", PASSWORD).await.is(303);
        let asked = options(&mut browser, CODE.0, CODE.1).await;
        assert_eq!(asked["publicKey"]["allowCredentials"].as_array().map(Vec::len), Some(1));
        // Somebody else's passkey, though it answers rightly.
        let credential = foreign.get(&asked);
        assert!(answer(&mut browser, CODE.0, CODE.1, &credential).await.is(422).says("not one of this account"));
        // The answer to another kind of challenge.
        let other = options(&mut browser, SIGN_IN.0, SIGN_IN.1).await;
        let credential = phone.get(&other);
        assert!(answer(&mut browser, CODE.0, CODE.1, &credential).await.is(422).says("It took too long"));
        assert!(!browser.is_signed_in().await);
        let asked = options(&mut browser, CODE.0, CODE.1).await;
        let credential = phone.get(&asked);
        answer(&mut browser, CODE.0, CODE.1, &credential).await.is(303);
        assert!(browser.is_signed_in().await);
        // Who has none is not offered one; a challenge needs the password before.
        account(&app, "eva", &[], None).await;
        let mut eva = Browser::new(&app);
        eva.sign_in("eva").await;
        enrol(&app, &mut eva, "eva").await;
        let mut eva = Browser::new(&app);
        eva.try_sign_in("eva", PASSWORD).await.is(303);
        assert!(!eva.get(CODE.0).await.is(200).says("data-passkey"));
        let token = token(&mut Browser::new(&app), SIGN_IN.0, SIGN_IN.1).await;
        Browser::new(&app).post("/sign-in/code/passkey/options", &[("token", &token)]).await.is(403);
    }

    async fn only_a_fresh_answer_from_here_counts(engine: Engine) {
        let (app, clock) = app(engine).await;
        let (_, mut phone) = with_passkey(&app, "ana").await;
        let mut browser = Browser::new(&app);
        let asked = options(&mut browser, SIGN_IN.0, SIGN_IN.1).await;
        let credential = phone.get(&asked);
        // In another browser, which has a challenge of its own.
        let mut thief = Browser::new(&app);
        options(&mut thief, SIGN_IN.0, SIGN_IN.1).await;
        answer(&mut thief, SIGN_IN.0, SIGN_IN.1, &credential).await.is(422);
        let cookie = browser.cookies["__Host-passkey"].clone();
        answer(&mut browser, SIGN_IN.0, SIGN_IN.1, &credential).await.is(303);
        // The same once more, with the same cookie; and to a new challenge.
        let mut thief = Browser::new(&app);
        thief.cookies.insert("__Host-passkey".to_owned(), cookie);
        let page = answer(&mut thief, SIGN_IN.0, SIGN_IN.1, &credential).await.is(422);
        assert!(page.says("answered already"), "{}", page.html);
        options(&mut thief, SIGN_IN.0, SIGN_IN.1).await;
        answer(&mut thief, SIGN_IN.0, SIGN_IN.1, &credential).await.is(422);
        assert!(!thief.is_signed_in().await);
        // Too late.
        let mut late = Browser::new(&app);
        let asked = options(&mut late, SIGN_IN.0, SIGN_IN.1).await;
        let credential = phone.get(&asked);
        clock.advance(Duration::from_secs(301));
        answer(&mut late, SIGN_IN.0, SIGN_IN.1, &credential).await.is(422);
        // Nothing that is an answer at all.
        for nothing in ["", "{}", "null", "[1]", "{\"id\":\"x\"}"] {
            let mut browser = Browser::new(&app);
            options(&mut browser, SIGN_IN.0, SIGN_IN.1).await;
            answer(&mut browser, SIGN_IN.0, SIGN_IN.1, nothing).await.is(422);
        }
        enter(&app, &mut phone).await.1.is(303);
    }

    async fn an_authenticator_that_is_not_right_is_refused(engine: Engine) {
        let (app, _) = app(engine).await;
        let (_, mut phone) = with_passkey(&app, "ana").await;
        let (_, foreign) = with_passkey(&app, "ben").await;
        let mut tried = Vec::new();
        let evil = "https://clinic.example.evil.example";
        for name in ["origin", "port", "relying party", "unverified", "no handle", "handle", "id"] {
            let (origin, rp, handle, id) =
                (phone.origin.clone(), phone.rp.clone(), phone.handle.clone(), phone.id.clone());
            match name {
                "origin" => evil.clone_into(&mut phone.origin),
                "port" => phone.origin.push_str(":8443"),
                "relying party" => "evil.example".clone_into(&mut phone.rp),
                "unverified" => phone.verifies = false,
                "no handle" => phone.handle = None,
                "handle" => phone.handle.clone_from(&foreign.handle),
                _ => phone.id.clone_from(&foreign.id),
            }
            let (mut browser, page) = enter(&app, &mut phone).await;
            tried.push((name, page.status, browser.is_signed_in().await));
            (phone.origin, phone.rp, phone.handle, phone.id) = (origin, rp, handle, id);
            phone.verifies = true;
        }
        assert!(tried.iter().all(|(_, status, entered)| *status == 422 && !entered), "{tried:?}");
        enter(&app, &mut phone).await.1.is(303);
        // A counter that went back: there is a copy.
        phone.counter -= 2;
        let (_, page) = enter(&app, &mut phone).await;
        assert!(page.is(422).says("there may be a copy of it"));
        phone.counter += 5;
        enter(&app, &mut phone).await.1.is(303);
        let id = app.database().texts("SELECT id FROM account WHERE username = 'ana'").await.remove(0);
        use_case::disable(app.library(), &id).await.expect("disabled");
        enter(&app, &mut phone).await.1.is(422);
    }

    async fn registering_takes_a_recent_sign_in_and_ones_own_challenge(engine: Engine) {
        let (app, clock) = app(engine).await;
        let (mut ana, mut phone) = with_passkey(&app, "ana").await;
        let (mut ben, _) = with_passkey(&app, "ben").await;
        const HERE: (&str, &str) = ("/account", "/account/passkeys");
        // The challenge of somebody else.
        let asked = options(&mut ana, HERE.0, HERE.1).await;
        assert_eq!(asked["publicKey"]["excludeCredentials"].as_array().map(Vec::len), Some(1));
        assert_eq!(asked["publicKey"]["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(asked["publicKey"]["authenticatorSelection"]["userVerification"], "required");
        ben.cookies.insert("__Host-passkey".to_owned(), ana.cookies["__Host-passkey"].clone());
        let credential = Authenticator::new(CLINIC).create(&asked);
        answer(&mut ben, HERE.0, HERE.1, &credential).await.is(422);
        // One that is registered already, one that does not know its owner, one elsewhere, one without a name.
        let asked = options(&mut ana, HERE.0, HERE.1).await;
        assert!(answer(&mut ana, HERE.0, HERE.1, &phone.create(&asked)).await.is(422).says("registered already"));
        let mut stick = Authenticator::new(CLINIC);
        stick.verifies = false;
        let asked = options(&mut ana, HERE.0, HERE.1).await;
        answer(&mut ana, HERE.0, HERE.1, &stick.create(&asked)).await.is(422);
        let asked = options(&mut ana, HERE.0, HERE.1).await;
        let elsewhere = Authenticator::new("https://evil.example").create(&asked);
        answer(&mut ana, HERE.0, HERE.1, &elsewhere).await.is(422);
        let asked = options(&mut ana, HERE.0, HERE.1).await;
        let credential = Authenticator::new(CLINIC).create(&asked);
        let token = token(&mut ana, HERE.0, HERE.1).await;
        let page = ana.post(HERE.1, &[("token", &token), ("credential", &credential), ("name", " ")]).await.is(422);
        assert!(page.says("Give the passkey a name"), "{}", page.html);
        assert_eq!(app.database().number("SELECT count(*) FROM passkey").await, 2);
        // Not recent any more: neither registering nor removing.
        clock.advance(Duration::from_mins(12));
        assert_eq!(options(&mut ana, HERE.0, HERE.1).await, serde_json::json!({}));
        let page = answer(&mut ana, HERE.0, HERE.1, &credential).await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Faccount&again=1");
        ana.fill("/account", "/account/passkeys/remove", &[]).await.is(303);
        assert_eq!(app.database().number("SELECT count(*) FROM passkey").await, 2);
        // A passkey is a new proof.
        let again = "/sign-in?return=/account&again=1";
        let asked = options(&mut ana, again, SIGN_IN.1).await;
        let credential = phone.get(&asked);
        answer(&mut ana, again, SIGN_IN.1, &credential).await.is(303);
        ana.fill("/account", "/account/passkeys/remove", &[]).await.is(303);
        assert_eq!(app.database().number("SELECT count(*) FROM passkey").await, 1);
    }

    async fn who_signs_in_elsewhere_has_no_passkey_here(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "[auth]\nlocal_sign_in = false\n").await;
        let mut browser = Browser::new(&app);
        sign_in_upstream(&mut browser, "hospital", &hospital).await.is(303);
        let page = browser.get("/account").await.is(200);
        assert!(!page.says("data-passkey"), "{}", page.html);
        let (name, token) = page.hidden("/account/language").swap_remove(0);
        assert_eq!(name, "token");
        browser.post("/account/passkeys/options", &[("token", &token)]).await.is(404);
        // Administrators may.
        account(&app, "root", &[Role::Administrator], None).await;
        let mut root = Browser::new(&app);
        let form = [("username", "root"), ("password", PASSWORD)];
        root.fill("/sign-in?local=1", "/sign-in", &form).await.is(303);
        let mut phone = register(&mut root).await;
        let mut browser = Browser::new(&app);
        assert!(!browser.get("/sign-in").await.is(200).says("data-passkey"));
        let asked = options(&mut browser, "/sign-in?local=1", SIGN_IN.1).await;
        let credential = phone.get(&asked);
        answer(&mut browser, "/sign-in?local=1", SIGN_IN.1, &credential).await.is(303);
        // No longer.
        app.database().execute("DELETE FROM role_grant WHERE role = 'administrator'").await;
        let asked = options(&mut Browser::new(&app), "/sign-in?local=1", SIGN_IN.1).await;
        assert!(asked["publicKey"]["challenge"].is_string());
        let mut browser = Browser::new(&app);
        let asked = options(&mut browser, "/sign-in?local=1", SIGN_IN.1).await;
        let credential = phone.get(&asked);
        answer(&mut browser, "/sign-in?local=1", SIGN_IN.1, &credential).await.is(422);
    }
}

#[test]
fn an_address_has_no_passkeys() {
    for (site, possible) in [
        ("https://clinic.example", true),
        ("http://localhost:8080", true),
        ("http://127.0.0.1:8080", false),
        ("https://[::1]:8443", false),
        ("http://clinic.example", false),
    ] {
        assert_eq!(use_case::are_possible(site), possible, "{site}");
    }
}
