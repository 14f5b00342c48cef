//! FHIRPath expressions as places in a resource.
//!
//! An evaluator answers with values; a patch needs to know where they are. So the path part of an
//! expression is walked here, over the tree that `rh-fhirpath` parses, and only the criteria of
//! `where` are evaluated by it.

use super::grammar::{self, integer, text, type_name};
use super::structure::{Child, Model, choice_type};
use crate::fhir::outcome::Issue;
use rh_fhirpath::{
    EvaluationContext, Expression, FhirPathEvaluator, FhirPathExpression, FhirPathValue, Invocation, Term,
};
use serde_json::Value;

/// One step from a container to its child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Member of an object, by JSON name.
    Key(String),
    /// Item of an array.
    Index(usize),
}

/// An element that exists in the resource.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The way from the root.
    pub steps: Vec<Step>,
    /// What R4 says about it.
    pub model: Model,
    /// The choice's name without type, when the expression named the choice.
    pub choice: Option<String>,
    /// The JSON names that this choice can take; empty for other elements.
    pub forms: Vec<&'static str>,
}

/// A list, whether or not it has items.
pub(super) struct List {
    /// The element that has the list.
    pub parent: Node,
    /// Its JSON name.
    pub key: String,
}

/// A parsed path.
#[derive(Debug)]
pub(super) struct Path(Expression);

impl Path {
    /// Parses `text`.
    ///
    /// # Errors
    /// An `invalid` issue for what is not FHIRPath, `not-supported` for what does not lead to a place.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        grammar::parse(text).map(Self)
    }

    /// Every element of `resource` that the path leads to.
    ///
    /// # Errors
    /// An issue for an element that R4 does not have there, or criteria that can't be evaluated.
    pub fn find(&self, resource: &Value) -> Result<Vec<Node>, Issue> {
        Walk { resource }.eval(&self.0)
    }

    /// The list that the path names: its last step is the list's name.
    ///
    /// # Errors
    /// An issue when the path does not lead to exactly one list.
    pub fn find_list(&self, resource: &Value) -> Result<List, Issue> {
        let walk = Walk { resource };
        let (parents, name) = match &self.0 {
            Expression::Invocation { left, invocation: Invocation::Member(name) } => (walk.eval(left)?, name),
            Expression::Term(Term::Invocation(Invocation::Member(name))) => (vec![walk.root()], name),
            _ => {
                let message = "The path of an insert or a move names a list, without an index or a function";
                return Err(Issue::error("processing", message));
            }
        };
        let parent = exactly_one(parents)?;
        match parent.model.look_up(name) {
            Child::Element if parent.model.child(name).repeats() => Ok(List { parent, key: name.clone() }),
            Child::Unknown => Err(unknown(name)),
            _ => Err(Issue::error("processing", format!("{name} is not a list"))),
        }
    }
}

/// The only node of `nodes`.
pub(super) fn exactly_one(nodes: Vec<Node>) -> Result<Node, Issue> {
    let count = nodes.len();
    let mut nodes = nodes.into_iter();
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => Ok(node),
        (None, _) => Err(Issue::error("not-found", "The path leads to nothing in this resource")),
        _ => {
            let message = format!("The path leads to {count} elements; it must lead to one");
            Err(Issue::error("multiple-matches", message))
        }
    }
}

/// The value at `steps`.
pub(super) fn get<'a>(resource: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(resource, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(*index),
    })
}

impl Node {
    /// Where the element's members are: for a primitive that is the sibling `_name`.
    pub fn member_steps(&self) -> Vec<Step> {
        let mut steps = self.steps.clone();
        if self.model.is_primitive()
            && let Some(Step::Key(key)) = steps.iter_mut().rev().find(|s| matches!(s, Step::Key(_)))
        {
            *key = format!("_{key}");
        }
        steps
    }

    /// JSON name of the element, if it is not the root.
    pub fn key(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    fn is_of_type(&self, name: &str, resource: &Value) -> Option<bool> {
        if let (Some(choice), Some(key)) = (&self.choice, self.key()) {
            return Some(choice_type(key, choice).is_some_and(|found| found.eq_ignore_ascii_case(name)));
        }
        let own = get(resource, &self.steps)?.get("resourceType")?.as_str()?;
        Some(own == name || matches!(name, "Resource" | "DomainResource"))
    }
}

struct Walk<'a> {
    resource: &'a Value,
}

