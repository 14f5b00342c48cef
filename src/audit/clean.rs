//! Text that others control, made fit for the record: bounded, on one line, without hidden characters or secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt::Write as _;

/// The longest text that is kept, in characters.
const LONGEST: usize = 500;
/// The longest query that is kept, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;
/// Parameters whose values are secrets wherever they appear.
const SECRETS: &[&str] = &[
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "id_token_hint",
    "password",
    "refresh_token",
];
/// Parameters that are secrets in a form of OAuth, and ordinary words elsewhere.
const OAUTH_SECRETS: &[&str] = &["code", "launch", "token"];

/// One line of text without control and direction characters, cut at a bound.
pub fn line(text: &str) -> String {
    let shown = text.chars().filter(|c| !hidden(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
    let mut kept: String = shown.clone().take(LONGEST).collect();
    if shown.count() > LONGEST {
        kept.push('…');
    }
    kept
}

/// Characters that don't show, or that change how others show: controls, direction marks, line separators.
fn hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Text as it may be shown: what does not show itself, or changes how others show, is written as JSON writes it.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String can't fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// [`hidden`] characters, and those that other writers of events may have left in.
fn is_invisible(c: char) -> bool {
    let is_break = c.is_control() && c != '\n';
    is_break
        || hidden(c)
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{2028}' | '\u{2029}' | '\u{FFF9}'..='\u{FFFB}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}

/// A request of FHIR's as it was sent, with secrets taken out and cut at a bound.
pub fn query(text: &str) -> String {
    without(text, |name| SECRETS.contains(&name))
}

/// A request to an OAuth endpoint, its form behind a `?`: the same, with more that is secret.
pub fn oauth(text: &str) -> String {
    without(text, |name| SECRETS.contains(&name) || OAUTH_SECRETS.contains(&name))
}

fn without(text: &str, secret: impl Fn(&str) -> bool) -> String {
    let (head, pairs) = text.split_once('?').map_or(("", text), |(path, query)| (path, query));
    let mut kept = String::with_capacity(text.len().min(LONGEST_QUERY));
    if !head.is_empty() {
        kept.push_str(head);
        kept.push('?');
    }
    for (i, pair) in pairs.split('&').enumerate() {
        if i > 0 {
            kept.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) if secret(&bare(name)) => {
                kept.push_str(name);
                kept.push_str("=[removed]");
            }
            _ => kept.push_str(pair),
        }
    }
    bounded(&kept)
}

/// The name of a parameter, decoded and without its modifier.
fn bare(name: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
    decoded.split(':').next().unwrap_or_default().to_owned()
}

fn bounded(text: &str) -> String {
    let shown = text.chars().filter(|c| !hidden(*c)).map(|c| if c.is_whitespace() { ' ' } else { c });
    let mut kept = String::new();
    for c in shown {
        if kept.len() + c.len_utf8() > LONGEST_QUERY {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

/// Cleans every text of an AuditEvent that another system wrote; its queries, which are base64, lose secrets, too.
pub fn value(value: &mut Value) {
    match value {
        Value::String(text) => *text = bounded(text),
        Value::Array(items) => items.iter_mut().for_each(self::value),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "query" => *text = packed(text),
                    _ => self::value(member),
                }
            }
        }
        _ => {}
    }
}

/// A query in base64; what is none becomes plain text, which says so.
fn packed(text: &str) -> String {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    STANDARD.encode(decoded.map_or_else(|| bounded(text), |decoded| oauth(&decoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_and_line_breaks_do_not_get_in() {
        assert_eq!(line("a\r\nb\u{202E}c\u{0}\u{200B}d"), "a  bcd");
        assert_eq!(line(&"x".repeat(2000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_does_not_show_is_shown() {
        assert_eq!(visible("a\u{202E}b\r\u{E0041}\nc é"), "a\\u202eb\\u000d\\udb40\\udc41\nc é");
    }

    #[test]
    fn what_others_report_is_cleaned_in_its_queries_too() {
        let query = STANDARD.encode("POST /token?code_verifier=abc&a=\u{202E}b");
        let mut event = serde_json::json!({ "entity": [{ "name": "a\r\nb\u{202E}", "query": query }] });
        value(&mut event);
        assert_eq!(event["entity"][0]["name"], "a  b");
        let kept = STANDARD.decode(event["entity"][0]["query"].as_str().unwrap()).unwrap();
        assert_eq!(kept, b"POST /token?code_verifier=[removed]&a=b");
        let mut long = serde_json::json!({ "query": STANDARD.encode("x".repeat(1 << 20)) });
        value(&mut long);
        assert!(
            long["query"].as_str().is_some_and(|text| text.len() < 12_000 && STANDARD.decode(text).is_ok())
        );
    }

    #[test]
    fn secrets_are_taken_out_however_they_are_written() {
        let said = "POST /oauth/token?code=x&client_secret=s3cret&Code%5Fverifier=abc&a=b";
        let kept = "POST /oauth/token?code=[removed]&client_secret=[removed]&Code%5Fverifier=[removed]&a=b";
        assert_eq!(oauth(said), kept);
        assert_eq!(query("GET /fhir/ServiceRequest?code=x"), "GET /fhir/ServiceRequest?code=x");
        assert_eq!(query("refresh_token=abc"), "refresh_token=[removed]");
        assert!(query(&"é".repeat(100_000)).len() <= LONGEST_QUERY + '…'.len_utf8());
    }
}
