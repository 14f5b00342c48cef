//! The layers and how they are put together.

use super::{Config, DEFAULTS, validate};
use config::{File, FileFormat, Value, ValueKind};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Environment variables that start like this are settings, except [`FILE_VARIABLE`].
const PREFIX: &str = "SLOTWRIGHT_";
/// Names the settings file when `--config` does not.
const FILE_VARIABLE: &str = "SLOTWRIGHT_CONFIG";

/// Why the settings can't be used: every problem, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Every problem found.
    pub problems: Vec<String>,
}

impl ConfigError {
    fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings can't be used:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The settings of `file` (or of `SLOTWRIGHT_CONFIG`) and of `env` over the defaults.
    ///
    /// # Errors
    /// Names every unknown key, value of the wrong kind and broken rule.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let env: Vec<(String, String)> =
            env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let named = env.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| path.clone());
        let text = match file.map(Path::to_path_buf).or(named.map(Into::into)) {
            Some(path) => Some(
                std::fs::read_to_string(&path)
                    .map_err(|error| ConfigError::one(format!("{}: {error}", path.display())))?,
            ),
            None => None,
        };
        Self::from_layers(text.as_deref(), &env)
    }

    /// The embedded defaults alone.
    ///
    /// # Errors
    /// Never, as long as `default.toml` fits the types, which a test sees to.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::from_layers(None, &[])
    }

    fn from_layers(file: Option<&str>, env: &[(String, String)]) -> Result<Self, ConfigError> {
        let defaults = parse(DEFAULTS)?;
        let known = leaves(&defaults);
        let mut problems = Vec::new();
        let mut layers = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(text) = file {
            let own = parse(text)?;
            problems.extend(leaves(&own).difference(&known).map(|key| format!("{key}: unknown setting")));
            layers = layers.add_source(File::from_str(text, FileFormat::Toml));
        }
        for (name, text) in env.iter().filter(|(name, _)| name != FILE_VARIABLE) {
            let key = name.trim_start_matches(PREFIX).to_lowercase().replace("__", ".");
            if !known.contains(&key) {
                problems.push(format!("{name}: unknown setting"));
                continue;
            }
            layers = layers
                .set_override(&key, from_env(&defaults, &key, text))
                .map_err(|error| ConfigError::one(format!("{name}: {error}")))?;
        }
        let merged = layers.build().map_err(|error| ConfigError::one(error.to_string()))?;
        let config = (|| {
            Some(Self {
                server: section(&merged, "server", &mut problems)?,
                tls: section(&merged, "tls", &mut problems)?,
                limits: section(&merged, "limits", &mut problems)?,
                database: section(&merged, "database", &mut problems)?,
                auth: section(&merged, "auth", &mut problems)?,
                audit: section(&merged, "audit", &mut problems)?,
                brand: section(&merged, "brand", &mut problems)?,
                bulk: section(&merged, "bulk", &mut problems)?,
                events: section(&merged, "events", &mut problems)?,
                stream: section(&merged, "stream", &mut problems)?,
                fhir: section(&merged, "fhir", &mut problems)?,
                references: section(&merged, "references", &mut problems)?,
                booking: section(&merged, "booking", &mut problems)?,
                idempotency: section(&merged, "idempotency", &mut problems)?,
                outbound: section(&merged, "outbound", &mut problems)?,
                subscriptions: section(&merged, "subscriptions", &mut problems)?,
                sign_in: section(&merged, "sign_in", &mut problems)?,
                notify: section(&merged, "notify", &mut problems)?,
                log: section(&merged, "log", &mut problems)?,
            })
        })();
        if let Some(config) = &config {
            problems.extend(validate::problems(config));
        }
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError { problems }),
        }
    }
}

fn parse(text: &str) -> Result<Value, ConfigError> {
    let parsed = config::Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    parsed.map(|parsed| parsed.cache).map_err(|error| ConfigError::one(without_excerpt(&error.to_string())))
}

/// A TOML error without the lines it quotes, which may hold a password.
fn without_excerpt(message: &str) -> String {
    let told = message.lines().filter(|line| !line.contains('|') && !line.trim().is_empty());
    told.collect::<Vec<_>>().join(": ")
}

/// Dotted paths of every value that is not a table.
fn leaves(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match &value.kind {
            ValueKind::Table(table) if path.is_empty() || !table.is_empty() => {
                for (key, child) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(child, &path, into);
                }
            }
            _ => {
                into.insert(path.to_owned());
            }
        }
    }
    let mut into = BTreeSet::new();
    walk(value, "", &mut into);
    into
}

/// A variable's text as the kind of value that the default of `key` has; types check the rest.
fn from_env(defaults: &Value, key: &str, text: &str) -> Value {
    let default = key.split('.').try_fold(defaults, |at, name| match &at.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    });
    if default.is_some_and(|value| matches!(value.kind, ValueKind::Array(_))) {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Value::new(None, ValueKind::Array(items.map(|item| Value::new(None, item)).collect()))
    } else {
        Value::new(None, text)
    }
}

/// One section by its type; a value of the wrong kind becomes a problem that names it.
fn section<T: DeserializeOwned>(
    merged: &config::Config,
    name: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let table = merged.get::<Value>(name);
    let read = table.map_err(|error| error.to_string()).and_then(|value| {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let key = error.path().to_string();
            let reason = error.into_inner().to_string();
            if key == "." { format!("{name}: {reason}") } else { format!("{name}.{key}: {reason}") }
        })
    });
    read.map_err(|problem| problems.push(problem)).ok()
}
