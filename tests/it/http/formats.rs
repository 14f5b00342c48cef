//! JSON and XML, what Prefer asks for, versions in headers.

use crate::support::{TestApp, both_engines, clinic};
use reqwest::Method;

both_engines! {
    async fn the_accepted_format_is_answered(app: TestApp) {
        app.store(&clinic::patient_resource("pat-1")).await;
        for (accept, query, expected) in [
            ("", "", "application/fhir+json; charset=utf-8"),
            ("application/json", "", "application/fhir+json; charset=utf-8"),
            ("application/fhir+xml", "", "application/fhir+xml; charset=utf-8"),
            ("text/xml;q=0.9, application/json;q=0.1", "", "application/fhir+xml; charset=utf-8"),
            ("application/fhir+json", "?_format=xml", "application/fhir+xml; charset=utf-8"),
            ("application/fhir+xml; fhirVersion=4.0", "", "application/fhir+xml; charset=utf-8"),
        ] {
            let request = app.request(Method::GET, &format!("Patient/pat-1{query}"));
            let request = if accept.is_empty() { request } else { request.header("accept", accept) };
            let reply = request.send().await.is(200);
            assert_eq!(reply.header("content-type"), expected, "{accept} {query}");
        }
        for accept in ["image/png", "application/fhir+json; fhirVersion=5.0"] {
            let reply = app.request(Method::GET, "Patient/pat-1").header("accept", accept).send().await.is(406);
            assert_eq!(reply.text("/resourceType"), "OperationOutcome");
        }
        let refused = app.request(Method::GET, "Patient/none").header("accept", "application/fhir+xml");
        let refused = refused.send().await.is(404);
        assert!(String::from_utf8_lossy(&refused.body).contains("<OperationOutcome"), "{refused}");
    }

    async fn xml_is_read_as_json_is(app: TestApp) {
        let xml = r#"<Patient xmlns="http://hl7.org/fhir"><name><family value="Müller"/></name></Patient>"#;
        let request = app.request(Method::POST, "Patient").bytes("application/fhir+xml", xml.as_bytes().to_vec());
        let created = request.send().await.is(201);
        assert_eq!(created.text("/name/0/family"), "Müller");
        let broken = app.request(Method::POST, "Patient").bytes("application/fhir+xml", b"<Patient".to_vec());
        assert_eq!(broken.send().await.is(400).text("/resourceType"), "OperationOutcome");
        let text = app.request(Method::POST, "Patient").bytes("text/plain", b"{}".to_vec());
        assert_eq!(text.send().await.is(415).text("/resourceType"), "OperationOutcome");
    }

    async fn capabilities_come_for_machines_and_for_people(app: TestApp) {
        let json = app.get("metadata").await.is(200);
        assert_eq!(json.text("/resourceType"), "CapabilityStatement");
        assert_eq!(json.text("/fhirVersion"), "4.0.1");
        let xml = app.get("metadata?_format=xml").await.is(200);
        assert!(String::from_utf8_lossy(&xml.body).contains("<CapabilityStatement"), "{xml}");
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let page = app.request(Method::GET, "metadata").header("accept", browser).send().await.is(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        let html = String::from_utf8_lossy(&page.body).into_owned();
        assert!(html.contains("<tr id=\"Appointment\">") && !html.contains("<script"), "{html}");
        // No other resource has a page, so a browser is given what it takes besides.
        let slots = app.request(Method::GET, "Slot").header("accept", browser).send().await.is(200);
        assert_eq!(slots.header("content-type"), "application/fhir+xml; charset=utf-8");
    }

    async fn pretty_answers_say_the_same(app: TestApp) {
        app.store(&clinic::patient_resource("pat-1")).await;
        let plain = app.get("Patient/pat-1").await;
        let pretty = app.get("Patient/pat-1?_pretty=true").await.is(200);
        assert_eq!(plain.json, pretty.json);
        assert!(pretty.body.len() > plain.body.len() && pretty.body.contains(&b'\n'));
        let xml = app.get("Patient/pat-1?_pretty=true&_format=xml").await.is(200);
        assert!(String::from_utf8_lossy(&xml.body).contains("\n  <id value=\"pat-1\"/>"), "{xml}");
    }

    async fn a_read_can_be_cut_down(app: TestApp) {
        app.store(&clinic::patient_resource("pat-1")).await;
        let whole = app.get("Patient/pat-1").await;
        assert!(whole.json.pointer("/name").is_some());
        let part = app.get("Patient/pat-1?_elements=gender").await.is(200);
        assert_eq!(part.json.pointer("/name"), None, "{part}");
        assert_eq!(part.text("/meta/tag/0/code"), "SUBSETTED");
    }

    async fn a_write_answers_what_prefer_asks_for(app: TestApp) {
        let patient = clinic::patient_resource("pat-1");
        let put = || app.request(Method::PUT, "Patient/pat-1").json(&patient);
        let whole = put().send().await.is(201);
        assert_eq!(whole.id(), "pat-1");
        assert_eq!(whole.header("preference-applied"), "");
        let minimal = put().header("prefer", "return=minimal").send().await.is(200);
        assert!(minimal.body.is_empty(), "{minimal}");
        assert_eq!(minimal.header("preference-applied"), "return=minimal");
        assert!(minimal.header("etag").starts_with("W/\""), "{minimal:?}");
        let outcome = put().header("prefer", "handling=lenient; return=OperationOutcome").send().await.is(200);
        assert_eq!(outcome.text("/resourceType"), "OperationOutcome");
        let representation = put().header("prefer", "return=representation").send().await.is(200);
        assert_eq!(representation.text("/resourceType"), "Patient");
    }

    async fn versions_travel_in_headers(app: TestApp) {
        let created = app.post("Patient", &clinic::patient_resource("any")).await.is(201);
        let place = format!("{}/Patient/{}/_history/{}", app.base(), created.id(), created.version());
        assert_eq!(created.header("location"), place);
        let path = format!("Patient/{}", created.id());
        let read = app.get(&path).await.is(200);
        let (etag, modified) = (read.header("etag"), read.header("last-modified"));
        assert_eq!(etag, format!("W/\"{}\"", read.version()));
        assert!(modified.ends_with(" GMT"), "{modified}");
        let unchanged = app.request(Method::GET, &path).header("if-none-match", etag).send().await.is(304);
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.header("etag"), etag);
        let stale = app.request(Method::PUT, &path).header("if-match", "W/\"99\"").json(&read.json);
        assert_eq!(stale.send().await.is(412).text("/resourceType"), "OperationOutcome");
        let head = app.request(Method::HEAD, &path).send().await.is(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("etag"), etag);
        assert_eq!(head.header("content-length"), read.body.len().to_string());
    }

    async fn a_search_can_be_posted(app: TestApp) {
        app.store(&clinic::patient_resource("pat-1")).await;
        app.store(&clinic::patient_resource("pat-2")).await;
        let form = "application/x-www-form-urlencoded";
        let found = app.request(Method::POST, "Patient/_search?family=Test").bytes(form, b"given=pat-2".to_vec());
        assert_eq!(found.send().await.is(200).ids(), ["pat-2"]);
        let json = app.request(Method::POST, "Patient/_search").json(&serde_json::json!({}));
        let _ = json.send().await.is(415);
    }
}
