//! Signing in at an upstream OpenID Connect provider.

use super::browser::{Browser, PASSWORD, account};
use super::provider::{
    CLINIC, Provider, ROLES, SECRET, Sign, clinic, come_back, leave, settings, sign_in, two,
};
use crate::oauth::flow::{public, registered};
use crate::support::{Database, Engine, TestApp, both_engines, slotwright};
use serde_json::{Value, json};
use slotwright::app::account as use_case;
use slotwright::app::oauth::clients::NewClient;
use slotwright::auth::client::Proof;
use slotwright::auth::principal::{Role, RoleGrant};
use slotwright::clock::Clock;
use std::time::Duration;

const MARCH: i64 = 1_930_000_000_000_000;

/// Roles and who gave them.
async fn roles(app: &TestApp) -> Vec<String> {
    let sql = "SELECT role || '@' || organization || ' ' || granted_by FROM role_grant ORDER BY role";
    app.database().texts(sql).await
}

async fn accounts(app: &TestApp) -> i64 {
    app.database().number("SELECT count(*) FROM account").await
}

both_engines! {
    async fn another_of_these_servers_is_a_provider(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let hospital = TestApp::start_with(Database::create(engine).await, clock.clone(), &[]).await;
        let new = NewClient {
            name: "The clinic".to_owned(),
            proof: Proof::Secret,
            scope: "openid fhirUser".to_owned(),
            redirect_uris: vec![format!("{CLINIC}/sign-in/callback/hospital")],
            launch_uri: None,
            ..public("clinic")
        };
        let secret = registered(&hospital, new).await.expect("a secret");
        account(&hospital, "ana", &[], Some("Practitioner/dr-a")).await;
        let database = Database::create(engine).await;
        let doctor = format!("{}/Practitioner/dr-a", hospital.base());
        let more = format!(
            "scopes = \"openid fhirUser\"\nparameters = {{ aud = \"{}\" }}\nroles_claim = \"fhirUser\"\n\
             roles = [{{ name = \"{doctor}\", role = \"clinician\" }}]",
            hospital.base()
        );
        let text = settings(&database, "hospital", hospital.root(), &more);
        std::fs::write(database.dir().join("client.secret"), secret).expect("a file");
        let app = clinic(database, &clock, &text).await;
        let (mut here, mut there) = (Browser::new(&app), Browser::new(&hospital));
        assert!(here.get("/sign-in").await.is(200).says("Sign in with The hospital"));
        for (page, times) in [("/sign-in?return=/apps", 1), ("/sign-in?return=/apps&again=1", 2)] {
            clock.advance(Duration::from_mins(20));
            let url = leave(&mut here, page, "hospital").await;
            assert_eq!(url.contains("prompt=login&max_age=0"), times == 2, "{url}");
            let path = |url: &str| url.strip_prefix(hospital.root()).unwrap_or(url).to_owned();
            let mut place = path(&url);
            let consent = loop {
                let page = there.get(&place).await;
                if page.status == 200 && place.starts_with("/consent/") {
                    break place;
                } else if page.status == 200 {
                    assert!(place.starts_with("/sign-in"), "{place}");
                    let form = [("username", "ana"), ("password", PASSWORD)];
                    place = path(there.fill(&place, "/sign-in", &form).await.is(303).location());
                } else {
                    place = path(page.is(303).location());
                }
            };
            let fields = [("decision", "approve"), ("scope", "openid"), ("scope", "fhirUser")];
            let done = there.fill(&consent, &consent, &fields).await.is(303);
            let callback = done.location().strip_prefix(CLINIC).expect("back to the clinic").to_owned();
            assert!(callback.starts_with("/sign-in/callback/hospital?code="), "{callback}");
            assert_eq!(here.get(&callback).await.is(303).location(), "/apps");
            assert!(here.is_signed_in().await);
            assert_eq!(roles(&app).await, ["clinician@ provider:hospital"]);
            // The same answer once more, in this browser and in another.
            let replayed = here.get(&callback).await.is(400);
            assert!(replayed.says("was completed already"), "{}", replayed.html);
            Browser::new(&app).get(&callback).await.is(400);
        }
        assert_eq!(accounts(&app).await, 1);
    }

    async fn roles_follow_the_provider_and_stay_when_given_here(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "").await;
        // Somebody else has the name already: nothing is linked by names.
        let other = account(&app, "ana", &[Role::Compliance], None).await;
        let mut browser = Browser::new(&app);
        hospital.says(json!({ "groups": ["desk", "doctors", "administrators"] }));
        assert_eq!(sign_in(&mut browser, "hospital", &hospital).await.is(303).location(), "/account");
        let given = ["clinician@org-1 provider:hospital", "compliance@ a test", "scheduler@ provider:hospital"];
        assert_eq!(roles(&app).await, given);
        let page = browser.get("/account").await.is(200);
        assert!(page.says("Ana Novak") && page.says("You sign in as hospital-"), "{}", page.html);
        assert!(!page.says("Change your password"), "there is none");
        assert_eq!(accounts(&app).await, 2);
        let sql = format!("SELECT account FROM upstream_identity WHERE account <> '{other}'");
        let own = app.database().texts(&sql).await.remove(0);
        // Taken away there, given here.
        let desk = RoleGrant { role: Role::Scheduler, organization: None };
        use_case::give_role(app.library(), &own, &desk, "an administrator").await.expect("a role");
        hospital.says(json!({ "groups": [] }));
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
        assert_eq!(roles(&app).await, ["compliance@ a test", "scheduler@ an administrator"]);
        use_case::take_role(app.library(), &own, &desk).await.expect("no role");
        let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(403);
        assert!(page.says("you have no role at this site"), "{}", page.html);
        // Who never had one gets no account either.
        hospital.says(json!({ "sub": "ben-3", "groups": ["cleaners"] }));
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(403);
        assert_eq!(accounts(&app).await, 2);
        hospital.says(json!({}));
        use_case::disable(app.library(), &own).await.expect("disabled");
        let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(403);
        assert!(page.says("taken out of use"), "{}", page.html);
    }

    async fn who_was_provisioned_signs_in_with_that_account(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let hospital = Provider::start(&clock).await;
        let database = Database::create(engine).await;
        let text = settings(&database, "hospital", &hospital.root, &format!("provisioned_by = \"entra\"\n{ROLES}"));
        let app = clinic(database, &clock, &text).await;
        // The hospital's own source made one, and another source, whose ids mean something else, the other.
        let mut made = Vec::new();
        for (name, external, source) in [("ana", "ana-1", "scim:entra"), ("ben", "ben-2", "scim:okta")] {
            let id = account(&app, name, &[Role::Scheduler], None).await;
            let source = format!(
                "UPDATE account SET external_id = '{external}', provisioned_by = '{source}' WHERE id = '{id}'"
            );
            app.database().execute(&source).await;
            made.push(id);
        }
        for (subject, status) in [("ana-1", 303), ("ben-2", 403), ("ana-1", 303)] {
            hospital.says(json!({ "sub": subject, "groups": [] }));
            sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(status);
        }
        let linked = app.database().texts("SELECT account FROM upstream_identity").await;
        assert_eq!(linked, made[..1]);
        assert_eq!(accounts(&app).await, 2);
    }

    async fn the_same_subject_of_another_provider_is_somebody_else(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, university) = two(engine, &clock, "").await;
        for (id, provider) in [("hospital", &hospital), ("university", &university)] {
            sign_in(&mut Browser::new(&app), id, provider).await.is(303);
        }
        assert_eq!(accounts(&app).await, 2);
        let names = app.database().texts("SELECT username FROM account ORDER BY created_us, username").await;
        assert!(names.contains(&"ana".to_owned()) && names.iter().any(|name| name.starts_with("university-")));
    }

    async fn an_answer_that_proves_nothing_lets_nobody_in(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "").await;
        let now = MARCH / 1_000_000;
        let claims = [
            ("another issuer", json!({ "iss": "https://evil.example" })),
            ("no issuer", json!({ "iss": null })),
            ("another audience", json!({ "aud": "another" })),
            ("audiences beside us", json!({ "aud": ["clinic", "another"], "azp": "clinic" })),
            ("given to another client", json!({ "azp": "another" })),
            ("another nonce", json!({ "nonce": "n" })),
            ("no nonce", json!({ "nonce": null })),
            ("expired", json!({ "exp": now - 1 })),
            ("never expires", json!({ "exp": null })),
            ("issued in the future", json!({ "iat": now + 600, "exp": now + 900 })),
            ("nobody", json!({ "sub": "" })),
            ("no subject", json!({ "sub": null })),
            ("a subject without end", json!({ "sub": "x".repeat(300) })),
        ];
        for (why, claims) in claims {
            hospital.says(claims);
            let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await;
            assert_eq!(page.status, 502, "{why}: {}", page.html);
            assert!(page.says("does not prove who you are"), "{why}");
        }
        hospital.says(json!({}));
        for sign in [Sign::Strangely, Sign::Not, Sign::ByItsPublicKey, Sign::ByTheSecret] {
            hospital.answers.lock().unwrap().sign = sign;
            let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await;
            assert_eq!(page.status, 502, "{sign:?}: {}", page.html);
        }
        hospital.answers.lock().unwrap().sign = Sign::Rightly;
        for (why, status, padding, told) in [
            ("refused", 400, 0, 502),
            ("a redirect", 302, 0, 502),
            ("a huge body", 200, 100_000, 503),
            ("broken", 500, 0, 502),
        ] {
            {
                let mut answers = hospital.answers.lock().unwrap();
                (answers.status, answers.padding) = (status, padding);
            }
            let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await;
            assert_eq!(page.status, told, "{why}: {}", page.html);
        }
        assert_eq!(accounts(&app).await, 0);
        {
            let mut answers = hospital.answers.lock().unwrap();
            (answers.status, answers.padding) = (200, 0);
        }
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
    }

    async fn what_comes_back_must_be_what_was_begun_here(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, university) = two(engine, &clock, "").await;
        let mut ana = Browser::new(&app);
        let url = leave(&mut ana, "/sign-in", "hospital").await;
        let asked = hospital.receives(&url);
        assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
        assert_eq!(asked["redirect_uri"], format!("{CLINIC}/sign-in/callback/hospital"));
        let stored = app.database().texts("SELECT hash || provider || back FROM upstream_sign_in").await.concat();
        assert!(!stored.contains(&asked["state"]) && !stored.contains(&asked["nonce"]), "{stored}");
        // Another browser, which has begun a sign-in of its own.
        let mut thief = Browser::new(&app);
        leave(&mut thief, "/sign-in", "hospital").await;
        let page = come_back(&mut thief, "hospital", &hospital, &url, "").await.is(400);
        assert!(page.says("begun in another browser"), "{}", page.html);
        assert!(page.says("href=\"/sign-in?return"), "there is a way on: {}", page.html);
        // The owner is not disturbed by that, nor by a second window.
        let second = leave(&mut ana, "/sign-in", "hospital").await;
        assert_ne!(url, second);
        come_back(&mut ana, "hospital", &hospital, &url, "").await.is(303);
        let form = hospital.answers.lock().unwrap().asked.clone();
        assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "x"));
        let challenge = slotwright::auth::secret::fingerprint(&form["code_verifier"]);
        assert_eq!(challenge, asked["code_challenge"]);
        assert!(hospital.answers.lock().unwrap().authorization.starts_with("Basic "));
        // At the other provider's address.
        let mut ben = Browser::new(&app);
        let url = leave(&mut ben, "/sign-in", "hospital").await;
        let state = hospital.receives(&url)["state"].clone();
        ben.get(&format!("/sign-in/callback/university?code=x&state={state}")).await.is(400);
        assert!(university.answers.lock().unwrap().asked.is_empty(), "the code went nowhere");
        // In another provider's name (RFC 9207).
        let url = leave(&mut ben, "/sign-in", "hospital").await;
        let page = come_back(&mut ben, "hospital", &hospital, &url, "&iss=https://evil.example").await;
        assert_eq!(page.status, 502, "{}", page.html);
        // Too late.
        let url = leave(&mut ben, "/sign-in", "hospital").await;
        clock.advance(Duration::from_mins(11));
        come_back(&mut ben, "hospital", &hospital, &url, "").await.is(400);
        assert!(!ben.is_signed_in().await);
        ben.get("/sign-in/callback/hospital").await.is(400);
        ben.get("/sign-in/callback/nobody?code=x&state=y").await.is(404);
        // A form that is not ours begins nothing.
        ben.post("/sign-in/with/hospital", &[("return", "/account")]).await.is(403);
    }

    async fn a_no_or_no_answer_is_said_clearly(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, university) = two(engine, &clock, "").await;
        let mut browser = Browser::new(&app);
        let url = leave(&mut browser, "/sign-in?return=/apps", "hospital").await;
        let state = hospital.receives(&url)["state"].clone();
        let denied = format!("/sign-in/callback/hospital?error=access_denied&state={state}");
        let page = browser.get(&denied).await.is(403);
        assert!(page.says("did not confirm that you want to sign in"), "{}", page.html);
        assert!(page.says("/sign-in?return=%2Fapps"), "the way is not lost: {}", page.html);
        university.answers.lock().unwrap().away = true;
        let page = browser.fill("/sign-in?return=/apps", "/sign-in/with/university", &[]).await.is(503);
        assert!(page.says("be reached just now") && page.says("/sign-in?return=%2Fapps"), "{}", page.html);
        // Its document is another's.
        hospital.answers.lock().unwrap().discovery = json!({ "issuer": university.root });
        clock.advance(Duration::from_hours(2));
        browser.fill("/sign-in", "/sign-in/with/hospital", &[]).await.is(502);
        // The password is still there.
        account(&app, "ben", &[], None).await;
        browser.sign_in("ben").await;
    }

    async fn a_new_proof_is_asked_for_and_checked(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "").await;
        let mut browser = Browser::new(&app);
        let long_ago = MARCH / 1_000_000 - 3600;
        hospital.says(json!({ "auth_time": long_ago }));
        sign_in(&mut browser, "hospital", &hospital).await.is(303);
        let times = app.database().texts("SELECT CAST(authenticated_us / 1000000 AS TEXT) FROM session").await;
        assert_eq!(times, [long_ago.to_string()], "not when the browser came back");
        // A sensitive act takes a new proof, which is not there yet.
        let again = browser.get("/account/authenticator").await.is(303).location().to_owned();
        assert!(again.ends_with("&again=1"), "{again}");
        let url = leave(&mut browser, &again, "hospital").await;
        let asked = hospital.receives(&url);
        assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
        for (said, status) in [(json!(long_ago), 403), (Value::Null, 403), (json!(MARCH / 1_000_000), 303)] {
            hospital.says(json!({ "auth_time": said }));
            let url = leave(&mut browser, &again, "hospital").await;
            let page = come_back(&mut browser, "hospital", &hospital, &url, "").await;
            assert_eq!(page.status, status, "{said}: {}", page.html);
            assert!(status == 303 || page.says("once more that it is you"), "{}", page.html);
        }
        browser.get("/account/authenticator").await.is(200);
    }

    async fn what_the_id_token_leaves_out_is_asked_for(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let hospital = Provider::start(&clock).await;
        let database = Database::create(engine).await;
        let more = format!(
            "{ROLES}\nroles_claim = \"realm.groups\"\nfhir_user_claim = \"who\"\nrequire_amr = [\"mfa\"]"
        );
        let text = settings(&database, "hospital", &hospital.root, &more);
        let app = clinic(database, &clock, &text).await;
        hospital.says(json!({ "amr": ["pwd"] }));
        let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(502);
        assert!(page.says("does not prove"), "userinfo is about nobody: {}", page.html);
        let set = |userinfo: Value| hospital.answers.lock().unwrap().userinfo = userinfo;
        set(json!({ "sub": "ben-3", "realm": { "groups": ["desk"] } }));
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(502);
        set(json!({ "sub": "ana-17", "realm": { "groups": ["doctors"] }, "who": "Practitioner/dr-a", "amr": ["mfa"] }));
        let page = sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(403);
        assert!(page.says("without the proof that this site asks for"), "what is signed counts: {}", page.html);
        hospital.says(json!({ "amr": ["pwd", "mfa"] }));
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
        assert_eq!(roles(&app).await, ["clinician@org-1 provider:hospital"]);
        assert_eq!(app.database().texts("SELECT fhir_user FROM account").await, ["Practitioner/dr-a"]);
        assert_eq!(app.database().number("SELECT min(second_factor) FROM session").await, 1);
        set(json!({ "sub": "ana-17", "realm": { "groups": ["doctors"] } }));
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
        assert_eq!(app.database().number("SELECT count(fhir_user) FROM account").await, 0, "taken away there");
    }

    async fn an_authenticator_app_that_is_set_up_here_is_asked(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "").await;
        let mut browser = Browser::new(&app);
        sign_in(&mut browser, "hospital", &hospital).await.is(303);
        let (authenticator, _) = super::second_factor::enrol(&app, &mut browser, "ana").await;
        clock.advance(Duration::from_mins(1));
        let mut browser = Browser::new(&app);
        let page = sign_in(&mut browser, "hospital", &hospital).await.is(303);
        assert_eq!(page.location(), "/sign-in/code?return=%2Faccount");
        assert!(!browser.is_signed_in().await);
        let code = authenticator.code(clock.now());
        browser.fill("/sign-in/code", "/sign-in/code", &[("code", &code)]).await.is(303);
        assert!(browser.is_signed_in().await);
        // Signed out there, too.
        let page = browser.fill("/account", "/sign-out", &[]).await.is(200);
        let expected = format!("{}/logout?client_id=clinic&post_logout_redirect_uri=", hospital.root);
        assert!(page.header("refresh").contains(&expected), "{}", page.header("refresh"));
        assert!(!browser.is_signed_in().await);
        // A second factor there is enough.
        hospital.says(json!({ "amr": ["mfa"] }));
        assert_eq!(sign_in(&mut browser, "hospital", &hospital).await.is(303).location(), "/account");
    }

    async fn a_new_key_of_the_provider_is_found(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "").await;
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
        hospital.rotate("k2");
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
    }

    async fn passwords_can_be_left_to_administrators(engine: Engine) {
        let clock = Clock::fixed(MARCH);
        let (app, hospital, _) = two(engine, &clock, "[auth]\nlocal_sign_in = false\n").await;
        account(&app, "ana", &[Role::Scheduler], None).await;
        account(&app, "root", &[Role::Administrator], None).await;
        let mut browser = Browser::new(&app);
        let page = browser.get("/sign-in").await.is(200);
        assert!(!page.says("type=\"password\"") && page.says("Sign in with The hospital"), "{}", page.html);
        let form = |name| [("username", name), ("password", PASSWORD)];
        let page = browser.fill("/sign-in?local=1", "/sign-in", &form("ana")).await.is(422);
        assert!(page.says("not right"), "{}", page.html);
        browser.fill("/sign-in?local=1", "/sign-in", &form("root")).await.is(303);
        sign_in(&mut Browser::new(&app), "hospital", &hospital).await.is(303);
    }
}

