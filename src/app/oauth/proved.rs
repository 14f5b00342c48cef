//! Access tokens whose signature was checked before: a client sends the same one with every request.

use super::keys::KeyRing;
use crate::auth::jws::Compact;
use crate::auth::token::{Proved, Refused};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The most tokens that are remembered.
const MOST: u64 = 10_000;

/// SHA-256 of a token: what it is remembered under.
pub type TokenDigest = [u8; 32];

/// The digest of a token.
pub fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

/// Tokens with a good signature, by their digest. Only what can't change is remembered: whether the key still
/// counts and the token is still good is asked each time.
#[derive(Clone, Debug)]
pub struct ProvedTokens(Cache<TokenDigest, Arc<Proved>>);

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
    pub async fn prove(
        &self,
        keys: &KeyRing,
        token: &str,
        digest: TokenDigest,
    ) -> Result<Arc<Proved>, Refused> {
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
