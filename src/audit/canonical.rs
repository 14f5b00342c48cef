//! The one way to write a JSON value (RFC 8785, the JSON Canonicalization Scheme): what is hashed must be the
//! same bytes for everybody.
//!
//! Numbers are integers that a double holds exactly. Others are refused, so that nobody who checks a hash has
//! to write floating point numbers the way ECMAScript does.

use serde_json::Value;

/// The largest integer that every JSON reader keeps (2^53 - 1).
const LARGEST: i64 = (1 << 53) - 1;

/// Why a value has no canonical form here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a fraction or an exponent, or beyond what every reader keeps.
    #[error("the number {0} is not an integer between -2^53 and 2^53")]
    Number(String),
}

/// `value` in canonical form.
///
/// # Errors
/// When it has a number that is not an integer of at most 53 bits.
pub fn to_string(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let integer = number.as_i64().filter(|integer| (-LARGEST..=LARGEST).contains(integer));
            let integer = integer.ok_or_else(|| CanonicalError::Number(number.to_string()))?;
            out.push_str(&integer.to_string());
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A string with the shortest escapes, and only where JSON demands one.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                out.push_str("\\u00");
                let code = control as u32;
                out.extend(
                    [code >> 4, code & 15].into_iter().filter_map(|digit| char::from_digit(digit, 16)),
                );
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(text: &str) -> Result<String, CanonicalError> {
        to_string(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn names_are_in_the_order_of_their_utf_16_units() {
        // U+1D11E is written with surrogates (D834), so it comes before U+FB01 although its number is greater.
        let value =
            json!({"\u{fb01}": 1, "\u{1d11e}": 2, "z": 3, "\u{20ac}": 4, "\r": 5, "10": 6, "9": 7, "": 8});
        let expected =
            "{\"\":8,\"\\r\":5,\"10\":6,\"9\":7,\"z\":3,\"\u{20ac}\":4,\"\u{1d11e}\":2,\"\u{fb01}\":1}";
        assert_eq!(to_string(&value).unwrap(), expected);
    }

    #[test]
    fn one_value_has_one_text() {
        let one = canonical(r#" { "b" : [ 1 , -0, true,null ] , "a" : { "y" : "A\/", "x":{} } } "#).unwrap();
        assert_eq!(one, r#"{"a":{"x":{},"y":"A/"},"b":[1,0,true,null]}"#);
        assert_eq!(canonical(&one).unwrap(), one);
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let all: String = (0..0x20).chain([0x22, 0x5c, 0x7f, 0x2028]).filter_map(char::from_u32).collect();
        let text = to_string(&Value::String(all.clone())).unwrap();
        assert!(
            text.contains("\\u0000\\u0001")
                && text.contains("\\b\\t\\n\\u000b\\f\\r")
                && text.contains("\\u001f")
        );
        assert!(text.ends_with("\\\"\\\\\u{7f}\u{2028}\""));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), all);
    }

    #[test]
    fn numbers_that_readers_may_change_are_refused() {
        for number in ["1.5", "1.0", "1e3", "9007199254740992", "-9007199254740992", "123456789012345678901"]
        {
            assert!(matches!(canonical(number), Err(CanonicalError::Number(_))), "{number}");
        }
        assert_eq!(canonical("9007199254740991").unwrap(), "9007199254740991");
        assert_eq!(canonical("-9007199254740991").unwrap(), "-9007199254740991");
    }
}
