//! Requests as Entra ID and Okta send them.

use super::{PATCH, Source, USER, id};
use crate::support::{TestApp, both_engines};
use reqwest::Method;
use serde_json::json;

both_engines! {
    async fn entra_provisions_a_person(app: TestApp) {
        let source = Source::new(&app).await;
        // Connection test: a user that is not there.
        let none = source.get("Users?filter=userName+eq+%22b2f1%22").await.is(200);
        assert_eq!((&none.json["totalResults"], &none.json["Resources"]), (&json!(0), &json!([])));
        let made = source.post("Users", &json!({
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": "0a21f0f2", "userName": "Test_User_ab6490ee", "active": true, "displayName": "lennay",
            "emails": [{ "primary": true, "type": "work", "value": "test@example.com" }],
            "meta": { "resourceType": "User" },
            "name": { "formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName" },
            "roles": [],
        })).await.is(201);
        let path = format!("Users/{}", made.text("/id"));
        let changed = source.patch(&path, &json!([
            { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "updated@example.com" },
            { "op": "Replace", "path": "name.familyName", "value": "updatedFamilyName" },
            { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "555" },
            { "op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "x" },
        ])).await.is(200);
        assert_eq!(changed.text("/emails/0/value"), "updated@example.com");
        assert_eq!(changed.text("/name/familyName"), "updatedFamilyName");
        assert!(changed.json.get("phoneNumbers").is_none());
        let off = source.patch(&path, &json!([{ "op": "Replace", "path": "active", "value": "False" }])).await.is(200);
        assert_eq!(off.json["active"], false);
        let group = source.group("scheduler", &[]).await;
        source.patch(&group, &json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": id(&path) }] }])).await.is(200);
        assert_eq!(source.groups_of(&path).await, ["scheduler"]);
        let without = source.get(&format!("{group}?excludedAttributes=members")).await.is(200);
        assert!(without.json.get("members").is_none());
        source.patch(&group, &json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": id(&path) }] }])).await.is(200);
        assert!(source.groups_of(&path).await.is_empty());
    }

    async fn okta_provisions_a_person(app: TestApp) {
        let source = Source::new(&app).await;
        let none = source.get("Users?filter=userName%20eq%20%22test.user%40okta.local%22&startIndex=1&count=100").await.is(200);
        assert_eq!((&none.json["totalResults"], &none.json["startIndex"]), (&json!(0), &json!(1)));
        let made = source.post("Users", &json!({
            "schemas": [USER], "userName": "test.user@okta.local", "name": { "givenName": "Test", "familyName": "User" },
            "emails": [{ "primary": true, "value": "test.user@okta.local", "type": "work" }],
            "displayName": "Test User", "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "groups": [],
            "password": "1mz050nq", "active": true,
        })).await.is(201);
        let path = format!("Users/{}", made.text("/id"));
        // Okta sends back what it got, with a change.
        let mut put = made.json.clone();
        put["name"]["givenName"] = json!("Another");
        let changed = source.put(&path, &put).await.is(200);
        assert_eq!(changed.text("/name/givenName"), "Another");
        let off = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": { "active": false } }] });
        let url = format!("{}/{path}", source.base);
        let request = source.client.request(Method::PATCH, &url);
        let reply = request.bytes("application/json; charset=utf-8", off.to_string().into_bytes()).send().await.is(200);
        assert_eq!(reply.json["active"], false);
        let group = source.group("clinician", &[]).await;
        source.patch(&group, &json!([
            { "op": "replace", "value": { "id": id(&group), "displayName": "clinician" } },
            { "op": "add", "path": "members", "value": [{ "value": id(&path), "display": "test.user@okta.local" }] },
        ])).await.is(200);
        assert_eq!(source.groups_of(&path).await, ["clinician"]);
        source.patch(&group, &json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", id(&path)) }])).await.is(200);
        assert!(source.groups_of(&path).await.is_empty());
        source.patch(&group, &json!([{ "op": "replace", "path": "members", "value": [{ "value": id(&path) }] }])).await.is(200);
        assert_eq!(source.groups_of(&path).await, ["clinician"]);
    }
}
