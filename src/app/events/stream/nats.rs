//! To NATS JetStream, one event after the other.

use super::{PATIENCE, Stopped};
use crate::app::encryption::{self, Named};
use crate::app::events::envelope::{MEDIA_TYPE, envelope};
use crate::config;
use crate::store::events::Event;
use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use std::time::Duration;

/// How long the NATS server remembers what it got, to drop doubles.
const DOUBLES: Duration = Duration::from_mins(2);

/// A NATS server.
pub(super) struct Nats {
    settings: config::Nats,
    encryption: ClientConfig,
    context: Option<jetstream::Context>,
}

impl Nats {
    /// That of the settings.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub(super) fn new(settings: &config::Nats) -> Result<Self, String> {
        let roots = settings.roots.as_deref().map(|path| Named { setting: "stream.nats.roots", path });
        let encryption = encryption::client(roots, None)?;
        Ok(Self { settings: settings.clone(), encryption, context: None })
    }

    /// Sends events one after the other.
    pub(super) async fn send(&mut self, base: &str, events: &[Event]) -> Result<(), Stopped> {
        let mut last = None;
        for event in events {
            if let Err(reason) = self.send_one(base, event).await {
                // Whatever it was: begin anew.
                self.context = None;
                return Err(Stopped { last, reason });
            }
            last = Some(event.seq);
        }
        Ok(())
    }

    async fn send_one(&mut self, base: &str, event: &Event) -> Result<(), String> {
        let context = match self.context.take() {
            Some(context) => context,
            None => self.connect().await?,
        };
        let context = self.context.insert(context);
        let subject = format!("{}.{}", self.settings.subject, event.rtype);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{base}#{}", event.seq));
        headers.insert("Content-Type", MEDIA_TYPE);
        let payload = envelope(base, event).to_string();
        let sent = context.publish_with_headers(subject, headers, payload.into()).await.map_err(told)?;
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(acknowledged) => acknowledged.map(drop).map_err(told),
            Err(_) => Err("the NATS server does not acknowledge".to_owned()),
        }
    }

    /// Connects, and makes the stream if it is not there.
    async fn connect(&self) -> Result<jetstream::Context, String> {
        let settings = &self.settings;
        let url = settings.url.as_deref().unwrap_or_default();
        let mut options = async_nats::ConnectOptions::new()
            .name("slotwright")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .tls_client_config(self.encryption.clone())
            .require_tls(url.starts_with("tls://"));
        if let Some(file) = &settings.credentials_file {
            options = options.credentials_file(file).await.map_err(told)?;
        }
        if let Some(username) = &settings.username {
            options =
                options.user_and_password(username.clone(), settings.password.expose_secret().to_owned());
        }
        let client = options.connect(url).await.map_err(told)?;
        let context = jetstream::new(client);
        let wanted = stream::Config {
            name: settings.stream.clone(),
            subjects: vec![format!("{}.>", settings.subject)],
            duplicate_window: DOUBLES,
            ..stream::Config::default()
        };
        tokio::time::timeout(PATIENCE, context.get_or_create_stream(wanted))
            .await
            .map_err(|_| "the NATS server does not answer".to_owned())?
            .map_err(told)?;
        Ok(context)
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
