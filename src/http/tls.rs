//! TLS: which versions, which certificate, and taking up a new one without a restart.

use crate::app::encryption::{self, Named, is_private};
use crate::config::{self, TlsVersion};
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are compared with what is in use.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Why TLS can't be spoken with these settings; none when it can, or is not to be spoken.
pub fn problem(tls: &config::Tls) -> Option<String> {
    let (certificate, key) = tls.files()?;
    load(tls.minimum, certificate, key).err()
}

/// What the files held, to see that they changed.
type Seen = Option<[u8; 32]>;

/// A certificate in use and the files it came from.
pub(super) struct Tls {
    settings: config::Tls,
    in_use: RustlsConfig,
    seen: Seen,
}

impl Tls {
    /// Reads certificate and key; none when this server does not speak TLS itself.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn start(settings: &config::Tls) -> io::Result<Option<Self>> {
        let Some((certificate, key)) = settings.files() else { return Ok(None) };
        let seen = look(certificate, key);
        let loaded = load(settings.minimum, certificate, key).map_err(io::Error::other)?;
        let in_use = RustlsConfig::from_config(Arc::new(loaded));
        Ok(Some(Self { settings: settings.clone(), in_use, seen }))
    }

    /// What new connections use.
    pub(super) fn in_use(&self) -> RustlsConfig {
        self.in_use.clone()
    }

    /// Takes up what the files hold whenever they change, until the task is dropped. Files that can't be used
    /// leave the certificate in use as it is.
    pub(super) async fn keep_up(mut self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let Some((certificate, key)) = self.settings.files() else { return };
            let now = look(certificate, key);
            if now == self.seen {
                continue;
            }
            self.seen = now;
            match load(self.settings.minimum, certificate, key) {
                Ok(loaded) => {
                    self.in_use.reload_from_config(Arc::new(loaded));
                    tracing::info!("new connections use the changed certificate");
                }
                Err(reason) => {
                    tracing::error!(reason, "the changed certificate can't be used; keeping the old");
                }
            }
        }
    }
}

/// A digest of what the files hold and of who may read the key.
fn look(certificate: &Path, key: &Path) -> Seen {
    let mut digest = Sha256::new();
    for path in [certificate, key] {
        let bytes = std::fs::read(path).ok()?;
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(&bytes);
    }
    digest.update([u8::from(is_private(key).unwrap_or(false))]);
    Some(digest.finalize().into())
}

/// The settings of a connection with the certificate and the key of these files.
fn load(minimum: TlsVersion, certificate: &Path, key: &Path) -> Result<ServerConfig, String> {
    let certificate = Named { setting: "tls.certificate", path: certificate };
    let key = Named { setting: "tls.key", path: key };
    let chain = encryption::certificates(certificate)?;
    let private = encryption::private_key(key)?;
    let versions: &[_] = match minimum {
        TlsVersion::V13 => &[&TLS13],
        TlsVersion::V12 => &[&TLS13, &TLS12],
    };
    let mut settings = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| format!("tls.minimum: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| format!("tls.key: {}: does not fit the certificate: {error}", key.path.display()))?;
    // What guards a connection (`stream`) knows HTTP/1.1 alone.
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(settings)
}
