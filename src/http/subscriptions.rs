//! Notifications over connections that clients keep open: a WebSocket (Subscriptions R5 Backport 1.1, "Websockets"), and
//! server-sent events (HTML standard) for browsers.

use super::edge::{Arrival, Label};
use super::{Http, RouteInfo, Shared, bearer, present};
use crate::app::audit::actor;
use crate::app::subscriptions::{self, Listener, Next, Stream};
use crate::audit::act::Act;
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::subscription::words::SERVER_SENT_EVENTS;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
/// Proxies that gather answers would hold events back.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long a socket may stay without being bound.
const TO_BIND: Duration = Duration::from_secs(10);
/// How often a socket is shown to be alive.
const PING: Duration = Duration::from_secs(30);
/// The longest message that a client may send: a token and a word.
const LONGEST: usize = 64 * 1024;
/// The most subscriptions of one socket.
const MOST: usize = 200;
/// Notifications that wait for a slow client.
const WAITING: usize = 16;

/// Every route of such connections.
pub(super) const ROUTES: &[RouteInfo] = &[
    RouteInfo {
        methods: &["GET"],
        path: "/fhir/subscription-socket",
        is_fhir: false,
        summary: "Notifications over a WebSocket, bound by a token of $get-ws-binding-token",
        handler: || get(socket),
    },
    RouteInfo {
        methods: &["GET"],
        path: "/fhir/subscription-events/{id}",
        is_fhir: false,
        summary: "Notifications of a subscription as server-sent events",
        handler: || get(events),
    },
];

/// Too many, as a client reads it.
const FULL: &str = "As many connections for notifications are open as this server takes; try again later";

/// One of the places that there are, until it is dropped.
fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
    Arc::clone(places)
        .try_acquire_owned()
        .map_err(|_| Error { retry_after: Some(30), ..Error::new(Kind::Unavailable, FULL) })
}

fn listener(http: &Http, parts: &Parts) -> Result<Listener, Error> {
    let arrival = parts.extensions.get::<Arrival>().ok_or_else(|| Error::internal("no arrival"))?;
    Ok(Listener {
        base: http.base(parts.headers.get(HOST).and_then(|host| host.to_str().ok())),
        address: arrival.address.to_string(),
        request_id: arrival.request_id.to_string(),
    })
}

fn labelled(answer: Result<Response, Error>) -> Response {
    let mut response = answer.unwrap_or_else(|error| present::refusal(&error));
    response.extensions_mut().insert(Label("notifications"));
    response
}

/// `GET /fhir/subscription-events/{id}`
async fn events(State(http): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let http = http.during(&parts.extensions);
    labelled(open_events(&http, &parts, &id).await)
}

