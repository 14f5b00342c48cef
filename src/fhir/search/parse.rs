//! From a raw query string to a [`SearchQuery`].

use super::control::Controls;
use super::{Condition, Include, ReferenceValue, Rules, SearchQuery, Test, composite, text, value};
use crate::fhir::outcome::{Error, Issue, Kind};
use crate::fhir::registry::{ParamKind, ResourceType, SearchParam, TYPES, resource_type};

/// Most parameters in one query.
const MAX_PARAMS: usize = 200;
/// Most alternatives in one query, all parameters together.
const MAX_VALUES: usize = 1000;
/// Most references that one chain or `_has` follows.
const MAX_DEPTH: usize = 4;

/// What a parameter came to.
pub(super) enum Parsed<T> {
    /// Understood.
    Known(T),
    /// No such parameter.
    Unknown,
    /// Understood, and asks for nothing.
    Empty,
}

/// Parses the search of one type, or of several when `rt` is absent, within a compartment (`Patient`, `x`)
/// if one is given.
///
/// # Errors
/// 400 with every problem of the query; 404 for a compartment that does not hold the type.
pub fn parse(
    rt: Option<&'static ResourceType>,
    query: &str,
    compartment: Option<(&str, &str)>,
    rules: &Rules<'_>,
) -> Result<SearchQuery, Error> {
    let pairs = text::pairs(query)?;
    let values: usize = pairs.iter().map(|(_, v)| text::split(v, ',').len()).sum();
    if pairs.len() > MAX_PARAMS || values > MAX_VALUES {
        return Err(Error::of(
            Kind::BadRequest,
            vec![Issue::error(
                "too-costly",
                format!("a search takes at most {MAX_PARAMS} parameters and {MAX_VALUES} values"),
            )],
        ));
    }
    let types = searched_types(rt, &pairs)?;
    let mut parser = Parser { types: &types, rules, issues: Vec::new() };
    let mut conditions = Vec::new();
    if let Some((owner, id)) = compartment {
        conditions.push(compartment_condition(&types, owner, id)?);
    }
    let mut controls = Controls::new(rules);
    let (mut unknown, mut used) = (Vec::new(), Vec::new());
    for (name, raw) in pairs {
        if matches!(name.as_str(), "_format" | "_pretty") || (name == "_type" && rt.is_none()) {
            used.push((name, raw));
            continue;
        }
        let parsed = match controls.take(&parser, &name, &raw) {
            Some(Ok(taken)) => taken.map(|()| None),
            Some(Err(issue)) => {
                parser.issues.push(issue);
                continue;
            }
            None => parser.condition(&name, &raw).map(Some),
        };
        match parsed {
            Parsed::Known(condition) => {
                conditions.extend(condition);
                // A page is named by its own link, not by where the last one began.
                if name != "_page" {
                    used.push((name, raw));
                }
            }
            Parsed::Unknown => unknown.push(name),
            Parsed::Empty => {}
        }
    }
    if !parser.issues.is_empty() {
        return Err(Error::of(Kind::BadRequest, parser.issues));
    }
    let compartment = compartment.map(|(owner, id)| (owner.to_owned(), id.to_owned()));
    Ok(SearchQuery { compartment, unknown, used, ..controls.into_query(types, conditions) })
}

fn searched_types(
    rt: Option<&'static ResourceType>,
    pairs: &[(String, String)],
) -> Result<Vec<&'static ResourceType>, Error> {
    if let Some(rt) = rt {
        return Ok(vec![rt]);
    }
    let named: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "_type").flat_map(|(_, v)| v.split(',')).collect();
    if named.is_empty() {
        return Ok(TYPES.iter().collect());
    }
    let mut types = Vec::new();
    for name in named {
        let found = resource_type(name)
            .ok_or_else(|| Error::bad_request(format!("_type: '{name}' is not a type of this server")))?;
        if !types.contains(&found) {
            types.push(found);
        }
    }
    Ok(types)
}

