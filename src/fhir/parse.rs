//! JSON as it comes in: strict, with the place of every mistake.
//!
//! Beyond RFC 8259 a body must be one object, no object may name a key twice (which of the two counts
//! would depend on the reader), and no text may hold a control character that FHIR forbids (R4
//! `datatypes.html#string`) and PostgreSQL can't keep.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::at::At;
use super::outcome::{Error, Issue, Kind};

/// The name under which `serde_json` hands over numbers that it keeps as text.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Reads one JSON object.
///
/// # Errors
/// 400 when `bytes` is not UTF-8, not JSON, nested deeper than 128, followed by something else, not an
/// object, or holds a repeated key, a lone surrogate or a forbidden control character.
pub fn json(bytes: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        refused(format!("The body is not UTF-8: byte {} does not fit", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(text);
    let root = At::root("");
    let value = Strict { at: &root }.deserialize(&mut reader).map_err(explain)?;
    reader.end().map_err(explain)?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(refused("The body must be a JSON object, a FHIR resource"))
    }
}

/// The `resourceType` of a body.
///
/// # Errors
/// 400 when it is missing or not a type name.
pub fn resource_type(body: &Value) -> Result<&str, Error> {
    match body.get("resourceType") {
        Some(Value::String(name)) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Ok(name)
        }
        Some(_) => Err(refused("resourceType must be the name of a resource type, such as \"Appointment\"")),
        None => Err(refused("The body has no resourceType, so it is no FHIR resource")),
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::of(Kind::BadRequest, vec![Issue::error("structure", message)])
}

fn explain(error: serde_json::Error) -> Error {
    let text = error.to_string();
    let message = if text.contains("recursion limit") {
        format!("The body is nested too deeply (line {}, column {})", error.line(), error.column())
    } else if text.contains("surrogate") || text.contains("hex escape") {
        format!("The body is not valid JSON: a \\u escape is cut short or a lone surrogate ({text})")
    } else {
        format!("The body is not valid JSON: {text}")
    };
    refused(message)
}

/// Whether FHIR and XML 1.0 allow `c` in text.
pub(crate) fn is_text(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Builds a [`Value`] and refuses what the module forbids.
#[derive(Clone, Copy)]
struct Strict<'a> {
    at: &'a At<'a>,
}

impl Strict<'_> {
    fn check<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        match text.chars().find(|c| !is_text(*c)) {
            None => Ok(()),
            Some(c) => Err(E::custom(format_args!(
                "the character U+{:04X} is not allowed in text{}",
                u32::from(c),
                Within(self.at)
            ))),
        }
    }
}

/// ` in Appointment.comment`, or nothing at the top.
struct Within<'a>(&'a At<'a>);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.to_string();
        match path.strip_prefix('.') {
            Some(path) => write!(f, " in `{path}`"),
            None => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.check(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { at: &self.at.item(list.len()) })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if key == NUMBER_TOKEN {
                let text: String = members.next_value()?;
                let number: Number = text.parse().map_err(A::Error::custom)?;
                return Ok(Value::Number(number));
            }
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{key}` appears twice{}",
                    Within(self.at)
                )));
            }
            let at = self.at.child(&key);
            let inner = Strict { at: &at };
            inner.check(&key)?;
            let value = members.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> String {
        let error = json(body).unwrap_err();
        assert_eq!(error.kind, Kind::BadRequest);
        error.issues[0].diagnostics.clone()
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"a":1.50,"b":-0.0,"c":12345678901234567890123,"d":1e400,"e":-7,"f":0}"#;
        assert_eq!(json(text.as_bytes()).unwrap().to_string().replace("e+", "e"), text);
    }

    #[test]
    fn every_mistake_is_named() {
        assert!(message(b"\xff{}").contains("UTF-8"));
        assert!(message(br#"{"a":[{"b":1,"b":2}]}"#).contains("`b` appears twice in `a[0]`"));
        assert!(message(br#"{"a":"\ud800"}"#).contains("surrogate"));
        assert!(message(br#"{"a":"\u0000"}"#).contains("U+0000 is not allowed in text in `a`"));
        assert!(message(b"{} x").contains("trailing"));
        assert!(message(b"[]").contains("object"));
        assert!(message(b"").contains("JSON"));
        assert!(message(&vec![b'['; 100_000]).contains("nested too deeply"));
        assert!(message("{\"a\":".repeat(100_000).as_bytes()).contains("nested too deeply"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_the_type_is_read() {
        let body = json("\u{feff}{\"resourceType\":\"Slot\"}".as_bytes()).unwrap();
        assert_eq!(resource_type(&body).unwrap(), "Slot");
        assert!(resource_type(&json(b"{}").unwrap()).is_err());
        assert!(resource_type(&json(br#"{"resourceType":"../x"}"#).unwrap()).is_err());
    }
}