async fn open_events(http: &Shared, parts: &Parts, id: &str) -> Result<Response, Error> {
    let mut bearer = bearer::bearer(http, parts).await?;
    if !bearer.is_current(&http.app).await? {
        bearer = bearer::bearer(http, parts).await?;
    }
    let principal = bearer.access.principal();
    let listener = listener(http, parts)?;
    http.app.caller.is(actor(principal, &listener.base));
    http.limits.acts(principal)?;
    subscriptions::may_listen(&http.app, &bearer.access, id).await?;
    let after = last_event(parts)?;
    let place = place(&http.app.listening)?;
    let (stream, handshake) = Stream::open(&http.app, listener, id, SERVER_SENT_EVENTS, after).await?;
    // The handshake is on the record.
    http.app.caller.noted();
    let first = stream::once(async move { Ok(frame("handshake", None, &handshake.to_string())) });
    let rest = stream::unfold(Some((stream, place)), |state| async {
        let (mut stream, place) = state?;
        match stream.next().await {
            Ok(Next::Told(bundle, last)) => {
                let text = frame("notification", Some(last), &bundle.to_string());
                Some((Ok(text), Some((stream, place))))
            }
            Ok(Next::Idle) => Some((Ok(": nothing happened\n\n".to_owned()), Some((stream, place)))),
            Ok(Next::Over(why)) => Some((Ok(frame("over", None, &why)), None)),
            Err(error) => {
                tracing::warn!(%error, "server-sent events broke off");
                Some((Err(std::io::Error::other("the events broke off")), None))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(first.chain(rest)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The event that the client saw last, when it comes back.
fn last_event(parts: &Parts) -> Result<Option<i64>, Error> {
    let Some(value) = parts.headers.get(&LAST_EVENT_ID) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number >= 0);
    let wrong = || {
        Error::of(Kind::BadRequest, vec![Issue::error("value", "Last-Event-ID is the number of an event")])
    };
    number.map(Some).ok_or_else(wrong)
}

/// An event as it is sent. What is in `data` has no line breaks: it is JSON, or a sentence of ours.
fn frame(name: &str, id: Option<i64>, data: &str) -> String {
    let id = id.map_or(String::new(), |id| format!("id: {id}\n"));
    format!("event: {name}\n{id}data: {data}\n\n")
}

/// `GET /fhir/subscription-socket`
async fn socket(State(http): State<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let http = http.during(&parts.extensions);
    let opened = async {
        let listener = listener(&http, &parts)?;
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let upgrade = upgrade.map_err(|_| {
            Error::bad_request("Here a WebSocket is opened: a GET with Upgrade: websocket (RFC 6455)")
        })?;
        let unbound = place(&http.app.unbound)?;
        http.app.note(http.app.event(Act::Operation).detail("what", "subscription-socket")).await?;
        let upgrade = upgrade.max_message_size(LONGEST).max_frame_size(LONGEST);
        let http = Arc::clone(&http);
        Ok(upgrade.on_upgrade(move |socket| async move {
            converse(http, listener, socket, unbound).await;
        }))
    };
    labelled(opened.await)
}

/// Binds a socket to subscriptions as its client says, and sends their notifications, until either side has enough.
/// The place of those who are not bound is given back with the first token.
async fn converse(http: Shared, listener: Listener, mut socket: WebSocket, unbound: OwnedSemaphorePermit) {
    let (sender, mut told) = mpsc::channel::<String>(WAITING);
    let mut tasks = tokio::task::JoinSet::new();
    let mut bound: BTreeSet<String> = BTreeSet::new();
    let (mut waits, mut listens) = (Some(unbound), None);
    let too_late = tokio::time::sleep(TO_BIND);
    tokio::pin!(too_late);
    let mut pings = tokio::time::interval(PING);
    let (code, why) = loop {
        tokio::select! {
            () = &mut too_late, if bound.is_empty() => break (close_code::POLICY, "not bound in time"),
            _ = pings.tick() => {
                if socket.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
            }
            Some(text) = told.recv() => {
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {
                if tasks.is_empty() {
                    // What they have said is sent first.
                    while let Ok(text) = told.try_recv() {
                        if socket.send(Message::Text(text.into())).await.is_err() {
                            return;
                        }
                    }
                    break (close_code::NORMAL, "no subscription is left");
                }
            }
            message = socket.recv() => {
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Binary(_))) => break (close_code::UNSUPPORTED, "text is understood here"),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                let Some(token) = binding_token(&text) else {
                    break (close_code::POLICY, "bind-with-token: <token> is understood here");
                };
                let Some(ids) = subscriptions::bound(&http.app, token) else {
                    break (close_code::POLICY, "the token is not one of this server, or not good any more");
                };
                if listens.is_none() {
                    listens = place(&http.app.listening).ok();
                    drop(waits.take());
                }
                if listens.is_none() {
                    break (close_code::AGAIN, FULL);
                }
                for id in ids {
                    if bound.len() >= MOST || !bound.insert(id.clone()) {
                        continue;
                    }
                    let (http, listener, sender) = (Arc::clone(&http), listener.clone(), sender.clone());
                    tasks.spawn(async move { listen(&http, listener, &id, sender).await });
                }
            }
        }
    };
    let frame = CloseFrame { code, reason: why.into() };
    let _ = socket.send(Message::Close(Some(frame))).await;
}

/// `bind-with-token: <token>`, with or without the colon.
fn binding_token(text: &str) -> Option<&str> {
    let rest = text.trim().strip_prefix("bind-with-token")?;
    let token = rest.trim_start_matches(':').trim();
    (!token.is_empty()).then_some(token)
}

/// Hands the notifications of one subscription to its socket, until it is over.
async fn listen(http: &Http, listener: Listener, id: &str, sender: mpsc::Sender<String>) {
    let (mut stream, handshake) = match Stream::open(&http.app, listener, id, "websocket", None).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::info!(%error, "a socket could not be bound to a subscription");
            return;
        }
    };
    let mut next = Some(handshake.to_string());
    loop {
        if let Some(text) = next.take()
            && sender.send(text).await.is_err()
        {
            return;
        }
        match stream.next().await {
            Ok(Next::Told(bundle, _)) => next = Some(bundle.to_string()),
            Ok(Next::Idle) => {}
            Ok(Next::Over(_)) => return,
            Err(error) => {
                tracing::warn!(%error, "notifications over a socket broke off");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_bound_with_and_without_a_colon() {
        for text in ["bind-with-token abc", "bind-with-token: abc", " bind-with-token:abc\n"] {
            assert_eq!(binding_token(text), Some("abc"), "{text}");
        }
        for text in ["bind abc", "bind-with-token", "bind-with-token: ", ""] {
            assert_eq!(binding_token(text), None, "{text}");
        }
    }

    #[test]
    fn an_event_is_framed_with_its_number() {
        assert_eq!(frame("notification", Some(3), "{}"), "event: notification\nid: 3\ndata: {}\n\n");
    }
}