/// The condition that puts a resource of any of `types` into the compartment of `owner/id`.
///
/// # Errors
/// 404 when the compartment holds none of the types.
pub fn compartment_condition(
    types: &[&'static ResourceType],
    owner: &str,
    id: &str,
) -> Result<Condition, Error> {
    let mut ways = Vec::new();
    for rt in types {
        let codes = match owner {
            "Patient" => rt.patient_compartment,
            "Practitioner" => rt.practitioner_compartment,
            _ => &[],
        };
        for param in codes.iter().filter_map(|code| rt.param(code)) {
            let test = if param.kind == ParamKind::Reference {
                Test::Reference(vec![ReferenceValue::Local(vec![owner.to_owned()], id.to_owned())])
            } else {
                let own = super::TokenValue { system: None, code: Some(id.to_owned()) };
                Test::Token { not: false, any: vec![own] }
            };
            ways.push((*rt, Condition::Param(param, test)));
        }
    }
    if ways.is_empty() {
        let types: Vec<&str> = types.iter().map(|t| t.name).collect();
        return Err(Error::new(
            Kind::NotFound,
            format!("the {owner} compartment does not hold {}", types.join(", ")),
        ));
    }
    Ok(Condition::Any(ways))
}

pub(super) struct Parser<'a> {
    types: &'a [&'static ResourceType],
    rules: &'a Rules<'a>,
    issues: Vec<Issue>,
}

impl Parser<'_> {
    /// A parameter that all searched types share, by its code.
    pub(super) fn param(&self, code: &str) -> Option<&'static SearchParam> {
        match self.types {
            [only] => only.param(code),
            // Types give one code different paths, so only what every type has can be searched across them.
            _ => crate::fhir::registry::COMMON.iter().find(|p| p.code == code),
        }
    }

    /// The only type searched.
    pub(super) fn only_type(&self) -> Option<&'static ResourceType> {
        match self.types {
            [only] => Some(only),
            _ => None,
        }
    }

    fn condition(&mut self, name: &str, raw: &str) -> Parsed<Condition> {
        let parsed = if let Some(rt) = self.only_type() {
            self.for_type(rt, name, raw, 0)
        } else {
            let (code, modifier) = modifier_of(name);
            self.param(code).map_or(Ok(Parsed::Unknown), |param| self.simple(param, modifier, raw))
        };
        parsed.unwrap_or_else(|issue| {
            self.issues.push(issue);
            Parsed::Empty
        })
    }

    /// A condition on resources of type `rt`, `depth` references away from what is searched.
    fn for_type(
        &self,
        rt: &'static ResourceType,
        name: &str,
        raw: &str,
        depth: usize,
    ) -> Result<Parsed<Condition>, Issue> {
        if depth > MAX_DEPTH {
            return Err(Issue::error(
                "too-costly",
                format!("'{name}' follows more than {MAX_DEPTH} references"),
            ));
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(rt, rest, raw, depth);
        }
        if let Some((link, rest)) = name.split_once('.') {
            return self.chain(rt, link, rest, raw, depth);
        }
        let (code, modifier) = modifier_of(name);
        match rt.param(code) {
            Some(param) if param.kind == ParamKind::Composite => {
                let condition = composite::condition(rt, param, modifier, raw, self.rules)?;
                Ok(condition.map_or(Parsed::Empty, Parsed::Known))
            }
            Some(param) => self.simple(param, modifier, raw),
            None => Ok(Parsed::Unknown),
        }
    }

    fn simple(
        &self,
        param: &'static SearchParam,
        modifier: Option<&str>,
        raw: &str,
    ) -> Result<Parsed<Condition>, Issue> {
        if modifier == Some("missing") {
            return match raw {
                "true" => Ok(Parsed::Known(Condition::Missing(param, true))),
                "false" => Ok(Parsed::Known(Condition::Missing(param, false))),
                _ => Err(Issue::error("invalid", format!("'{}:missing' is true or false", param.code))),
            };
        }
        let test = value::test(param, modifier, raw, self.rules)?;
        Ok(test.map_or(Parsed::Empty, |test| Parsed::Known(Condition::Param(param, test))))
    }

    /// `link[:Type].rest`
    fn chain(
        &self,
        rt: &'static ResourceType,
        link: &str,
        rest: &str,
        raw: &str,
        depth: usize,
    ) -> Result<Parsed<Condition>, Issue> {
        let (code, wanted) = modifier_of(link);
        let Some(param) = rt.param(code) else { return Ok(Parsed::Unknown) };
        if param.kind != ParamKind::Reference {
            return Err(Issue::error("invalid", format!("'{code}' is not a reference, so it leads nowhere")));
        }
        let targets = TYPES.iter().filter(|t| {
            (param.targets.is_empty() || param.targets.contains(&t.name))
                && wanted.is_none_or(|w| w == t.name)
        });
        let mut known = Vec::new();
        let (mut empty, mut first_issue, mut any) = (false, None, false);
        for next in targets {
            any = true;
            match self.for_type(next, rest, raw, depth + 1) {
                Ok(Parsed::Known(condition)) => known.push((next, condition)),
                Ok(Parsed::Empty) => empty = true,
                Ok(Parsed::Unknown) => {}
                // Another type may know the parameter by a kind that the value suits.
                Err(issue) => first_issue = first_issue.or(Some(issue)),
            }
        }
        match (known.is_empty(), first_issue) {
            (false, _) => Ok(Parsed::Known(Condition::Chain(param, known))),
            (true, Some(issue)) => Err(issue),
            (true, None) if !any && wanted.is_some() => {
                Err(Issue::error("invalid", format!("'{link}': '{code}' never refers to that type")))
            }
            (true, None) if empty => Ok(Parsed::Empty),
            (true, None) => Ok(Parsed::Unknown),
        }
    }

    /// `Type:reference:rest` after `_has:`
    fn has(
        &self,
        rt: &'static ResourceType,
        name: &str,
        raw: &str,
        depth: usize,
    ) -> Result<Parsed<Condition>, Issue> {
        let mut parts = name.splitn(3, ':');
        let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Issue::error("invalid", "expected _has:[type]:[reference]:[parameter]"));
        };
        let Some(source) = resource_type(source) else {
            return Err(Issue::error("invalid", format!("_has: '{source}' is not a type of this server")));
        };
        let Some(param) = source.param(code).filter(|p| p.kind == ParamKind::Reference) else {
            return Err(Issue::error(
                "invalid",
                format!("_has: {} has no reference parameter '{code}'", source.name),
            ));
        };
        if !param.targets.is_empty() && !param.targets.contains(&rt.name) {
            return Err(Issue::error(
                "invalid",
                format!("_has: {}.{code} never refers to {}", source.name, rt.name),
            ));
        }
        Ok(match self.for_type(source, rest, raw, depth + 1)? {
            Parsed::Known(condition) => Parsed::Known(Condition::Has(source, param, Box::new(condition))),
            Parsed::Unknown => Parsed::Unknown,
            Parsed::Empty => Parsed::Empty,
        })
    }
}

