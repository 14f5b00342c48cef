//! JSON Patch and FHIRPath Patch over HTTP.

use crate::support::{TestApp, both_engines, clinic};
use reqwest::Method;
use serde_json::{Value, json};

fn parameters(operations: &[Value]) -> Value {
    let parameters: Vec<Value> =
        operations.iter().map(|parts| json!({ "name": "operation", "part": parts })).collect();
    json!({ "resourceType": "Parameters", "parameter": parameters })
}

fn replace(path: &str, key: &str, value: &str) -> Value {
    json!([
        { "name": "type", "valueCode": "replace" },
        { "name": "path", "valueString": path },
        { "name": "value", key: value }
    ])
}

both_engines! {
    async fn json_patch_changes_a_resource(app: TestApp) {
        clinic::seed(&app).await;
        let family = json!([{ "op": "replace", "path": "/name/0/family", "value": "Patched" }]);
        let reply = app.patch("Patient/pat-1", &family).await.is(200);
        assert_eq!((reply.text("/name/0/family"), reply.header("etag")), ("Patched", "W/\"2\""));
        let failed = json!([{ "op": "test", "path": "/active", "value": true }]);
        app.patch("Patient/pat-1", &failed).await.is(422);
        app.patch("Patient/pat-1", &json!([{ "op": "replace", "path": "/id", "value": "x" }])).await.is(422);
        app.patch("Patient/pat-1", &json!([{ "op": "add", "path": "/gender", "value": "bogus" }])).await.is(422);
        app.patch("Patient/pat-1", &json!({ "op": "add" })).await.is(400);
        app.patch("Patient/nobody", &family).await.is(404);
        assert_eq!(app.get("Patient/pat-1").await.header("etag"), "W/\"2\"", "refused patches change nothing");
    }

    async fn fhirpath_patch_changes_a_resource(app: TestApp) {
        clinic::seed(&app).await;
        let patch = async |operations: &[Value]| {
            app.request(Method::PATCH, "Patient/pat-1").json(&parameters(operations)).send().await
        };
        let family = "Patient.name.where(family = 'Test').family";
        let reply = patch(&[replace(family, "valueString", "Patched")]).await.is(200);
        assert_eq!(reply.text("/name/0/family"), "Patched");
        patch(&[replace(family, "valueString", "Again")]).await.is(422);
        patch(&[replace("Patient.(", "valueString", "x")]).await.is(400);
        let reply = patch(&[replace("Patient.name[0].family", "valueString", "x"), replace("Patient.gender", "valueCode", "male")]).await;
        assert!(reply.is(422).diagnostics().contains("operation 1"));
    }

    async fn conditions_hold_for_patches(app: TestApp) {
        clinic::seed(&app).await;
        let gender = json!([{ "op": "add", "path": "/gender", "value": "female" }]).to_string().into_bytes();
        let patch = async |path: &str, if_match: Option<&str>| {
            let mut request = app.request(Method::PATCH, path).bytes("application/json-patch+json", gender.clone());
            if let Some(tag) = if_match {
                request = request.header("If-Match", tag);
            }
            request.send().await
        };
        patch("Patient/pat-1", Some("W/\"9\"")).await.is(412);
        patch("Patient/pat-1", Some("W/\"1\"")).await.is(200);
        patch("Patient?_id=pat-2", None).await.is(200);
        patch("Patient?family=Test", None).await.is(412);
        patch("Patient?_id=nobody", None).await.is(404);
        patch("Patient", None).await.is(400);
    }

    async fn a_patched_appointment_obeys_the_ledger(app: TestApp) {
        clinic::seed(&app).await;
        let slot = clinic::slot("s", "sch-a", &clinic::at("09:00"), 30);
        app.store(&slot).await;
        let first = clinic::with_id(clinic::appointment(&slot, "pat-1", &["Practitioner/dr-a"]), "first");
        app.store(&first).await;
        let second = clinic::with(clinic::appointment(&slot, "pat-2", &["Practitioner/dr-a"]), "status", "proposed");
        app.store(&clinic::with_id(second, "second")).await;
        let status = |to: &str| json!([{ "op": "replace", "path": "/status", "value": to }]);
        app.patch("Appointment/second", &status("booked")).await.is(409);
        app.patch("Appointment/first", &status("cancelled")).await.is(200);
        assert_eq!(app.get("Slot/s").await.text("/status"), "free");
        app.patch("Appointment/second", &status("booked")).await.is(200);
        app.patch("Appointment/first", &status("booked")).await.is(422);
    }
}
