//! Ports for servers that get to them only later.

use std::fs;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The lowest port that is given.
const LOWEST: u16 = 10_000;

/// A port of 127.0.0.1 at which nobody is, given to no other test of this process.
///
/// It is none of those that the system gives to clients, and to whoever listens on any: what was free when asked would
/// be somebody's when the server gets to it.
///
/// # Panics
///
/// When none is free.
pub fn free_port() -> u16 {
    static PORTS: LazyLock<Range<u16>> = LazyLock::new(|| LOWEST..lowest_of_the_system());
    // Two processes begin at different places.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(std::process::id() as u16));
    let count = PORTS.end - PORTS.start;
    (0..count)
        .map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % count)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// The first of the ports that the system gives by itself; on a system that doesn't say, the first that may be.
fn lowest_of_the_system() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let lowest = range.split_whitespace().next().and_then(|low| low.parse().ok());
    lowest.filter(|low| *low > LOWEST).unwrap_or(32_768)
}
