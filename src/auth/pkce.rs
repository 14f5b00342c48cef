//! Proof Key for Code Exchange (RFC 7636), S256 alone: `plain` protects nothing.

use super::secret;

/// Whether a text can be an S256 challenge: 32 bytes in base64url.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && super::jws::from_base64url(text).is_some_and(|bytes| bytes.len() == 32)
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub fn challenge(verifier: &str) -> String {
    secret::fingerprint(verifier)
}

/// Whether `verifier` is well formed (RFC 7636 §4.1) and belongs to `challenge`.
pub fn fits(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && secret::equal(&self::challenge(verifier), challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_verifier_fits_its_challenge_alone() {
        assert!(is_challenge(CHALLENGE));
        assert!(fits(VERIFIER, CHALLENGE));
        assert!(!fits(CHALLENGE, CHALLENGE), "plain is not taken");
        for verifier in ["", "short", &VERIFIER.replace('d', "e"), &format!("{VERIFIER} "), &"a".repeat(129)]
        {
            assert!(!fits(verifier, CHALLENGE), "{verifier}");
        }
    }

    #[test]
    fn challenges_have_one_form() {
        for bad in
            ["", VERIFIER.trim_end_matches('k'), &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")]
        {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
