//! Batch and transaction Bundles over HTTP.

use crate::support::{Reply, TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};

fn bundle(kind: &str, entries: Value) -> Value {
    json!({ "resourceType": "Bundle", "type": kind, "entry": entries })
}

fn statuses(reply: &Reply) -> Vec<String> {
    let entries = reply.json["entry"].as_array().expect("entries");
    entries.iter().map(|e| e["response"]["status"].as_str().unwrap_or("?")[..3].to_owned()).collect()
}

fn expressions(outcome: &Value) -> Vec<String> {
    let issues = outcome["issue"].as_array().cloned().unwrap_or_default();
    issues.iter().map(|i| i["expression"][0].as_str().unwrap_or_default().to_owned()).collect()
}

fn entry(method: &str, url: &str, resource: Value) -> Value {
    json!({ "resource": resource, "request": { "method": method, "url": url } })
}

fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn ask(method: &str, url: &str) -> Value {
    json!({ "request": { "method": method, "url": url } })
}

async fn count(app: &TestApp, search: &str) -> usize {
    app.get(search).await.is(200).ids().len()
}

both_engines! {
    async fn entries_refer_to_each_other_in_circles(app: TestApp) {
        let organization = |of: &str| json!({ "resourceType": "Organization", "name": "A", "partOf": { "reference": of } });
        let one = "urn:uuid:11111111-1111-4111-8111-111111111111";
        let two = "urn:uuid:22222222-2222-4222-8222-222222222222";
        let entries = json!([
            named(one, entry("POST", "Organization", organization(two))),
            named(two, entry("POST", "Organization", organization(one))),
            ask("GET", "Organization?name=A"),
        ]);
        let reply = app.post("", &bundle("transaction", entries)).await.is(200);
        assert_eq!(reply.text("/type"), "transaction-response");
        assert_eq!(statuses(&reply), ["201", "201", "200"]);
        let id = |n: usize| reply.text(&format!("/entry/{n}/resource/id")).to_owned();
        assert_eq!(reply.text("/entry/0/resource/partOf/reference"), format!("Organization/{}", id(1)));
        assert_eq!(reply.text("/entry/1/resource/partOf/reference"), format!("Organization/{}", id(0)));
        assert_eq!(reply.text("/entry/0/response/location"), format!("Organization/{}/_history/1", id(0)));
        assert_eq!(reply.text("/entry/0/response/etag"), "W/\"1\"");
        assert_eq!(reply.text("/entry/0/fullUrl"), format!("{}/Organization/{}", app.base(), id(0)));
        let seen = reply.json["entry"][2]["resource"]["entry"].as_array().map_or(0, Vec::len);
        assert_eq!(seen, 2, "a search sees what the transaction wrote: {reply}");
    }

    async fn one_bad_entry_refuses_all_and_is_named(app: TestApp) {
        clinic::seed(&app).await;
        let patient = json!({ "resourceType": "Patient", "name": [{ "family": "Nobody" }] });
        let failures = [
            (entry("POST", "Patient", json!({ "resourceType": "Patient", "nmae": 1 })), "Bundle.entry[1].resource.nmae"),
            (entry("POST", "Patient", json!({ "resourceType": "Slot" })), "Bundle.entry[1].resource"),
            (ask("GET", "Patient/nobody"), "Bundle.entry[1]"),
            (ask("DELETE", "Patient/nobody"), "Bundle.entry[1]"),
            (
                entry("PUT", "Schedule/sch-a", clinic::schedule("sch-a", "Practitioner/nobody")),
                "Bundle.entry[1].resource.actor[0]",
            ),
            (
                entry("POST", "Schedule", json!({ "resourceType": "Schedule", "actor": [{ "reference": "urn:uuid:0" }] })),
                "Bundle.entry[1].resource.actor[0].reference",
            ),
            (
                entry("POST", "Schedule", json!({ "resourceType": "Schedule", "actor": [{ "reference": "Patient?identifier=a|1" }] })),
                "Bundle.entry[1]",
            ),
            (ask("GET", "Patient?birthdate=never"), "Bundle.entry[1]"),
            (ask("POST", "Patient/$validate"), "Bundle.entry[1]"),
            (ask("GET", "Medication"), "Bundle.entry[1].request"),
        ];
        for (bad, at) in failures {
            let entries = json!([entry("POST", "Patient", patient.clone()), bad]);
            let reply = app.post("", &bundle("transaction", entries)).await;
            assert!((400..500).contains(&reply.status), "{at}: {reply}");
            assert!(expressions(&reply.json).iter().any(|e| e.starts_with(at)), "{at}: {reply}");
        }
        assert_eq!(count(&app, "Patient?family=Nobody").await, 0);
    }

    async fn a_batch_answers_each_entry(app: TestApp) {
        clinic::seed(&app).await;
        let entries = json!([
            entry("POST", "Patient", json!({ "resourceType": "Patient", "active": true })),
            entry("POST", "Patient", json!({ "resourceType": "Patient", "nmae": 1 })),
            ask("GET", "Patient/pat-1"),
            ask("GET", "Patient/nobody"),
            ask("GET", "Patient?_id=pat-1,pat-2"),
            ask("DELETE", "Patient/pat-3"),
            ask("GET", "metadata"),
            {},
            { "request": { "method": "GET", "url": "Patient/pat-1", "ifNoneMatch": "W/\"1\"" } },
        ]);
        let reply = app.post("", &bundle("batch", entries)).await.is(200);
        assert_eq!(reply.text("/type"), "batch-response");
        assert_eq!(statuses(&reply), ["201", "422", "200", "404", "200", "204", "200", "400", "304"]);
        let outcome = &reply.json["entry"][1]["response"]["outcome"];
        assert_eq!(expressions(outcome), ["Bundle.entry[1].resource.nmae"]);
        assert_eq!(reply.text("/entry/2/fullUrl"), format!("{}/Patient/pat-1", app.base()));
        app.get("Patient/pat-3").await.is(410);
    }

    async fn releases_come_before_claims_whatever_the_order(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let first = clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), "first");
        let second = clinic::with_id(clinic::appointment(&slot, "pat-2", &["Practitioner/dr-a"]), "second");
        app.store(&first).await;
        let reply = app.post("", &clinic::transaction(&[("PUT", "Appointment/second", Some(second.clone()))])).await.is(409);
        assert!(expressions(&reply.json).iter().all(|e| e.starts_with("Bundle.entry[0].resource.")), "{reply}");
        let cancelled = clinic::with(first.clone(), "status", "cancelled");
        let swap = clinic::transaction(&[
            ("PUT", "Appointment/second", Some(second)),
            ("PUT", "Appointment/first", Some(cancelled)),
            ("GET", "Slot/s", None),
        ]);
        let reply = app.post("", &swap).await.is(200);
        assert_eq!(statuses(&reply), ["201", "200", "200"]);
        assert_eq!(reply.text("/entry/2/resource/status"), "busy");
        let third = clinic::appointment(&slot, "pat-3", &["Practitioner/dr-a"]);
        let replace = clinic::transaction(&[
            ("POST", "Appointment", Some(third.clone())),
            ("DELETE", "Appointment/second", None),
        ]);
        app.post("", &replace).await.is(200);
        let twice = clinic::transaction(&[("POST", "Appointment", Some(third.clone())), ("POST", "Appointment", Some(third))]);
        app.post("", &twice).await.is(409);
    }

    async fn conditions_decide_between_finding_and_making(app: TestApp) {
        clinic::seed(&app).await;
        let patient = json!({ "resourceType": "Patient", "identifier": [{ "system": "http://a.example", "value": "1" }] });
        let link = |to: &str| json!({ "resourceType": "RelatedPerson", "patient": { "reference": to } });
        let urn = "urn:uuid:33333333-3333-4333-8333-333333333333";
        let mut create = named(urn, entry("POST", "Patient", patient.clone()));
        create["request"]["ifNoneExist"] = json!("identifier=http://a.example|1");
        let entries = json!([entry("POST", "RelatedPerson", link(urn)), create]);
        let first = app.post("", &bundle("transaction", entries.clone())).await.is(200);
        assert_eq!(statuses(&first), ["201", "201"]);
        let made = first.text("/entry/1/response/location").split("/_history").next().expect("a location").to_owned();
        assert_eq!(first.text("/entry/0/resource/patient/reference"), made);
        let again = app.post("", &bundle("transaction", entries)).await.is(200);
        assert_eq!(statuses(&again), ["201", "200"]);
        assert_eq!(again.text("/entry/0/resource/patient/reference"), made);
        let conditional = json!([entry("POST", "RelatedPerson", link("Patient?identifier=http://a.example|1"))]);
        let reply = app.post("", &bundle("transaction", conditional.clone())).await.is(200);
        assert_eq!(reply.text("/entry/0/resource/patient/reference"), made);
        let update = json!([
            named(urn, entry("PUT", "Patient?identifier=http://a.example|1", patient.clone())),
            entry("POST", "RelatedPerson", link(urn)),
        ]);
        let reply = app.post("", &bundle("transaction", update)).await.is(200);
        assert_eq!(statuses(&reply), ["200", "201"]);
        assert_eq!(reply.text("/entry/1/resource/patient/reference"), made);
        app.post("Patient", &patient).await.is(201);
        app.post("", &bundle("transaction", conditional)).await.is(412);
    }

    async fn patches_travel_in_a_bundle(app: TestApp) {
        clinic::seed(&app).await;
        let patch = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2dlbmRlciIsInZhbHVlIjoiZmVtYWxlIn1d";
        let binary = json!({ "resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch });
        let parameters = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "add" }, { "name": "path", "valueString": "Patient" },
            { "name": "name", "valueString": "gender" }, { "name": "value", "valueCode": "male" } ] }] });
        let entries = json!([entry("PATCH", "Patient/pat-1", binary), entry("PATCH", "Patient/pat-2", parameters)]);
        let reply = app.post("", &bundle("transaction", entries)).await.is(200);
        assert_eq!(statuses(&reply), ["200", "200"]);
        assert_eq!(app.get("Patient/pat-1").await.text("/gender"), "female");
        assert_eq!(app.get("Patient/pat-2").await.text("/gender"), "male");
    }

    async fn a_repeated_key_repeats_the_answer(app: TestApp) {
        let entries = json!([entry("POST", "Patient", json!({ "resourceType": "Patient", "name": [{ "family": "Once" }] }))]);
        for kind in ["transaction", "batch"] {
            let send = async || {
                let request = app.request(Method::POST, "").header("Idempotency-Key", &format!("key-{kind}"));
                request.json(&bundle(kind, entries.clone())).send().await.is(200)
            };
            let (first, second) = (send().await, send().await);
            assert_eq!(first.text("/entry/0/response/location"), second.text("/entry/0/response/location"));
        }
        assert_eq!(count(&app, "Patient?family=Once").await, 2);
    }

    async fn minimal_answers_leave_resources_out(app: TestApp) {
        let entries = json!([entry("POST", "Patient", json!({ "resourceType": "Patient" })), ask("GET", "metadata")]);
        let request = app.request(Method::POST, "").header("Prefer", "return=minimal");
        let reply = request.json(&bundle("transaction", entries)).send().await.is(200);
        assert!(reply.json["entry"][0].get("resource").is_none(), "{reply}");
        assert!(!reply.text("/entry/0/response/location").is_empty());
        assert_eq!(reply.text("/entry/1/resource/resourceType"), "CapabilityStatement");
    }

    async fn what_is_no_bundle_is_refused(app: TestApp) {
        app.post("", &json!({ "resourceType": "Patient" })).await.is(400);
        app.post("", &bundle("searchset", json!([]))).await.is(400);
        let many = bundle("transaction", Value::Array(vec![ask("GET", "Slot"); 10_001]));
        app.post("", &many).await.is(413);
        let empty = json!({ "resourceType": "Bundle", "type": "transaction" });
        app.post("", &empty).await.is(200);
    }
}
