//! What each path and method does, over HTTP.

use crate::support::{TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};

fn expressions(outcome: &Value) -> Vec<&str> {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    issues.iter().filter_map(|issue| issue["expression"][0].as_str()).collect()
}

fn severities(outcome: &Value) -> Vec<&str> {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    issues.iter().filter_map(|issue| issue["severity"].as_str()).collect()
}

both_engines! {
    async fn a_resource_lives_and_is_deleted(app: TestApp) {
        let made = app.post("Patient", &json!({ "resourceType": "Patient", "active": true })).await.is(201);
        let path = format!("Patient/{}", made.text("/id"));
        assert_eq!(made.header("location"), format!("{}/{path}/_history/1", app.base()));
        let body = clinic::with(made.json.clone(), "active", false);
        app.put(&path, &body).await.is(200);
        assert_eq!(app.get(&format!("{path}/_history/1")).await.is(200).json["active"], true);
        assert_eq!(app.get(&path).await.is(200).json["active"], false);
        app.delete(&path).await.is(204);
        app.get(&path).await.is(410);
        assert_eq!(app.get(&format!("{path}/_history")).await.is(200).json["entry"].as_array().map(Vec::len), Some(3));
        app.get(&format!("{path}/_history/9")).await.is(404);
        app.put("Patient/mine", &json!({ "resourceType": "Patient", "id": "mine" })).await.is(201);
        app.put("Patient/mine", &json!({ "resourceType": "Patient", "id": "other" })).await.is(400);
    }

    async fn unknown_ways_are_refused(app: TestApp) {
        for (method, path, status) in [
            (Method::GET, "Medication/1", 404),
            (Method::GET, "Slot/no_such_id", 400),
            (Method::GET, "Slot/%FF", 400),
            (Method::DELETE, "metadata", 405),
            (Method::PUT, "Slot/x/_history/1", 405),
            (Method::POST, "Slot/x", 405),
            (Method::GET, "Patient/p/Organization", 404),
            (Method::DELETE, "Slot", 400),
        ] {
            let reply = app.request(method.clone(), path).send().await;
            assert_eq!(reply.status, status, "{method} {path}: {reply}");
            assert_eq!(reply.text("/resourceType"), "OperationOutcome");
        }
    }

    async fn conditional_writes_match_one_or_none(app: TestApp) {
        let patient = |value: &str| {
            json!({ "resourceType": "Patient", "identifier": [{ "system": "http://a.example", "value": value }] })
        };
        let create = async |value: &str| {
            let request = app.request(Method::POST, "Patient").json(&patient(value));
            request.header("If-None-Exist", &format!("identifier=http://a.example|{value}")).send().await
        };
        let first = create("1").await.is(201);
        assert_eq!(create("1").await.is(200).text("/id"), first.text("/id"));
        app.put("Patient?identifier=http://a.example|1", &patient("1")).await.is(200);
        app.put("Patient?identifier=http://a.example|2", &patient("2")).await.is(201);
        app.delete("Patient?identifier=http://a.example|2").await.is(204);
        app.post("Patient", &patient("1")).await.is(201);
        app.delete("Patient?identifier=http://a.example|1").await.is(412);
    }

    async fn compartments_hold_what_is_theirs(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        app.store(&clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), "v")).await;
        assert_eq!(app.get("Patient/pat-1/Appointment").await.is(200).ids(), ["v"]);
        assert!(app.get("Patient/pat-2/Appointment").await.is(200).ids().is_empty());
        assert_eq!(app.get("Practitioner/dr-a/Schedule").await.is(200).ids(), ["sch-a"]);
    }

    async fn the_server_says_what_it_can(app: TestApp) {
        let reply = app.get("metadata").await.is(200);
        assert_eq!(reply.text("/resourceType"), "CapabilityStatement");
        assert_eq!(reply.text("/implementation/url"), app.base());
        let described = app.get(&format!("{}/openapi.json", app.root())).await.is(200);
        assert!(described.text("/openapi").starts_with("3.1"), "{described}");
        let page = app.get(&format!("{}/openapi", app.root())).await.is(200);
        assert!(String::from_utf8_lossy(&page.body).contains("/fhir/Slot/{id}"));
    }

    async fn examples_of_the_description_are_accepted(app: TestApp) {
        let described = app.get(&format!("{}/openapi.json", app.root())).await.is(200).json;
        let paths = described["paths"].as_object().expect("paths");
        let mut seen = 0;
        for (path, item) in paths {
            let Some(rtype) = path.strip_prefix("/fhir/").filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()) && !rest.contains('/')) else {
                continue;
            };
            let example = &item["post"]["requestBody"]["content"]["application/fhir+json"]["example"];
            app.post(rtype, example).await.is(201);
            app.post(&format!("{rtype}/$validate"), example).await.is(200);
            seen += usize::from(example.is_object());
        }
        assert_eq!(seen, slotwright::fhir::registry::TYPES.len());
        let bundle = &described["paths"]["/fhir"]["post"]["requestBody"]["content"]["application/fhir+json"]["example"];
        app.post("", bundle).await.is(200);
    }

    async fn validate_says_what_is_wrong_and_changes_nothing(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let visit = clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]);
        let fine = app.post("Appointment/$validate", &visit).await.is(200);
        assert!(!severities(&fine.json).contains(&"error"), "{fine}");
        assert!(app.get("Appointment").await.is(200).ids().is_empty());
        assert_eq!(app.get("Slot/s").await.text("/status"), "free");

        app.store(&clinic::with_id(visit.clone(), "taken")).await;
        let refused = app.post("Appointment/$validate", &visit).await.is(200);
        assert!(refused.diagnostics().contains("Slot/s"), "{refused}");
        let own = app.post("Appointment/taken/$validate", &clinic::with_id(visit, "taken")).await.is(200);
        assert!(!severities(&own.json).contains(&"error"), "its own time is not in its way: {own}");

        let broken = json!({ "resourceType": "Patient", "gender": "bogus", "nmae": 1 });
        let wrapped = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "mode", "valueCode": "create" }, { "name": "resource", "resource": broken } ] });
        let reply = app.post("Patient/$validate", &wrapped).await.is(200);
        let found = expressions(&reply.json);
        assert!(found.contains(&"Patient.gender") && found.contains(&"Patient.nmae"), "{reply}");

        let delete = json!({ "resourceType": "Parameters", "parameter": [{ "name": "mode", "valueCode": "delete" }] });
        let reply = app.post("Patient/pat-1/$validate", &delete).await.is(200);
        assert!(severities(&reply.json).contains(&"error"), "an appointment refers to it: {reply}");
        app.get("Patient/pat-1").await.is(200);
        app.post("Patient/nobody/$validate", &delete).await.is(404);
        app.post("Patient/$everything", &broken).await.is(404);
    }

    async fn a_resource_above_the_limit_is_refused_and_nothing_stored(app: TestApp) {
        let mut large = clinic::patient_resource("large");
        large["name"] = json!([{ "text": "x".repeat(512 * 1024) }]);
        let refused = app.put("Patient/large", &large).await.is(413);
        assert_eq!(refused.text("/issue/0/code"), "too-long");
        app.get("Patient/large").await.is(404);
    }
}
