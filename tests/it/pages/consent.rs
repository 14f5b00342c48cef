//! Saying what an app may do, choosing the patient, and taking it back.

use super::browser::{Browser, PASSWORD, Page, account};
use crate::support::{TestApp, both_engines, clinic};
use serde_json::json;
use slotwright::app::oauth::clients;
use slotwright::auth::client::{Client, Proof};
use slotwright::auth::launch::Launch;
use slotwright::auth::principal::Role;
use slotwright::auth::scope::Scopes;
use slotwright::store::Intent;
use slotwright::store::oauth::grant::{self, Grant};
use slotwright::store::oauth::request::{self, Request};

const ASKED: &str =
    "openid fhirUser offline_access launch/patient patient/Appointment.cruds patient/Coverage.rs";
const BACK: &str = "https://app.example/back?a=1";

/// What an application asks for.
struct Ask {
    scope: &'static str,
    prompt: Option<&'static str>,
    launch: Option<Launch>,
    account: Option<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Self { scope: ASKED, prompt: None, launch: None, account: None }
    }
}

/// Keeps a request as `/oauth/authorize` does; its id.
async fn request(app: &TestApp, ask: Ask) -> String {
    let library = app.library();
    let client = Client {
        id: "calendar".to_owned(),
        name: "Calendar <b>Plus</b>".to_owned(),
        proof: Proof::None,
        system: false,
        scopes: Scopes::parse(
            "openid fhirUser launch launch/patient launch/encounter offline_access online_access patient/*.cruds user/*.cruds",
        ),
        redirect_uris: vec![BACK.to_owned()],
        launch_uri: None,
        keys: None,
        may_introspect: false,
        may_launch: false,
        may_provision: false,
        disabled: false,
    };
    clients::add(library, client, "a test").await.expect("a client");
    let now = library.clock.now();
    let id = library.clock.new_id();
    let kept = Request {
        id: id.clone(),
        client: "calendar".to_owned(),
        base: app.base().to_owned(),
        redirect_uri: BACK.to_owned(),
        scope: ask.scope.to_owned(),
        state: "state & more".to_owned(),
        challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
        nonce: None,
        prompt: ask.prompt.map(str::to_owned),
        max_age: None,
        login_hint: Some("ana".to_owned()),
        launch: ask.launch,
        launch_account: ask.account,
        made_us: now,
        expires_us: now + 600_000_000,
    };
    let stored = library.store.write(Intent::Upsert, move |tx| {
        let kept = kept.clone();
        Box::pin(async move { request::insert(tx, &kept).await })
    });
    stored.await.expect("a request");
    id
}

async fn grants(app: &TestApp, account: &str) -> Vec<Grant> {
    let mut reader = app.library().store.reader().await.expect("a reader");
    grant::of_account(&mut reader, account).await.expect("grants")
}

/// Answers yes with these ticks.
async fn approve(browser: &mut Browser, page: &str, ticks: &[(&str, &str)]) -> Page {
    let action = page.split('?').next().unwrap_or_default().to_owned();
    browser.fill(page, &action, &[&[("decision", "approve")], ticks].concat()).await
}

