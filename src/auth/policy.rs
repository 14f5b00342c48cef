//! The access rules (`policies.cedar`), evaluated once for every role, action and type, so that a request costs
//! no more than a look into a table.

use super::filter;
use super::rule::{Act, Area, FilterKind, Subject, View};
use crate::fhir::registry::{LOGGED, TYPES, resource_type};
use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    Schema, ValidationMode, Validator,
};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::LazyLock;

/// The rules as they are written.
pub const TEXT: &str = include_str!("policies.cedar");

/// Why the rules can't be used; one line for each problem.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the access rules are broken:\n{}", .0.join("\n"))]
pub struct PolicyError(pub Vec<String>);

/// A permission, and what it is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which resources; all when absent.
    pub filter: Option<FilterKind>,
    /// Which part of them; all of it when absent.
    pub view: Option<View>,
    /// Whether it ends some time before the appointment begins.
    pub cutoff: bool,
}

/// What the rules say to one question.
#[derive(Clone, Debug, Default)]
pub struct Ruling {
    /// Permissions; any of them is enough. Empty: denied.
    pub grants: Vec<Grant>,
    /// Names of the rules that decided.
    pub rules: Vec<&'static str>,
    /// Whether a rule forbids it.
    pub forbidden: bool,
}

/// Every ruling.
#[derive(Debug)]
pub struct Policy {
    /// By subject, act and name of a type or area; what is absent is denied and nobody speaks of it.
    rulings: HashMap<(Subject, Act, &'static str), Ruling>,
    /// The sentence above each rule, by its name.
    words: BTreeMap<&'static str, String>,
}

static POLICY: LazyLock<Result<Policy, PolicyError>> = LazyLock::new(|| Policy::read(TEXT));

impl Policy {
    /// The rules of this server, evaluated when they are first asked for.
    ///
    /// # Errors
    /// When they can't be parsed, contradict the schema, or say nothing of a type that is served.
    pub fn load() -> Result<&'static Self, PolicyError> {
        POLICY.as_ref().map_err(Clone::clone)
    }

    /// Parses, validates and evaluates rules.
    fn read(text: &'static str) -> Result<Self, PolicyError> {
        let one = |error: String| PolicyError(vec![error]);
        let parsed = PolicySet::from_str(text).map_err(|e| one(format!("{e:?}")))?;
        let (schema, warnings) =
            Schema::from_cedarschema_str(&schema()).map_err(|e| one(format!("schema: {e}")))?;
        let mut problems: Vec<String> = warnings.map(|warning| warning.to_string()).collect();
        let (policies, names) = named(parsed, text, &mut problems);
        let validated = Validator::new(schema).validate(&policies, ValidationMode::Strict);
        problems.extend(validated.validation_errors().map(ToString::to_string));
        problems.extend(validated.validation_warnings().map(ToString::to_string));
        problems.extend(unspoken(&policies));
        let mut policy = Self { rulings: HashMap::new(), words: words(text, &names) };
        policy.evaluate(&policies, &mut problems);
        if problems.is_empty() { Ok(policy) } else { Err(PolicyError(problems)) }
    }

    /// Asks every question once.
    fn evaluate(&mut self, policies: &PolicySet, problems: &mut Vec<String>) {
        let authorizer = Authorizer::new();
        let entities = Entities::empty();
        for subject in Subject::all() {
            for act in Act::ALL {
                for (kind, name) in targets() {
                    let principal = match subject {
                        Subject::Role(role) => uid("Role", role.code()),
                        Subject::PatientScopes => uid("Scopes", "patient"),
                    };
                    let request = (principal, uid("Action", act.code()), uid(kind, name));
                    let (Some(principal), Some(action), Some(resource)) = request else { continue };
                    let request = match Request::new(principal, action, resource, Context::empty(), None) {
                        Ok(request) => request,
                        Err(error) => {
                            problems.push(error.to_string());
                            continue;
                        }
                    };
                    let answer = authorizer.is_authorized(&request, policies, &entities);
                    problems.extend(answer.diagnostics().errors().map(ToString::to_string));
                    let ruling = self.ruling_of(&answer, policies, name, problems);
                    if !ruling.rules.is_empty() {
                        self.rulings.insert((subject, act, name), ruling);
                    }
                }
            }
        }
    }

    fn ruling_of(
        &self,
        answer: &cedar_policy::Response,
        policies: &PolicySet,
        target: &'static str,
        problems: &mut Vec<String>,
    ) -> Ruling {
        let mut ruling = Ruling { forbidden: answer.decision() == Decision::Deny, ..Ruling::default() };
        for id in answer.diagnostics().reason() {
            let text: &str = id.as_ref();
            ruling.rules.extend(self.words.get_key_value(text).map(|(name, _)| *name));
            if ruling.forbidden {
                continue;
            }
            let Some(policy) = policies.policy(id) else { continue };
            let filter = policy.annotation("filter").and_then(FilterKind::from_code);
            let view = policy.annotation("view").and_then(View::from_code);
            if let (Some(filter), Some(rt)) = (filter, resource_type(target))
                && !filter::suits(filter, rt)
            {
                problems.push(format!("{text}: the filter {} does not suit {target}", filter.code()));
            }
            if let Some(view) = view.filter(|view| super::view::elements(*view, target).is_none()) {
                problems.push(format!("{text}: there is no view {} of {target}", view.code()));
            }
            let cutoff = policy.annotation("until").is_some();
            if cutoff && target != "Appointment" {
                problems.push(format!("{text}: {target} has no time to be changed until"));
            }
            let grant = Grant { filter, view, cutoff };
            if !ruling.grants.contains(&grant) {
                ruling.grants.push(grant);
            }
        }
        ruling
    }

