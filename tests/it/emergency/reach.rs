//! What an emergency opens: the record of one patient, for reading, for a while.

use super::{Clinician, begun, clinician, declare, out, token, try_declare};
use crate::access::world::{self, Side};
use crate::pages::browser::{Browser, PASSWORD};
use crate::support::{Database, Engine, FixedApp, TestApp, both_engines};
use serde_json::json;
use slotwright::auth::policy::Policy;
use slotwright::auth::principal::Role;
use slotwright::auth::rule::{Act, FilterKind, Subject};
use slotwright::clock::Clock;
use slotwright::fhir::registry::TYPES;
use std::time::Duration;

/// Types that the rules open in an emergency.
fn opened() -> Vec<&'static str> {
    let policy = Policy::load().expect("sound rules");
    let opens = |name| {
        let grants = policy.grants(Subject::Role(Role::Clinician), Act::Read, name);
        grants.iter().any(|grant| grant.filter == Some(FilterKind::Emergency))
    };
    let names: Vec<_> = TYPES.iter().map(|rtype| rtype.name).filter(|name| opens(name)).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

async fn statuses(of: &Clinician) -> Vec<(String, u16, usize)> {
    let mut all = Vec::new();
    for rtype in opened() {
        let read = of.client.get(&out(rtype)).await;
        let found = of.client.get(&format!("{rtype}?_id={}", Side::Out.id(rtype))).await.is(200);
        all.push((out(rtype), read.status, found.resources().len()));
    }
    all
}

