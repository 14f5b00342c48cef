//! Who finds nothing is told of emergencies, whether there is something or not.

use super::{begun, declare, out};
use crate::access::world::Side;
use crate::support::{Reply, TestApp, both_engines};
use serde_json::{Value, json};

/// The hints among the issues of an OperationOutcome.
fn hints(outcome: &Value) -> Vec<&Value> {
    let issues = outcome["issue"].as_array().map(Vec::as_slice).unwrap_or_default();
    issues.iter().filter(|issue| issue["code"] == "suppressed").collect()
}

fn said(reply: &Reply, id: &str) -> String {
    String::from_utf8_lossy(&reply.body).replace(id, "ID")
}

/// The entries of a searchset that finds nothing.
fn entries(reply: &Reply, id: &str) -> String {
    reply.json["entry"].to_string().replace(id, "ID")
}

both_engines! {
    async fn the_hint_does_not_depend_on_what_there_is(app: TestApp) {
        let mut carl = begun(&app).await;
        for rtype in ["Patient", "Appointment", "Coverage", "Encounter"] {
            let id = Side::Out.id(rtype);
            for tail in ["", "/_history/1", "/_history"] {
                let hidden = carl.client.get(&format!("{rtype}/{id}{tail}")).await.is(404);
                let absent = carl.client.get(&format!("{rtype}/no-such-id{tail}")).await.is(404);
                assert_eq!(said(&hidden, &id), said(&absent, "no-such-id"), "{rtype}{tail}");
                let [hint] = hints(&hidden.json)[..] else { panic!("{hidden}") };
                assert_eq!(hint["severity"], "information");
                let coding = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "ETREAT" }]);
                assert_eq!(hint["details"]["coding"], coding);
            }
        }
        for query in ["Appointment?patient=", "Coverage?beneficiary=Patient/", "Encounter?subject=Patient/"] {
            let hidden = carl.client.get(&format!("{query}pat-2")).await.is(200);
            let absent = carl.client.get(&format!("{query}nobody")).await.is(200);
            assert_eq!(entries(&hidden, "pat-2"), entries(&absent, "nobody"), "{query}");
            let entry = &hidden.json["entry"][0];
            assert_eq!(entry["search"]["mode"], "outcome", "{hidden}");
            assert_eq!(hints(&entry["resource"]).len(), 1, "{hidden}");
        }
        let compartment = carl.client.get("Patient/pat-2/Appointment").await.is(200);
        assert_eq!(hints(&compartment.json["entry"][0]["resource"]).len(), 1, "{compartment}");
        // In a batch as well.
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
            { "request": { "method": "GET", "url": out("Coverage") } },
            { "request": { "method": "GET", "url": "Coverage/no-such-id" } }] });
        let answer = carl.client.post("", &batch).await.is(200);
        let outcome = |index: usize| answer.json["entry"][index]["response"]["outcome"].to_string();
        assert_eq!(outcome(0).replace("out-coverage", "ID"), outcome(1).replace("no-such-id", "ID").replace("entry[1]", "entry[0]"));
        assert!(outcome(0).contains("suppressed"), "{answer}");
        // Whoever declared one needs no hint.
        declare(&mut carl.browser, "pat-2").await;
        assert!(hints(&carl.client.get("Patient/pat-1").await.is(404).json).is_empty());
    }

    async fn nobody_is_told_of_what_is_not_for_them(app: TestApp) {
        let carl = begun(&app).await;
        // Calendars are open to clinicians, and no emergency opens more.
        assert!(hints(&carl.client.get("Slot/no-such-id").await.is(404).json).is_empty());
        for other in [
            crate::access::world::patient(&app, "user/*.cruds").await,
            crate::access::world::scheduler(&app, "user/*.cruds").await,
            app.client(),
        ] {
            let reply = other.get("Appointment/no-such-id").await.is(404);
            assert!(hints(&reply.json).is_empty(), "{reply}");
            let reply = other.get("Appointment?patient=nobody").await.is(200);
            assert!(reply.json["entry"].is_null(), "{reply}");
        }
    }
}
