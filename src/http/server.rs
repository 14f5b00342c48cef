//! Sockets: listening, HTTP/1.1 settings, graceful shutdown, the metrics port.

use super::stream::{Wrap, Wrapped};
use super::tls::Tls;
use crate::app::App;
use crate::config::Config;
use crate::telemetry;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum::routing::get;
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::service::SendService;
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};
use http::Request;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// The longest request head, in bytes; also the size of a connection's buffers.
const LONGEST_HEAD: usize = 128 * 1024;
/// How often the buffers of the metrics are emptied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Listens on `address`.
///
/// # Errors
/// When the address is taken, or is not one of this machine.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("can't listen on {address}: {error}")))
}

/// Listens on `address`, which must be a loopback address: for what anybody who reaches it may use.
///
/// # Errors
/// When the address is not loopback, or taken.
pub async fn bind_loopback(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let message = format!("{address} is not a loopback address, and whoever reaches this may use it");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    bind(address).await
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
        Some(address) => Some(tokio::spawn(serve_metrics(bind_loopback(address).await?))),
        None => None,
    };
    let tls = Tls::start(&config.tls)?;
    let (router, limits) = super::assemble(app.clone());
    let recording = app.clone();
    let upkeep = tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            telemetry::upkeep();
            limits.forget_old();
            for event in limits.refusals.due(recording.clock.instant()) {
                if let Err(error) = recording.note(event).await {
                    tracing::error!(%error, "refused requests could not be put on the record");
                }
            }
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
    let settings = Wrap {
        clock: app.clock.clone(),
        write_timeout: config.server.request_timeout,
        https: config.tls.is_https(),
    };
    let server = Server::<SocketAddr>::from_listener(listener).handle(handle);
    // Answers are written whole, so waiting for more to send only delays them.
    let plain = NoDelayAcceptor::new();
    let served = if let Some(tls) = tls {
        let inner =
            RustlsAcceptor::new(tls.in_use()).handshake_timeout(config.server.header_timeout).acceptor(plain);
        let reload = tokio::spawn(tls.keep_up());
        let served = run(server.acceptor(Wrapped { inner, settings }), router, &config).await;
        reload.abort();
        served
    } else {
        run(server.acceptor(Wrapped { inner: plain, settings }), router, &config).await
    };
    stopping.abort();
    upkeep.abort();
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    if let Err(error) = app.summaries.flush(&app, true).await {
        tracing::error!(?error, "counted reads could not be put on the record");
    }
    app.store.close().await;
    served
}

/// Serves over connections that `A` accepts.
async fn run<A>(server: Server<SocketAddr, A>, router: Router, config: &Config) -> io::Result<()>
where
    A: Accept<TcpStream, AddressedService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Service: SendService<Request<Incoming>> + Send,
    A::Future: Send,
{
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.server.header_timeout)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(true);
    server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// The router for one connection, which knows the peer's address.
type AddressedService = AddExtension<Router, ConnectInfo<SocketAddr>>;

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