both_engines! {
    async fn a_patient_takes_ticks_away_and_gives_a_part(app: TestApp) {
        clinic::seed(&app).await;
        let ana = account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let consent = format!("/consent/{}", request(&app, Ask::default()).await);
        let mut browser = Browser::new(&app);
        let page = browser.get(&consent).await.is(303);
        let sign_in = page.location().to_owned();
        let page = browser.get(&sign_in).await.is(200);
        assert!(page.says("value=\"ana\""), "the name that the app expects: {}", page.html);
        let page = browser.fill(&sign_in, "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await.is(303);
        assert_eq!(page.location(), consent);
        let page = browser.get(&consent).await.is(200);
        assert!(page.says("Calendar &#60;b&#62;Plus&#60;/b&#62;"), "{}", page.html);
        assert!(page.says("https://app.example"));
        assert!(page.says("Your appointments: see, add, change, delete"), "{}", page.html);
        assert!(page.says("Your insurance: see"));
        assert!(page.says("may keep its access while you are away"));
        assert!(page.header("content-security-policy").contains("form-action 'self' https://app.example;"));
        assert_eq!(page.boxes("scope").len(), 6);
        assert!(page.boxes("part patient/Appointment.cruds").contains(&"status=booked".to_owned()));
        // Nothing ticked is no answer.
        let page = approve(&mut browser, &consent, &[]).await.is(422);
        assert!(page.says("Tick at least one thing"), "{}", page.html);
        let ticks = [
            ("scope", "openid"),
            ("scope", "launch/patient"),
            ("scope", "patient/Appointment.cruds"),
            ("part patient/Appointment.cruds", "status=booked"),
            ("part patient/Appointment.cruds", "status=pending"),
            // Tampered with: never asked, never more than asked, never somebody else.
            ("scope", "user/*.cruds"),
            ("part patient/Appointment.cruds", "patient=pat-2"),
            ("patient", "pat-2"),
        ];
        let page = approve(&mut browser, &consent, &ticks).await.is(303);
        let (to, query) = page.location().split_once("&code=").expect("a code");
        assert_eq!(to, BACK);
        assert!(query.ends_with("&state=state%20%26%20more"), "{query}");
        let given = grants(&app, &ana).await.swap_remove(0);
        assert_eq!(
            given.scope,
            "openid launch/patient patient/Appointment.cruds?status=booked patient/Appointment.cruds?status=pending"
        );
        assert_eq!(given.patient.as_deref(), Some("pat-1"));
        // Answered once.
        browser.get(&consent).await.is(404);
        // There it is, in words, until it is taken back.
        let page = browser.get("/apps").await.is(200);
        assert!(page.says("Calendar &#60;b&#62;") && page.says("only where the state is Booked"), "{}", page.html);
        let page = browser.fill("/apps", "/apps/revoke", &[]).await.is(303);
        let page = browser.get(page.location()).await.is(200);
        assert!(page.says("No app has access.") && page.says("The access was taken back"), "{}", page.html);
        assert!(grants(&app, &ana).await.is_empty());
    }

    async fn a_visit_is_chosen_among_the_patients_own(app: TestApp) {
        clinic::seed(&app).await;
        let visit = |id: &str, patient: &str, day: &str| json!({ "resourceType": "Encounter", "id": id,
            "status": "finished", "type": [{ "text": "Check-up" }], "period": { "start": day },
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
            "subject": { "reference": format!("Patient/{patient}") } });
        for body in [visit("e1", "pat-1", "2026-01-10"), visit("e2", "pat-1", "2026-02-10"), visit("e3", "pat-2", "2026-03-10")] {
            app.store(&body).await;
        }
        let ana = account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let scope = "launch/encounter launch/patient patient/Encounter.rs";
        let ask = async || format!("/consent/{}", request(&app, Ask { scope, ..Ask::default() }).await);
        let consent = ask().await;
        let page = browser.get(&consent).await.is(200);
        assert!(page.says("Which visit is it about?") && page.says("2026-02-10, Check-up, Finished"), "{}", page.html);
        assert!(page.says("value=\"e1\"") && !page.says("value=\"e3\""), "{}", page.html);
        let ticks = |encounter| [("scope", "launch/encounter"), ("scope", "patient/Encounter.rs"), ("encounter", encounter)];
        // Never the visit of somebody else, and without one no scope for it.
        approve(&mut browser, &consent, &ticks("e3")).await.is(403);
        approve(&mut browser, &consent, &ticks("")).await.is(303);
        let given = grants(&app, &ana).await.swap_remove(0);
        assert_eq!((given.scope.as_str(), given.encounter), ("patient/Encounter.rs", None));
        let consent = ask().await;
        approve(&mut browser, &consent, &ticks("e2")).await.is(303);
        let all = grants(&app, &ana).await;
        let given = all.iter().find(|grant| grant.encounter.is_some()).expect("a grant with a visit");
        assert_eq!((given.scope.as_str(), given.encounter.as_deref()), ("launch/encounter patient/Encounter.rs", Some("e2")));
        assert_eq!(given.patient.as_deref(), Some("pat-1"));
    }

    async fn no_means_no(app: TestApp) {
        clinic::seed(&app).await;
        let ana = account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let consent = format!("/consent/{}", request(&app, Ask::default()).await);
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let page = browser.fill(&consent, &consent, &[("decision", "deny"), ("scope", "openid")]).await.is(303);
        assert!(page.location().starts_with("https://app.example/back?a=1&error=access_denied"), "{}", page.location());
        assert!(page.location().ends_with("&state=state%20%26%20more"));
        assert!(grants(&app, &ana).await.is_empty());
        approve_gone(&mut browser, &consent).await;
    }

    async fn staff_choose_the_patient_among_those_they_may_see(app: TestApp) {
        clinic::seed(&app).await;
        let sam = account(&app, "sam", &[Role::Scheduler], None).await;
        let id = request(&app, Ask::default()).await;
        let (consent, picker) = (format!("/consent/{id}"), format!("/pick-patient/{id}"));
        let mut browser = Browser::new(&app);
        browser.sign_in("sam").await;
        assert_eq!(browser.get(&consent).await.is(303).location(), picker);
        browser.fill(&picker, &picker, &[("name", " ")]).await.is(422);
        let page = browser.fill(&picker, &picker, &[("name", "pat-2")]).await.is(200);
        assert!(page.says("Choose pat-2 Test") && !page.says("Choose pat-1"), "{}", page.html);
        assert!(page.says("One patient was found"), "{}", page.html);
        let page = browser.fill(&picker, &picker, &[("name", "test")]).await.is(200);
        assert!(page.says("3 patients were found"), "{}", page.html);
        let page = browser.fill(&picker, &picker, &[("name", "nobody")]).await.is(200);
        assert!(page.says("Nobody was found."), "{}", page.html);
        browser.get(&format!("{consent}?patient=not-there")).await.is(403);
        let page = browser.get(&format!("{consent}?patient=pat-2")).await.is(200);
        assert!(page.says("The patient is pat-2 Test."), "{}", page.html);
        assert!(page.says("Appointments of pat-2 Test: see"), "{}", page.html);
        let ticks = [("scope", "launch/patient"), ("scope", "patient/Appointment.cruds")];
        approve(&mut browser, &format!("{consent}?patient=pat-2"), &ticks).await.is(303);
        assert_eq!(grants(&app, &sam).await.swap_remove(0).patient.as_deref(), Some("pat-2"));
    }

    async fn whoever_may_see_no_patient_can_choose_none(app: TestApp) {
        clinic::seed(&app).await;
        account(&app, "carl", &[Role::Compliance], None).await;
        account(&app, "ada", &[Role::Administrator], None).await;
        account(&app, "nora", &[], None).await;
        for username in ["carl", "ada", "nora"] {
            let id = request(&app, Ask::default()).await;
            let picker = format!("/pick-patient/{id}");
            let mut browser = Browser::new(&app);
            browser.sign_in(username).await;
            let page = browser.fill(&picker, &picker, &[("name", "test")]).await;
            assert!(page.status == 403 && !page.says("pat-1"), "{username}: {}", page.html);
            let page = browser.get(&format!("/consent/{id}?patient=pat-1")).await;
            assert!(page.status == 403 && !page.says("pat-1 Test"), "{username}: {}", page.html);
        }
    }

    async fn a_patient_can_not_choose_another(app: TestApp) {
        clinic::seed(&app).await;
        account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let id = request(&app, Ask::default()).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        assert_eq!(browser.get(&format!("/pick-patient/{id}")).await.is(303).location(), format!("/consent/{id}"));
        let page = browser.get(&format!("/consent/{id}?patient=pat-2")).await.is(200);
        assert!(page.says("The patient is pat-1 Test."), "{}", page.html);
    }

    async fn a_launch_answers_only_to_whom_it_was_made_for(app: TestApp) {
        clinic::seed(&app).await;
        let sam = account(&app, "sam", &[Role::Scheduler], None).await;
        account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let launch = Launch { patient: Some("pat-3".to_owned()), ..Launch::default() };
        let scope = "launch openid patient/Appointment.rs";
        let ask = Ask { scope, launch: Some(launch), account: Some(sam.clone()), ..Ask::default() };
        let consent = format!("/consent/{}", request(&app, ask).await);
        let mut ana = Browser::new(&app);
        ana.sign_in("ana").await;
        let page = ana.get(&consent).await.is(403);
        assert!(page.says("opened for another person") && !page.says("pat-3"), "{}", page.html);
        let token = page.hidden("/sign-out").swap_remove(0).1;
        let fields = [("token", token.as_str()), ("decision", "approve"), ("scope", "patient/Appointment.rs")];
        ana.post(&consent, &fields).await.is(403);
        let mut browser = Browser::new(&app);
        browser.sign_in("sam").await;
        // The launch says who the patient is: nobody is asked, and nothing else is taken.
        let ticks = [("scope", "launch"), ("scope", "patient/Appointment.rs"), ("patient", "pat-1")];
        approve(&mut browser, &format!("{consent}?patient=pat-1"), &ticks).await.is(303);
        assert_eq!(grants(&app, &sam).await.swap_remove(0).patient.as_deref(), Some("pat-3"));
    }

    async fn an_app_can_ask_for_a_new_sign_in(app: TestApp) {
        clinic::seed(&app).await;
        account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let consent = format!("/consent/{}", request(&app, Ask { prompt: Some("login"), ..Ask::default() }).await);
        let page = browser.get(&consent).await.is(303);
        assert!(page.location().ends_with("&again=1"), "{}", page.location());
        let sign_in = page.location().to_owned();
        let page = browser.fill(&sign_in, "/sign-in", &[("username", "ana"), ("password", PASSWORD)]).await.is(303);
        assert_eq!(page.location(), consent);
        browser.get(&consent).await.is(200);
    }

    async fn online_access_follows_the_session_and_ends_with_it(app: TestApp) {
        clinic::seed(&app).await;
        let ana = account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        let ask = Ask { scope: "online_access patient/Appointment.rs", ..Ask::default() };
        let consent = format!("/consent/{}", request(&app, ask).await);
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        let ticks = [("scope", "online_access"), ("scope", "patient/Appointment.rs")];
        approve(&mut browser, &consent, &ticks).await.is(303);
        let first = grants(&app, &ana).await.swap_remove(0).session.expect("a session");
        // To prove anew who one is takes nothing away.
        let fields = [("username", "ana"), ("password", PASSWORD)];
        browser.fill("/sign-in?again=1", "/sign-in", &fields).await.is(303);
        let second = grants(&app, &ana).await.swap_remove(0).session.expect("a session");
        assert_ne!(first, second);
        assert!(!browser.get("/apps").await.is(200).says("No app has access."));
        browser.fill("/account", "/sign-out", &[]).await.is(303);
        browser.sign_in("ana").await;
        assert!(browser.get("/apps").await.is(200).says("No app has access."));
    }

    async fn nobody_takes_back_what_another_gave(app: TestApp) {
        clinic::seed(&app).await;
        let ana = account(&app, "ana", &[Role::Patient], Some("Patient/pat-1")).await;
        account(&app, "mallory", &[Role::Patient], Some("Patient/pat-2")).await;
        let consent = format!("/consent/{}", request(&app, Ask::default()).await);
        let mut browser = Browser::new(&app);
        browser.sign_in("ana").await;
        approve(&mut browser, &consent, &[("scope", "patient/Appointment.cruds")]).await.is(303);
        let grant = grants(&app, &ana).await.swap_remove(0).id;
        let mut mallory = Browser::new(&app);
        mallory.sign_in("mallory").await;
        let token = mallory.get("/apps").await.hidden("/sign-out").swap_remove(0).1;
        mallory.post("/apps/revoke", &[("token", &token), ("grant", &grant)]).await.is(404);
        assert_eq!(grants(&app, &ana).await.len(), 1);
    }
}

async fn approve_gone(browser: &mut Browser, consent: &str) {
    let token = browser.get("/account").await.hidden("/sign-out").swap_remove(0).1;
    let fields = [("token", token.as_str()), ("decision", "approve"), ("scope", "openid")];
    browser.post(consent, &fields).await.is(404);
}
