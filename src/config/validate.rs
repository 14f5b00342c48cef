//! What the types can't say: rules between and about values, all broken ones named.

use super::Config;
use std::net::SocketAddr;
use std::time::Duration;

/// hyper refuses a longer request target itself.
const LONGEST_URL: usize = 60 * 1024;

/// Both engines refuse a value of a gigabyte, and a page of a search comes as one value.
const LARGEST_PAGE: usize = 900 << 20;

/// Every rule that `config` breaks, each as one line that names the setting.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    server(config, &mut found);
    tls(config, &mut found);
    database(config, &mut found);
    fhir(config, &mut found);
    super::auth::problems(&config.auth, &mut found);
    super::audit::problems(&config.audit, &mut found);
    super::brand::problems(&config.brand, &config.fhir.associated_endpoints, &mut found);
    super::bulk::problems(&config.bulk, &mut found);
    super::events::problems(&config.events, &mut found);
    super::stream::problems(&config.stream, &mut found);
    super::notify::problems(&config.notify, &mut found);
    super::subscriptions::problems(&config.subscriptions, &mut found);
    found
}

fn server(config: &Config, found: &mut Vec<String>) {
    let server = &config.server;
    if let Some(metrics) = server.metrics_listen {
        loopback("server.metrics_listen", metrics, found);
        if metrics == server.listen && metrics.port() != 0 {
            found.push("server.metrics_listen: must differ from server.listen".to_owned());
        }
    }
    if let Some(url) = &server.public_base_url
        && !is_base_url(url)
    {
        found.push(format!(
            "server.public_base_url: \"{url}\" is not an http(s) URL without query, fragment and user"
        ));
    }
    positive("server.request_timeout", server.request_timeout, found);
    positive("server.header_timeout", server.header_timeout, found);
    if server.body_limit.get() < 1024 {
        found.push("server.body_limit: must be at least 1KiB".to_owned());
    }
    if !(256..=LONGEST_URL).contains(&server.url_limit.get()) {
        found.push("server.url_limit: must be between 256 and 60KiB".to_owned());
    }
}

fn database(config: &Config, found: &mut Vec<String>) {
    let database = &config.database;
    if database.engine().is_none() {
        // The value may hold a password, so it is not repeated.
        found.push("database.url: must start with sqlite: or postgres://".to_owned());
    }
    if !(1..=1000).contains(&database.max_connections) {
        found.push("database.max_connections: must be between 1 and 1000".to_owned());
    }
    positive("database.acquire_timeout", database.acquire_timeout, found);
}

fn fhir(config: &Config, found: &mut Vec<String>) {
    let fhir = &config.fhir;
    if fhir.max_bundle_entries == 0 {
        found.push("fhir.max_bundle_entries: must be at least 1".to_owned());
    }
    if !(1..=10_000).contains(&fhir.max_count) {
        found.push("fhir.max_count: must be between 1 and 10000".to_owned());
    }
    if !(1..=fhir.max_count).contains(&fhir.default_count) {
        found.push("fhir.default_count: must be between 1 and fhir.max_count".to_owned());
    }
    let page = fhir.max_count.max(fhir.max_includes).saturating_add(1);
    if page.saturating_mul(fhir.resource_limit.get()) > LARGEST_PAGE {
        found
            .push("fhir.resource_limit: times fhir.max_count or fhir.max_includes exceeds 900MiB".to_owned());
    }
    positive("booking.hold", config.booking.hold, found);
    if config.booking.hold > config.booking.hold_max {
        found.push("booking.hold: must not be longer than booking.hold_max".to_owned());
    }
    positive("idempotency.keep", config.idempotency.keep, found);
    positive("sign_in.idle", config.sign_in.idle, found);
    positive("sign_in.recent", config.sign_in.recent, found);
    if config.sign_in.limit < config.sign_in.idle {
        found.push("sign_in.limit: must not be shorter than sign_in.idle".to_owned());
    }
    if !is_filter(&config.log.level) {
        found.push(format!("log.level: \"{}\" is not a level or filter", config.log.level));
    }
}

/// Metrics are for whoever asks, so only this machine may.
fn loopback(setting: &str, address: SocketAddr, found: &mut Vec<String>) {
    if !address.ip().is_loopback() {
        found.push(format!(
            "{setting}: {address} is not a loopback address; metrics are not protected, so they are only given \
             on 127.0.0.1 or [::1]"
        ));
    }
}

fn tls(config: &Config, found: &mut Vec<String>) {
    let tls = &config.tls;
    if tls.certificate.is_some() != tls.key.is_some() {
        found.push("tls.certificate: is set together with tls.key, or neither is".to_owned());
    }
    if tls.files().is_some() && tls.terminated_upstream {
        found.push(
            "tls.terminated_upstream: says that a proxy ends TLS, and tls.certificate that this server does"
                .to_owned(),
        );
    }
}

fn positive(setting: &str, value: Duration, found: &mut Vec<String>) {
    if value.is_zero() {
        found.push(format!("{setting}: must be longer than zero"));
    }
}

fn is_base_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !url.contains(['@', '#', '"', '\\'])
}

/// A level, or directives that name a target and a level.
fn is_filter(text: &str) -> bool {
    text.parse::<tracing::level_filters::LevelFilter>().is_ok()
        || (text.contains('=') && tracing_subscriber::EnvFilter::try_new(text).is_ok())
}
