//! Tokens by which a WebSocket is bound to subscriptions: signed statements, good on every server for a few minutes.

use crate::app::App;
use crate::clock::Micros;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a token is good for.
const GOOD_FOR: Micros = 5 * 60 * 1_000_000;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Logical ids of the subscriptions.
    pub subscriptions: Vec<String>,
    /// Until when a socket can be bound by it.
    pub until_us: Micros,
}

/// A token for these subscriptions, and until when it is good; `None` if none can be made.
pub fn issue(app: &App, subscriptions: Vec<String>) -> Option<(String, Micros)> {
    let until_us = app.clock.now().saturating_add(GOOD_FOR);
    let said = serde_json::to_vec(&Binding { subscriptions, until_us }).ok()?;
    let tag = mac(app, &said)?.finalize().into_bytes();
    Some((format!("{}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(tag)), until_us))
}

/// What a token says, if it is ours and still good.
pub fn read(app: &App, token: &str) -> Option<Binding> {
    let (said, tag) = token.split_once('.')?;
    let (said, tag) = (URL_SAFE_NO_PAD.decode(said).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
    mac(app, &said)?.verify_slice(&tag).ok()?;
    let binding: Binding = serde_json::from_slice(&said).ok()?;
    (binding.until_us > app.clock.now()).then_some(binding)
}

fn mac(app: &App, said: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app.link_key.as_ref()).ok()?;
    // The same key signs other things, which must not pass for a token.
    mac.update(b"subscription-socket\n");
    mac.update(said);
    Some(mac)
}
