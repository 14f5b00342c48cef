//! Lists: filter, order, pages, parts.

use super::{Source, USER, refused};
use crate::support::{Reply, TestApp, both_engines};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

fn names(reply: &Reply) -> Vec<&str> {
    let list = reply.json["Resources"].as_array().expect("a list");
    list.iter()
        .map(|one| one["userName"].as_str().or_else(|| one["displayName"].as_str()).expect("a name"))
        .collect()
}

async fn filtered(source: &Source, path: &str, filter: &str) -> Reply {
    source
        .get(&format!("{path}?sortBy=userName&filter={}", utf8_percent_encode(filter, NON_ALPHANUMERIC)))
        .await
}

async fn three(app: &TestApp) -> Source {
    let source = Source::new(app).await;
    for (name, more) in [
        ("carl", json!({ "externalId": "X3", "displayName": "Carl %_ O'Neil" })),
        ("ann", json!({ "externalId": "x1", "displayName": "Ann" })),
        ("bob", json!({ "active": false })),
    ] {
        let mut user = json!({ "schemas": [USER], "userName": name });
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source.post("Users", &user).await.is(201);
    }
    source
}

both_engines! {
    async fn what_is_indexed_is_filtered(app: TestApp) {
        let source = three(&app).await;
        let all = ["ann", "bob", "carl"];
        for (filter, found) in [
            ("userName eq \"ANN\"", vec!["ann"]),
            ("userName ne \"ann\"", vec!["bob", "carl"]),
            ("userName co \"A\"", vec!["ann", "carl"]),
            ("userName sw \"b\" or userName ew \"L\"", vec!["bob", "carl"]),
            ("userName gt \"ann\" and not (userName ge \"carl\")", vec!["bob"]),
            ("displayName co \"%_\"", vec!["carl"]),
            ("displayName co \"%\" and displayName co \"'\"", vec!["carl"]),
            ("displayName eq \"ann\"", vec!["ann"]),
            ("externalId eq \"x1\"", vec!["ann"]),
            ("externalId eq \"X1\"", vec![]),
            ("externalId pr", vec!["ann", "carl"]),
            ("externalId eq null", vec!["bob"]),
            ("externalId ne \"x1\"", vec!["bob", "carl"]),
            ("active eq true", vec!["ann", "carl"]),
            ("active eq \"False\"", vec!["bob"]),
            ("meta.lastModified gt \"2020-01-01T00:00:00Z\"", all.to_vec()),
            ("meta.lastModified lt \"2020-01-01T00:00:00Z\"", vec![]),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"bob\"", vec!["bob"]),
            ("userName eq \"x' OR 1=1 --\"", vec![]),
            ("userName co \"\"", all.to_vec()),
        ] {
            let reply = filtered(&source, "Users", filter).await.is(200);
            assert_eq!(names(&reply), found, "{filter}");
            assert_eq!(reply.json["totalResults"], found.len(), "{filter}");
        }
    }

    async fn what_is_not_indexed_is_refused(app: TestApp) {
        let source = three(&app).await;
        for filter in [
            "name.familyName eq \"x\"", "emails[type eq \"work\"]", "password eq \"x\"", "userName eq 1",
            "active gt true", "userName is \"x\"", "userName eq \"x", "meta.lastModified gt \"now\"",
            "meta.lastModified co \"2020\"", "groups.value eq \"x\"",
        ] {
            refused(&filtered(&source, "Users", filter).await, 400, Some("invalidFilter"));
        }
        let long = format!("userName eq \"{}\"", "x".repeat(2100));
        refused(&filtered(&source, "Users", &long).await, 400, Some("invalidFilter"));
        refused(&source.get("Users?sortBy=emails").await, 400, Some("invalidPath"));
        refused(&source.get("Users?count=many").await, 400, Some("invalidValue"));
        refused(&source.get("Users?attributes=id&excludedAttributes=name").await, 400, Some("invalidValue"));
    }

    async fn lists_come_in_order_and_in_pages(app: TestApp) {
        let source = three(&app).await;
        let page = |start: i64, count: i64| format!("Users?sortBy=userName&sortOrder=descending&startIndex={start}&count={count}");
        let first = source.get(&page(1, 2)).await.is(200);
        assert_eq!(names(&first), ["carl", "bob"]);
        assert_eq!((&first.json["totalResults"], &first.json["itemsPerPage"]), (&json!(3), &json!(2)));
        assert_eq!(names(&source.get(&page(3, 2)).await), ["ann"]);
        assert!(names(&source.get(&page(9, 2)).await).is_empty());
        let none = source.get(&page(1, 0)).await;
        assert_eq!((names(&none).len(), &none.json["totalResults"]), (0, &json!(3)));
        assert_eq!(names(&source.get(&page(-5, 100_000)).await).len(), 3);
        source.group("scheduler", &[]).await;
        source.group("clinician", &[]).await;
        let found = source.get("Groups?sortBy=displayName").await.is(200);
        assert_eq!(names(&found), ["clinician", "scheduler"]);
        let found = source.get("Groups?filter=displayName%20eq%20%22Scheduler%22&excludedAttributes=members").await;
        assert_eq!(names(&found), ["scheduler"]);
        let search = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "startIndex": 3, "count": 2,
            "sortBy": "id", "attributes": ["userName", "displayName"],
        });
        let found = source.post(".search", &search).await.is(200);
        assert_eq!((names(&found).len(), &found.json["totalResults"]), (2, &json!(5)));
        let search = json!({ "filter": "userName eq \"bob\"" });
        assert_eq!(names(&source.post("Users/.search", &search).await.is(200)), ["bob"]);
    }

    async fn only_what_is_asked_for_is_told(app: TestApp) {
        let source = Source::new(&app).await;
        let user = json!({
            "schemas": [USER], "userName": "ann", "name": { "givenName": "Ann", "familyName": "Lee" },
        });
        let path = format!("Users/{}", source.post("Users", &user).await.is(201).text("/id"));
        let keys = |reply: &Reply| -> Vec<String> { reply.json.as_object().unwrap().keys().cloned().collect() };
        let few = source.get(&format!("{path}?attributes=username,name.givenname")).await.is(200);
        let mut found = keys(&few);
        found.sort();
        assert_eq!(found, ["id", "name", "schemas", "userName"]);
        assert_eq!(few.json["name"], json!({ "givenName": "Ann" }));
        let most = source.get(&format!("{path}?excludedAttributes=name.familyName,displayName,id")).await.is(200);
        assert_eq!(most.json["name"], json!({ "givenName": "Ann" }));
        assert!(most.json.get("displayName").is_none() && most.json.get("id").is_some());
    }

    async fn discovery_says_what_there_is(app: TestApp) {
        let source = Source::new(&app).await;
        let config = source.get("ServiceProviderConfig").await.is(200);
        assert_eq!(config.json["bulk"]["supported"], false);
        assert_eq!(config.json["filter"], json!({ "supported": true, "maxResults": 200 }));
        for path in ["ResourceTypes", "Schemas"] {
            let list = source.get(path).await.is(200);
            for one in list.json["Resources"].as_array().unwrap() {
                let id: &Value = &one["id"];
                let found = source.get(&format!("{path}/{}", id.as_str().unwrap())).await.is(200);
                assert_eq!(found.json, *one);
            }
            refused(&source.get(&format!("{path}/nothing")).await, 404, None);
            refused(&source.get(&format!("{path}?filter=id%20pr")).await, 403, None);
            refused(&source.post(path, &json!({})).await, 405, None);
        }
    }
}
