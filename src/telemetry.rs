//! Tracing, metrics and redaction.
//!
//! What identifies a person never reaches a log line or a label: no query string, no body, no `Authorization`,
//! no cookie. Paths are logged (ids are opaque), and labels come from closed sets.

use crate::config::{Log, LogFormat};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const REQUESTS: &str = "http_requests_total";
const LATENCY: &str = "http_request_duration_seconds";
const IN_FLIGHT: &str = "http_requests_in_flight";
const EMERGENCIES: &str = "emergencies_declared_total";
const CONFLICTS: &str = "booking_conflicts_total";

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts logging to standard error and recording metrics, once for the process.
///
/// # Errors
/// When the filter of `log` can't be understood, or logging was already started.
pub fn start(log: &Log) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(&log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_target(false).try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).try_init()?,
    }
    // The payload of a panic may quote data, so only its place is logged.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    record_metrics();
    Ok(())
}

/// Starts recording metrics unless that was done; they are read by [`rendered_metrics`].
pub fn record_metrics() {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let recorder =
            builder.set_buckets(BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        // Another recorder can only have been set by a program that embeds this library; it then keeps its own.
        if metrics::set_global_recorder(recorder).is_ok() {
            describe_counter!(REQUESTS, "Requests answered, by method, interaction and status");
            describe_histogram!(LATENCY, "Seconds from the head of a request to the head of its answer");
            describe_gauge!(IN_FLIGHT, "Requests being worked on");
            describe_counter!(EMERGENCIES, "Emergencies that clinicians declared");
            describe_counter!(CONFLICTS, "Bookings refused because the time is taken");
        }
        handle
    });
}

/// Every metric in the Prometheus text format.
pub fn rendered_metrics() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Empties the buffers of the histograms; call it every few seconds.
pub fn upkeep() {
    if let Some(handle) = METRICS.get() {
        handle.run_upkeep();
    }
}

/// Counts a request among those in flight until it is dropped.
#[derive(Debug)]
pub struct InFlight;

impl InFlight {
    /// A request begins.
    pub fn begin() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

/// Counts an answered request.
pub fn answered(method: &'static str, interaction: &'static str, status: u16, latency: Duration) {
    counter!(REQUESTS, "method" => method, "interaction" => interaction, "status" => status.to_string())
        .increment(1);
    histogram!(LATENCY, "method" => method, "interaction" => interaction).record(latency.as_secs_f64());
}

/// Counts an emergency that was declared.
pub fn emergency_declared() {
    counter!(EMERGENCIES).increment(1);
}

/// Counts a booking that was refused because its time is taken.
pub fn booking_conflict() {
    counter!(CONFLICTS).increment(1);
}
