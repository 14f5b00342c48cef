//! `benches/run`: this server against a bare handler and against bare SQL, as ratios of one run.

// What goes wrong here should end the run and say where.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

// The test harness brings more than a benchmark needs.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../../tests/it/support/mod.rs"]
mod support;

mod access;
mod bare;
mod catchup;
mod cost;
mod data;
mod events;
mod hook;
mod log;
mod paths;
mod sandbox;
mod scale;
mod sql;
mod table;
mod users;
mod wrk;

use std::time::Duration;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long one measurement lasts.
fn seconds_each() -> u64 {
    std::env::var("SECONDS_EACH").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// How many events the audit log is filled with.
fn log_events() -> u64 {
    std::env::var("LOG_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

/// How many events a receiver missed that was down for a day.
fn catchup_events() -> usize {
    std::env::var("EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

fn main() {
    // Cargo adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, body] = arguments.as_slice()
        && first == "bare"
    {
        return support::block_on(bare::serve(body));
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    support::block_on(async {
        if wanted("paths") {
            paths::measure().await;
        }
        if wanted("access") {
            access::measure().await;
        }
        if wanted("cost") {
            cost::measure().await;
        }
        if wanted("events") {
            events::measure().await;
        }
        if wanted("catchup") {
            catchup::measure().await;
        }
        if wanted("log") {
            log::measure(log_events()).await;
        }
        if wanted("scale") {
            scale::measure().await;
        }
        if wanted("users") {
            users::measure(10_000, Duration::from_secs(10)).await;
        }
    });
}
