//! Groups: roles in organisations.

use super::{GROUP, Source, id, refused};
use crate::pages::browser::account;
use crate::support::auth::Person;
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use slotwright::app::account as accounts;
use slotwright::auth::principal::{Role, RoleGrant};

both_engines! {
    async fn a_member_has_the_role_from_the_next_request_on(app: TestApp) {
        let source = Source::new(&app).await;
        let person = Person { account: "sam", roles: &[], scope: "user/*.cruds", ..Person::default() };
        let sam = app.person(person).await;
        assert_eq!(sam.get("Slot").await.status, 403);
        let group = source.group("scheduler", &["sam"]).await;
        sam.get("Slot").await.is(200);
        assert_eq!(source.groups_of("Users/sam").await, ["scheduler"]);
        let (_, roles) = accounts::get(app.library(), "sam").await.unwrap();
        assert_eq!(roles[0].granted_by, "scim:entra");
        source.patch(&group, &json!([{ "op": "Remove", "path": "members", "value": [{ "value": "sam" }] }])).await.is(200);
        assert_eq!(sam.get("Slot").await.status, 403);
        source.patch(&group, &json!([{ "op": "Add", "path": "members", "value": [{ "value": "sam" }] }])).await.is(200);
        sam.get("Slot").await.is(200);
        assert_eq!(source.delete(&group).await.status, 204);
        assert_eq!(sam.get("Slot").await.status, 403);
        refused(&source.get(&group).await, 404, None);
    }

    async fn a_group_is_a_known_role_in_a_known_organisation(app: TestApp) {
        let source = Source::new(&app).await;
        app.store(&json!({ "resourceType": "Organization", "id": "north", "name": "North" })).await;
        let made = source.group("Scheduler@Organization/north", &[]).await;
        assert_eq!(source.get(&made).await.is(200).text("/displayName"), "scheduler@Organization/north");
        for (name, status, code) in [
            ("scheduler@Organization/north", 409, Some("uniqueness")),
            ("scheduler@Organization/south", 400, Some("invalidValue")),
            ("king", 400, Some("invalidValue")),
            ("system", 400, Some("invalidValue")),
            ("scheduler@", 400, Some("invalidValue")),
            ("administrator", 403, None),
        ] {
            refused(&source.post("Groups", &json!({ "schemas": [GROUP], "displayName": name })).await, status, code);
        }
        let rename = json!([{ "op": "replace", "path": "displayName", "value": "clinician" }]);
        refused(&source.patch(&made, &rename).await, 400, Some("mutability"));
        let same = json!([{ "op": "replace", "value": { "displayName": "scheduler@Organization/north", "id": id(&made) } }]);
        source.patch(&made, &same).await.is(200);
        let nobody = json!([{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }]);
        refused(&source.patch(&made, &nobody).await, 400, Some("invalidValue"));
    }

    async fn a_source_takes_only_what_it_gave(app: TestApp) {
        let (source, other) = (Source::new(&app).await, Source::named(&app, "okta").await);
        let by_hand = account(&app, "bea", &[Role::Scheduler], None).await;
        let ann = source.user("ann").await;
        let group = source.group("scheduler", &[&ann]).await;
        let members = |group: &Value| -> Vec<String> {
            let list = group["members"].as_array().cloned().unwrap_or_default();
            let mut ids: Vec<String> = list.iter().map(|m| m["value"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        };
        let mut both = vec![by_hand.clone(), id(&ann).to_owned()];
        both.sort();
        assert_eq!(members(&source.get(&group).await.json), both);
        // Another source takes nobody out, this one only its own.
        other.patch(&group, &json!([{ "op": "remove", "path": "members" }])).await.is(200);
        assert_eq!(members(&source.get(&group).await.json), both);
        let put = json!({ "schemas": [GROUP], "displayName": "scheduler" });
        let changed = source.put(&group, &put).await.is(200);
        assert_eq!(members(&changed.json), std::slice::from_ref(&by_hand));
        source.delete(&group).await;
        let (_, roles) = accounts::get(app.library(), &by_hand).await.unwrap();
        assert_eq!(roles.len(), 1, "what an administrator gave");
    }

    async fn a_role_given_by_hand_is_seen(app: TestApp) {
        let source = Source::new(&app).await;
        let ann = source.user("ann").await;
        source.group("clinician", &[]).await;
        let before = source.get(&ann).await.header("etag").to_owned();
        let role = RoleGrant { role: Role::Clinician, organization: None };
        accounts::give_role(app.library(), id(&ann), &role, "ada").await.unwrap();
        assert_eq!(source.groups_of(&ann).await, ["clinician"]);
        assert_ne!(source.get(&ann).await.header("etag"), before);
    }
}