both_engines! {
    async fn an_emergency_opens_one_record_and_closes_by_itself(app: FixedApp) {
        let mut carl = begun(&app).await;
        let closed: Vec<_> = opened().iter().map(|rtype| (out(rtype), 404, 0)).collect();
        let open: Vec<_> = opened().iter().map(|rtype| (out(rtype), 200, 1)).collect();
        assert_eq!(statuses(&carl).await, closed);
        declare(&mut carl.browser, "pat-2").await;
        assert_eq!(statuses(&carl).await, open);
        let history = carl.client.get("Patient/pat-2/_history").await.is(200);
        assert_eq!(history.resources().len(), 1);
        let page = carl.browser.get("/emergency").await.is(200);
        assert!(page.says("An emergency is running") && page.says("pat-2 Test"), "{}", page.html);
        // Of other patients nothing, whichever way.
        carl.client.get("Patient/pat-1").await.is(404);
        carl.client.get("Patient/pat-3").await.is(404);
        let all = carl.client.get("Patient?_total=accurate").await.is(200);
        assert_eq!((all.json["total"].as_i64(), all.ids()), (Some(1), vec!["pat-2"]));
        let found = carl.client.get("Appointment?_include=Appointment:patient").await.is(200);
        assert_eq!(found.ids(), ["out-appointment", "pat-2"]);
        app.advance(Duration::from_secs(60 * 60 - 1));
        assert_eq!(statuses(&carl).await, open);
        app.advance(Duration::from_secs(1));
        assert_eq!(statuses(&carl).await, closed);
        assert!(!carl.browser.get("/emergency").await.says("An emergency is running"));
    }

    async fn ended_early_it_is_over_at_the_next_request(app: TestApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        carl.client.get("Patient/pat-2").await.is(200);
        let page = carl.browser.fill("/emergency", "/emergency/end", &[]).await.is(303);
        assert_eq!(page.location(), "/emergency?done=ended");
        carl.client.get("Patient/pat-2").await.is(404);
        assert!(carl.browser.get("/emergency?done=ended").await.is(200).says("The emergency has ended."));
    }

    async fn another_emergency_ends_the_former(app: TestApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        declare(&mut carl.browser, "pat-1").await;
        carl.client.get("Patient/pat-2").await.is(404);
        carl.client.get("Patient/pat-1").await.is(200);
        let how = app.database().texts("SELECT ended_how FROM emergency WHERE patient = 'pat-2'").await;
        assert_eq!(how, ["another"]);
    }

    async fn it_is_the_emergency_of_one_person(app: TestApp) {
        let mut carl = begun(&app).await;
        let dora = clinician(&app, "dora", "user/*.cruds").await;
        declare(&mut carl.browser, "pat-2").await;
        dora.client.get("Patient/pat-2").await.is(404);
    }

    async fn nothing_can_be_written_that_could_not_be_before(app: TestApp) {
        let mut carl = begun(&app).await;
        let mut tried = Vec::new();
        for _ in 0..2 {
            let mut now = Vec::new();
            for rtype in opened() {
                let body = Side::Out.stored(rtype);
                let put = carl.client.put(&out(rtype), &body).await;
                let patch = json!([{ "op": "test", "path": "/resourceType", "value": rtype }]);
                let patched = carl.client.patch(&out(rtype), &patch).await;
                let deleted = carl.client.delete(&out(rtype)).await;
                let made = carl.client.post(rtype, &Side::Out.resource(rtype)).await;
                let statuses = [put.status, patched.status, deleted.status, made.status];
                assert!(statuses.iter().all(|status| (400..500).contains(status)), "{rtype}: {statuses:?}");
                now.push((rtype, statuses));
            }
            // Whoever meets a patient treats them from then on: an emergency must not lead there.
            let meeting = json!({ "resourceType": "Appointment", "status": "proposed", "participant": [
                { "actor": { "reference": "Patient/pat-2" }, "status": "accepted" },
                { "actor": { "reference": "Practitioner/dr-c" }, "status": "accepted" }] });
            now.push(("a meeting", [carl.client.post("Appointment", &meeting).await.status; 4]));
            tried.push(now);
            declare(&mut carl.browser, "pat-2").await;
        }
        assert_eq!(tried[0], tried[1]);
        assert!((400..500).contains(&tried[1].last().expect("a meeting").1[0]));
        carl.client.get("Patient/pat-2").await.is(200);
    }

    async fn scopes_limit_it(app: TestApp) {
        let mut carl = begun(&app).await;
        let appointments = token(&app, &carl.id, "user/Appointment.rs").await;
        declare(&mut carl.browser, "pat-2").await;
        appointments.get("Appointment/out-appointment").await.is(200);
        appointments.get("Patient/pat-2").await.is(403);
        let person = crate::support::auth::Person {
            account: &carl.id, roles: &[], fhir_user: Some("Practitioner/dr-c"), patient: Some("pat-1"), scope: "patient/*.rs",
        };
        let of_another = app.person(person).await;
        of_another.get("Patient/pat-2").await.is(404);
        of_another.get("Appointment/out-appointment").await.is(404);
    }

    async fn without_the_role_it_ends(app: TestApp) {
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        carl.client.get("Patient/pat-2").await.is(200);
        let taken = format!("UPDATE role_grant SET role = 'scheduler' WHERE account = '{}'", carl.id);
        app.database().execute(&taken).await;
        // A scheduler sees who a patient is, and nothing clinical.
        carl.client.get("Encounter/out-encounter").await.is(403);
        carl.browser.get("/emergency").await.is(403);
    }

    async fn an_organisation_is_never_left(app: TestApp) {
        let mut carl = begun(&app).await;
        let limit = |organization: &str| {
            format!("UPDATE role_grant SET organization = '{organization}' WHERE account = '{}'", carl.id)
        };
        app.database().execute(&limit("org-1")).await;
        for elsewhere in ["pat-2", "pat-3"] {
            let page = try_declare(&mut carl.browser, elsewhere, PASSWORD).await.is(422);
            assert!(page.says("There is no such patient"), "{}", page.html);
        }
        declare(&mut carl.browser, "pat-1").await;
        for rtype in opened() {
            carl.client.get(&format!("{rtype}/{}", Side::In.id(rtype))).await.is(200);
        }
        // The patient moves, or the role does.
        app.database().execute(&limit("org-2")).await;
        for rtype in opened() {
            carl.client.get(&format!("{rtype}/{}", Side::In.id(rtype))).await.is(404);
        }
        app.database().execute(&limit("org-1")).await;
        carl.client.get("Coverage/in-coverage").await.is(200);
        let mut moved = Side::In.stored("Patient");
        moved["managingOrganization"] = json!({ "reference": "Organization/org-2" });
        app.put("Patient/pat-1", &moved).await.is(200);
        carl.client.get("Patient/pat-1").await.is(404);
        carl.client.get("Coverage/in-coverage").await.is(404);
        assert!(carl.client.get("Coverage").await.is(200).ids().is_empty());
    }

    async fn linked_patients_are_others(app: TestApp) {
        let mut carl = begun(&app).await;
        let linked = json!({ "resourceType": "Patient", "id": "pat-4",
            "link": [{ "other": { "reference": "Patient/pat-2" }, "type": "seealso" }] });
        app.put("Patient/pat-4", &linked).await;
        declare(&mut carl.browser, "pat-2").await;
        carl.client.get("Patient/pat-4").await.is(404);
    }

    async fn it_lasts_as_long_as_the_practice_says(engine: Engine) {
        let clock = Clock::fixed(1_900_000_000_000_000);
        let settings = [("SLOTWRIGHT_AUTH__EMERGENCY_MINUTES", "15")];
        let app = TestApp::start_with(Database::create(engine).await, clock, &settings).await;
        let mut carl = begun(&app).await;
        declare(&mut carl.browser, "pat-2").await;
        app.advance(Duration::from_secs(15 * 60 - 1));
        carl.client.get("Patient/pat-2").await.is(200);
        app.advance(Duration::from_secs(1));
        carl.client.get("Patient/pat-2").await.is(404);
    }

    async fn nobody_else_declares_one(app: TestApp) {
        world::build(&app).await;
        for (username, role) in [
            ("pia", Role::Patient), ("sam", Role::Scheduler), ("cora", Role::Compliance), ("ada", Role::Administrator),
        ] {
            crate::pages::browser::account(&app, username, &[role], None).await;
            let mut browser = Browser::new(&app);
            browser.sign_in(username).await;
            browser.get("/emergency?patient=pat-2").await.is(403);
            let (_, form) = browser.get("/account").await.hidden("/sign-out").swap_remove(0);
            let mut said = Vec::new();
            for patient in ["pat-2", "nobody"] {
                let fields = [("token", form.as_str()), ("patient", patient), ("purpose", "BTG"),
                    ("reason", super::REASON), ("password", PASSWORD)];
                said.push(browser.post("/emergency", &fields).await.is(403).html);
            }
            assert_eq!(said[0], said[1], "{username}");
        }
        assert_eq!(app.database().number("SELECT COUNT(*) FROM emergency").await, 0);
        let page = Browser::new(&app).get("/emergency?patient=pat-2").await.is(303);
        assert_eq!(page.location(), "/sign-in?return=%2Femergency%3Fpatient%3Dpat-2");
    }
}
