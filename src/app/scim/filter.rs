//! The filter language (RFC 7644 §3.4.2.2), read by recursive descent and bounded in length and depth.

use super::error::{Error, Kind};
use crate::store::scim::Comparison;
use serde_json::Value;

/// The longest filter, in bytes.
const LONGEST: usize = 2048;
/// The deepest nesting.
const DEEPEST: usize = 16;

/// The comparison with this code (RFC 7644 §3.4.2.2).
fn comparison(code: &str) -> Option<Comparison> {
    const ALL: [(&str, Comparison); 9] = [
        ("eq", Comparison::Eq),
        ("ne", Comparison::Ne),
        ("co", Comparison::Co),
        ("sw", Comparison::Sw),
        ("ew", Comparison::Ew),
        ("gt", Comparison::Gt),
        ("ge", Comparison::Ge),
        ("lt", Comparison::Lt),
        ("le", Comparison::Le),
    ];
    ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(code)).map(|(_, found)| found)
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Both.
    And(Box<Self>, Box<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
    /// Not so.
    Not(Box<Self>),
    /// The attribute has a value.
    Present(String),
    /// The attribute compares so with a JSON value.
    Compare(String, Comparison, Value),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `invalidFilter`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(bad("The filter is longer than 2048 bytes"));
        }
        let mut reader = Reader { rest: text, depth: 0 };
        let filter = reader.any()?;
        if reader.rest.trim_start().is_empty() { Ok(filter) } else { Err(reader.unexpected()) }
    }

    /// Whether a JSON object satisfies it. Texts are compared without regard to case.
    pub fn matches(&self, object: &Value) -> bool {
        match self {
            Self::And(one, other) => one.matches(object) && other.matches(object),
            Self::Or(one, other) => one.matches(object) || other.matches(object),
            Self::Not(one) => !one.matches(object),
            Self::Present(name) => attribute(object, name).is_some_and(is_there),
            Self::Compare(name, how, wanted) => compares(attribute(object, name), *how, wanted),
        }
    }

    /// What an object has that satisfies it: `type eq "work" and primary eq true` as pairs; none when it says
    /// anything else.
    pub fn as_pairs(&self) -> Option<Vec<(String, Value)>> {
        match self {
            Self::And(one, other) => {
                let mut pairs = one.as_pairs()?;
                pairs.extend(other.as_pairs()?);
                Some(pairs)
            }
            Self::Compare(name, Comparison::Eq, value) => Some(vec![(name.clone(), value.clone())]),
            _ => None,
        }
    }
}

fn is_there(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()) && value != ""
}

/// A member by its name, without regard to case; `a.b` looks into `a`.
fn attribute<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let object = object.as_object()?;
    let value = object.iter().find(|(own, _)| own.eq_ignore_ascii_case(first)).map(|(_, value)| value)?;
    rest.map_or(Some(value), |rest| attribute(value, rest))
}

fn compares(found: Option<&Value>, how: Comparison, wanted: &Value) -> bool {
    let Some(found) = found.filter(|value| !value.is_null()) else {
        // What is not there differs from everything but null.
        return match how {
            Comparison::Eq => wanted.is_null(),
            Comparison::Ne => !wanted.is_null(),
            _ => false,
        };
    };
    if let (Value::String(found), Value::String(wanted)) = (found, wanted) {
        let (found, wanted) = (found.to_lowercase(), wanted.to_lowercase());
        return match how {
            Comparison::Eq => found == wanted,
            Comparison::Ne => found != wanted,
            Comparison::Co => found.contains(&wanted),
            Comparison::Sw => found.starts_with(&wanted),
            Comparison::Ew => found.ends_with(&wanted),
            Comparison::Gt => found > wanted,
            Comparison::Ge => found >= wanted,
            Comparison::Lt => found < wanted,
            Comparison::Le => found <= wanted,
        };
    }
    match how {
        Comparison::Eq => same(found, wanted),
        Comparison::Ne => !same(found, wanted),
        _ => false,
    }
}

/// Equal, where `"True"` is the boolean too, as some send it.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Bool(found), Value::String(wanted)) => wanted.eq_ignore_ascii_case(&found.to_string()),
        _ => found == wanted,
    }
}

