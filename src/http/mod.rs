//! The edge: routes, content negotiation, limits, the error table as HTTP, pages.
//!
//! A request passes `edge` (id, span, deadline), reaches the handler of its route, and comes back as an
//! answer or an OperationOutcome, never as nothing.

mod admin;
mod bearer;
mod body;
mod bulk;
mod cors;
mod edge;
mod endpoint;
mod headers;
mod limit;
mod negotiate;
mod oauth;
mod pages;
mod peer;
mod prefer;
mod present;
mod refusals;
mod scim;
mod server;
mod stream;
mod subscriptions;
pub mod tls;
mod trace;

pub use server::{bind, bind_loopback, interrupted, serve};
pub use trace::{Trace, trace};

use crate::app::App;
use crate::clock::Micros;
use crate::fhir::openapi::Page;
use crate::fhir::outcome::{Error, Kind};
use axum::Router;
use axum::response::Response;
use axum::routing::{MethodRouter, any, get};
use limit::Limits;
use std::sync::Arc;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Answers shorter than this are not worth compressing.
const COMPRESS_ABOVE: u64 = 1024;

/// Events would wait until enough of them fill a block.
const NOT_EVENTS: NotForContentType = NotForContentType::const_new("text/event-stream");

/// What handlers share.
pub(crate) struct Http {
    app: App,
    limits: Arc<Limits>,
    /// Since when the settings are in use.
    since: Micros,
}

type Shared = Arc<Http>;

impl Http {
    /// Whether pages of `origin` are those of a registered app.
    async fn is_registered(&self, origin: String) -> bool {
        self.app.origins.is_registered(&self.app.store, &origin).await
    }

    /// The FHIR base that links start with: configured, or where a request on this machine was sent to.
    fn base(&self, host: Option<&str>) -> String {
        let server = &self.app.config.server;
        let scheme = if self.app.config.tls.files().is_some() { "https" } else { "http" };
        match (&server.public_base_url, host) {
            (Some(url), _) => format!("{url}/fhir"),
            // Another name would let a page elsewhere choose what our links say.
            (None, Some(host)) if is_loopback_name(host) => format!("{scheme}://{host}/fhir"),
            _ => format!("{scheme}://{}/fhir", server.listen),
        }
    }
}

impl Http {
    /// Whether browsers reach this server by https.
    fn is_https(&self) -> bool {
        let config = &self.app.config;
        let public = config.server.public_base_url.as_deref().unwrap_or_default();
        config.tls.is_https() || public.starts_with("https://")
    }
}

/// Whether a `Host` header names this machine.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A route of this server.
#[derive(Clone, Copy, Debug)]
pub struct RouteInfo {
    /// Methods that it answers; every method for the FHIR endpoint, whose interactions decide.
    pub methods: &'static [&'static str],
    /// Path in axum's notation.
    pub path: &'static str,
    /// Whether it serves FHIR interactions.
    pub is_fhir: bool,
    /// What it is for.
    pub summary: &'static str,
    handler: fn() -> MethodRouter<Shared>,
}

/// Every route: the router is made from this table.
pub fn routes() -> Vec<RouteInfo> {
    const READ: &[&str] = &["GET", "HEAD"];
    const FHIR: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    const fn page(
        path: &'static str,
        summary: &'static str,
        handler: fn() -> MethodRouter<Shared>,
    ) -> RouteInfo {
        RouteInfo { methods: READ, path, is_fhir: false, summary, handler }
    }
    const fn fhir(path: &'static str, summary: &'static str) -> RouteInfo {
        RouteInfo { methods: FHIR, path, is_fhir: true, summary, handler: || any(endpoint::fhir) }
    }
    const ROUTES: &[RouteInfo] = &[
        page("/", "What this server is", || get(pages::index)),
        page("/openapi", "The API, operation by operation", || get(pages::openapi)),
        page("/openapi.json", "The API as OpenAPI 3.1", || get(pages::openapi_json)),
        page("/livez", "The process answers", || get(pages::livez)),
        page("/readyz", "The database answers too", || get(pages::readyz)),
        fhir("/fhir", "Bundles, system search"),
        fhir("/fhir/", "Bundles, system search"),
        fhir("/fhir/{*path}", "Every other FHIR interaction"),
    ];
    [
        ROUTES,
        pages::ROUTES,
        pages::console::ROUTES,
        oauth::ROUTES,
        &admin::routes(),
        scim::ROUTES,
        bulk::ROUTES,
        subscriptions::ROUTES,
    ]
    .concat()
}

/// The OpenAPI description of every route.
pub fn openapi() -> serde_json::Value {
    let routes = routes().into_iter().filter(|route| !route.is_fhir);
    let pages: Vec<Page> =
        routes.map(|RouteInfo { path, methods, summary, .. }| Page { path, methods, summary }).collect();
    crate::fhir::openapi::document(&pages)
}

/// The whole server as a service.
pub fn router(app: App) -> Router {
    assemble(app).0
}

/// The same, and the limits that it keeps to, whose memory must be tidied from time to time.
fn assemble(app: App) -> (Router, Arc<Limits>) {
    let compression = app.config.server.compression;
    let limits = Arc::new(Limits::new(&app.config.limits, &app.clock));
    let since = app.clock.now();
    let http: Shared = Arc::new(Http { app, limits: Arc::clone(&limits), since });
    let mut router = Router::new();
    for route in routes() {
        router = router.route(route.path, (route.handler)());
    }
    let mut router = router.fallback(no_route).method_not_allowed_fallback(no_method);
    if compression {
        // Better levels cost far more time than they save bytes.
        let layer = CompressionLayer::new().quality(CompressionLevel::Precise(4));
        router = router.layer(layer.compress_when(SizeAbove::new(COMPRESS_ABOVE).and(NOT_EVENTS)));
    }
    let carry = axum::middleware::from_fn_with_state(Arc::clone(&http), edge::carry);
    (router.layer(carry).with_state(http), limits)
}

async fn no_route() -> Response {
    present::refusal(&Error::new(Kind::NotFound, "There is nothing here; the FHIR endpoint is /fhir"))
}

async fn no_method() -> Response {
    present::refusal(&Error::new(Kind::MethodNotAllowed, "This page is read by GET"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_in_the_repository_is_this_one() {
        let kept: serde_json::Value =
            serde_json::from_str(include_str!("../../openapi/slotwright.json")).expect("JSON");
        assert!(kept == openapi(), "out of date; run: cargo run -- openapi");
    }

    #[test]
    fn every_route_is_described() {
        let description = openapi();
        for route in routes().iter().filter(|route| !route.is_fhir) {
            for method in route.methods.iter().filter(|method| **method != "HEAD") {
                let described = &description["paths"][route.path][method.to_lowercase()];
                assert!(described.is_object(), "{method} {}", route.path);
            }
        }
    }

    #[test]
    fn only_names_of_this_machine_are_echoed_in_links() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "127.8.0.1", "[::1]:8080", "[::1]"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in ["evil.example", "evil.example:80", "localhost.evil.example", "10.0.0.1:80", "", ":80"] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }
}
