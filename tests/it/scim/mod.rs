//! SCIM: accounts and roles kept by a provisioning source. `tests/clients/scim` drives it with a client and a tester
//! that others wrote.

mod groups;
mod lists;
mod shapes;
mod tokens;
mod users;

use crate::support::auth::{signed, system_claims, system_client};
use crate::support::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use slotwright::app::oauth::clients;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const OURS: &str = "urn:slotwright:params:scim:schemas:extension:fhir:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const KIND: &str = "application/scim+json";

/// A provisioning source.
struct Source {
    client: Client,
    base: String,
}

impl Source {
    async fn new(app: &TestApp) -> Self {
        Self::named(app, "entra").await
    }

    async fn named(app: &TestApp, id: &str) -> Self {
        let mut client = system_client(id, "system/Organization.r");
        client.may_provision = true;
        clients::add(app.library(), client, "a test").await.expect("a client");
        let token = signed(&system_claims(app.base(), id, "system/Organization.r"));
        Self { client: app.with_token(&token), base: format!("{}/scim/v2", app.root()) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.client.request(method, &format!("{}/{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.bytes(KIND, body.to_string().into_bytes());
        }
        request.send().await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, &[]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    async fn patch(&self, path: &str, operations: &Value) -> Reply {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.send(Method::PATCH, path, Some(&body), &[]).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Makes a user; its path.
    async fn user(&self, username: &str) -> String {
        let made = self.post("Users", &json!({ "schemas": [USER], "userName": username })).await.is(201);
        format!("Users/{}", made.text("/id"))
    }

    /// Makes a group; its path.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|path| json!({ "value": id(path) })).collect();
        let group = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        let made = self.post("Groups", &group).await.is(201);
        format!("Groups/{}", made.text("/id"))
    }

    /// The names of a user's groups.
    async fn groups_of(&self, user: &str) -> Vec<String> {
        let user = self.get(user).await.is(200);
        let groups = user.json["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().map(|group| group["display"].as_str().expect("a name").to_owned()).collect()
    }
}

/// The id in a path.
fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}

/// Whether an error is told as RFC 7644 §3.12 has it.
fn refused(reply: &Reply, status: u16, code: Option<&str>) {
    assert_eq!(reply.status, status, "{}", reply.json);
    assert_eq!(reply.header("content-type"), KIND);
    assert_eq!(
        reply.json["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
        "{}",
        reply.json
    );
    assert_eq!(reply.json["status"], status.to_string());
    assert_eq!(reply.json["scimType"].as_str(), code, "{}", reply.json);
}
