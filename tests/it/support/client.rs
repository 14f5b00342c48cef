//! A thin FHIR client: what a request said and what came back, nothing hidden.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// Talks to one server. Cheap to clone, so that each task of a race has its own.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A client of the FHIR endpoint at `base`, such as `http://127.0.0.1:8080/fhir`.
    pub fn new(base: impl Into<String>) -> Self {
        let http = reqwest::Client::builder().no_gzip().no_proxy().build().expect("a client");
        Self { http, base: base.into(), token: None }
    }

    /// The same, sending an access token with every request.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The same over an HTTP client of the test's own, such as one that trusts a root of its own.
    #[must_use]
    pub fn through(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    /// The value of the `Authorization` header that is sent, for requests made by hand.
    pub fn authorization(&self) -> String {
        self.token.as_ref().map(|token| format!("Bearer {token}")).unwrap_or_default()
    }

    /// The FHIR endpoint, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The server's root, where `/livez` and the pages are.
    pub fn root(&self) -> &str {
        self.base.trim_end_matches("/fhir")
    }

    /// A request under the FHIR base (an absolute URL is taken as it is), to be completed and [`sent`](Request::send).
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else if path.is_empty() {
            self.base.clone()
        } else {
            format!("{}/{}", self.base, path.trim_start_matches('/'))
        };
        let builder = self.http.request(method, url);
        Request {
            builder: match &self.token {
                Some(token) => builder.bearer_auth(token),
                None => builder,
            },
        }
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    /// `POST path` with a resource; the empty path posts a Bundle.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::POST, path).json(body).send().await
    }

    /// `PUT path` with a resource.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// `PATCH path` with a JSON Patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        let patch = body.to_string().into_bytes();
        self.request(Method::PATCH, path).bytes("application/json-patch+json", patch).send().await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }

    /// Puts a resource at its own `Type/id` and insists that it was taken.
    pub async fn store(&self, resource: &Value) -> Reply {
        let path = format!("{}/{}", text(resource, "/resourceType"), text(resource, "/id"));
        let reply = self.put(&path, resource).await;
        assert!(matches!(reply.status, 200 | 201), "PUT {path}: {reply}");
        reply
    }
}

/// A request under construction.
#[derive(Debug)]
pub struct Request {
    builder: RequestBuilder,
}

impl Request {
    /// Adds a header; `Authorization` takes the place of the token.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("authorization") {
            let headers = [(AUTHORIZATION, value.parse().expect("a header"))];
            return Self { builder: self.builder.headers(headers.into_iter().collect()) };
        }
        Self { builder: self.builder.header(name, value) }
    }

    /// Sets a FHIR JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.bytes("application/fhir+json", body.to_string().into_bytes())
    }

    /// Sets a body as it is.
    #[must_use]
    pub fn bytes(self, content_type: &str, body: Vec<u8>) -> Self {
        Self { builder: self.builder.header(CONTENT_TYPE, content_type).body(body) }
    }

    /// Sends it; panics when no answer comes back.
    pub async fn send(self) -> Reply {
        self.try_send().await.expect("an answer")
    }

    /// Sends it; an error when the connection broke before a whole answer came back.
    pub async fn try_send(self) -> Result<Reply, reqwest::Error> {
        let response = self.builder.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?;
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Reply { status, headers, body: body.to_vec(), json })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
    /// The body as JSON; `null` when it is not JSON.
    pub json: Value,
}

impl Reply {
    /// Insists on a status, showing the answer when it is another.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use)]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The text of one header, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The string at a JSON pointer, empty when absent.
    pub fn text(&self, pointer: &str) -> &str {
        text(&self.json, pointer)
    }

    /// The resource's `id`.
    pub fn id(&self) -> &str {
        self.text("/id")
    }

    /// The resource's `meta.versionId` as a number.
    pub fn version(&self) -> i64 {
        self.text("/meta/versionId").parse().unwrap_or_default()
    }

    /// Every issue's diagnostics, one a line.
    pub fn diagnostics(&self) -> String {
        let issues = self.json.pointer("/issue").and_then(Value::as_array);
        issues.into_iter().flatten().map(|issue| text(issue, "/diagnostics")).collect::<Vec<_>>().join("\n")
    }

    /// The resources of a Bundle, in order, without outcome entries.
    pub fn resources(&self) -> Vec<&Value> {
        let entries = self.json.pointer("/entry").and_then(Value::as_array);
        entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.get("resource"))
            .filter(|resource| text(resource, "/resourceType") != "OperationOutcome")
            .collect()
    }

    /// The ids of a Bundle's resources, in order.
    pub fn ids(&self) -> Vec<&str> {
        self.resources().into_iter().map(|resource| text(resource, "/id")).collect()
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// The string at a JSON pointer, empty when absent.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
