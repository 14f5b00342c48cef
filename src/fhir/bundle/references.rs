//! References between the entries of a transaction.

use crate::fhir::registry::resource_type;
use serde_json::Value;
use std::collections::HashMap;

/// Members whose whole value may be the `fullUrl` of an entry: references, and elements of type uri, url,
/// oid or uuid. `Identifier.value` is none of them and stays as it is.
const LINKS: &[&str] =
    &["reference", "url", "valueUri", "valueUrl", "valueOid", "valueUuid", "valueCanonical"];

/// What entries are called and what they become.
#[derive(Clone, Debug, Default)]
pub struct Rewrite {
    map: HashMap<String, String>,
}

impl Rewrite {
    /// Says that `from` (a `fullUrl`, or a conditional reference) is now `to` (`Type/id`).
    pub fn insert(&mut self, from: impl Into<String>, to: impl Into<String>) {
        self.map.insert(from.into(), to.into());
    }

    /// Whether there is nothing to rewrite.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Rewrites every link of `body`. `full_url` is that of the body's own entry: relative references
    /// belong to the same server.
    pub fn apply(&self, body: &mut Value, full_url: Option<&str>) {
        if !self.map.is_empty() {
            self.visit(body, full_url.and_then(root_of));
        }
    }

    fn visit(&self, value: &mut Value, root: Option<&str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member {
                        Value::String(text) if LINKS.contains(&name.as_str()) => {
                            if let Some(new) = self.resolve(text, root) {
                                *text = new;
                            }
                        }
                        Value::String(text) if name == "div" => {
                            if let Some(new) = self.narrative(text) {
                                *text = new;
                            }
                        }
                        _ => self.visit(member, root),
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.visit(item, root);
                }
            }
            _ => {}
        }
    }

    fn resolve(&self, text: &str, root: Option<&str>) -> Option<String> {
        if let Some(new) = self.map.get(text) {
            return Some(new.clone());
        }
        // A fragment or a version belongs to the link, not to the entry's name.
        if let Some((url, fragment)) = text.split_once('#').filter(|(url, _)| !url.is_empty()) {
            return self.map.get(url).map(|new| format!("{new}#{fragment}"));
        }
        let root = root?;
        self.map.get(&format!("{root}/{text}")).cloned()
    }

    /// `<a href="…">` and `<img src="…">` of a narrative.
    fn narrative(&self, div: &str) -> Option<String> {
        let mut written = String::with_capacity(div.len());
        let mut rest = div;
        let mut changed = false;
        while let Some(start) =
            ["href=\"", "src=\""].iter().filter_map(|m| Some(rest.find(m)? + m.len())).min()
        {
            let (before, after) = rest.split_at(start);
            written.push_str(before);
            let end = after.find('"').unwrap_or(after.len());
            let (link, tail) = after.split_at(end);
            match self.map.get(link) {
                Some(new) => {
                    changed = true;
                    written.push_str(new);
                }
                None => written.push_str(link),
            }
            rest = tail;
        }
        written.push_str(rest);
        changed.then_some(written)
    }
}

/// `http://a.example/fhir` for `http://a.example/fhir/Patient/1`.
fn root_of(full_url: &str) -> Option<&str> {
    let (rest, _id) = full_url.rsplit_once('/')?;
    let (root, rtype) = rest.rsplit_once('/')?;
    rtype.starts_with(|c: char| c.is_ascii_uppercase()).then_some(root)
}

/// Every conditional reference of `body`, such as `Patient?identifier=http://a.example|1`.
pub fn conditional_references(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each_reference(body, "", &mut |text, _| {
        let is_conditional = text
            .split_once('?')
            .is_some_and(|(rtype, query)| resource_type(rtype).is_some() && !query.is_empty());
        if is_conditional {
            found.push(text.to_owned());
        }
    });
    found
}

/// References of `body` by a URN that no entry has, each with where it is (relative to the body).
pub fn unresolved(body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_reference(body, "", &mut |text, at| {
        if text.starts_with("urn:uuid:") || text.starts_with("urn:oid:") {
            found.push((text.to_owned(), at.trim_start_matches('.').to_owned()));
        }
    });
    found
}

fn each_reference(value: &Value, at: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "reference" => visit(text, &format!("{at}.{name}")),
                    Value::Object(_) | Value::Array(_) => {
                        each_reference(member, &format!("{at}.{name}"), visit);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_reference(item, &format!("{at}[{index}]"), visit);
            }
        }
        _ => {}
    }
}
