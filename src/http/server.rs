//! Sockets: listening, HTTP/1.1 settings, graceful shutdown, the metrics port.

use super::stream::Wrap;
use crate::app::App;
use crate::telemetry;
use axum::Router;
use axum::routing::get;
use axum_server::{Handle, Server};
use http::header::CONTENT_TYPE;
use hyper_util::rt::TokioTimer;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// The longest request head, in bytes; also the size of a connection's buffers.
const LONGEST_HEAD: usize = 128 * 1024;
/// How often the buffers of the metrics are emptied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Listens on `address`, which must be a loopback address: there is no access control yet.
///
/// # Errors
/// When the address is not loopback, or taken.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let message = format!("{address} is not a loopback address, and this version has no access control");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("can't listen on {address}: {error}")))
}

/// Serves `app` on `listener` until `shutdown`; then finishes what is in flight and closes the store.
///
/// # Errors
/// When the metrics port can't be opened or the listener fails.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let config = app.config.clone();
    telemetry::record_metrics();
    let metrics = match config.server.metrics_listen {
        Some(address) => Some(tokio::spawn(serve_metrics(bind(address).await?))),
        None => None,
    };
    let upkeep = tokio::spawn(async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            telemetry::upkeep();
        }
    });
    let handle = Handle::new();
    let stopping = tokio::spawn({
        let (handle, drain) = (handle.clone(), config.server.drain);
        async move {
            shutdown.await;
            tracing::info!("shutting down: finishing what is in flight");
            handle.graceful_shutdown(Some(drain));
        }
    });
    let wrap = Wrap { clock: app.clock.clone(), write_timeout: config.server.request_timeout };
    let mut server = Server::<SocketAddr>::from_listener(listener).acceptor(wrap).http1_only().handle(handle);
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.server.header_timeout)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(true);
    let served = server.serve(super::router(app.clone()).into_make_service()).await;
    stopping.abort();
    upkeep.abort();
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    app.store.close().await;
    served
}

/// `GET /metrics` on a port of its own, so that it is never exposed with the endpoint.
async fn serve_metrics(listener: TcpListener) -> io::Result<()> {
    let text = || async {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::rendered_metrics())
    };
    axum::serve(listener, Router::new().route("/metrics", get(text))).await
}

/// Returns on SIGTERM or SIGINT (Ctrl-C).
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without the handler the default action still ends the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
