//! E-mail by SMTP.

use crate::config::{Email, MailSecurity, Outbound};
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;
use std::time::Duration;

/// Longest wait for each answer of the SMTP server.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest time for one mail; shorter than any claim on it.
const LONGEST: Duration = Duration::from_secs(40);

/// Sends mail.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// A mail in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The same at every try, so that one that was delivered twice is recognised.
    pub id: String,
    /// Address of whoever gets it.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// Why a mail was not taken; for the log, without whom it is to.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// It can't be written as a mail.
    #[error("the mail can't be written: {0}")]
    Unwritable(String),
    /// The SMTP server did not take it.
    #[error("the mail server: {0}")]
    Server(String),
    /// The SMTP server took too long.
    #[error("the mail server did not answer in time")]
    Late,
}

impl Mailer {
    /// By these settings; none when no server is set.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub fn new(settings: &Email, outbound: &Outbound) -> Result<Option<Self>, String> {
        let Some((host, port)) = settings.address() else { return Ok(None) };
        let from = settings.from.as_deref().unwrap_or_default();
        let from = from.parse().map_err(|error| format!("notify.email.from: {error}"))?;
        let tls = match settings.security {
            MailSecurity::None => Tls::None,
            MailSecurity::Starttls => Tls::Required(encryption(host, outbound)?),
            MailSecurity::Tls => Tls::Wrapper(encryption(host, outbound)?),
        };
        // "Dangerous" without the encryption that was just chosen.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let (Some(username), Some(password)) = (&settings.username, password(settings)?) {
            let secret = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(username.clone(), secret));
        }
        Ok(Some(Self { transport: builder.build(), from }))
    }

    /// Hands a mail to the server.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        let message = self.message(mail)?;
        match tokio::time::timeout(LONGEST, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NotSent::Server(without_addresses(&error))),
            Err(_) => Err(NotSent::Late),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, NotSent> {
        let unwritable = |error: String| NotSent::Unwritable(error);
        let to: Mailbox = mail.to.parse().map_err(|_| unwritable("the address".to_owned()))?;
        let domain = self.from.email.domain();
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::QuotedPrintable)
            .body(mail.text.clone());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .header(AutoSubmitted)
            .singlepart(text)
            .map_err(|error| unwritable(error.to_string()))
    }
}

/// Nobody's out-of-office reply is wanted (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What went wrong, by its kind: what servers answer often repeats an address.
fn without_addresses(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("answered {code}"),
        None if error.is_tls() => "the connection can't be encrypted".to_owned(),
        None if error.is_timeout() => "did not answer in time".to_owned(),
        None => "can't be reached".to_owned(),
    }
}

fn encryption(host: &str, outbound: &Outbound) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &outbound.roots {
        let unusable = |reason: String| format!("outbound.roots: {}: {reason}", path.display());
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        builder = builder
            .add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?);
    }
    builder.build().map_err(|error| format!("notify.email.server: {error}"))
}

fn password(settings: &Email) -> Result<Option<SecretString>, String> {
    if !settings.password.expose_secret().is_empty() {
        return Ok(Some(settings.password.clone()));
    }
    settings.password_file.as_deref().map(secret_of).transpose()
}

/// The one line of a file that nobody else may read.
fn secret_of(path: &Path) -> Result<SecretString, String> {
    let unusable = |reason: String| format!("notify.email.password_file: {}: {reason}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(unusable(format!("others may read it (mode {:03o}); chmod 600 it", mode & 0o777)));
        }
    }
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}
