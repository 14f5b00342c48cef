//! One fetch: bounded in time and size, following nobody, carrying nothing but what the caller gives.

use super::fresh::lifetime;
use super::target::{Guard, Listed, Lookup, Refused, judge};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Response, redirect};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Longest time from the question to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer.
const LARGEST: usize = 64 * 1024;

/// Why a document could not be had. For the log: what a client is told must not say which of these it was,
/// or it could map our network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that is fetched.
    #[error("the URL is not fetched: {0}")]
    Refused(#[from] Refused),
    /// No connection, no answer in time, or an answer that broke off.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// An answer other than 200; redirects are not followed.
    #[error("the answer was {0}")]
    Status(u16),
    /// More than 64 kB.
    #[error("the answer is larger than 64 kB")]
    TooLarge,
    /// Not a JSON object.
    #[error("the answer is not a JSON object")]
    NotJson,
}

/// A document and how long it may be used.
#[derive(Debug)]
pub struct Fetched {
    /// The JSON object.
    pub document: Value,
    /// How long it may be used without asking again; zero: this once.
    pub lifetime: Duration,
}

/// Fetches JSON objects.
pub struct Fetcher {
    listed: Arc<Listed>,
    lookup: Lookup,
    /// Roots beside the system's.
    roots: Vec<Certificate>,
    // Made when first used: reading the system's roots takes a while, and most servers fetch nothing.
    client: OnceLock<Result<Client, String>>,
}

impl Fetcher {
    /// A fetcher that finds addresses by `lookup` and trusts `roots` beside the system's.
    pub fn new(listed: Listed, lookup: Lookup, roots: Vec<Certificate>) -> Self {
        Self { listed: Arc::new(listed), lookup, roots, client: OnceLock::new() }
    }

    /// Whether the text of `url` allows a fetch.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn judge(&self, url: &str) -> Result<(), Refused> {
        judge(url, &self.listed).map(|_| ())
    }

    /// The JSON object at `url`.
    ///
    /// # Errors
    /// When it is not fetched, does not answer in time, or answers something else.
    pub async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        let url = judge(url, &self.listed)?;
        let client = self.client.get_or_init(|| self.make_client());
        let client = client.as_ref().map_err(|reason| FetchError::Unreachable(reason.clone()))?;
        let answer = client.get(url).send().await.map_err(unreachable)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let lifetime = lifetime(answer.headers());
        let bytes = read(answer).await?;
        let document: Value = serde_json::from_slice(&bytes).map_err(|_| FetchError::NotJson)?;
        if document.is_object() { Ok(Fetched { document, lifetime }) } else { Err(FetchError::NotJson) }
    }

    /// Asks as `request` says and hands over whatever comes back, unread. Redirects are not followed.
    ///
    /// # Errors
    /// When it is not asked, does not answer in time, or says too much.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, FetchError> {
        let (parts, body) = request.into_parts();
        let url = judge(&parts.uri.to_string(), &self.listed)?;
        let client = self.client.get_or_init(|| self.make_client());
        let client = client.as_ref().map_err(|reason| FetchError::Unreachable(reason.clone()))?;
        let asked = client.request(parts.method, url).headers(parts.headers).body(body);
        let answer = asked.send().await.map_err(unreachable)?;
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = answer.status();
        if let Some(kind) = answer.headers().get(CONTENT_TYPE) {
            response.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        *response.body_mut() = read(answer).await?;
        Ok(response)
    }

    fn make_client(&self) -> Result<Client, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let made = Client::builder()
            .user_agent(concat!("slotwright/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .dns_resolver(Guard { listed: Arc::clone(&self.listed), lookup: Arc::clone(&self.lookup) })
            .tls_certs_merge(self.roots.iter().cloned())
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .retry(reqwest::retry::never())
            // Each connection asks the resolver again.
            .pool_max_idle_per_host(0)
            .timeout(TIMEOUT)
            .build();
        made.map_err(|error| chain(&error))
    }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, FetchError> {
    if answer.content_length().is_some_and(|length| length > LARGEST as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + part.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn unreachable(error: reqwest::Error) -> FetchError {
    FetchError::Unreachable(chain(&error.without_url()))
}

/// An error with its causes, which reqwest leaves out of its message.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
