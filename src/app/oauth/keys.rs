//! The directory of signing keys.
//!
//! A key is a file `{time}-{kid}.pem` in `auth.keys`: PKCS #8, readable by its owner alone, signing from the time
//! in its name on. So replicas that share the directory agree without talking, and a new key is published
//! before it signs. A retired key's file ends in `.retired`: it stays, and counts for nothing.

use crate::auth::keys::{KeyError, Keys, SigningKey, to_pem};
use crate::clock::{Clock, Micros};
use crate::config::Auth;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

/// How often the directory is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// How often at most because of a `kid` that is not known.
const AT_MOST: Duration = Duration::from_secs(1);
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Why the keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner may read or write a key.
    #[error("{}: a private key that others may read (mode {mode:03o}); chmod 600 it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file's name has no time.
    #[error("{}: the name of a key starts with the time from which it signs, such as 20260131T120000Z-", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A file that is no key.
    #[error("{} {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// No key signs now.
    #[error("{}: there is no key to sign with; make one: slotwright key new", dir.display())]
    None {
        /// The directory.
        dir: PathBuf,
    },
    /// No key has this id.
    #[error("{}: there is no key {kid}", dir.display())]
    Unknown {
        /// The directory.
        dir: PathBuf,
        /// What was asked for.
        kid: String,
    },
    /// The one key that signs can't be retired.
    #[error(
        "{kid} is the key that signs; make another one first (slotwright key new), and wait until it signs"
    )]
    Signs {
        /// The key.
        kid: String,
    },
    /// No randomness.
    #[error("could not make a key")]
    Generate,
}

/// The keys of this server, read again as their files change. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyRing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    clock: Clock,
    loaded: RwLock<Loaded>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Loaded {
    files: BTreeMap<PathBuf, (Stamp, Arc<SigningKey>)>,
    keys: Arc<Keys>,
    read: Option<Instant>,
}

/// Tells whether a file is the one that was read.
type Stamp = (u64, Option<SystemTime>);

impl KeyRing {
    /// The keys in `dir`, which are read when first needed.
    pub fn new(dir: PathBuf, clock: Clock) -> Self {
        let (loaded, reading) = (RwLock::default(), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { dir, clock, loaded, reading }) }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Insists that every key is sound and that one signs now.
    ///
    /// # Errors
    /// Names the file that is at fault.
    pub fn check(&self) -> Result<(), KeyringError> {
        let files = read_all(&self.inner.dir, &BTreeMap::new())?;
        let keys: Keys = files.values().map(|(_, key)| Arc::clone(key)).collect();
        match keys.signer(self.inner.clock.now()) {
            Some(_) => Ok(()),
            None => Err(KeyringError::None { dir: self.inner.dir.clone() }),
        }
    }

    /// The keys as they are now, at most a few seconds old.
    pub async fn current(&self) -> Arc<Keys> {
        self.no_older_than(EVERY).await
    }

    /// The keys, read again if none of them is called `kid`: another replica may have made it just now.
    pub async fn with(&self, kid: &str) -> Arc<Keys> {
        let keys = self.current().await;
        if keys.find(kid).is_some() { keys } else { self.no_older_than(AT_MOST).await }
    }

    async fn no_older_than(&self, age: Duration) -> Arc<Keys> {
        if let Some(keys) = self.fresh(age) {
            return keys;
        }
        let _one_reads = self.inner.reading.lock().await;
        if let Some(keys) = self.fresh(age) {
            return keys;
        }
        let inner = Arc::clone(&self.inner);
        let read = tokio::task::spawn_blocking(move || inner.reload()).await;
        if let Err(error) = read {
            tracing::error!(%error, "the signing keys could not be read");
        }
        let loaded = self.inner.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.keys)
    }

    fn fresh(&self, age: Duration) -> Option<Arc<Keys>> {
        let loaded = self.inner.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let read = loaded.read?;
        let now = self.inner.clock.instant();
        (now.duration_since(read) < age).then(|| Arc::clone(&loaded.keys))
    }
}

impl Inner {
    /// Reads what changed; when that fails, what was read before still counts.
    fn reload(&self) {
        let known = {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            loaded.files.clone()
        };
        let read = read_all(&self.dir, &known);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(files) => {
                loaded.keys = Arc::new(files.values().map(|(_, key)| Arc::clone(key)).collect());
                loaded.files = files;
            }
            Err(error) => {
                tracing::error!(%error, "the signing keys could not be read; those known stay in use");
            }
        }
        loaded.read = Some(self.clock.instant());
    }
}

type Files = BTreeMap<PathBuf, (Stamp, Arc<SigningKey>)>;