#[test]
fn settings_that_can_not_be_used_are_all_named() {
    crate::support::block_on(async {
        let database = Database::create(Engine::Sqlite).await;
        let file = database.dir().join("slotwright.toml");
        let run = |text: &str| {
            std::fs::write(&file, text).expect("a file");
            let done = slotwright(&database, &["check", "--config", file.to_str().expect("a path")]);
            assert!(!done.status.success());
            String::from_utf8_lossy(&done.stderr).into_owned()
        };
        let told = run(
            "[auth]\n[[auth.providers]]\nid = \"The One\"\nname = \" \"\nissuer = \"https://a.example\"\n\
             client_id = \"\"\nscopes = \"profile\"\nparameters = { nonce = \"x\" }\n",
        );
        for setting in
            ["id:", "name:", "client_id:", "client_secret_file:", "scopes:", "roles:", "parameters:"]
        {
            assert!(told.contains(&format!("auth.providers[0].{setting}")), "{setting}: {told}");
        }
        assert!(run("[auth]\nlocal_sign_in = false\n").contains("auth.local_sign_in"));
        let own =
            settings(&database, "one", "http://10.0.0.1", "roles = [{ name = \"x\", role = \"boss\" }]");
        let told = run(&own.replace("internal = true", "").replace("client.secret", "missing.secret"));
        assert!(
            told.contains("issuer: it must start with https://; if it is one of your own network"),
            "{told}"
        );
        assert!(told.contains("\"boss\" is not a role") && told.contains("missing.secret"), "{told}");
        assert!(!told.contains(SECRET));
    });
}
