//! Standing reports: what they find, exactly once, whoever reads the log.

use super::console::officer;
use crate::access::world;
use crate::pages::browser::{Browser, PASSWORD, account};
use crate::support::auth::Person;
use crate::support::clinic::{patient_resource, seed};
use crate::support::{Client, Database, Engine, TestApp, both_engines, text};
use serde_json::{Value, json};
use slotwright::app::audit::Follower;
use slotwright::auth::principal::Role;
use slotwright::clock::Clock;
use std::time::Duration;

/// A Monday at noon.
const NOON: &str = "2031-03-03T12:00:00Z";

async fn app(engine: Engine, settings: &[(&str, &str)]) -> TestApp {
    let clock = Clock::fixed(NOON.parse::<jiff::Timestamp>().expect("an instant").as_microsecond());
    TestApp::start_with(Database::create(engine).await, clock, settings).await
}

async fn followed(app: &TestApp) {
    app.sequence().await;
    Follower::new(app.library().clone()).run().await.expect("findings");
}

/// Findings as the download has them.
async fn found(cora: &mut Browser, query: &str) -> Vec<Value> {
    let page = cora.get(&format!("/console/audit/reports.json?{query}")).await.is(200);
    let answer: Value = serde_json::from_str(&page.html).expect("JSON");
    answer["findings"].as_array().expect("a list").clone()
}

/// A scheduler's application, with an account called `name`.
async fn scheduler(app: &TestApp, name: &str, fhir_user: Option<&str>) -> Client {
    let person =
        Person { account: name, roles: &["scheduler"], fhir_user, scope: "user/*.rs", ..Person::default() };
    app.person(person).await
}