impl Walk<'_> {
    fn root(&self) -> Node {
        let rtype = self.resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        Node { steps: Vec::new(), model: Model::resource(rtype), choice: None, forms: Vec::new() }
    }

    fn eval(&self, expression: &Expression) -> Result<Vec<Node>, Issue> {
        match expression {
            Expression::Term(Term::Parenthesized(inner)) => self.eval(inner),
            Expression::Term(Term::Invocation(Invocation::Member(name))) if self.names_root(name) => {
                Ok(vec![self.root()])
            }
            Expression::Term(Term::Invocation(invocation)) => self.invoke(vec![self.root()], invocation),
            Expression::Invocation { left, invocation } => self.invoke(self.eval(left)?, invocation),
            Expression::Indexer { left, index } => {
                let wanted = integer(index).unwrap_or(usize::MAX);
                Ok(self.eval(left)?.into_iter().nth(wanted).into_iter().collect())
            }
            Expression::Type { left, type_specifier, .. } => {
                self.of_type(self.eval(left)?, type_specifier.qualified_name.last())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn names_root(&self, name: &str) -> bool {
        matches!(name, "Resource" | "DomainResource")
            || self.resource.get("resourceType").and_then(Value::as_str) == Some(name)
    }

    fn invoke(&self, nodes: Vec<Node>, invocation: &Invocation) -> Result<Vec<Node>, Issue> {
        let (name, parameters) = match invocation {
            Invocation::Member(name) => return self.children(&nodes, name),
            Invocation::Function { name, parameters } => (name.as_str(), parameters.first()),
            Invocation::This | Invocation::Index | Invocation::Total => return Ok(nodes),
        };
        match (name, parameters) {
            ("where", Some(criteria)) => self.filter(nodes, criteria),
            ("first", None) => Ok(nodes.into_iter().take(1).collect()),
            ("last", None) => Ok(nodes.into_iter().next_back().into_iter().collect()),
            ("tail", None) => Ok(nodes.into_iter().skip(1).collect()),
            ("skip", Some(n)) => Ok(nodes.into_iter().skip(integer(n).unwrap_or(0)).collect()),
            ("take", Some(n)) => Ok(nodes.into_iter().take(integer(n).unwrap_or(0)).collect()),
            ("single", None) if nodes.is_empty() => Ok(nodes),
            ("single", None) => Ok(vec![exactly_one(nodes)?]),
            ("ofType" | "as", Some(of)) => self.of_type(nodes, type_name(of).as_ref()),
            ("extension", Some(url)) => {
                let mut found = self.children(&nodes, "extension")?;
                let wanted = text(url);
                found.retain(|node| {
                    let url = get(self.resource, &node.steps).and_then(|e| e.get("url"));
                    url.and_then(Value::as_str) == wanted
                });
                Ok(found)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn children(&self, nodes: &[Node], name: &str) -> Result<Vec<Node>, Issue> {
        let mut found = Vec::new();
        for node in nodes {
            match node.model.look_up(name) {
                Child::Element => self.child(node, name, &mut found),
                Child::Choice(forms) => {
                    let before = found.len();
                    for key in &forms {
                        self.child(node, key, &mut found);
                    }
                    for node in found.iter_mut().skip(before) {
                        node.choice = Some(name.to_owned());
                        node.forms.clone_from(&forms);
                    }
                }
                Child::Unknown => return Err(unknown(name)),
            }
        }
        Ok(found)
    }

    /// Adds what `node` has under `key`: a primitive may have only its sibling `_key`.
    fn child(&self, node: &Node, key: &str, found: &mut Vec<Node>) {
        let at = node.member_steps();
        let Some(object) = get(self.resource, &at).and_then(Value::as_object) else { return };
        let (value, sibling) = (object.get(key), object.get(&format!("_{key}")));
        let add = |found: &mut Vec<Node>, index: Option<usize>, item: Option<&Value>| {
            let mut steps = at.clone();
            steps.push(Step::Key(key.to_owned()));
            steps.extend(index.map(Step::Index));
            let mut model = node.model.child(key);
            if model.is_resource() {
                let rtype = item.and_then(|r| r.get("resourceType")).and_then(Value::as_str);
                model = Model::resource(rtype.unwrap_or_default());
            }
            found.push(Node { steps, model, choice: None, forms: Vec::new() });
        };
        let lists = (value.and_then(Value::as_array), sibling.and_then(Value::as_array));
        if lists == (None, None) {
            if value.is_some() || sibling.is_some() {
                add(found, None, value);
            }
            return;
        }
        let length = lists.0.map_or(0, Vec::len).max(lists.1.map_or(0, Vec::len));
        for index in 0..length {
            let item = lists.0.and_then(|list| list.get(index)).filter(|item| !item.is_null());
            let extended = lists.1.and_then(|list| list.get(index)).filter(|item| !item.is_null());
            if item.is_some() || extended.is_some() {
                add(found, Some(index), item);
            }
        }
    }

    fn filter(&self, nodes: Vec<Node>, criteria: &Expression) -> Result<Vec<Node>, Issue> {
        let evaluator = FhirPathEvaluator::new();
        let criteria = FhirPathExpression { root: criteria.clone() };
        let mut kept = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let value = get(self.resource, &node.steps).cloned().unwrap_or_default();
            let this = FhirPathValue::from_json(&value);
            let context = EvaluationContext::new(value);
            let context = context.with_this_and_index(this, i64::try_from(index).unwrap_or(i64::MAX));
            let result = evaluator.evaluate(&criteria, &context).map_err(|_| {
                Issue::error("processing", format!("where({}) can't be evaluated here", criteria.root))
            })?;
            if result.is_truthy() {
                kept.push(node);
            }
        }
        Ok(kept)
    }

    fn of_type(&self, nodes: Vec<Node>, name: Option<&String>) -> Result<Vec<Node>, Issue> {
        let mut kept = Vec::new();
        for node in nodes {
            match name.and_then(|name| node.is_of_type(name, self.resource)) {
                Some(true) => kept.push(node),
                Some(false) => {}
                None => {
                    let message = "A type can be asked of a choice element or a contained resource only";
                    return Err(Issue::error("not-supported", message));
                }
            }
        }
        Ok(kept)
    }
}

fn unknown(name: &str) -> Issue {
    Issue::error("structure", format!("R4 has no element {name:.80?} there"))
}
