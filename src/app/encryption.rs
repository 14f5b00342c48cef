//! Encrypted connections to others: whom they are let trust, and by what we show who we are.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file, and the setting that names it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Such as `stream.kafka.roots`.
    pub setting: &'a str,
    /// Where it is.
    pub path: &'a Path,
}

impl Named<'_> {
    fn unusable(self, reason: impl std::fmt::Display) -> String {
        format!("{}: {}: {reason}", self.setting, self.path.display())
    }
}

/// How a connection is encrypted that trusts the system's roots and those in `roots`, and shows the certificate of
/// `identity` (certificate, then key) when it is asked for one.
///
/// The provider is named: with two of them compiled in, rustls would not choose one by itself.
///
/// # Errors
/// Names the setting that can't be used, and why.
pub fn client(
    roots: Option<Named<'_>>,
    identity: Option<(Named<'_>, Named<'_>)>,
) -> Result<ClientConfig, String> {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = roots {
        for certificate in certificates(file)? {
            trusted.add(certificate).map_err(|error| file.unusable(error))?;
        }
    }
    let settings = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(trusted);
    let Some((certificate, key)) = identity else { return Ok(settings.with_no_client_auth()) };
    settings
        .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
        .map_err(|error| key.unusable(format!("does not fit {} ({error})", certificate.path.display())))
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// Names the setting and why the file can't be used.
pub fn certificates(file: Named<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file.path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file.unusable(told(&error)))?;
    if found.is_empty() {
        return Err(file.unusable("there is no certificate in it"));
    }
    Ok(found)
}

/// The private key of a PEM file that nobody but its owner may read.
///
/// # Errors
/// Names the setting and why the file can't be used.
pub fn private_key(file: Named<'_>) -> Result<PrivateKeyDer<'static>, String> {
    if !is_private(file.path).map_err(|error| file.unusable(error))? {
        return Err(file.unusable("others may read it. Take that from them: chmod 600"));
    }
    PrivateKeyDer::from_pem_file(file.path).map_err(|error| file.unusable(told(&error)))
}

/// An error of the PEM reader, without what it read.
fn told(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "nothing of that kind is in it".to_owned(),
        _ => "it is not PEM".to_owned(),
    }
}

/// Whether only the owner may do anything with `file`.
///
/// # Errors
/// When the file can't be looked at.
#[cfg(unix)]
pub fn is_private(file: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    let others = 0o077;
    Ok(std::fs::metadata(file)?.permissions().mode() & others == 0)
}

/// Whether only the owner may do anything with `file`, as far as this system can say.
///
/// # Errors
/// When the file can't be looked at.
#[cfg(not(unix))]
pub fn is_private(file: &Path) -> io::Result<bool> {
    std::fs::metadata(file).map(|_| true)
}
