//! The characters of a query: URL encoding, and the escapes inside values.

use crate::fhir::outcome::Error;

/// Splits a raw query string into decoded names and values. Empty values are left out, as R4 asks.
///
/// # Errors
/// 400 for a broken percent encoding, bytes that are not UTF-8, or NUL.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    for piece in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = (rest.next().and_then(hex), rest.next().and_then(hex));
                let (Some(high), Some(low)) = digits else {
                    return Err(Error::bad_request(
                        "the query has a % that two hexadecimal digits do not follow",
                    ));
                };
                bytes.push(high * 16 + low);
            }
            _ => bytes.push(byte),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::bad_request("the query is not UTF-8"))?;
    if text.contains('\0') {
        return Err(Error::bad_request("the query holds a NUL character"));
    }
    Ok(text)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// Splits at every `separator` that no backslash escapes; the escapes stay.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(text.get(from..at).unwrap_or_default());
            from = at + c.len_utf8();
        }
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

/// Takes the escapes `\,` `\|` `\$` `\\` away; any other backslash is itself.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('\\', Some(&next @ (',' | '|' | '$' | '\\'))) => {
                out.push(next);
                rest.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// Encodes one name or value for a query string.
pub fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
