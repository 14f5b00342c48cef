//! Values of search parameters by kind (R4 `search.html#ptypes`).

use super::text::{split, unescape};
use super::{Near, QuantityValue, ReferenceValue, Rules, StringMatch, Test, TokenValue};
use crate::fhir::date::{self, Interval, Prefix};
use crate::fhir::extract::{Target, target};
use crate::fhir::fold;
use crate::fhir::outcome::Issue;
use crate::fhir::registry::{ParamKind, SearchParam, resource_type};

/// A search radius when the client names none.
const DEFAULT_NEAR_KM: f64 = 50.0;
/// Half the way around the earth.
const FARTHEST_KM: f64 = 20_040.0;

/// Reads the alternatives `raw` of a parameter under a modifier; `None` when there are none but empty ones.
///
/// # Errors
/// An issue that says what is wrong with the modifier or with which value.
pub fn test(
    param: &'static SearchParam,
    modifier: Option<&str>,
    raw: &str,
    rules: &Rules<'_>,
) -> Result<Option<Test>, Issue> {
    let values: Vec<&str> = split(raw, ',').into_iter().filter(|v| !v.trim().is_empty()).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let read = Reader { param, values, rules };
    let test = match (param.kind, modifier) {
        (ParamKind::Token, None) => Test::Token { not: false, any: read.each(token)? },
        (ParamKind::Token, Some("not")) => Test::Token { not: true, any: read.each(token)? },
        (ParamKind::Token, Some("text")) => Test::TokenText(read.each(|_, v, _| folded(v))?),
        (ParamKind::Reference, None) => Test::Reference(read.each(reference)?),
        (ParamKind::Reference, Some("identifier")) => Test::ReferenceIdentifier(read.each(identifier)?),
        (ParamKind::Reference, Some(rtype)) if resource_type(rtype).is_some() => {
            Test::Reference(read.each(|param, v, rules| typed_reference(param, rtype, v, rules))?)
        }
        (ParamKind::Date, None) => Test::Date(read.each(|_, v, _| date_value(v))?),
        (ParamKind::String, None) => Test::String(StringMatch::Starts, read.each(|_, v, _| folded(v))?),
        (ParamKind::String, Some("contains")) => {
            Test::String(StringMatch::Contains, read.each(|_, v, _| folded(v))?)
        }
        (ParamKind::String, Some("exact")) => {
            Test::String(StringMatch::Exact, read.each(|_, v, _| Ok(fold::key(&unescape(v))))?)
        }
        (ParamKind::Uri, None) => Test::Uri(read.each(|_, v, _| Ok(fold::key(&unescape(v))))?),
        (ParamKind::Quantity, None) => Test::Quantity(read.each(|_, v, _| quantity(v))?),
        (ParamKind::Special, None) => Test::Near(read.each(|_, v, _| near(v))?),
        (ParamKind::Composite, _) => {
            // A condition of its own (`composite`), not a test of values.
            return Err(Issue::error("not-supported", format!("'{}' has no values of its own", param.code)));
        }
        (_, Some(modifier)) => {
            return Err(Issue::error(
                "not-supported",
                format!("the modifier ':{modifier}' is not supported on '{}'", param.code),
            ));
        }
    };
    Ok(Some(test))
}

struct Reader<'a> {
    param: &'static SearchParam,
    values: Vec<&'a str>,
    rules: &'a Rules<'a>,
}

impl Reader<'_> {
    fn each<T>(
        &self,
        read: impl Fn(&'static SearchParam, &str, &Rules<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, Issue> {
        self.values
            .iter()
            .map(|value| {
                read(self.param, value, self.rules).map_err(|why| {
                    Issue::error("invalid", format!("'{}' can't search by '{value}': {why}", self.param.code))
                })
            })
            .collect()
    }
}

fn folded(value: &str) -> Result<String, String> {
    let norm = fold::norm(&unescape(value));
    if norm.is_empty() { Err("it needs a letter or a digit".to_owned()) } else { Ok(norm) }
}

fn token(param: &'static SearchParam, value: &str, _: &Rules<'_>) -> Result<TokenValue, String> {
    let fold_code: fn(&str) -> String = if param.is_identifier() { fold::key } else { fold::code };
    let mut value = system_and_code(value, fold_code)?;
    // The element says only the code; its binding implies the system.
    if !param.system.is_empty() && value.system.as_deref() == Some(param.system) {
        value.system = value.code.as_ref().map(|_| String::new());
    }
    if value.system.is_none() && value.code.is_none() {
        // `[implied system]|`: any value will do.
        value.system = Some(String::new());
    }
    Ok(value)
}

fn identifier(_: &'static SearchParam, value: &str, _: &Rules<'_>) -> Result<TokenValue, String> {
    system_and_code(value, fold::key)
}

