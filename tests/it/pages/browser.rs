//! As much of a browser as pages need: cookies, forms, and no redirect that a test does not see.

use crate::support::TestApp;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use secrecy::SecretString;
use serde_json::Value;
use slotwright::app::account::{self, NewAccount};
use slotwright::auth::principal::{Role, RoleGrant};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The password of every account that tests make.
pub const PASSWORD: &str = "quiet harbor lantern";

/// One browser of one person.
pub struct Browser {
    http: reqwest::Client,
    root: String,
    /// What it keeps; tests look inside and tamper.
    pub cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: HeaderMap,
    pub html: String,
}

impl Browser {
    /// A fresh one.
    pub fn new(app: &TestApp) -> Self {
        Self::at(app, "127.0.0.1")
    }

    /// A fresh one on a machine with this loopback address.
    pub fn at(app: &TestApp, address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .local_address(address)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { http, root: app.root().to_owned(), cookies: BTreeMap::new(), headers: vec![] }
    }

    /// Sends a request, its body as JSON when it looks like that, and otherwise as a form.
    pub async fn send(&mut self, method: Method, path: &str, body: Option<String>) -> Page {
        let mut request = self.http.request(method, format!("{}{path}", self.root));
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            let json = body.starts_with('{') || body.starts_with('[');
            let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            request = request.header(CONTENT_TYPE, kind).body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            let set = set.to_str().expect("text");
            assert!(
                set.contains("; Path=/; HttpOnly; SameSite=Lax") || set.contains("; HttpOnly; SameSite=Lax")
            );
            let (name, rest) = set.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { status, headers, html: response.text().await.expect("text") }
    }

    /// Loads a page.
    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, None).await
    }

    /// Sends a form as it is.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends JSON; the status and what came back.
    pub async fn json(&mut self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let page = self.send(method, path, Some(body.to_string())).await;
        (page.status, serde_json::from_str(&page.html).unwrap_or_default())
    }

    /// Loads `page` and sends the form that goes to `action` with the page's hidden fields and these.
    pub async fn fill(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let loaded = self.get(page).await.is(200);
        let hidden = loaded.hidden(action);
        let hidden: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(action, &[&hidden[..], fields].concat()).await
    }

    /// Tries to sign in.
    pub async fn try_sign_in(&mut self, username: &str, password: &str) -> Page {
        self.fill("/sign-in", "/sign-in", &[("username", username), ("password", password)]).await
    }

    /// Signs in and insists on it.
    pub async fn sign_in(&mut self, username: &str) {
        let page = self.try_sign_in(username, PASSWORD).await.is(303);
        assert_eq!(page.location(), "/account");
    }

    /// Whether `/account` shows somebody signed in.
    pub async fn is_signed_in(&mut self) -> bool {
        self.get("/account").await.status == 200
    }
}

impl Page {
    /// Insists on a status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.html);
        self
    }

    /// Where it leads.
    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// A header, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The hidden fields of the form that goes to `action`.
    pub fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let start = self.html.find(&format!("action=\"{action}\"")).unwrap_or_else(|| {
            panic!("no form goes to {action}: {}", self.html);
        });
        let form = self.html[start..].split("</form>").next().unwrap_or_default();
        let inputs = form.split("<input type=\"hidden\"").skip(1);
        inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
    }

    /// Values of all checkboxes named `name`.
    pub fn boxes(&self, name: &str) -> Vec<String> {
        let boxes = self.html.split("<input type=\"checkbox\"").skip(1);
        boxes
            .filter(|input| attribute(input, "name") == name)
            .map(|input| attribute(input, "value"))
            .collect()
    }

    /// Whether a text is on the page.
    pub fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let tag = tag.split('>').next().unwrap_or_default();
    let value = tag.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    let value = value.unwrap_or_default();
    value
        .replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#60;", "<")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
}

/// Makes an account with [`PASSWORD`]; its id.
pub async fn account(app: &TestApp, username: &str, roles: &[Role], fhir_user: Option<&str>) -> String {
    let new = NewAccount {
        username: username.to_owned(),
        name: format!("Test {username}"),
        password: Some(SecretString::from(PASSWORD)),
        fhir_user: fhir_user.map(str::to_owned),
        locale: None,
        roles: roles.iter().map(|role| RoleGrant { role: *role, organization: None }).collect(),
    };
    account::create(app.library(), new, "a test").await.expect("an account").id
}
