//! Random secrets: how they are written, what is stored of them, how they are compared.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Random bytes as a secret that a header, a cookie or a URL can carry (base64url).
pub fn written(random: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// What is stored of a random secret: its SHA-256 (base64url). Never enough for what a person chose.
pub fn fingerprint(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// A secret made from another one for one `purpose`; who has it can't tell the other.
pub fn derived(secret: &str, purpose: &str) -> String {
    fingerprint(&format!("{purpose}\0{secret}"))
}

/// Whether both are the same, in a time that does not tell where they differ.
pub fn equal(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha_256() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(fingerprint(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn purposes_keep_apart() {
        assert_ne!(derived("a", "form"), derived("a", "device"));
        assert_ne!(derived("a", "form"), fingerprint("a"));
    }

    #[test]
    fn only_the_same_is_equal() {
        assert!(equal("abc", "abc"));
        assert!(!equal("abc", "abd"));
        assert!(!equal("abc", "ab"));
    }
}