/// Every key of a directory; those that did not change since `known` are not read again.
fn read_all(dir: &Path, known: &Files) -> Result<Files, KeyringError> {
    let mut files = BTreeMap::new();
    for path in key_files(dir)? {
        let failed = |source| KeyringError::Io { path: path.clone(), source };
        let metadata = fs::metadata(&path).map_err(failed)?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyringError::Exposed { path, mode });
        }
        let stamp = (metadata.len(), metadata.modified().ok());
        let key = match known.get(&path) {
            Some((same, key)) if *same == stamp => Arc::clone(key),
            _ => {
                let activates = activation(&path).ok_or_else(|| KeyringError::Name { path: path.clone() })?;
                let pem = fs::read_to_string(&path).map_err(failed)?;
                let key = SigningKey::from_pem(&pem, activates);
                Arc::new(key.map_err(|source| KeyringError::Key { path: path.clone(), source })?)
            }
        };
        files.insert(path, (stamp, key));
    }
    Ok(files)
}

fn key_files(dir: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let failed = |source| KeyringError::Io { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The time in a key file's name.
fn activation(path: &Path) -> Option<Micros> {
    let (time, _) = path.file_name()?.to_str()?.split_once('-')?;
    let time = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp().as_microsecond())
}

/// A key as an administrator sees it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub kid: String,
    /// Its file.
    pub path: PathBuf,
    /// From when on it signs.
    pub activates_us: Micros,
    /// Whether it is the one that signs now.
    pub signs: bool,
}

/// Every key of `dir` that is not retired, the oldest first.
///
/// # Errors
/// Names the file that is at fault.
pub fn list(dir: &Path, now: Micros) -> Result<Vec<Listed>, KeyringError> {
    let files = read_all(dir, &BTreeMap::new())?;
    let keys: Keys = files.values().map(|(_, key)| Arc::clone(key)).collect();
    let signer = keys.signer(now).map(|key| key.kid.clone());
    let listed = files.into_iter().map(|(path, (_, key))| Listed {
        kid: key.kid.clone(),
        path,
        activates_us: key.activates_us,
        signs: signer.as_ref() == Some(&key.kid),
    });
    Ok(listed.collect())
}

/// Makes a key that signs from `activates_us` on, cut to seconds; its file.
///
/// # Errors
/// When the directory can't be written.
pub fn create(dir: &Path, activates_us: Micros) -> Result<PathBuf, KeyringError> {
    let pair = KeyPair::generate(KeySize::Rsa3072).map_err(|_| KeyringError::Generate)?;
    let der = pair.as_der().map_err(|_| KeyringError::Generate)?;
    store(dir, &to_pem(der.as_ref()), activates_us)
}

/// Puts a key that signs from `activates_us` on into `dir`; its file.
///
/// # Errors
/// When it is no sound key or the directory can't be written.
pub fn store(dir: &Path, pem: &str, activates_us: Micros) -> Result<PathBuf, KeyringError> {
    let at = Timestamp::from_microsecond(activates_us).unwrap_or_default();
    let key = SigningKey::from_pem(pem, activates_us)
        .map_err(|source| KeyringError::Key { path: dir.to_owned(), source })?;
    let path = dir.join(format!("{}-{}.pem", at.strftime(TIME), key.kid));
    let written = (|| {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        // Under another name first, so that nobody reads half a key.
        let draft = dir.join(format!(".{}.new", key.kid));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    })();
    written.map_err(|source| KeyringError::Io { path: path.clone(), source })?;
    Ok(path)
}

/// Makes the next key: published now, signing once everybody has fetched it; the first one, and one made `at_once`,
/// signs from now on. `by` says who makes it.
///
/// # Errors
/// When the directory can't be read or written.
pub fn make_next(auth: &Auth, at_once: bool, now: Micros, by: &str) -> Result<Listed, KeyringError> {
    let first = !list(&auth.keys, now)?.iter().any(|key| key.signs);
    let delay = if first || at_once { 0 } else { auth.activation_delay().as_micros() as i64 };
    let path = create(&auth.keys, now.saturating_add(delay))?;
    let made = list(&auth.keys, now)?.into_iter().find(|key| key.path == path);
    let made = made.ok_or(KeyringError::Generate)?;
    tracing::info!(kid = made.kid, by, "a signing key was made");
    Ok(made)
}

/// Takes a key out of use: it is no longer published and its tokens are no longer taken. `by` says who takes it. Its new
/// name.
///
/// # Errors
/// When it is the key that signs, or there is none with this id.
pub fn retire(dir: &Path, kid: &str, now: Micros, by: &str) -> Result<PathBuf, KeyringError> {
    let listed = list(dir, now)?;
    let unknown = || KeyringError::Unknown { dir: dir.to_owned(), kid: kid.to_owned() };
    let key = listed.into_iter().find(|key| key.kid == kid).ok_or_else(unknown)?;
    if key.signs {
        return Err(KeyringError::Signs { kid: key.kid });
    }
    let mut name = key.path.clone().into_os_string();
    name.push(".retired");
    let retired = PathBuf::from(name);
    let moved = fs::rename(&key.path, &retired);
    moved.map_err(|source| KeyringError::Io { path: key.path, source })?;
    tracing::info!(kid, by, "a signing key was retired");
    Ok(retired)
}
