//! Asks a witness to sign a checkpoint (C2SP tlog-witness, tlog-cosignature): it does so only after it saw proved that
//! the log grew from what it signed before, so that a history which is rewritten with our own key finds nobody to
//! sign it.

use super::nodes::Nodes;
use crate::app::App;
use crate::audit::key::{Kind, Verifier};
use crate::audit::note::{DASH, Note};
use crate::audit::tree::Hash;
use crate::config;
use crate::store::audit::sequence::Published;
use crate::store::audit::told;
use crate::store::{Intent, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use std::fmt::Write as _;

/// What a witness says.
enum Answer {
    /// Lines of signatures.
    Signed(String),
    /// It knows a tree of another size, from which the proof must begin.
    Knows(i64),
}

/// A witness.
#[derive(Debug)]
pub(super) struct Witness {
    key: Verifier,
    url: String,
}

impl Witness {
    /// By this setting.
    ///
    /// # Errors
    /// When its key can't be used.
    pub(super) fn new(settings: &config::Witness) -> Result<Self, String> {
        let unusable = |told: &str| format!("audit.witnesses: {} {told}", settings.key);
        let key: Verifier = settings.key.parse().map_err(|error| unusable(&format!("{error}")))?;
        if key.kind() != Kind::Witness {
            return Err(unusable("is the key of a log; that of a witness begins with the byte 4"));
        }
        Ok(Self { key, url: format!("{}/add-checkpoint", settings.url) })
    }

    /// The name of its key.
    pub(super) fn name(&self) -> &str {
        self.key.name()
    }

    /// Asks for a signature, and keeps it; `known` are the leaves that it knows, as far as we know.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn ask(&self, app: &App, newest: &Published, known: i64) -> Result<(), String> {
        let answer = match self.send(app, newest, known).await? {
            Answer::Knows(size) if size == known => {
                return Err(format!(
                    "it knows another tree of {size} leaves: this is not the log that it signed"
                ));
            }
            Answer::Knows(size) if size > newest.size => {
                return Err(format!(
                    "it knows {size} leaves, and this log has {}: it was cut back",
                    newest.size
                ));
            }
            Answer::Knows(size) => self.send(app, newest, size).await?,
            signed @ Answer::Signed(_) => signed,
        };
        let Answer::Signed(text) = answer else {
            return Err("it does not know how much it knows".to_owned());
        };
        let (line, at_s) = self.signature(newest, &text)?;
        self.keep(app, newest.size, at_s, line).await.map_err(|error| error.to_string())
    }

    async fn send(&self, app: &App, newest: &Published, known: i64) -> Result<Answer, String> {
        let body = self.question(app, newest, known).await?;
        let request =
            http::Request::post(&self.url).body(body.into_bytes()).map_err(|error| error.to_string())?;
        let answer = app.outbound.send(request).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status() {
            StatusCode::OK => Ok(Answer::Signed(text)),
            StatusCode::CONFLICT => match text.trim_end_matches('\n').parse() {
                Ok(size) if size >= 0 => Ok(Answer::Knows(size)),
                _ => Err("it knows another size, and does not say which".to_owned()),
            },
            StatusCode::NOT_FOUND => Err("it does not know this log by its name (404)".to_owned()),
            StatusCode::FORBIDDEN => Err("it does not know this log's keys (403)".to_owned()),
            StatusCode::UNPROCESSABLE_ENTITY => {
                Err("it does not find it proved that the log only grew (422)".to_owned())
            }
            status => Err(format!("the answer was {}", status.as_u16())),
        }
    }

    /// The size that it knows, the proof that the log grew from there, and the checkpoint.
    async fn question(&self, app: &App, newest: &Published, known: i64) -> Result<String, String> {
        let (old, new) = (u64::try_from(known), u64::try_from(newest.size));
        let (Ok(old), Ok(new)) = (old, new) else { return Err("a size is negative".to_owned()) };
        let mut tx = app.store.reader().await.map_err(|error| error.to_string())?;
        let proof =
            Nodes::default().consistency(&mut tx, old, new).await.map_err(|error| error.to_string())?;
        let proof: Vec<Hash> =
            proof.ok_or_else(|| format!("the log is damaged: no proof from {old} to {new}"))?;
        let mut body = format!("old {old}\n");
        for hash in proof {
            let _ = writeln!(body, "{}", STANDARD.encode(hash));
        }
        body.push('\n');
        body.push_str(&newest.note);
        Ok(body)
    }

    /// The line that this witness signed, when it did, and its time.
    fn signature(&self, newest: &Published, answer: &str) -> Result<(String, u64), String> {
        let own: String = answer
            .split_inclusive('\n')
            .filter(|line| {
                line.strip_prefix(DASH).is_some_and(|rest| rest.split(' ').next() == Some(self.key.name()))
            })
            .collect();
        let (text, _) = newest.note.rsplit_once("\n\n").ok_or("the checkpoint has no signature")?;
        let note = Note::parse(format!("{text}\n\n{own}").as_bytes())
            .map_err(|error| format!("the answer {error}"))?;
        let keys = [self.key.clone()];
        let signed = note.verify(&keys).map_err(|error| format!("the answer {error}"))?;
        let at = signed.first().and_then(|by| by.witnessed).ok_or("the answer has no time")?;
        let line = note.signatures.iter().find(|signature| signature.id == self.key.id());
        line.map(|line| (line.line(), at)).ok_or_else(|| "the answer has no signature".to_owned())
    }

    async fn keep(&self, app: &App, size: i64, at_s: u64, line: String) -> Result<(), StoreError> {
        let at_us = i64::try_from(at_s).unwrap_or_default().saturating_mul(1_000_000);
        let name = self.key.name().to_owned();
        let kept = app.store.write(Intent::Upsert, move |tx| {
            let (name, line) = (name.clone(), line.clone());
            Box::pin(async move { told::cosigned(tx, size, &name, at_us, &line).await })
        });
        kept.await
    }
}

/// The public keys of the settings' witnesses, for whoever is to check what they signed.
///
/// # Errors
/// When one can't be used.
pub fn keys(config: &config::Config) -> Result<Vec<Verifier>, String> {
    config.audit.witnesses.iter().map(|witness| Witness::new(witness).map(|witness| witness.key)).collect()
}
