//! Pages, order, totals.

use super::link;
use crate::support::{Client, TestApp, both_engines, clinic};
use serde_json::json;
use std::collections::BTreeMap;

async fn patients(app: &Client, from: u32, to: u32) {
    for n in from..to {
        let mut patient = clinic::patient_resource(&format!("p{n:03}"));
        // Every third has no birth date, and many share one.
        if n % 3 != 0 {
            patient["birthDate"] = json!(format!("198{}-01-01", n % 5));
        }
        patient["name"][0]["family"] = json!(format!("F{}", n % 7));
        app.store(&patient).await;
    }
}

/// How often each id is seen on all pages of a search; `between` runs after each page.
async fn walk(app: &Client, search: &str, between: impl AsyncFn(usize)) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    let mut next = search.to_owned();
    let mut page = 0;
    while !next.is_empty() {
        let reply = app.get(&next).await.is(200);
        for id in reply.ids() {
            *seen.entry(id.to_owned()).or_default() += 1;
        }
        next = link(&reply.json, "next").to_owned();
        page += 1;
        assert!(page < 100, "{search} never ends");
        between(page).await;
    }
    seen
}

both_engines! {
    async fn every_match_is_seen_once(app: TestApp) {
        let app = app.client();
        patients(&app, 0, 25).await;
        for search in [
            "Patient?_count=4",
            "Patient?_count=4&_sort=birthdate",
            "Patient?_count=3&_sort=-birthdate,family",
            "Patient?_count=4&_sort=family,-birthdate",
            "Patient?_count=7&_sort=-_lastUpdated",
            "Patient?_count=5&_sort=_id&family=f",
            "Patient?_count=5&_sort=organization",
            "Patient?_count=25",
            "Patient?_count=24",
        ] {
            let seen = walk(&app, search, async |_| ()).await;
            assert_eq!(seen.len(), 25, "{search}");
            assert!(seen.values().all(|n| *n == 1), "{search}: {seen:?}");
        }
    }

    async fn pages_stay_stable_while_data_changes(app: TestApp) {
        let app = app.client();
        patients(&app, 0, 20).await;
        for search in ["Patient?_count=3", "Patient?_count=3&_sort=birthdate", "Patient?_count=3&_sort=-family"] {
            let round = search.len();
            let seen = walk(&app, search, async |page| {
                // One comes at either end of any order, one of those goes, and one changes.
                if page < 5 {
                    for (id, family) in [("new-a", "A"), ("new-z", "Z")] {
                        let mut patient = clinic::patient_resource(&format!("{id}-{round}-{page}"));
                        patient["name"][0]["family"] = json!(family);
                        app.store(&patient).await;
                    }
                    let _ = app.delete(&format!("Patient/new-a-{round}-{page}")).await.is(204);
                    let mut same = clinic::patient_resource("p000");
                    same["name"][0]["family"] = json!("F0");
                    same["active"] = json!(page % 2 == 0);
                    app.store(&same).await;
                }
            })
            .await;
            for n in 0..20 {
                assert_eq!(seen.get(&format!("p{n:03}")), Some(&1), "{search}: p{n:03}");
            }
            assert!(seen.values().all(|n| *n == 1), "{search}: {seen:?}");
        }
    }

    async fn order_puts_the_missing_last(app: TestApp) {
        let app = app.client();
        patients(&app, 0, 6).await;
        assert_eq!(
            app.get("Patient?_sort=birthdate").await.is(200).ids(),
            ["p005", "p001", "p002", "p004", "p000", "p003"]
        );
        assert_eq!(
            app.get("Patient?_sort=-birthdate,-_id").await.is(200).ids(),
            ["p004", "p002", "p001", "p005", "p003", "p000"]
        );
    }

    async fn totals_and_counts(app: TestApp) {
        let app = app.client();
        patients(&app, 0, 6).await;
        let total = async |search: &str| app.get(search).await.is(200).json.get("total").cloned();
        assert_eq!(total("Patient").await, None);
        assert_eq!(total("Patient?_total=none").await, None);
        assert_eq!(total("Patient?_total=accurate&_count=2").await, Some(json!(6)));
        assert_eq!(total("Patient?_total=estimate&birthdate:missing=true").await, Some(json!(2)));
        for search in ["Patient?_summary=count", "Patient?_count=0"] {
            let reply = app.get(search).await.is(200);
            assert_eq!((&reply.json["total"], reply.json.get("entry")), (&json!(6), None));
        }
        assert_eq!(app.get("Patient?_count=2000").await.is(200).ids().len(), 6);
        let _ = app.get("Patient?_count=1000000").await.is(400);
    }

    async fn a_changed_link_is_refused(app: TestApp) {
        let app = app.client();
        patients(&app, 0, 5).await;
        let first = app.get("Patient?_count=2&family=f").await.is(200);
        let next = link(&first.json, "next").to_owned();
        assert_eq!(app.get(&next).await.is(200).ids(), ["p002", "p003"]);
        let (head, cursor) = next.split_once("_page=").expect("a page");
        let flipped = if cursor.starts_with('e') { "f" } else { "e" };
        for tampered in [
            format!("{head}_page={flipped}{}", &cursor[1..]),
            format!("{head}_page={}", &cursor[..cursor.len() - 2]),
            format!("{head}_page=1"),
            next.replace("family=f", "family=x"),
            next.replace("/Patient?", "/Practitioner?"),
            next.replace("_count=2", "_count=3"),
        ] {
            let _ = app.get(&tampered).await.is(400);
        }
    }
}