fn bad(told: impl Into<String>) -> Error {
    Error::new(Kind::InvalidFilter, told)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<Filter, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(bad("The filter is nested too deeply"));
        }
        let mut filter = self.all()?;
        while self.word("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.all()?));
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn all(&mut self) -> Result<Filter, Error> {
        let mut filter = self.one()?;
        while self.word("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.one()?));
        }
        Ok(filter)
    }

    fn one(&mut self) -> Result<Filter, Error> {
        if self.symbol('(') {
            return self.grouped(')');
        }
        let before = self.rest;
        if self.word("not") {
            if self.symbol('(') {
                return Ok(Filter::Not(Box::new(self.grouped(')')?)));
            }
            self.rest = before;
        }
        let name = self.name()?;
        if self.symbol('[') {
            let inner = self.grouped(']')?;
            return Ok(prefixed(inner, name));
        }
        let operator = self.name()?;
        if operator.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(name.to_owned()));
        }
        let how = comparison(operator)
            .ok_or_else(|| bad(format!("\"{operator}\" is not an operator of a filter")))?;
        Ok(Filter::Compare(name.to_owned(), how, self.value()?))
    }

    fn grouped(&mut self, end: char) -> Result<Filter, Error> {
        let inner = self.any()?;
        if self.symbol(end) { Ok(inner) } else { Err(self.unexpected()) }
    }

    /// Takes `wanted` if it comes next as a word of its own.
    fn word(&mut self, wanted: &str) -> bool {
        let rest = self.rest.trim_start();
        let (Some(word), Some(after)) = (rest.get(..wanted.len()), rest.get(wanted.len()..)) else {
            return false;
        };
        let ends = after.starts_with(|c: char| c.is_whitespace() || c == '(');
        let taken = word.eq_ignore_ascii_case(wanted) && ends;
        if taken {
            self.rest = after;
        }
        taken
    }

    fn symbol(&mut self, wanted: char) -> bool {
        let after = self.rest.trim_start().strip_prefix(wanted);
        if let Some(after) = after {
            self.rest = after;
        }
        after.is_some()
    }

    /// An attribute or an operator.
    fn name(&mut self) -> Result<&'a str, Error> {
        let rest = self.rest.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.:$".contains(c);
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return Err(self.unexpected());
        }
        self.rest = after;
        Ok(name)
    }

    /// A JSON text, number, boolean or null; the words in any case, as some write them.
    fn value(&mut self) -> Result<Value, Error> {
        let bad = || bad("A filter compares with a JSON text, number, boolean or null");
        let rest = self.rest.trim_start();
        if rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let text = values.next().and_then(Result::ok).ok_or_else(bad)?;
            self.rest = rest.get(values.byte_offset()..).unwrap_or_default();
            return Ok(Value::String(text));
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == ')' || c == ']').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value: Value = serde_json::from_str(&word.to_ascii_lowercase()).map_err(|_| bad())?;
        if value.is_object() || value.is_array() || value.is_string() {
            return Err(bad());
        }
        self.rest = after;
        Ok(value)
    }

    fn unexpected(&self) -> Error {
        let rest: String = self.rest.trim_start().chars().take(20).collect();
        bad(if rest.is_empty() {
            "The filter ends too early".to_owned()
        } else {
            format!("The filter can't be read from \"{rest}\" on")
        })
    }
}

/// `emails[type eq "work"]` asks for `emails.type eq "work"`.
fn prefixed(filter: Filter, name: &str) -> Filter {
    let put = |inner: String| format!("{name}.{inner}");
    match filter {
        Filter::And(a, b) => Filter::And(Box::new(prefixed(*a, name)), Box::new(prefixed(*b, name))),
        Filter::Or(a, b) => Filter::Or(Box::new(prefixed(*a, name)), Box::new(prefixed(*b, name))),
        Filter::Not(a) => Filter::Not(Box::new(prefixed(*a, name))),
        Filter::Present(inner) => Filter::Present(put(inner)),
        Filter::Compare(inner, how, value) => Filter::Compare(put(inner), how, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn and_binds_more_than_or_and_not_binds_most() {
        let is = |name: &str| Filter::Compare(name.to_owned(), Comparison::Eq, json!(1));
        let read = Filter::parse("a eq 1 or b eq 1 AND not (c eq 1)").unwrap();
        let not = Filter::Not(Box::new(is("c")));
        let and = Filter::And(Box::new(is("b")), Box::new(not));
        assert_eq!(read, Filter::Or(Box::new(is("a")), Box::new(and)));
        let grouped = Filter::parse("(a eq 1 or b eq 1) and c eq 1").unwrap();
        let or = Filter::Or(Box::new(is("a")), Box::new(is("b")));
        assert_eq!(grouped, Filter::And(Box::new(or), Box::new(is("c"))));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            " ",
            "a",
            "a eq",
            "a is 1",
            "a eq {}",
            "a eq [1]",
            "a eq \"x",
            "(a eq 1",
            "a eq 1)",
            "a eq 1 b",
            "a eq 1 and",
            "not a eq 1",
            "a[b eq 1",
            "a eq x",
            "eq 1",
            "'a' eq 1",
        ] {
            assert_eq!(Filter::parse(text).unwrap_err().kind, Kind::InvalidFilter, "{text}");
        }
        let deep = format!("{}a pr{}", "(".repeat(100), ")".repeat(100));
        assert!(Filter::parse(&deep).is_err());
        assert!(Filter::parse(&format!("a eq \"{}\"", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn objects_are_judged() {
        let object =
            json!({"userName": "Ann@x", "active": true, "name": {"familyName": "Åberg"}, "emails": []});
        for (filter, holds) in [
            ("username eq \"ann@X\"", true),
            ("userName sw \"ann\" and active eq True", true),
            ("active eq \"False\"", false),
            ("(active eq TRUE) and (nickName eq null)", true),
            ("name.familyName ew \"berg\"", true),
            ("emails pr", false),
            ("nickName pr or nickName ne \"x\"", true),
            ("nickName eq null", true),
            ("not (userName co \"@\")", false),
            ("userName gt \"ann\" and userName lt \"bob\"", true),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().matches(&object), holds, "{filter}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = Filter::parse(&text);
        }

        #[test]
        fn any_value_comes_back(value in ".{0,40}") {
            let text = format!("userName eq {}", json!(value));
            let read = Filter::parse(&text).unwrap();
            prop_assert_eq!(read, Filter::Compare("userName".to_owned(), Comparison::Eq, json!(value)));
        }

        #[test]
        fn pieces_of_the_grammar_never_make_it_panic(
            parts in proptest::collection::vec(
                prop::sample::select(vec!["a", "eq", "pr", "and", "or", "not", "(", ")", "[", "]", "\"x\"", "1", "true", ".", ":"]),
                0..30,
            )
        ) {
            let _ = Filter::parse(&parts.join(" "));
        }
    }
}