    /// What the rules say of an act on resources of a type.
    pub fn ruling(&self, subject: Subject, act: Act, rtype: &'static str) -> Option<&Ruling> {
        self.rulings.get(&(subject, act, rtype))
    }

    /// The permissions for an act on resources of a type; none: denied.
    pub fn grants(&self, subject: Subject, act: Act, rtype: &'static str) -> &[Grant] {
        self.ruling(subject, act, rtype).map_or(&[], |ruling| &ruling.grants)
    }

    /// Whether a role may do something with what this server keeps besides resources.
    pub fn allows_in(&self, subject: Subject, act: Act, area: Area) -> bool {
        !self.grants(subject, act, area.code()).is_empty()
    }

    /// What a rule says, in words.
    pub fn words(&self, rule: &str) -> &str {
        self.words.get(rule).map_or("", String::as_str)
    }
}

/// The types that rules may name: those served.
pub fn types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().chain(LOGGED).map(|rt| rt.name)
}

/// All that rules may name as a resource: kind and name.
pub(super) fn targets() -> impl Iterator<Item = (&'static str, &'static str)> {
    types().map(|name| ("Type", name)).chain(Area::ALL.into_iter().map(|area| ("Area", area.code())))
}

fn uid(kind: &str, name: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).ok()?, EntityId::new(name)))
}

/// What rules may speak of, so that a misspelt role, action or type is an error.
fn schema() -> String {
    let list = |names: Vec<&str>| names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
    let roles = list(super::principal::Role::ALL.iter().map(|role| role.code()).collect());
    let (types, areas) = (list(types().collect()), list(Area::ALL.iter().map(|area| area.code()).collect()));
    let on_both = list(Act::ALL.iter().take(5).map(|act| act.code()).collect());
    let on_types = list(Act::ALL.iter().skip(5).map(|act| act.code()).collect());
    format!(
        "entity Role enum [{roles}];\nentity Scopes enum [\"patient\"];\nentity Type enum [{types}];\n\
         entity Area enum [{areas}];\n\
         action {on_both} appliesTo {{ principal: [Role, Scopes], resource: [Type, Area] }};\n\
         action {on_types} appliesTo {{ principal: [Role], resource: [Type] }};\n"
    )
}

/// The rules under the names that they give themselves.
fn named(
    parsed: PolicySet,
    text: &'static str,
    problems: &mut Vec<String>,
) -> (PolicySet, Vec<&'static str>) {
    let mut policies = PolicySet::new();
    let mut names: Vec<&'static str> = Vec::new();
    for policy in parsed.policies() {
        for (key, value) in policy.annotations() {
            let known = match key {
                "id" => true,
                "filter" => FilterKind::from_code(value).is_some() && policy.effect() == Effect::Permit,
                "view" => View::from_code(value).is_some() && policy.effect() == Effect::Permit,
                "until" => value == "cutoff" && policy.effect() == Effect::Permit,
                _ => false,
            };
            if !known {
                problems.push(format!("@{key}(\"{value}\") is not known, or not for such a rule"));
            }
        }
        // The name as it stands in the text, which lives as long as the program.
        let Some(name) = policy.annotation("id").and_then(|id| {
            let at = text.find(&format!("@id(\"{id}\")"))?;
            text.get(at + 5..)?.split('"').next()
        }) else {
            problems.push(format!("a rule has no @id: {policy}"));
            continue;
        };
        names.push(name);
        if let Err(error) = policies.add(policy.new_id(cedar_policy::PolicyId::new(name))) {
            problems.push(error.to_string());
        }
    }
    (policies, names)
}

/// The comment above each rule.
fn words(text: &str, names: &[&'static str]) -> BTreeMap<&'static str, String> {
    let mut words = BTreeMap::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("//") {
            comment.push(said.trim());
        } else if let Some(rest) = line.strip_prefix("@id(\"") {
            let name = rest.split('"').next().unwrap_or_default();
            if let Some(name) = names.iter().find(|known| **known == name) {
                words.insert(*name, comment.join(" "));
            }
        } else if line.trim().is_empty() {
            comment.clear();
        }
    }
    words
}

/// Types that are served although no rule names them. A rule about everything does not count.
fn unspoken(policies: &PolicySet) -> Vec<String> {
    let mut spoken: Vec<String> = Vec::new();
    for policy in policies.policies().filter(|policy| policy.effect() == Effect::Permit) {
        let literals = policy.entity_literals().into_iter();
        let types = literals.filter(|uid| uid.type_name().basename() == "Type");
        spoken.extend(types.map(|uid| AsRef::<str>::as_ref(uid.id()).to_owned()));
    }
    let silent = TYPES.iter().filter(|rt| !spoken.iter().any(|name| name == rt.name));
    silent.map(|rt| format!("no rule speaks of {}", rt.name)).collect()
}

#[cfg(test)]
mod tests;