fn system_and_code(value: &str, fold_code: fn(&str) -> String) -> Result<TokenValue, String> {
    let part = |text: &str| unescape(text);
    match split(value, '|').as_slice() {
        [code] => Ok(TokenValue { system: None, code: Some(fold_code(&part(code))) }),
        ["", ""] => Err("it has neither system nor code".to_owned()),
        [system, ""] => Ok(TokenValue { system: Some(fold::key(&part(system))), code: None }),
        [system, code] => {
            Ok(TokenValue { system: Some(fold::key(&part(system))), code: Some(fold_code(&part(code))) })
        }
        _ => Err("expected [system]|[code]".to_owned()),
    }
}

fn reference(param: &'static SearchParam, value: &str, rules: &Rules<'_>) -> Result<ReferenceValue, String> {
    let value = unescape(value);
    let value = value.strip_prefix(rules.base).and_then(|v| v.strip_prefix('/')).unwrap_or(&value);
    match target(value) {
        Some(Target::Local(rtype, id)) => Ok(ReferenceValue::Local(vec![fold::key(rtype)], fold::key(id))),
        Some(Target::Absolute(url)) => Ok(ReferenceValue::Url(fold::key(url))),
        None if !value.contains('/') => {
            let types = param.targets.iter().map(|t| (*t).to_owned()).collect();
            Ok(ReferenceValue::Local(types, fold::key(value)))
        }
        Some(Target::Contained) | None => Err("expected [id], [type]/[id] or a URL".to_owned()),
    }
}

fn typed_reference(
    param: &'static SearchParam,
    rtype: &str,
    value: &str,
    rules: &Rules<'_>,
) -> Result<ReferenceValue, String> {
    if !param.targets.is_empty() && !param.targets.contains(&rtype) {
        return Err(format!("it never refers to a {rtype}"));
    }
    match reference(param, value, rules)? {
        ReferenceValue::Local(types, id) if types.is_empty() || types.iter().any(|t| t == rtype) => {
            Ok(ReferenceValue::Local(vec![rtype.to_owned()], id))
        }
        ReferenceValue::Local(..) => Err(format!("expected a {rtype}")),
        elsewhere => Ok(elsewhere),
    }
}

fn date_value(value: &str) -> Result<(Prefix, Interval), String> {
    let value = unescape(value);
    let (prefix, text) = Prefix::split(value.trim());
    // A + that was not encoded arrives as a blank.
    let interval = date::parse(text).or_else(|| date::parse(&text.replace(' ', "+")));
    Ok((prefix, interval.ok_or("expected a date such as 2026-03-29 or 2026-03-29T09:00:00Z")?))
}

fn quantity(value: &str) -> Result<QuantityValue, String> {
    let parts = split(value, '|');
    let (number, system, unit) = match parts.as_slice() {
        [number] => (number, "", ""),
        [number, unit] => (number, "", *unit),
        [number, system, unit] => (number, *system, *unit),
        _ => return Err("expected [number]|[system]|[code]".to_owned()),
    };
    let (prefix, digits) = Prefix::split(number.trim());
    let (value, slack) = decimal(digits).ok_or("expected a number such as 5.4 or 1e3")?;
    let slack = if prefix == Prefix::Ap { (value.abs() / 10.0).max(slack) } else { slack };
    let given = |text: &str| (!text.is_empty()).then(|| fold::key(&unescape(text)));
    Ok(QuantityValue { prefix, value, slack, system: given(system), unit: given(unit) })
}

/// A decimal and half of what its last digit is worth: `5.40` means 5.395 to 5.405.
fn decimal(text: &str) -> Option<(f64, f64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |t: &str| !t.is_empty() && t.len() < 40 && t.bytes().all(|b| b.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let places = if digits.contains('.') { i32::try_from(fraction.len()).ok()? } else { 0 };
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.abs() > 200 {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| (value, 0.5 * 10_f64.powi(exponent - places)))
}

fn near(value: &str) -> Result<Near, String> {
    let parts = split(value, '|');
    let number = |i: usize| parts.get(i).filter(|t| !t.is_empty()).map(|t| decimal(t).map(|(v, _)| v));
    let usage = "expected [latitude]|[longitude]|[distance]|[km|m|mi]";
    let (Some(Some(latitude)), Some(Some(longitude))) = (number(0), number(1)) else {
        return Err(usage.to_owned());
    };
    if latitude.abs() > 90.0 || longitude.abs() > 180.0 || parts.len() > 4 {
        return Err(usage.to_owned());
    }
    let distance = number(2).unwrap_or(Some(DEFAULT_NEAR_KM)).filter(|d| *d >= 0.0).ok_or(usage)?;
    let factor = match parts.get(3).copied().unwrap_or("km") {
        "" | "km" => 1.0,
        "m" => 0.001,
        "mi" | "[mi_us]" | "[mi_i]" => 1.609_344,
        _ => return Err(usage.to_owned()),
    };
    Ok(Near { latitude, longitude, distance_km: (distance * factor).min(FARTHEST_KM) })
}
