//! `[audit]`

use super::reports::{self, Reports};
use super::units;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// `[audit]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Directory of the keys that sign checkpoints.
    pub keys: PathBuf,
    /// The name of the log; none: made from the name of this server.
    #[serde(deserialize_with = "units::optional_text")]
    pub origin: Option<String>,
    /// How long the content of events is kept.
    pub retention: Years,
    /// Whether reads of what is about nobody are counted rather than told one by one.
    pub summaries: bool,
    /// Who keeps checkpoints elsewhere.
    pub checkpoints: Vec<Keeper>,
    /// How often each of them gets the newest one.
    #[serde(deserialize_with = "units::duration")]
    pub checkpoints_every: Duration,
    /// Who signs checkpoints, too.
    pub witnesses: Vec<Witness>,
    /// How often each of them is asked.
    #[serde(deserialize_with = "units::duration")]
    pub witnesses_every: Duration,
    /// Standing reports.
    pub reports: Reports,
}

/// A number of years, written `"6y"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Years(u16);

impl Years {
    /// The number of years.
    pub fn years(self) -> u16 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Years {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.trim().strip_suffix('y').and_then(|number| number.trim().parse().ok());
        number.map(Self).ok_or_else(|| {
            D::Error::custom(format!("\"{text}\" is not a whole number of years such as \"6y\""))
        })
    }
}

/// Where checkpoints are kept besides the database.
#[derive(Clone, PartialEq, Eq)]
pub enum Keeper {
    /// `file:PATH`: appended to a file.
    File(PathBuf),
    /// `https://…`: sent by POST. The URL may be a secret.
    Https(String),
    /// `syslog:PATH`: a local socket.
    SyslogLocal(PathBuf),
    /// `syslog+udp://HOST:PORT`, `syslog+tcp://…` or `syslog+tls://…`.
    Syslog(SyslogBy, String, u16),
}

/// How a syslog server on another machine is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogBy {
    /// RFC 5426
    Udp,
    /// RFC 6587, octets counted
    Tcp,
    /// RFC 5425
    Tls,
}

impl SyslogBy {
    const ALL: [(&'static str, Self, u16); 3] = [
        ("syslog+udp://", Self::Udp, 514),
        ("syslog+tcp://", Self::Tcp, 601),
        ("syslog+tls://", Self::Tls, 6514),
    ];
}

impl Keeper {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("file:") {
            return path.starts_with('/').then(|| Self::File(path.into()));
        }
        if let Some(path) = text.strip_prefix("syslog:") {
            return path.starts_with('/').then(|| Self::SyslogLocal(path.into()));
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return Some(Self::Https(text.to_owned()));
        }
        let mut named = SyslogBy::ALL.iter().filter_map(|named| Some((text.strip_prefix(named.0)?, named)));
        let (rest, (_, by, port)) = named.next()?;
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            // An IPv6 address without a port ends in "]" or has more than one colon.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
            _ => (rest, *port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@\"".contains(c));
        is_host.then(|| Self::Syslog(*by, host.to_owned(), port))
    }
}

/// Names it in logs, metrics and the database, without what may be a secret.
impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SyslogLocal(path) => write!(f, "syslog:{}", path.display()),
            Self::Https(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                write!(f, "{scheme}://{}", authority.rsplit('@').next().unwrap_or_default())
            }
            Self::Syslog(by, host, port) => {
                let scheme = SyslogBy::ALL.iter().find(|known| known.1 == *by).map_or("", |known| known.0);
                write!(f, "{scheme}{host}:{port}")
            }
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Keeper {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            // It may hold a password, so it is not repeated.
            D::Error::custom(
                "is not \"file:/PATH\", \"https://…\", \"syslog:/PATH\" or \"syslog+tls://HOST:PORT\" (or +tcp, +udp)",
            )
        })
    }
}

/// A witness of checkpoints (C2SP tlog-witness).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its public key, `<name>+<id>+<key>`.
    pub key: String,
    /// Below which `add-checkpoint` is.
    pub url: String,
}

