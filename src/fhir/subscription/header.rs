//! `Subscription.channel.header`: which headers a subscriber may have sent along with notifications.

/// The longest header, name and value together.
const LONGEST: usize = 4096;

/// Headers that frame or route the request, say where it comes from, or sign it: they are the server's.
const OURS: &[&str] = &[
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "connection",
    "keep-alive",
    "upgrade",
    "expect",
    "http2-settings",
    "user-agent",
    "via",
    "forwarded",
];
/// The same of every header whose name begins like this.
const OUR_PREFIXES: &[&str] = &["webhook-", "proxy-", "x-forwarded-", "sec-", ":"];

/// Why a header is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Not `Name: value`.
    #[error("it is not a header of the form \"Name: value\"")]
    Form,
    /// A line break or another character that headers don't have.
    #[error("its value has a character that header values don't have")]
    Value,
    /// One that the server sets itself.
    #[error("the server sets this header itself")]
    Ours,
    /// Too long.
    #[error("it is longer than 4096 characters")]
    Long,
}

/// Name and value of a header as a Subscription writes it, such as `Authorization: Bearer secret`.
///
/// # Errors
/// When it can't be sent, or could be used to say something else than what it seems to.
pub fn read(text: &str) -> Result<(String, String), BadHeader> {
    if text.len() > LONGEST {
        return Err(BadHeader::Long);
    }
    let (name, value) = text.split_once(':').ok_or(BadHeader::Form)?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(BadHeader::Form);
    }
    let value = value.trim_matches([' ', '\t']);
    if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err(BadHeader::Value);
    }
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || OUR_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(BadHeader::Ours);
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A character of a header's name (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_subscriber_needs_is_taken_as_it_is() {
        for (text, name, value) in [
            ("Authorization: Bearer a.b.c", "Authorization", "Bearer a.b.c"),
            ("X-Api-Key:secret", "X-Api-Key", "secret"),
            ("x-empty:", "x-empty", ""),
            ("X-Colon: a:b", "X-Colon", "a:b"),
        ] {
            assert_eq!(read(text), Ok((name.to_owned(), value.to_owned())), "{text}");
        }
    }

    #[test]
    fn nothing_is_smuggled_in() {
        for (text, wrong) in [
            ("", BadHeader::Form),
            ("no colon", BadHeader::Form),
            (": value", BadHeader::Form),
            ("Na me: x", BadHeader::Form),
            ("Name : x", BadHeader::Form),
            ("Na\r\nme: x", BadHeader::Form),
            ("Ünlaut: x", BadHeader::Form),
            ("X-A: b\r\nHost: inside", BadHeader::Value),
            ("X-A: b\nX-B: c", BadHeader::Value),
            ("X-A: b\rX-B: c", BadHeader::Value),
            ("X-A: b\0", BadHeader::Value),
            ("X-A: \u{7f}", BadHeader::Value),
            ("X-A: \u{85}", BadHeader::Value),
            ("X-A: \u{2028}", BadHeader::Value),
            ("X-A: ü", BadHeader::Value),
        ] {
            assert_eq!(read(text), Err(wrong), "{text:?}");
        }
        assert_eq!(read(&format!("X-A: {}", "x".repeat(5000))), Err(BadHeader::Long));
    }

    #[test]
    fn the_servers_own_headers_are_refused_in_any_case() {
        for name in [
            "Host",
            "CONTENT-LENGTH",
            "Content-Type",
            "transfer-encoding",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "Content-Encoding",
            "Webhook-Id",
            "webhook-timestamp",
            "Webhook-Signature",
            "webhook-anything",
            "Proxy-Authorization",
            "Proxy-Connection",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Forwarded",
            "Via",
            "Sec-Fetch-Site",
            "User-Agent",
        ] {
            assert_eq!(read(&format!("{name}: x")), Err(BadHeader::Ours), "{name}");
        }
    }
}
