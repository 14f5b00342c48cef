//! Access tokens whose signature was checked before: a client sends the same one with every request.

use super::keys::KeyRing;
use crate::auth::jws::Compact;
use crate::auth::token::{Proved, Refused};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The most tokens that are remembered.
const MOST: u64 = 10_000;

/// Tokens with a good signature, by their digest. Only what can't change is remembered: whether the key still
/// counts and the token is still good is asked each time.
#[derive(Clone, Debug)]
pub struct ProvedTokens(Cache<[u8; 32], Arc<Proved>>);

impl Default for ProvedTokens {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl ProvedTokens {
    /// What an access token says.
    ///
    /// # Errors
    /// When no key that counts signed it.
    pub async fn prove(&self, keys: &KeyRing, token: &str) -> Result<Arc<Proved>, Refused> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(proved) = self.0.get(&digest) {
            let counts = keys.with(&proved.kid).await.find(&proved.kid).is_some();
            return if counts { Ok(proved) } else { Err(Refused::Unknown) };
        }
        // Only to find the key; nothing is believed before the signature is checked.
        let kid = Compact::parse(token).and_then(|read| read.header_text("kid").map(str::to_owned));
        let keys = keys.with(kid.as_deref().unwrap_or_default()).await;
        let proved = Arc::new(Proved::of(token, &keys)?);
        self.0.insert(digest, Arc::clone(&proved));
        Ok(proved)
    }
}
