//! Where notifications go (`Subscription.channel`).

use super::{header, words};
use crate::fhir::outcome::Issue;
use serde_json::Value;

/// The most headers of one subscription, and the most bytes of all of them.
const MOST_HEADERS: usize = 20;
const LONGEST_HEADERS: usize = 8 * 1024;
/// The longest endpoint.
const LONGEST_URL: usize = 2048;

/// Where notifications go.
#[derive(Clone, PartialEq, Eq)]
pub enum Channel {
    /// Sent by POST to an endpoint.
    RestHook {
        /// An absolute URL of http or https; whether it may be connected to is not judged here.
        endpoint: String,
        /// Headers to send along, with names in the client's spelling. They may hold secrets.
        headers: Vec<(String, String)>,
    },
    /// Fetched by a WebSocket that the client opens.
    WebSocket,
    /// Fetched as server-sent events.
    ServerSentEvents,
}

impl std::fmt::Debug for Channel {
    /// Without the values of headers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RestHook { endpoint, headers } => {
                let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
                f.debug_struct("RestHook").field("endpoint", endpoint).field("headers", &names).finish()
            }
            Self::WebSocket => f.write_str("WebSocket"),
            Self::ServerSentEvents => f.write_str("ServerSentEvents"),
        }
    }
}

impl Channel {
    /// The code: R4's, or ours.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RestHook { .. } => "rest-hook",
            Self::WebSocket => "websocket",
            Self::ServerSentEvents => words::SERVER_SENT_EVENTS,
        }
    }

    /// Whether this server sends by itself; else clients come and fetch.
    pub fn is_sent(&self) -> bool {
        matches!(self, Self::RestHook { .. })
    }
}

/// Reads the channel.
pub(super) fn read(channel: &Value) -> Result<Channel, Issue> {
    let endpoint = channel.get("endpoint").and_then(Value::as_str);
    let headers = headers(channel)?;
    let kind = kind(channel)?;
    if kind == "rest-hook" {
        let at = "Subscription.channel.endpoint";
        let endpoint =
            endpoint.ok_or_else(|| Issue::error("required", "rest-hook needs an endpoint").at(at))?;
        if !is_web(endpoint) {
            let told = "The endpoint of a rest-hook is an absolute URL of https";
            return Err(Issue::error("value", told).at(at));
        }
        return Ok(Channel::RestHook { endpoint: endpoint.to_owned(), headers });
    }
    if endpoint.is_some() {
        let told = "Notifications of this channel are fetched from this server, so it has no endpoint";
        return Err(Issue::error("business-rule", told).at("Subscription.channel.endpoint"));
    }
    if !headers.is_empty() {
        let told = "Notifications of this channel are not requests, so they have no headers";
        return Err(Issue::error("business-rule", told).at("Subscription.channel.header"));
    }
    Ok(if kind == "websocket" { Channel::WebSocket } else { Channel::ServerSentEvents })
}

/// `channel.type`, or what the extension `backport-channel-type` says in its place.
fn kind(channel: &Value) -> Result<&'static str, Issue> {
    let at = "Subscription.channel.type";
    let offered = "rest-hook, websocket and server-sent-events are";
    let code = channel.get("type").and_then(Value::as_str);
    let beside = channel.get("_type").unwrap_or(&Value::Null);
    let mut kind = None;
    for extension in words::extensions(beside, "backport-channel-type") {
        let coding = extension.get("valueCoding").unwrap_or(&Value::Null);
        let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
        let known = match (text("system"), text("code")) {
            (words::OUR_CHANNEL_TYPE, words::SERVER_SENT_EVENTS) => Some(words::SERVER_SENT_EVENTS),
            (words::CHANNEL_TYPE, said) if code.is_none_or(|code| code == said) => of_r4(said),
            _ => None,
        };
        let Some(known) = known.filter(|known| kind.is_none_or(|kind| kind == *known)) else {
            let told = format!("{:.80?} is not a channel of this server; {offered}", text("code"));
            return Err(Issue::error("not-supported", told).at(at));
        };
        kind = Some(known);
    }
    kind.or_else(|| code.and_then(of_r4)).ok_or_else(|| {
        let told = format!("{:.80?} is not a channel of this server; {offered}", code.unwrap_or_default());
        Issue::error("not-supported", told).at(at)
    })
}

fn of_r4(code: &str) -> Option<&'static str> {
    ["rest-hook", "websocket"].into_iter().find(|known| *known == code)
}

/// Whether a text has the form of an absolute URL that HTTP requests can be sent to.
fn is_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let printable = url.bytes().all(|byte| byte.is_ascii_graphic());
    url.len() <= LONGEST_URL
        && printable
        && rest.is_some_and(|rest| !rest.starts_with(['/', '?', '#']) && !rest.is_empty())
}

fn headers(channel: &Value) -> Result<Vec<(String, String)>, Issue> {
    let said: Vec<&Value> = channel.get("header").and_then(Value::as_array).into_iter().flatten().collect();
    let bytes: usize = said.iter().filter_map(|header| header.as_str()).map(str::len).sum();
    if said.len() > MOST_HEADERS || bytes > LONGEST_HEADERS {
        let told = format!("There may be {MOST_HEADERS} headers with {LONGEST_HEADERS} bytes in all");
        return Err(Issue::error("too-long", told).at("Subscription.channel.header"));
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for (index, header) in said.into_iter().enumerate() {
        let at = format!("Subscription.channel.header[{index}]");
        // What was sent may be a secret, so it is not repeated.
        let (name, value) = header::read(header.as_str().unwrap_or_default())
            .map_err(|bad| Issue::error("value", format!("This header is refused: {bad}")).at(at.clone()))?;
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return Err(Issue::error("duplicate", format!("The header {name} is given twice")).at(at));
        }
        headers.push((name, value));
    }
    Ok(headers)
}
