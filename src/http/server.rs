//! Sockets: listening, HTTP/1.1 settings, graceful shutdown, the metrics port.

use super::stream::{Wrap, Wrapped};
use super::tls::Tls;
use crate::app::App;
use crate::config::Config;
use crate::telemetry;
use axum::extract::ConnectInfo;
use axum::middleware::AddExtension;
use axum::routing::get;
use axum::{Extension, Router};
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::service::SendService;
use axum_server::tls_rustls::RustlsAcceptor;
use http::Request;
use http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tower::Layer;

/// The longest request head, in bytes; also the size of a connection's buffers.
const LONGEST_HEAD: usize = 128 * 1024;
/// The pause after a connection could not be taken.
const BREATH: Duration = Duration::from_millis(50);
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
    let (stop, stopped) = watch::channel(false);
    let stopping = tokio::spawn(async move {
        shutdown.await;
        tracing::info!("shutting down: finishing what is in flight");
        stop.send_replace(true);
        // As long as somebody may ask whether to stop.
        stop.closed().await;
    });
    let settings = Wrap {
        clock: app.clock.clone(),
        write_timeout: config.server.request_timeout,
        https: config.tls.is_https(),
    };
    // Answers are written whole, so waiting for more to send only delays them.
    let plain = NoDelayAcceptor::new();
    if let Some(tls) = tls {
        let inner =
            RustlsAcceptor::new(tls.in_use()).handshake_timeout(config.server.header_timeout).acceptor(plain);
        let reload = tokio::spawn(tls.keep_up());
        run(listener, Wrapped { inner, settings }, router, &config, stopped).await;
        reload.abort();
    } else {
        run(listener, Wrapped { inner: plain, settings }, router, &config, stopped).await;
    }
    stopping.abort();
    upkeep.abort();
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    if let Err(error) = app.summaries.flush(&app, true).await {
        tracing::error!(?error, "counted reads could not be put on the record");
    }
    app.store.close().await;
    Ok(())
}

/// Serves over connections that `A` accepts until `stop`, then waits for `server.drain` at most until what is in flight is
/// done. HTTP/1.1 only, with upgrades to WebSockets, which nobody waits for.
async fn run<A>(
    listener: TcpListener,
    acceptor: A,
    router: Router,
    config: &Config,
    mut stop: watch::Receiver<bool>,
) where
    A: Accept<TcpStream, AddressedService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A::Service: SendService<Request<Incoming>> + Send,
    A::Future: Send,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.server.header_timeout)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(true);
    // Each connection holds one end: when all are gone, none is left.
    let (open, mut closed) = mpsc::channel::<()>(1);
    let (cut, _) = watch::channel(false);
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // One that broke off before it was taken, or too many open files.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        let service = Extension(ConnectInfo(peer)).layer(router.clone());
        let (acceptor, http, open) = (acceptor.clone(), http.clone(), open.clone());
        let (mut stop, mut cut) = (stop.clone(), cut.subscribe());
        tokio::spawn(async move {
            let _open = open;
            let Ok((stream, service)) = acceptor.accept(stream, service).await else { return };
            let service = TowerToHyperService::new(service.into_service());
            let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
            tokio::pin!(connection);
            tokio::select! {
                biased;
                () = told(&mut stop) => connection.as_mut().graceful_shutdown(),
                _ = connection.as_mut() => return,
            }
            tokio::select! {
                biased;
                () = told(&mut cut) => {}
                _ = connection.as_mut() => {}
            }
        });
    }
    drop(listener);
    drop(open);
    let _ = tokio::time::timeout(config.server.drain, closed.recv()).await;
    cut.send_replace(true);
}

/// Waits until it is told, or nobody is left who could.
async fn told(told: &mut watch::Receiver<bool>) {
    let _ = told.wait_for(|told| *told).await;
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
