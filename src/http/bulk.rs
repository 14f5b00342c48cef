//! Exports in bulk: how they go, cancelling them, and fetching their files (FHIR Bulk Data Access IG 2.0).

use super::edge::Label;
use super::{RouteInfo, Shared, bearer, present};
use crate::app::audit::actor;
use crate::app::bearer::Bearer;
use crate::app::bulk::{self, Content, Status};
use crate::fhir::outcome::Error;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{CONTENT_TYPE, EXPIRES, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use std::io;

const PROGRESS: HeaderName = HeaderName::from_static("x-progress");
const NDJSON: HeaderValue = HeaderValue::from_static("application/fhir+ndjson");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Seconds after which a client may ask again.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// Every route of exports that have begun.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET", "HEAD", "DELETE"],
        path: "/fhir/bulk-export/{id}",
        is_fhir: false,
        summary: "How an export goes; cancel it",
        handler: || get(status).delete(cancel),
    },
    RouteInfo {
        methods: &["GET", "HEAD"],
        path: "/fhir/bulk-export/{id}/{file}",
        is_fhir: false,
        summary: "A file of an export",
        handler: || get(file),
    },
];

/// Whoever makes a request, as of now.
async fn somebody(http: &Shared, parts: &Parts) -> Result<Bearer, Error> {
    let mut bearer = bearer::bearer(http, parts).await?;
    if !bearer.is_current(&http.app).await? {
        bearer = bearer::bearer(http, parts).await?;
    }
    let principal = bearer.access.principal();
    http.app.caller.is(actor(principal, &http.base_of(&parts.headers)));
    http.limits.acts(principal)?;
    Ok(bearer)
}

fn labelled(answer: Result<Response, Error>) -> Response {
    let mut response = answer.unwrap_or_else(|error| present::refusal(&error));
    response.extensions_mut().insert(Label("export"));
    response
}

/// `GET /fhir/bulk-export/{id}`
async fn status(State(http): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let http = http.during(&parts.extensions);
    let told = async {
        let bearer = somebody(&http, &parts).await?;
        bulk::status(&http.app, &bearer.access, &http.base_of(&parts.headers), &id).await
    };
    labelled(told.await.map(|status| {
        let mut response = Response::new(Body::empty());
        match status {
            Status::Planning(progress) => {
                *response.status_mut() = StatusCode::ACCEPTED;
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, AGAIN);
                headers.extend(HeaderValue::from_str(&progress).ok().map(|value| (PROGRESS, value)));
            }
            Status::Ready { manifest, expires } => {
                *response.body_mut() = Body::from(manifest.to_string());
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, JSON);
                headers.extend(present::http_date(expires).map(|date| (EXPIRES, date)));
            }
        }
        response
    }))
}

/// `DELETE /fhir/bulk-export/{id}`
async fn cancel(State(http): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let http = http.during(&parts.extensions);
    let done = async {
        let bearer = somebody(&http, &parts).await?;
        bulk::cancel(&http.app, &bearer.access, &id).await
    };
    labelled(done.await.map(|()| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        response
    }))
}

/// `GET /fhir/bulk-export/{id}/{file}`
async fn file(
    State(http): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let http = http.during(&parts.extensions);
    let opened = async {
        let bearer = somebody(&http, &parts).await?;
        let content = bulk::open(&http.app, &bearer.access, &id, &name).await?;
        Ok((content, bearer))
    };
    labelled(opened.await.map(|(content, bearer)| {
        let (body, kind) = match content {
            Content::Text(text, true) => (Body::from(text), NDJSON),
            Content::Text(text, false) => (Body::from(text), TEXT),
            Content::Lines(lines) => (streamed(http, parts, bearer, lines), NDJSON),
        };
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }))
}

/// The lines, each piece as far as the bearer may see it when it is sent. When they may not any more, or the database
/// fails, the answer breaks off, which a client can tell from its end.
fn streamed(http: Shared, parts: Parts, bearer: Bearer, lines: Box<bulk::Lines>) -> Body {
    let stream = futures_util::stream::try_unfold((http, parts, bearer, lines), |state| async {
        let (http, parts, mut bearer, mut lines) = state;
        let next = async {
            if !bearer.is_current(&http.app).await? {
                bearer = bearer::bearer(&http, &parts).await?;
            }
            lines.next(&bearer.access).await
        };
        match next.await {
            Ok(some) => Ok(some.map(|piece| (piece, (http, parts, bearer, lines)))),
            Err(error) => {
                tracing::warn!(%error, "an export broke off");
                Err(io::Error::other("the export broke off"))
            }
        }
    });
    Body::from_stream(stream)
}
