//! Bulk Data Access: exports of groups, of all patients, of everything, and of the audit log.

mod attacks;
mod group;
mod kick_off;
mod log;
mod time;

use crate::support::{Client, Reply, TestApp, clinic};
use reqwest::Method;
use serde_json::{Value, json};

/// Asks for an export.
pub async fn ask(client: &Client, path: &str) -> Reply {
    client.request(Method::GET, path).header("prefer", "respond-async").send().await
}

/// Asks for an export, and returns where to ask how it goes.
pub async fn kick_off(client: &Client, path: &str) -> String {
    let reply = ask(client, path).await.is(202);
    let place = reply.header("content-location").to_owned();
    assert!(place.starts_with("http"), "{place}");
    place
}

/// Asks until the manifest is there.
pub async fn manifest(client: &Client, place: &str) -> Value {
    for _ in 0..100 {
        let reply = client.get(place).await;
        if reply.status == 200 {
            assert_eq!(reply.header("content-type"), "application/json");
            assert!(!reply.header("expires").is_empty());
            return reply.json;
        }
        assert_eq!(reply.is(202).header("retry-after"), "1");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{place} does not come to an end");
}

/// The lines of a file.
pub async fn lines(client: &Client, url: &str) -> Vec<Value> {
    let reply = client.get(url).await.is(200);
    assert_eq!(reply.header("content-type"), "application/fhir+ndjson");
    let text = String::from_utf8(reply.body).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// URLs of the files of a list of the manifest, with their types.
pub fn files<'a>(manifest: &'a Value, list: &str) -> Vec<(&'a str, &'a str)> {
    let all = manifest[list].as_array().unwrap_or_else(|| panic!("no {list}: {manifest}"));
    all.iter()
        .map(|file| (file["type"].as_str().expect("a type"), file["url"].as_str().expect("a URL")))
        .collect()
}

/// `Type/id` of all that an export has, in order.
pub async fn exported(client: &Client, path: &str) -> Vec<String> {
    let manifest = manifest(client, &kick_off(client, path).await).await;
    assert_eq!(manifest["requiresAccessToken"], true);
    resources(client, &manifest).await
}

/// `Type/id` of what is in the output of a manifest, in order.
pub async fn resources(client: &Client, manifest: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (rtype, url) in files(manifest, "output") {
        let lines = lines(client, url).await;
        for line in lines {
            assert_eq!(line["resourceType"], rtype);
            names.push(format!("{rtype}/{}", line["id"].as_str().expect("an id")));
        }
    }
    names.sort();
    names
}

/// A Group of these patients.
pub fn group(id: &str, patients: &[&str]) -> Value {
    let members = patients.iter().map(|id| json!({ "entity": { "reference": format!("Patient/{id}") } }));
    json!({ "resourceType": "Group", "id": id, "type": "person", "actual": true, "member": members.collect::<Value>() })
}

/// The clinic with an appointment of each patient, and a Group of the first two.
pub async fn seed(app: &TestApp) {
    clinic::seed(app).await;
    for (patient, at) in [("pat-1", "09:00"), ("pat-2", "10:00"), ("pat-3", "11:00")] {
        let start = clinic::at(at);
        let actors = ["Practitioner/dr-a", "Location/room-a"];
        let made = clinic::unslotted("booked", &start, &clinic::later(&start, 30), patient, &actors);
        app.store(&clinic::with_id(made, &format!("apt-{patient}"))).await;
    }
    app.store(&group("two", &["pat-1", "pat-2"])).await;
}

/// A client with Backend Services scopes for everything that exports need.
pub async fn backend(app: &TestApp) -> Client {
    app.system("backend", "system/*.rs").await
}
