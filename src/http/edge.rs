//! Around every request: its id, its span, its time, and an answer whatever happens.

use super::cors::Cors;
use super::trace::Traced;
use super::{Shared, headers, peer, present};
use crate::fhir::outcome::{Error, Kind};
use crate::telemetry;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{ACCEPT_LANGUAGE, CONNECTION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest `x-request-id` that is taken from a client.
const LONGEST_ID: usize = 64;

/// How long a request whose time is over may take to be put on the record and answered.
const TO_RECORD: Duration = Duration::from_secs(2);

/// What the edge tells a handler about its request.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// `x-request-id`, given or minted.
    pub(super) request_id: Arc<str>,
    /// When the request must be answered.
    pub(super) deadline: Instant,
    /// Whom it comes from.
    pub(super) address: IpAddr,
}

/// The label of an answer in the metrics: an interaction or a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(pub(super) &'static str);

/// Carries a request to its handler and its answer back.
pub(super) async fn carry(State(http): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = http.app.clock.instant();
    let _in_flight = telemetry::InFlight::begin();
    let request_id: Arc<str> = given_id(request.headers()).unwrap_or_else(|| http.app.clock.new_id()).into();
    let method = method_label(request.method());
    let span = tracing::info_span!("request", id = %request_id, method, path = request.uri().path());
    let limit = http.app.config.server.request_timeout;
    let deadline = Instant::from_std(started) + limit;
    let address = peer::address(&request, &http.app.config.server);
    let arrival = Arrival { request_id: Arc::clone(&request_id), deadline, address };
    async move {
        let (asked, path) = (request.method(), request.uri().path());
        let cors = Cors::of(asked, path, request.headers(), |origin| http.is_registered(origin)).await;
        let languages = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let counted = http.limits.arrives(address, request.method(), request.uri().path(), languages);
        let traced = Traced::begin(&http, &request, &request_id, address);
        let mut at_edge = false;
        let mut too_many = false;
        let response = if let Err(refusal) = counted {
            too_many = true;
            *refusal
        } else if let Err(error) = acceptable(&request, http.app.config.server.url_limit.get()) {
            at_edge = true;
            present::refusal(&error)
        } else if let Some(answer) = cors.preflight() {
            answer
        } else {
            request.extensions_mut().insert(arrival);
            if let Some(caller) = traced.caller() {
                request.extensions_mut().insert(caller);
            }
            let work = AssertUnwindSafe(next.run(request)).catch_unwind();
            match tokio::time::timeout_at(deadline + TO_RECORD, work).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => {
                    at_edge = true;
                    present::refusal(&Error::internal("a handler panicked"))
                }
                Err(_) => {
                    at_edge = true;
                    closing(present::refusal(&Error::new(
                        Kind::Unavailable,
                        "The request could not be completed in time; try again",
                    )))
                }
            }
        };
        let mut response = if too_many {
            traced.limited(&http, response).await
        } else {
            traced.end(&http, response, at_edge).await
        };
        let fields = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            fields.insert(REQUEST_ID, id);
        }
        headers::complete(fields, http.app.config.tls.is_https());
        cors.complete(fields);
        let latency = http.app.clock.instant().duration_since(started);
        finish(method, &response, latency);
        response
    }
    .instrument(span)
    .await
}

/// An answer after which the connection is closed, because its request was not read to the end.
pub(super) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses what no handler should see.
fn acceptable(request: &Request, url_limit: usize) -> Result<(), Error> {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if target.len() > url_limit {
        return Err(Error::new(
            Kind::UriTooLong,
            format!(
                "The URL is {} bytes long and the limit is {url_limit}; search by POST _search",
                target.len()
            ),
        ));
    }
    if target.contains('%') {
        well_encoded(target)?;
    }
    Ok(())
}

/// Refuses percent-encoding that is not UTF-8 or hides a NUL, which no database column takes.
pub(super) fn well_encoded(text: &str) -> Result<(), Error> {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(()),
        Ok(_) => Err(Error::bad_request("The URL contains an encoded NUL")),
        Err(_) => Err(Error::bad_request("The URL's percent-encoding is not UTF-8")),
    }
}

fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    fits.then(|| id.to_owned())
}

/// A method as a label; clients can invent methods, but not labels.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Counts an answer and logs it: reads at debug, writes and refusals at info, our own failures at error.
fn finish(method: &'static str, response: &Response, latency: std::time::Duration) {
    let interaction = response.extensions().get::<Label>().map_or("none", |label| label.0);
    let status = response.status().as_u16();
    telemetry::answered(method, interaction, status, latency);
    let latency_us = latency.as_micros() as u64;
    match status {
        500.. => tracing::error!(interaction, status, latency_us, "answered"),
        400.. => tracing::info!(interaction, status, latency_us, "answered"),
        _ if matches!(method, "GET" | "HEAD") => tracing::debug!(interaction, status, latency_us, "answered"),
        _ => tracing::info!(interaction, status, latency_us, "answered"),
    }
}
