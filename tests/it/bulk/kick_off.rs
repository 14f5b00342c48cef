//! The kick-off request, its parameters, polling and cancelling.

use super::{ask, backend, exported, files, kick_off, lines, manifest, seed};
use crate::support::{Database, Engine, TestApp, both_engines};
use reqwest::Method;
use serde_json::json;
use slotwright::clock::Clock;

both_engines! {
    async fn an_export_is_answered_later(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let at_once = client.get("Group/two/$export").await.is(400);
        assert!(at_once.diagnostics().contains("respond-async"), "{at_once}");
        let place = kick_off(&client, "Group/two/$export").await;
        let id = place.rsplit('/').next().unwrap().to_owned();
        // As long as somebody else finds its files.
        let claim = app.library().planning.claim(&id).expect("nobody");
        let waiting = client.get(&place).await.is(202);
        assert!(!waiting.header("x-progress").is_empty() && waiting.body.is_empty());
        assert_eq!(waiting.header("retry-after"), "1");
        drop(claim);
        let made = manifest(&client, &place).await;
        assert_eq!(made["request"], format!("{}/Group/two/$export", app.base()));
        assert!(made["transactionTime"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert!(files(&made, "error").is_empty());
        let head = client.request(Method::HEAD, files(&made, "output")[0].1).send().await.is(200);
        assert_eq!(head.header("content-type"), "application/fhir+ndjson");
    }

    async fn parameters_are_posted_as_well(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let parameters = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "_type", "valueString": "Patient" }, { "name": "_type", "valueString": "Slot" },
            { "name": "_outputFormat", "valueString": "ndjson" }, { "name": "_since", "valueInstant": "2020-01-01T00:00:00Z" },
            { "name": "patient", "valueReference": { "reference": "Patient/pat-2" } },
        ] });
        let reply = client.request(Method::POST, "Group/two/$export").header("prefer", "respond-async").json(&parameters).send().await.is(202);
        let made = manifest(&client, reply.header("content-location")).await;
        assert_eq!(super::resources(&client, &made).await, ["Patient/pat-2"]);
        let bare = client.request(Method::POST, "Group/two/$export").header("prefer", "respond-async").send().await;
        let _ = bare.is(202);
        let wrong = client.request(Method::POST, "Group/two/$export").header("prefer", "respond-async").json(&json!({ "resourceType": "Patient" })).send().await;
        let _ = wrong.is(400);
    }

    async fn formats_and_times_are_judged(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        for format in ["application/fhir+ndjson", "application/fhir%2Bndjson", "application/ndjson", "ndjson"] {
            kick_off(&client, &format!("Group/two/$export?_outputFormat={format}")).await;
        }
        for since in ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123+01:00", "2020-01-01T00:00:00%2B01:00"] {
            kick_off(&client, &format!("Group/two/$export?_since={since}")).await;
        }
        for wrong in [
            "_outputFormat=text/csv", "_outputFormat=application/fhir%2Bjson", "_since=nonsense", "_since=2000-02-30T14:23:18Z",
            "_since=", "_type=Nonsense", "_type=AuditEvent", "_typeFilter=Patient?nonsense=x", "patient=a/b",
        ] {
            let reply = ask(&client, &format!("Group/two/$export?{wrong}")).await.is(400);
            assert_eq!(reply.json["resourceType"], "OperationOutcome", "{wrong}");
        }
    }

    async fn what_is_not_understood_is_refused_or_named(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let path = "Group/two/$export?_type=Patient&_elements=id&includeAssociatedData=x";
        let strict = client.request(Method::GET, path).header("prefer", "respond-async, handling=strict").send().await.is(400);
        assert!(strict.diagnostics().contains("_elements"), "{strict}");
        let lenient = client.request(Method::GET, path).header("prefer", "respond-async; handling=lenient").send().await.is(202);
        assert!(lenient.diagnostics().contains("_elements"), "{lenient}");
        let made = manifest(&client, lenient.header("content-location")).await;
        let errors = files(&made, "error");
        assert_eq!(errors[0].0, "OperationOutcome");
        let outcome = lines(&client, errors[0].1).await;
        assert!(outcome[0].to_string().contains("includeAssociatedData"), "{outcome:?}");
    }

    async fn a_cancelled_export_is_not_there(app: TestApp) {
        seed(&app).await;
        let client = backend(&app).await;
        let place = kick_off(&client, "Group/two/$export").await;
        let made = manifest(&client, &place).await;
        let _ = client.delete(&place).await.is(202);
        let gone = client.get(&place).await.is(404);
        assert_eq!(gone.json["resourceType"], "OperationOutcome");
        assert_eq!(gone.header("content-type"), "application/fhir+json; charset=utf-8");
        for (_, url) in files(&made, "output") {
            assert_eq!(client.get(url).await.status, 404);
        }
        assert_eq!(client.delete(&place).await.status, 404);
    }

    async fn a_client_has_so_many_exports_and_no_more(engine: Engine) {
        let settings = [("SLOTWRIGHT_BULK__MAX_JOBS", "2")];
        let app = TestApp::start_with(Database::create(engine).await, Clock::system(), &settings).await;
        seed(&app).await;
        let client = backend(&app).await;
        let first = kick_off(&client, "Patient/$export").await;
        kick_off(&client, "Patient/$export").await;
        let refused = ask(&client, "Patient/$export").await.is(429);
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
        // Others have their own.
        let other = app.system("other", "system/*.rs").await;
        kick_off(&other, "Patient/$export").await;
        let _ = client.delete(&first).await.is(202);
        kick_off(&client, "Patient/$export").await;
    }

    async fn the_statement_names_what_is_exported(app: TestApp) {
        let statement = app.get("metadata").await.is(200).json;
        let bulk = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data";
        assert!(statement["instantiates"].as_array().unwrap().contains(&json!(bulk)));
        let rest = &statement["rest"][0];
        assert_eq!(rest["operation"][0]["name"], "export");
        let named = |rtype: &str| {
            let row = rest["resource"].as_array().unwrap().iter().find(|row| row["type"] == rtype).unwrap();
            row["operation"].as_array().unwrap().iter().any(|operation| operation["name"] == "export")
        };
        assert!(["Patient", "Group", "AuditEvent"].into_iter().all(named) && !named("Slot"));
        for path in ["Slot/$export", "Patient/x/$export", "Group/$export"] {
            assert_eq!(ask(&app, path).await.status, 404, "{path}");
        }
    }

    async fn what_may_be_exported_is_what_the_scopes_say(app: TestApp) {
        seed(&app).await;
        let client = app.system("few", "system/Group.r system/Patient.rs system/Location.r system/Appointment.rs?status=cancelled").await;
        assert_eq!(exported(&client, "Group/two/$export").await, ["Patient/pat-1", "Patient/pat-2"]);
        for path in ["Group/two/$export?_type=Practitioner", "Group/two/$export?_type=Location", "Group/two/$export?_typeFilter=Slot?status=free"] {
            let reply = ask(&client, path).await.is(403);
            assert_eq!(reply.json["resourceType"], "OperationOutcome");
        }
        assert_eq!(exported(&client, "Group/two/$export?_type=Appointment").await, [] as [&str; 0]);
        let without = app.system("no-groups", "system/Patient.rs").await;
        let _ = ask(&without, "Group/two/$export").await.is(403);
        let _ = ask(&without, "Group/none/$export").await.is(403);
        let nothing = app.system("nothing", "system/Patient.cud").await;
        let _ = ask(&nothing, "Patient/$export").await.is(403);
        let _ = ask(&app.anonymous(), "Patient/$export").await.is(401);
    }
}
