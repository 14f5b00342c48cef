//! The socket under hyper.
//!
//! hyper refuses what it can't parse (a head that is too long or malformed) by itself, with an empty answer,
//! before any handler runs. This wrapper puts an OperationOutcome in its place, and after a refusal reads on
//! for a moment, since closing a socket with unread input makes the client lose the answer (RFC 9112 §9.6).

use super::headers;
use crate::clock::Clock;
use crate::fhir::outcome::{Error, Kind};
use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as or_pending};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Longest time to read on after a refusal.
const LINGER: Duration = Duration::from_secs(5);

/// What a wrapped connection needs to know.
#[derive(Clone, Debug)]
pub(super) struct Wrap {
    pub(super) clock: Clock,
    /// Longest time that a client may leave an answer unread.
    pub(super) write_timeout: Duration,
    /// Whether clients come by https.
    pub(super) https: bool,
}

/// Wraps every connection that `inner` accepts: a plain one, or one that speaks TLS.
#[derive(Clone, Debug)]
pub(super) struct Wrapped<A> {
    pub(super) inner: A,
    pub(super) settings: Wrap,
}

impl<A, S> Accept<TcpStream, S> for Wrapped<A>
where
    A: Accept<TcpStream, S, Future: Send + 'static, Stream: AsyncRead + AsyncWrite + Unpin>,
{
    type Stream = Socket<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, A::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let settings = self.settings.clone();
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            Ok((Socket::new(stream, settings), service))
        })
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Socket<S> {
    inner: S,
    settings: Wrap,
    /// Bytes read since the last answer began, and since the last line feed among them.
    unanswered: usize,
    line: usize,
    /// What is sent in place of hyper's refusal, and how much of it was.
    instead: Vec<u8>,
    sent: usize,
    /// The last answer was a refusal.
    refused: bool,
    /// Runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs after the last answer of a connection that refused something.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn new(inner: S, settings: Wrap) -> Self {
        Self {
            inner,
            settings,
            unanswered: 0,
            line: 0,
            instead: Vec::new(),
            sent: 0,
            refused: false,
            stalled: None,
            lingering: None,
        }
    }

    /// Sends what stands in for a refusal.
    fn send_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.instead.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = or_pending!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Poll::Ready(Ok(()))
    }

    /// Passes a write's progress on, and gives up on a client that makes none.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.stalled = None;
            return progress;
        }
        let limit = self.settings.write_timeout;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Notes that an answer begins; true when the head it answers ended its first line.
    fn note(&mut self, answer: &[u8]) -> bool {
        self.refused = matches!(answer.get(9), Some(b'4' | b'5'));
        self.line < std::mem::take(&mut self.unanswered)
    }

    /// Notes what is being answered; true when it is hyper's own refusal and was replaced.
    fn replace(&mut self, answer: &[u8]) -> bool {
        if !answer.starts_with(b"HTTP/1.") {
            return false;
        }
        let line_is_whole = self.note(answer);
        let Some(status) = own_refusal(answer) else { return false };
        // A head that is too long before its first line ends has a URL that is too long.
        let status = if status == 431 && !line_is_whole { 414 } else { status };
        crate::telemetry::answered("other", "unreadable", status, Duration::ZERO);
        let settings = &self.settings;
        self.instead = stand_in(status, answer, &settings.clock.new_id(), settings.https);
        self.sent = 0;
        true
    }

    /// Reads and forgets what the client still sends, until it closes or the time is up.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 16 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match or_pending!(Pin::new(&mut self.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        or_pending!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        self.unanswered = self.unanswered.saturating_add(fresh.len());
        self.line = match fresh.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => fresh.len() - at - 1,
            None => self.line.saturating_add(fresh.len()),
        };
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        or_pending!(this.send_instead(cx))?;
        if this.replace(buf) {
            // What can't be sent at once is sent by the flush that follows.
            if let Poll::Ready(Err(error)) = this.send_instead(cx) {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(buf.len()));
        }
        let progress = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.unless_stalled(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut parts = bufs.iter().filter(|part| !part.is_empty());
        let (first, second) = (parts.next(), parts.next());
        if let (Some(only), None) = (first, second) {
            return self.poll_write(cx, only);
        }
        let this = &mut *self;
        or_pending!(this.send_instead(cx))?;
        if let Some(head) = first.filter(|head| head.starts_with(b"HTTP/1.")) {
            this.note(head);
        }
        let progress = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.unless_stalled(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let progress = this.send_instead(cx);
        or_pending!(this.unless_stalled(cx, progress))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            let progress = this.send_instead(cx);
            or_pending!(this.unless_stalled(cx, progress))?;
            or_pending!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        if this.refused {
            or_pending!(this.linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of `head` if it is a refusal by hyper itself: an empty answer without our `x-request-id`.
fn own_refusal(head: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(head.get(..head.len().min(512))?).ok()?;
    let whole = head.len() == text.len() && text.ends_with("\r\n\r\n");
    let ours = text.contains("x-request-id");
    if !whole || ours || !text.contains("content-length: 0\r\n") {
        return None;
    }
    let status = text.get(9..12)?.parse().ok()?;
    (400..500).contains(&status).then_some(status)
}

/// A refusal with an OperationOutcome, keeping the headers of `head` that still hold.
fn stand_in(status: u16, head: &[u8], request_id: &str, https: bool) -> Vec<u8> {
    let (reason, kind, message) = match status {
        414 => ("URI Too Long", Kind::UriTooLong, "The URL is longer than this server takes"),
        431 => (
            "Request Header Fields Too Large",
            Kind::TooLarge,
            "The headers are longer than this server takes",
        ),
        _ => ("Bad Request", Kind::BadRequest, "The request is not valid HTTP"),
    };
    let status = if kind == Kind::BadRequest { 400 } else { status };
    let body = Error::new(kind, message).outcome().to_string();
    let mut answer = format!("HTTP/1.1 {status} {reason}\r\n");
    for line in String::from_utf8_lossy(head).lines().skip(1) {
        if line.starts_with("date:") || line.starts_with("connection:") {
            answer.push_str(line);
            answer.push_str("\r\n");
        }
    }
    for (name, value) in headers::always(https) {
        for part in [name.as_str(), ": ", value.to_str().unwrap_or_default(), "\r\n"] {
            answer.push_str(part);
        }
    }
    let rest = format!(
        "content-type: application/fhir+json; charset=utf-8\r\ncache-control: no-store\r\n\
         x-request-id: {request_id}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    answer.push_str(&rest);
    answer.into_bytes()
}
