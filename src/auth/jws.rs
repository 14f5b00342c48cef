//! JSON Web Signature, compact serialization (RFC 7515 §7.1), read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

/// The longest token that is read, in bytes: no header that we take is longer.
pub const LONGEST: usize = 32 * 1024;

/// A token taken apart; nothing of it is proved yet.
#[derive(Clone, Debug)]
pub struct Compact<'a> {
    /// The protected header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
    /// What the signature is over.
    pub signed: &'a str,
    /// The signature as it is written.
    pub signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Takes a token apart; none when it is not a signed token of three parts with JSON objects, or has
    /// extensions that must be understood (`crit`).
    pub fn parse(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if signature.is_empty() || claims.contains('.') {
            return None;
        }
        let header = object(header)?;
        let claims = object(claims)?;
        if header.contains_key("crit") {
            return None;
        }
        Some(Self { header, claims, signed, signature })
    }

    /// A header parameter that is a text.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A claim that is a time in seconds since the epoch (RFC 7519 NumericDate); fractions are cut off.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let value = self.claims.get(name)?;
        value.as_i64().or_else(|| value.as_f64().filter(|at| at.abs() < 1e15).map(|at| at as i64))
    }

    /// The signature's bytes.
    pub fn signature_bytes(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.signature).ok()
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// `BASE64URL(header) . BASE64URL(claims)`: what is to be signed.
///
/// # Errors
/// When the claims can't be written as JSON.
pub fn to_sign(header: &Value, claims: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(&serde_json::to_vec(claims)?)))
}

/// Bytes as base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// base64url without padding as bytes.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_three_parts_with_objects_are_read() {
        let signed = to_sign(&json!({"alg": "RS256"}), &json!({"iat": 1})).unwrap();
        let token = format!("{signed}.AAAA");
        let read = Compact::parse(&token).expect("a token");
        assert_eq!((read.header_text("alg"), read.seconds("iat")), (Some("RS256"), Some(1)));
        let crit = to_sign(&json!({"alg": "RS256", "crit": ["x"]}), &json!({})).unwrap();
        let list = format!("{}.{}.AAAA", base64url(b"[]"), base64url(b"{}"));
        for bad in ["", ".", "..", "a.b", "a.b.c", &signed, &format!("{signed}."), &format!("{token}.x")] {
            assert!(Compact::parse(bad).is_none(), "{bad}");
        }
        assert!(Compact::parse(&format!("{crit}.AAAA")).is_none());
        assert!(Compact::parse(&list).is_none());
    }
}