/// The value of `_include` (or `_revinclude`).
pub(super) fn include(name: &str, raw: &str, iterate: bool) -> Result<Include, Issue> {
    let bad = |why: String| Issue::error("invalid", format!("{name}: {why}"));
    if raw == "*" {
        return Ok(Include { source: None, param: None, target: None, iterate });
    }
    let mut parts = raw.split(':');
    let (source, code, target) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(bad(format!("'{raw}' has too many parts")));
    }
    let known =
        resource_type(source).ok_or_else(|| bad(format!("'{source}' is not a type of this server")))?;
    let code = code.ok_or_else(|| bad("expected [type]:[parameter] or [type]:*".to_owned()))?;
    let param = if code == "*" {
        None
    } else {
        let found = known.param(code).filter(|p| p.kind == ParamKind::Reference);
        Some(found.ok_or_else(|| bad(format!("{source} has no reference parameter '{code}'")))?)
    };
    let target = match target {
        None | Some("") => None,
        Some(t) => Some(resource_type(t).ok_or_else(|| bad(format!("'{t}' is not a type of this server")))?),
    };
    Ok(Include { source: Some(known), param, target, iterate })
}

impl<T> Parsed<T> {
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Parsed<U> {
        match self {
            Self::Known(value) => Parsed::Known(f(value)),
            Self::Unknown => Parsed::Unknown,
            Self::Empty => Parsed::Empty,
        }
    }
}

/// Splits `code:modifier`.
fn modifier_of(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    }
}
