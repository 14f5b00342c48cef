//! What the CapabilityStatement says of subscriptions.

use crate::support::{TestApp, both_engines};
use slotwright::fhir::subscription::topic::TOPICS;

both_engines! {
    async fn the_statement_names_profile_topics_and_operations(app: TestApp) {
        let statement = app.get("metadata").await.is(200).json;
        let instantiates = statement["instantiates"].to_string();
        assert!(instantiates.contains("subscriptions-backport/CapabilityStatement/backport-subscription-server-r4"));
        let rows = statement["rest"][0]["resource"].as_array().expect("resources");
        let row = rows.iter().find(|row| row["type"] == "Subscription").expect("a row");
        let profile = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription";
        assert_eq!(row["supportedProfile"][0], profile);
        let extensions = row["extension"].as_array().expect("extensions");
        let named: Vec<&str> = extensions.iter().map(|one| {
            assert!(one["url"].as_str().unwrap().ends_with("/capabilitystatement-subscriptiontopic-canonical"));
            one["valueCanonical"].as_str().unwrap()
        }).collect();
        assert_eq!(named, TOPICS.iter().map(|topic| topic.url).collect::<Vec<_>>());
        let operations = row["operation"].to_string();
        for name in ["status", "events", "get-ws-binding-token"] {
            assert!(operations.contains(&format!("\"name\":\"{name}\"")), "{operations}");
        }
        let interactions = row["interaction"].to_string();
        for code in ["read", "create", "update", "patch", "delete", "search-type"] {
            assert!(interactions.contains(&format!("\"{code}\"")));
        }
        let params = row["searchParam"].to_string();
        assert!(params.contains("\"url\"") && params.contains("\"status\""));
    }
}
