//! `[notify]`

use super::units;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;

/// `[notify]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// E-mail addresses of those who are told of emergencies.
    pub compliance: Vec<String>,
    /// E-mail addresses of those who are told of subscribers that can't be reached.
    pub operations: Vec<String>,
    /// How mail is sent.
    pub email: Email,
}

/// `[notify.email]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// `host` or `host:port` of the SMTP server; none: no mail is sent.
    #[serde(deserialize_with = "units::optional_text")]
    pub server: Option<String>,
    /// How the connection is encrypted.
    pub security: MailSecurity,
    /// Whom mail is from.
    #[serde(deserialize_with = "units::optional_text")]
    pub from: Option<String>,
    /// Name to sign in with.
    #[serde(deserialize_with = "units::optional_text")]
    pub username: Option<String>,
    /// File of the password.
    #[serde(deserialize_with = "units::optional_path")]
    pub password_file: Option<PathBuf>,
    /// The password itself, which belongs into the environment; empty: none.
    #[serde(deserialize_with = "units::secret")]
    pub password: SecretString,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From the first byte on.
    Tls,
    /// After `STARTTLS`, without which nothing is sent.
    Starttls,
    /// Not at all; to a server on this machine.
    None,
}

impl MailSecurity {
    /// The port that servers use by default.
    pub fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

impl Email {
    /// Host and port of the server, when one is set.
    pub fn address(&self) -> Option<(&str, u16)> {
        let server = self.server.as_deref()?;
        let (host, port) = match server.rsplit_once(':') {
            // An IPv6 address without a port ends in "]" or has more than one colon.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
            _ => (server, self.security.port()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@\"".contains(c));
        is_host.then_some((host, port))
    }

    fn is_local(&self) -> bool {
        self.address().is_some_and(|(host, _)| {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

/// Every rule that is broken.
pub(super) fn problems(notify: &Notify, found: &mut Vec<String>) {
    let Notify { compliance, operations, email } = notify;
    let mut wrong = |setting: &str, told: &str| found.push(format!("notify.{setting}: {told}"));
    if compliance.iter().any(|address| !is_address(address)) {
        wrong("compliance", "must be e-mail addresses such as \"compliance@clinic.example\"");
    }
    if operations.iter().any(|address| !is_address(address)) {
        wrong("operations", "must be e-mail addresses such as \"operations@clinic.example\"");
    }
    if email.server.is_none() {
        if !compliance.is_empty() || !operations.is_empty() {
            wrong(
                "email.server",
                "is needed to send mail to those in notify.compliance and notify.operations",
            );
        }
        return;
    }
    if compliance.is_empty() && operations.is_empty() {
        wrong("compliance", "names nobody, but notify.email.server is set");
    }
    if email.address().is_none() {
        wrong("email.server", "must be \"host\" or \"host:port\"");
    }
    let from = email.from.as_deref().map(|from| from.rsplit('<').next().unwrap_or_default());
    if !from.is_some_and(|from| is_address(from.trim_end_matches('>'))) {
        wrong("email.from", "must be an address such as \"Slotwright <slotwright@clinic.example>\"");
    }
    if email.security == MailSecurity::None && !email.is_local() {
        wrong(
            "email.security",
            "\"none\" is for a server on this machine only (127.0.0.1, [::1] or localhost)",
        );
    }
    let typed = !email.password.expose_secret().is_empty();
    if typed && email.password_file.is_some() {
        wrong("email.password", "is set together with notify.email.password_file; one of them is enough");
    }
    if (typed || email.password_file.is_some()) != email.username.is_some() {
        wrong("email.username", "is set together with a password, or neither is");
    }
}

/// Something before and after the one `@`; the rest is for the mail server to judge.
fn is_address(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;\"\\()[]".contains(&byte));
    let parts: Vec<&str> = text.split('@').collect();
    plain && matches!(parts.as_slice(), [name, domain] if !name.is_empty() && !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn problems(settings: &[(&str, &str)]) -> Vec<String> {
        let env =
            settings.iter().map(|(name, value)| (format!("SLOTWRIGHT_NOTIFY__{name}"), (*value).to_owned()));
        Config::load(None, env).map_or_else(|error| error.problems, |_| Vec::new())
    }

    const SOUND: [(&str, &str); 3] = [
        ("COMPLIANCE", "cora@clinic.example,carl@clinic.example"),
        ("EMAIL__SERVER", "mail.clinic.example"),
        ("EMAIL__FROM", "Slotwright <slotwright@clinic.example>"),
    ];

    #[test]
    fn mail_needs_a_server_a_sender_and_somebody() {
        assert_eq!(problems(&SOUND), Vec::<String>::new());
        for without in 0..SOUND.len() {
            let kept: Vec<_> =
                SOUND.into_iter().enumerate().filter(|(i, _)| *i != without).map(|(_, s)| s).collect();
            assert_eq!(problems(&kept).len(), 1, "{kept:?}");
        }
    }

    #[test]
    fn what_can_not_work_is_refused() {
        for (name, value) in [
            ("COMPLIANCE", "nobody"),
            ("COMPLIANCE", "a@b\r\nBcc: c@d"),
            ("EMAIL__SERVER", "mail.clinic.example:smtp"),
            ("EMAIL__SERVER", "https://mail.clinic.example/"),
            ("EMAIL__FROM", "Slotwright"),
            ("EMAIL__SECURITY", "none"),
            ("EMAIL__SECURITY", "ssl"),
            ("EMAIL__USERNAME", "slotwright"),
            ("EMAIL__PASSWORD", "a secret"),
        ] {
            let mut settings = SOUND.to_vec();
            settings.push((name, value));
            let found = problems(&settings);
            assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
            assert!(!found.concat().contains("a secret"));
        }
    }

    #[test]
    fn an_address_may_have_a_port() {
        let of = |server: &str| {
            let env =
                SOUND.iter().map(|(name, value)| (format!("SLOTWRIGHT_NOTIFY__{name}"), (*value).to_owned()));
            let own = [("SLOTWRIGHT_NOTIFY__EMAIL__SERVER".to_owned(), server.to_owned())];
            let config = Config::load(None, env.chain(own)).expect("sound");
            config.notify.email.address().map(|(host, port)| (host.to_owned(), port))
        };
        assert_eq!(of("mail.clinic.example"), Some(("mail.clinic.example".to_owned(), 587)));
        assert_eq!(of("127.0.0.1:2525"), Some(("127.0.0.1".to_owned(), 2525)));
        assert_eq!(of("[::1]:25"), Some(("::1".to_owned(), 25)));
    }
}
