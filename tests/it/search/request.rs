//! What a search request may look like, and what it is refused for.

use super::{entries, found, link};
use crate::support::{TestApp, both_engines, clinic, text};
use reqwest::Method;

both_engines! {
    async fn the_bundle_says_what_was_searched(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        let reply = app.get("Patient?family=te&colour=red&_count=1").await.is(200);
        assert_eq!(text(&reply.json, "/resourceType"), "Bundle");
        assert_eq!(text(&reply.json, "/type"), "searchset");
        assert_eq!(link(&reply.json, "self"), format!("{}/Patient?family=te&_count=1", app.base()));
        assert_eq!(text(&reply.json, "/entry/0/fullUrl"), format!("{}/Patient/pat-1", app.base()));
        assert_eq!(entries(&reply, "outcome").len(), 1, "{reply}");
        assert!(reply.body.windows(6).any(|w| w == b"colour"), "{reply}");
        let strict = app.request(Method::GET, "Patient?colour=red").header("Prefer", "handling=strict").send().await;
        assert!(strict.is(400).diagnostics().contains("colour"));
    }

    async fn post_searches_too(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        let form = "application/x-www-form-urlencoded";
        let posted = app.request(Method::POST, "Patient/_search").bytes(form, b"family=test&_count=2".to_vec());
        assert_eq!(posted.send().await.is(200).ids(), ["pat-1", "pat-2"]);
        let both = app.request(Method::POST, "Patient/_search?_id=pat-3").bytes(form, b"family=test".to_vec());
        assert_eq!(both.send().await.is(200).ids(), ["pat-3"]);
    }

    async fn all_types_at_once(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        assert_eq!(found(&app, "?_type=Patient,Schedule").await, "pat-1 pat-2 pat-3 sch-a sch-b");
        assert_eq!(found(&app, "?_type=Patient,Schedule&_id=sch-a,pat-2").await, "pat-2 sch-a");
        let _ = app.get("?_type=Shoe").await.is(400);
    }

    async fn parts_of_resources(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        let tagged = |reply: &crate::support::Reply| {
            assert_eq!(text(&reply.json, "/entry/0/resource/meta/tag/0/code"), "SUBSETTED", "{reply}");
        };
        let reply = app.get("Schedule?_elements=identifier&_id=sch-a").await.is(200);
        tagged(&reply);
        let resource = reply.resources()[0];
        assert!(resource.get("actor").is_some() && resource.get("active").is_none(), "{resource}");
        let reply = app.get("Patient?_summary=true&_id=pat-1").await.is(200);
        tagged(&reply);
        assert!(reply.resources()[0].get("name").is_some());
        let reply = app.get("Patient?_summary=text&_id=pat-1").await.is(200);
        assert!(reply.resources()[0].get("name").is_none());
    }

    async fn bad_values_are_refused(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        for search in [
            "Slot?start=2026-02-30",
            "Slot?start=tomorrow",
            "Slot?start=ge",
            "Slot?status=a|b|c",
            "Slot?status:contains=fr",
            "Slot?status:in=http://example.org/vs",
            "Patient?name=%FF",
            "Patient?name=%ED%A0%80",
            "Patient?name=%zz",
            "Patient?name=a%00b",
            "Patient?_count=ten",
            "Patient?_count=-5",
            "Patient?_sort=shoe",
            "Patient?_sort=;drop",
            "Patient?_include=Patient",
            "Patient?_include=Shoe:size",
            "Patient?_summary=perhaps",
            "Patient?_total=all",
            "Patient?_page=AAAA",
            "Patient?_has:Slot:schedule:status=free",
            "Organization?partof.partof.partof.partof.partof.name=x",
            "Location?near=91|0",
        ] {
            let reply = app.get(search).await;
            assert_eq!(reply.status, 400, "{search}: {reply}");
            assert_eq!(text(&reply.json, "/resourceType"), "OperationOutcome", "{search}");
            assert!(!reply.diagnostics().is_empty(), "{search}");
        }
        let reply = app.get("Slot?start=x&end=y&status=a|b|c").await.is(400);
        assert_eq!(reply.json["issue"].as_array().map(Vec::len), Some(3), "{reply}");
        let _ = app.get(&format!("Patient?_id={}", "x,".repeat(1001))).await.is(400);
    }

    async fn nothing_in_a_value_is_sql(app: TestApp) {
        let app = app.client();
        clinic::seed(&app).await;
        for value in [
            "x'%20OR%20'1'='1",
            "');DELETE%20FROM%20resource;--",
            "%22;--",
            "$1",
            "%25",
            "_",
            "%5C",
            "%5C%27",
            "x%27%20UNION%20SELECT%201--",
        ] {
            for search in [
                "Patient?identifier=", "Patient?family:exact=", "Patient?family:contains=a", "Patient?_id=",
                "Appointment?patient=", "Slot?schedule=", "Slot?status=", "Patient?_tag=", "Patient?_profile=",
                "Appointment?patient.identifier=", "Patient?_has:Appointment:patient:status=",
            ] {
                let reply = app.get(&format!("{search}{value}")).await;
                assert!(matches!(reply.status, 200 | 400), "{search}{value}: {reply}");
                assert!(reply.ids().is_empty(), "{search}{value}: {reply}");
            }
        }
        assert_eq!(found(&app, "Patient").await, "pat-1 pat-2 pat-3");
    }
}
