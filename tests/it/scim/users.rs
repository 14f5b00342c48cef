//! Users: who may keep them, how they come, change and go.

use super::{OURS, Source, USER, id, refused};
use crate::pages::browser::{Browser, account};
use crate::support::auth::Person;
use crate::support::{FixedApp, TestApp, both_engines};
use reqwest::Method;
use serde_json::json;
use slotwright::app::account as accounts;
use slotwright::auth::principal::Role;

both_engines! {
    async fn only_a_client_with_the_permission_gets_in(app: TestApp) {
        let source = Source::new(&app).await;
        let url = format!("{}/Users", source.base);
        let none = app.anonymous().get(&url).await;
        refused(&none, 401, None);
        assert!(none.header("www-authenticate").starts_with("Bearer"));
        refused(&app.with_token("nonsense").get(&url).await, 401, None);
        refused(&app.get(&url).await, 403, None);
        let person = Person { account: "ada", roles: &["administrator"], scope: "user/*.cruds", ..Person::default() };
        refused(&app.person(person).await.get(&url).await, 403, None);
        source.get("Users").await.is(200);
        // Being withdrawn, it is out at the next request.
        slotwright::app::oauth::clients::switch(app.library(), "entra", false, "a test").await.unwrap();
        refused(&source.get("Users").await, 401, None);
    }

    async fn a_user_is_an_account(app: TestApp) {
        let source = Source::new(&app).await;
        let sent = json!({
            "schemas": [USER, OURS], "userName": "Ann@Clinic.example", "externalId": "e-1",
            "name": { "givenName": "Ann", "familyName": "Lee" }, "locale": "es", "active": true,
            "emails": [{ "value": "ann@clinic.example", "type": "work", "primary": true }],
            "title": "Dr.", "password": "not taken at all", "id": "chosen", "groups": [{ "value": "x" }],
            OURS: { "fhirUser": "Practitioner/ann" },
        });
        let made = source.post("Users", &sent).await.is(201);
        assert_eq!(made.header("content-type"), "application/scim+json");
        assert_eq!(made.header("location"), made.text("/meta/location"));
        assert_eq!(made.header("etag"), made.text("/meta/version"));
        assert_ne!(made.text("/id"), "chosen");
        assert_eq!(made.text("/userName"), "ann@clinic.example");
        assert_eq!(made.text("/displayName"), "Ann Lee");
        for gone in ["title", "password", "groups"] {
            assert!(made.json.get(gone).is_none(), "{gone}");
        }
        for kept in ["externalId", "name", "emails", "locale", "active", OURS] {
            assert_eq!(made.json[kept], sent[kept], "{kept}");
        }
        let (stored, _) = accounts::get(app.library(), "ann@clinic.example").await.expect("an account");
        assert_eq!(stored.fhir_user.as_deref(), Some("Practitioner/ann"));
        assert!(!stored.has_password);
        let path = format!("Users/{}", made.text("/id"));
        assert_eq!(source.get(&path).await.is(200).json, made.json);

        let put = json!({ "schemas": [USER], "userName": "ann.lee", "displayName": "Dr. Lee", "active": "True" });
        let changed = source.put(&path, &put).await.is(200);
        for gone in ["externalId", "name", "emails", "locale", OURS] {
            assert!(changed.json.get(gone).is_none(), "{gone}");
        }
        assert_eq!((changed.text("/userName"), changed.text("/displayName")), ("ann.lee", "Dr. Lee"));
    }

    async fn what_can_not_be_taken_is_said(app: TestApp) {
        let source = Source::new(&app).await;
        for (name, value, code) in [
            ("userName", json!(""), "invalidValue"),
            ("userName", json!("two words"), "invalidValue"),
            ("userName", json!(1), "invalidValue"),
            ("displayName", json!("two\nlines"), "invalidValue"),
            ("active", json!("maybe"), "invalidValue"),
            ("locale", json!("*"), "invalidValue"),
            ("name", json!("Ann"), "invalidValue"),
            ("emails", json!("a@x"), "invalidValue"),
            ("emails", json!([{ "value": "a", "primary": true }, { "value": "b", "primary": true }]), "invalidValue"),
            (OURS, json!({ "fhirUser": "Slot/1" }), "invalidValue"),
            ("schemas", json!([]), "invalidSyntax"),
        ] {
            let mut wrong = json!({ "schemas": [USER], "userName": "ann" });
            wrong[name] = value;
            refused(&source.post("Users", &wrong).await, 400, Some(code));
        }
        refused(&source.get("Users/nobody").await, 404, None);
        refused(&source.get("Nothing").await, 404, None);
        refused(&source.post("Bulk", &json!({})).await, 501, None);
        refused(&source.delete("Users").await, 405, None);
        let large = json!({ "schemas": [USER], "userName": "x".repeat(2_000_000) });
        refused(&source.post("Users", &large).await, 413, None);
    }

    async fn a_user_name_is_given_once(app: TestApp) {
        let source = Source::new(&app).await;
        let body = json!({ "schemas": [USER], "userName": "Ann" });
        let racing: Vec<_> = (0..8).map(|_| source.post("Users", &body)).collect();
        let mut statuses: Vec<u16> = futures_util::future::join_all(racing).await.iter().map(|r| r.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
        refused(&source.post("Users", &json!({ "schemas": [USER], "userName": "ANN" })).await, 409, Some("uniqueness"));
        let bob = source.user("bob").await;
        refused(&source.patch(&bob, &json!([{ "op": "replace", "path": "userName", "value": "ann" }])).await, 409, Some("uniqueness"));
        source.post("Users", &json!({ "schemas": [USER], "userName": "c", "externalId": "1" })).await.is(201);
        let again = source.post("Users", &json!({ "schemas": [USER], "userName": "d", "externalId": "1" })).await;
        refused(&again, 409, Some("uniqueness"));
    }

    async fn versions_guard_changes(app: FixedApp) {
        let source = Source::new(&app).await;
        let path = source.user("ann").await;
        let first = source.get(&path).await.is(200).header("etag").to_owned();
        let rename = |name: &str| json!({ "schemas": [USER], "userName": "ann", "displayName": name });
        let matching = [("if-match", first.as_str())];
        let changed = source.send(Method::PUT, &path, Some(&rename("Ann")), &matching).await.is(200);
        assert_ne!(changed.header("etag"), first);
        refused(&source.send(Method::PUT, &path, Some(&rename("Eve")), &matching).await, 412, None);
        refused(&source.send(Method::DELETE, &path, None, &matching).await, 412, None);
        let known = [("if-none-match", changed.header("etag"))];
        assert_eq!(source.send(Method::GET, &path, None, &known).await.status, 304);
        // What an administrator changes is another version too.
        let change = accounts::Change { name: "Anna".to_owned(), fhir_user: None, locale: None };
        accounts::change(app.library(), id(&path), change).await.unwrap();
        assert_eq!(source.send(Method::GET, &path, None, &known).await.is(200).text("/displayName"), "Anna");
    }

    async fn deactivation_ends_everything_at_once(app: TestApp) {
        let source = Source::new(&app).await;
        let person = Person { account: "sam", roles: &["scheduler"], scope: "user/*.cruds", ..Person::default() };
        let sam = app.person(person).await;
        sam.get("Slot").await.is(200);
        account(&app, "bea", &[Role::Scheduler], None).await;
        let mut bea = Browser::new(&app);
        bea.sign_in("bea").await;
        let (stored, _) = accounts::get(app.library(), "bea").await.unwrap();
        for id in ["sam", &stored.id] {
            let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
            let reply = source.patch(&format!("Users/{id}"), &off).await.is(200);
            assert_eq!(reply.json["active"], false);
        }
        assert_eq!(sam.get("Slot").await.status, 401);
        assert!(!bea.is_signed_in().await);
        Browser::new(&app).try_sign_in("bea", crate::pages::browser::PASSWORD).await.is(422);
        // Let in again, they sign in anew: what was allowed before stays ended.
        let on = json!([{ "op": "replace", "value": { "active": true } }]);
        for id in ["sam", &stored.id] {
            assert_eq!(source.patch(&format!("Users/{id}"), &on).await.is(200).json["active"], true);
        }
        assert_eq!(sam.get("Slot").await.status, 401);
        assert!(!bea.is_signed_in().await);
        bea.sign_in("bea").await;
        assert!(bea.is_signed_in().await);
    }

    async fn a_deleted_user_is_gone_and_its_name_free(app: TestApp) {
        let source = Source::new(&app).await;
        let person = Person { account: "sam", roles: &["scheduler"], scope: "user/*.cruds", ..Person::default() };
        let sam = app.person(person).await;
        sam.get("Slot").await.is(200);
        let username = source.get("Users/sam").await.is(200).text("/userName").to_owned();
        assert_eq!(source.delete("Users/sam").await.status, 204);
        assert_eq!(sam.get("Slot").await.status, 401);
        refused(&source.get("Users/sam").await, 404, None);
        refused(&source.delete("Users/sam").await, 404, None);
        refused(&source.patch("Users/sam", &json!([{ "op": "replace", "path": "active", "value": true }])).await, 404, None);
        let filter = format!("Users?filter=userName%20eq%20%22{username}%22");
        assert_eq!(source.get(&filter).await.is(200).json["totalResults"], 0);
        let again = source.user(&username).await;
        assert_ne!(id(&again), "sam");
        assert!(source.groups_of(&again).await.is_empty());
        assert_eq!(sam.get("Slot").await.status, 401);
        let (_, roles) = accounts::get(app.library(), "sam").await.unwrap();
        assert!(roles.is_empty());
    }

    async fn administrators_are_not_a_sources_to_change(app: TestApp) {
        let source = Source::new(&app).await;
        let ada = account(&app, "ada", &[Role::Administrator], None).await;
        let path = format!("Users/{ada}");
        let rename = json!([{ "op": "replace", "path": "externalId", "value": "stolen" }]);
        refused(&source.patch(&path, &rename).await, 403, None);
        let off = json!([{ "op": "replace", "path": "active", "value": false }]);
        source.patch(&path, &off).await.is(200);
        let on = json!([{ "op": "replace", "path": "active", "value": true }]);
        refused(&source.patch(&path, &on).await, 403, None);
    }

    async fn whom_an_administrator_keeps_out_stays_out(app: TestApp) {
        let source = Source::new(&app).await;
        let path = source.user("ann").await;
        accounts::disable(app.library(), id(&path)).await.unwrap();
        let on = json!([{ "op": "replace", "path": "active", "value": true }]);
        refused(&source.patch(&path, &on).await, 400, Some("mutability"));
        assert_eq!(source.get(&path).await.is(200).json["active"], false);
    }
}