both_engines! {
    async fn many_patients_within_an_hour_are_one_finding(engine: Engine) {
        let app = app(engine, &[("SLOTWRIGHT_AUDIT__REPORTS__BULK_PATIENTS", "4")]).await;
        for number in 0..12 {
            app.store(&patient_resource(&format!("many-{number}"))).await;
        }
        let sam = scheduler(&app, "sam", None).await;
        let mut cora = officer(&app).await.0;
        for number in 0..4 {
            for _ in 0..3 {
                let _ = sam.get(&format!("Patient/many-{number}")).await.is(200);
            }
        }
        followed(&app).await;
        assert!(found(&mut cora, "report=bulk-reads").await.is_empty());
        // One more, read in another run of another process: what was read before counts.
        app.advance(Duration::from_mins(20));
        let _ = sam.get("Patient/many-4").await.is(200);
        app.advance(Duration::from_secs(40));
        followed(&app).await;
        let first = found(&mut cora, "report=bulk-reads").await;
        assert_eq!((first.len(), &first[0]["count"], &first[0]["who"]), (1, &json!(5), &json!("sam")), "{first:#?}");
        // It grows, and is the same.
        let _ = sam.get("Patient/many-5").await.is(200);
        app.advance(Duration::from_secs(40));
        followed(&app).await;
        let grown = found(&mut cora, "report=bulk-reads").await;
        assert_eq!((grown.len(), &grown[0]["count"], &grown[0]["id"]), (1, &json!(6), &first[0]["id"]), "{grown:#?}");
        // An hour later nothing of it counts any more.
        app.advance(Duration::from_hours(2));
        let mut cora = Browser::new(&app);
        cora.sign_in("cora").await;
        for number in 6..10 {
            let _ = sam.get(&format!("Patient/many-{number}")).await.is(200);
        }
        followed(&app).await;
        assert_eq!(found(&mut cora, "report=bulk-reads").await.len(), 1);
        // Its page leads to its events, and says what it means.
        let page = cora.get(&format!("/console/audit/findings/{}", text(&first[0], "/id"))).await.is(200);
        assert!(page.says("6 patients") && page.says("Many patients") && page.says("sam"), "{}", page.html);
        let events = page.html.split("href=\"").filter(|link| link.starts_with("/console/audit?user=sam")).last().unwrap();
        let events = events.split('"').next().unwrap().replace("&#38;", "&");
        let list = cora.get(&events).await.is(200);
        assert!(list.says("14 events"), "{events} {}", list.html);
    }

    async fn denials_of_one_address_are_one_finding(engine: Engine) {
        let app = app(engine, &[("SLOTWRIGHT_AUDIT__REPORTS__DENIALS", "5")]).await;
        seed(&app).await;
        let mut cora = officer(&app).await.0;
        for _ in 0..6 {
            let _ = app.anonymous().get("Patient/pat-1").await.is(401);
        }
        followed(&app).await;
        let denials = found(&mut cora, "report=denials&state=open").await;
        assert_eq!((denials.len(), &denials[0]["who"], &denials[0]["count"]), (1, &json!("127.0.0.1"), &json!(6)), "{denials:#?}");
        assert!(found(&mut cora, "report=denials&state=reviewed").await.is_empty());
    }

    async fn staff_who_look_at_themselves_and_their_namesakes_are_found(engine: Engine) {
        let app = app(engine, &[]).await;
        for (id, family, given) in [("p-own", "Ruiz", "Ana"), ("p-kin", "De la Ruíz-Gil", "Eva"), ("p-far", "Moss", "Joe")] {
            app.store(&json!({ "resourceType": "Patient", "id": id, "birthDate": "1980-01-01", "name": [{ "family": family, "given": [given] }] })).await;
        }
        app.store(&json!({ "resourceType": "Practitioner", "id": "ana", "birthDate": "1980-01-01", "name": [{ "family": "Ruiz", "given": ["Ana"] }] })).await;
        let ana = scheduler(&app, "ana", Some("Practitioner/ana")).await;
        // Who has no record has a name.
        let moss = scheduler(&app, "Moss", None).await;
        for id in ["p-own", "p-kin", "p-far"] {
            let _ = ana.get(&format!("Patient/{id}")).await.is(200);
            let _ = ana.get(&format!("Patient/{id}")).await.is(200);
            let _ = moss.get(&format!("Patient/{id}")).await.is(200);
        }
        // A patient who looks at their own record is no finding.
        let own = app.person(Person { account: "p", roles: &["patient"], fhir_user: Some("Patient/p-own"), patient: Some("p-own"), scope: "patient/*.rs" }).await;
        let _ = own.get("Patient/p-own").await.is(200);
        let mut cora = officer(&app).await.0;
        followed(&app).await;
        let told = |all: Vec<Value>| -> Vec<(String, String, i64)> {
            all.iter().map(|one| (text(one, "/who").to_owned(), text(one, "/patient").to_owned(), one["count"].as_i64().unwrap())).collect()
        };
        let own = told(found(&mut cora, "report=own-record").await);
        assert_eq!(own, [("ana".to_owned(), "p-own".to_owned(), 2)]);
        let mut kin = told(found(&mut cora, "report=same-surname").await);
        kin.sort();
        assert_eq!(kin, [("Moss".to_owned(), "p-far".to_owned(), 1), ("ana".to_owned(), "p-kin".to_owned(), 2)]);
    }

    async fn access_outside_the_opening_hours_is_found(engine: Engine) {
        let settings = [("SLOTWRIGHT_AUDIT__REPORTS__OPENING_HOURS", "Mon-Fri 07:00-19:00"), ("SLOTWRIGHT_AUDIT__REPORTS__TIME_ZONE", "Europe/Madrid")];
        let app = app(engine, &settings).await;
        seed(&app).await;
        let sam = scheduler(&app, "sam", None).await;
        let _ = sam.get("Patient/pat-1").await.is(200);
        followed(&app).await;
        // Seven in the evening there.
        app.advance(Duration::from_hours(6));
        for id in ["pat-1", "pat-2"] {
            let _ = sam.get(&format!("Patient/{id}")).await.is(200);
        }
        let mut cora = officer(&app).await.0;
        followed(&app).await;
        let late = found(&mut cora, "report=after-hours").await;
        assert_eq!((late.len(), &late[0]["count"], &late[0]["who"]), (1, &json!(2), &json!("sam")), "{late:#?}");
    }

    async fn an_emergency_is_a_finding_with_its_uses(engine: Engine) {
        let app = app(engine, &[]).await;
        world::build(&app).await;
        app.store(&json!({ "resourceType": "Practitioner", "id": "dr-c", "name": [{ "family": "Care" }] })).await;
        let id = account(&app, "carl", &[Role::Clinician], Some("Practitioner/dr-c")).await;
        let mut carl = Browser::new(&app);
        carl.sign_in("carl").await;
        let fields = [("patient", "pat-2"), ("purpose", "BTG"), ("reason", "Found unconscious at home"), ("password", PASSWORD)];
        carl.fill("/emergency", "/emergency", &fields).await.is(303);
        let client = app.person(Person { account: &id, fhir_user: Some("Practitioner/dr-c"), scope: "user/*.rs", ..Person::default() }).await;
        for _ in 0..3 {
            let _ = client.get("Patient/pat-2").await.is(200);
        }
        followed(&app).await;
        app.advance(Duration::from_secs(40));
        let _ = client.get("Patient/pat-2").await.is(200);
        carl.fill("/emergency", "/emergency/end", &[]).await.is(303);
        followed(&app).await;
        let (mut cora, _) = officer(&app).await;
        let uses = found(&mut cora, "report=break-glass").await;
        assert_eq!((uses.len(), &uses[0]["count"], &uses[0]["patient"], &uses[0]["who"]), (1, &json!(4), &json!("pat-2"), &json!(id)), "{uses:#?}");
        // Reviewed once, and then kept as it is.
        let page = format!("/console/audit/findings/{}", text(&uses[0], "/id"));
        assert!(cora.get(&page).await.says("Test carl (carl)"));
        cora.fill(&page, "/console/audit/reviews", &[("note", "Justified")]).await.is(303);
        let (_, token) = cora.get("/account").await.hidden("/sign-out").swap_remove(0);
        let again = [("token", token.as_str()), ("kind", "finding"), ("id", text(&uses[0], "/id")), ("note", "again")];
        assert!(cora.post("/console/audit/reviews", &again).await.is(422).says("This finding was reviewed already"));
        assert!(cora.get(&page).await.is(200).says("Justified"));
        assert_eq!(found(&mut cora, "state=reviewed").await.len(), 1);
        for change in ["UPDATE audit_finding SET count = 0", "DELETE FROM audit_finding"] {
            assert!(app.database().try_execute(change).await.is_err(), "{change}");
        }
        // Nobody closes a finding about themselves.
        app.database().execute(&format!("INSERT INTO role_grant (account, role, since_us, granted_by) VALUES ('{id}', 'compliance', 0, 'a test')")).await;
        carl.fill("/emergency", "/emergency", &fields).await.is(303);
        app.advance(Duration::from_secs(40));
        followed(&app).await;
        let open = found(&mut cora, "state=open&report=break-glass").await;
        assert_eq!(open.len(), 1, "{open:#?}");
        let page = carl.get(&format!("/console/audit/findings/{}", text(&open[0], "/id"))).await.is(200);
        assert!(page.says("Nobody reviews what they did themselves"), "{}", page.html);
        let (_, token) = carl.get("/account").await.hidden("/sign-out").swap_remove(0);
        let own = [("token", token.as_str()), ("kind", "finding"), ("id", text(&open[0], "/id")), ("note", "mine")];
        carl.post("/console/audit/reviews", &own).await.is(422);
    }

    async fn two_processes_find_everything_once(engine: Engine) {
        let app = app(engine, &[("SLOTWRIGHT_AUDIT__REPORTS__DENIALS", "3")]).await;
        seed(&app).await;
        let mut cora = officer(&app).await.0;
        let mut followers: Vec<Follower> = (0..4).map(|_| Follower::new(app.library().clone())).collect();
        let mut denied = 0;
        for round in 0..6 {
            for _ in 0..3 {
                let _ = app.anonymous().get("Patient/pat-1").await.is(401);
                denied += 1;
            }
            app.sequence().await;
            // All at once; and sometimes the lease has ended, so that any may be the one.
            app.advance(Duration::from_secs(if round % 2 == 0 { 31 } else { 1 }));
            let runs = followers.iter_mut().map(Follower::run);
            for run in futures_util::future::join_all(runs).await {
                run.expect("a run");
            }
        }
        let all = found(&mut cora, "report=denials").await;
        assert_eq!((all.len(), all[0]["count"].as_i64().unwrap()), (1, denied), "{all:#?}");
        let size = app.database().number("SELECT COUNT(*) FROM audit_leaf").await;
        app.advance(Duration::from_secs(31));
        followed(&app).await;
        assert!(app.database().number("SELECT seq FROM audit_follower").await >= size);
    }

    async fn a_download_for_a_spreadsheet_has_no_formula(engine: Engine) {
        let app = app(engine, &[("SLOTWRIGHT_AUDIT__REPORTS__DENIALS", "2")]).await;
        seed(&app).await;
        let evil = app.system("=cmd|x", "system/Slot.rs").await;
        for _ in 0..3 {
            let _ = evil.get("Patient/pat-1").await.is(403);
        }
        followed(&app).await;
        let (mut cora, _) = officer(&app).await;
        let csv = cora.get("/console/audit/reports.csv?report=denials").await.is(200);
        assert!(csv.says("\"'=cmd|x\"") && !csv.says("\"=cmd"), "{}", csv.html);
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"findings.csv\"");
        let page = cora.get("/console/audit/reports").await.is(200);
        assert!(page.says("Many denials") && page.says("=cmd|x") && page.says("3 denials"), "{}", page.html);
    }
}