impl<'de> Deserialize<'de> for Witness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, url] if key.contains('+') && url.starts_with("http") => {
                Ok(Self { key: (*key).to_owned(), url: url.trim_end_matches('/').to_owned() })
            }
            _ => Err(D::Error::custom(format!("\"{text}\" is not \"NAME+ID+KEY https://…\""))),
        }
    }
}

/// What the law wants kept at least (45 CFR 164.316(b)(2)(i)).
const SHORTEST: Years = Years(6);
/// More is a mistake.
const LONGEST: Years = Years(1000);

/// Every rule that is broken.
pub(super) fn problems(audit: &Audit, found: &mut Vec<String>) {
    let is_name = |name: &String| !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    if !audit.origin.as_ref().is_none_or(is_name) {
        found.push("audit.origin: must have no spaces and no '+'".to_owned());
    }
    if !(SHORTEST..=LONGEST).contains(&audit.retention) {
        found.push("audit.retention: must be at least \"6y\", and at most \"1000y\"".to_owned());
    }
    let second = Duration::from_secs(1);
    for (setting, every) in
        [("checkpoints_every", audit.checkpoints_every), ("witnesses_every", audit.witnesses_every)]
    {
        if every < second || every > Duration::from_hours(24) {
            found.push(format!("audit.{setting}: must be between \"1s\" and \"24h\""));
        }
    }
    let mut names = BTreeSet::new();
    for keeper in &audit.checkpoints {
        if !names.insert(keeper.to_string()) {
            found.push(format!("audit.checkpoints: names {keeper} twice"));
        }
    }
    reports::problems(&audit.reports, found);
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn load(settings: &[(&str, &str)]) -> Result<Audit, Vec<String>> {
        let env =
            settings.iter().map(|(name, value)| (format!("SLOTWRIGHT_AUDIT__{name}"), (*value).to_owned()));
        Config::load(None, env).map(|config| config.audit).map_err(|error| error.problems)
    }

    #[test]
    fn retention_is_six_years_or_more() {
        assert_eq!(load(&[]).unwrap().retention.years(), 6);
        assert_eq!(load(&[("RETENTION", "10y")]).unwrap().retention.years(), 10);
        for short in ["5y", "0y", "2000y", "-6y", "6", "2190d", "6m", ""] {
            let problems = load(&[("RETENTION", short)]).unwrap_err();
            assert!(problems.concat().contains("audit.retention"), "{short}: {problems:?}");
        }
    }

    #[test]
    fn keepers_are_read_and_named_without_secrets() {
        for (text, name) in [
            ("file:/var/log/checkpoints", "file:/var/log/checkpoints"),
            ("https://u:secret@keep.example/a?token=secret", "https://keep.example"),
            ("syslog:/dev/log", "syslog:/dev/log"),
            ("syslog+tls://logs.example", "syslog+tls://logs.example:6514"),
            ("syslog+tcp://logs.example:1601/", "syslog+tcp://logs.example:1601"),
            ("syslog+udp://[::1]:5514", "syslog+udp://::1:5514"),
        ] {
            let audit = load(&[("CHECKPOINTS", text)]).unwrap();
            assert_eq!(format!("{:?}", audit.checkpoints), format!("[{name}]"));
        }
        for text in ["file:here", "ftp://secret.example", "syslog+tls://", "syslog+udp://a:x", "secret"] {
            let problems = load(&[("CHECKPOINTS", text)]).unwrap_err();
            let told = problems.concat();
            assert!(told.contains("audit.checkpoints") && !told.contains("secret"), "{text}: {told}");
        }
        let twice = load(&[("CHECKPOINTS", "https://a.example/1,https://a.example/2")]).unwrap_err();
        assert_eq!(twice, ["audit.checkpoints: names https://a.example twice"]);
    }

    #[test]
    fn witnesses_have_a_key_and_an_address() {
        let audit = load(&[("WITNESSES", "w.example+c0ffee00+BAAA https://w.example/log/")]).unwrap();
        let expected = Witness { key: "w.example+c0ffee00+BAAA".into(), url: "https://w.example/log".into() };
        assert_eq!(audit.witnesses, [expected]);
        for wrong in ["https://w.example", "w.example https://w.example", "w+1+B ftp://w.example"] {
            assert!(load(&[("WITNESSES", wrong)]).is_err(), "{wrong}");
        }
    }
}
