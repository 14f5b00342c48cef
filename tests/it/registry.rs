//! The registry of types and search parameters against R4's own SearchParameters and CompartmentDefinitions.

use crate::examples::directory;
use serde_json::Value;
use slotwright::fhir::registry::{COMMON, Only, ParamKind, Path, SearchParam, TYPES};
use std::collections::{BTreeMap, BTreeSet};

/// Composites of elements that repeat, whose values must be of one element: not offered.
const PAIRED: &[(&str, &str)] = &[
    ("DocumentReference", "relationship"),
    ("Group", "characteristic-value"),
    ("Observation", "combo-code-value-concept"),
    ("Observation", "combo-code-value-quantity"),
    ("Observation", "component-code-value-concept"),
    ("Observation", "component-code-value-quantity"),
];
/// SearchParameters of the example package that are no part of R4 itself: they show how extensions are searched.
const NOT_R4: &[(&str, &str)] = &[
    ("Patient", "age"),
    ("Patient", "birthOrderBoolean"),
    ("Patient", "mothersMaidenName"),
    ("Patient", "part-agree"),
    ("Device", "din"),
];
/// Common parameters that this server does not offer.
const NOT_OFFERED: &[&str] = &["_content", "_filter", "_query", "_text"];

fn strings(value: &Value, name: &str) -> Vec<String> {
    let items = value.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn string(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn definitions(prefix: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory()).expect("the examples").flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let text = std::fs::read(entry.path()).expect("a file");
            found.push(serde_json::from_slice(&text).expect("JSON"));
        }
    }
    found
}

fn kind(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Token => "token",
        ParamKind::Reference => "reference",
        ParamKind::Date => "date",
        ParamKind::String => "string",
        ParamKind::Uri => "uri",
        ParamKind::Quantity => "quantity",
        ParamKind::Special => "special",
        ParamKind::Composite => "composite",
    }
}

/// The first element that each path of R4's expression for `rtype` names.
fn roots(expression: &str, rtype: &str) -> BTreeSet<String> {
    let mut roots = BTreeSet::new();
    for part in expression.split('|') {
        let part = part.trim().trim_start_matches('(');
        if let Some(path) = part.strip_prefix(rtype).and_then(|rest| rest.strip_prefix('.')) {
            roots.insert(path.chars().take_while(char::is_ascii_alphanumeric).collect());
        }
    }
    roots
}

/// Whether a path of ours starts at an element of R4's, a choice type spelled out or not.
fn covers(roots: &BTreeSet<String>, Path { path, .. }: &Path) -> bool {
    let ours = path.split('.').next().unwrap_or_default();
    roots.iter().any(|root| {
        ours.strip_prefix(root.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

fn compare(rtype: &str, ours: &SearchParam, r4: &Value, wrong: &mut Vec<String>) {
    let name = format!("{rtype}.{}", ours.code);
    if kind(ours.kind) != string(r4, "type") {
        wrong.push(format!("{name}: is a {} in R4", string(r4, "type")));
    }
    if ours.url != string(r4, "url") {
        wrong.push(format!("{name}: its URL is {}", string(r4, "url")));
    }
    let roots = roots(&string(r4, "expression"), rtype);
    if !roots.is_empty() && !ours.paths.iter().all(|path| covers(&roots, path)) {
        wrong.push(format!("{name}: R4 looks at {roots:?}"));
    }
    let targets: BTreeSet<String> = strings(r4, "target").into_iter().collect();
    let narrowed = ours.paths.iter().find_map(|path| match path.only {
        Only::RefersTo(target) => Some(target),
        _ => None,
    });
    let right = match narrowed {
        Some(target) => ours.targets == [target] && targets.contains(target),
        // A parameter of every type points anywhere.
        None if targets.len() > 100 => ours.targets.is_empty(),
        None => ours.targets.iter().map(|t| (*t).to_owned()).collect::<BTreeSet<_>>() == targets,
    };
    if ours.kind == ParamKind::Composite {
        let definitions = r4["component"].as_array().expect("components");
        let joined: Vec<String> = definitions.iter().map(|one| string(one, "definition")).collect();
        let row = slotwright::fhir::registry::resource_type(rtype).expect("a type");
        let own: Vec<&str> =
            ours.components.iter().map(|code| row.param(code).expect("a parameter").url).collect();
        if string(r4, "expression") != rtype || own != joined {
            wrong.push(format!("{name}: R4 joins {joined:?} of {}", string(r4, "expression")));
        }
    }
    if ours.kind == ParamKind::Reference && !right {
        wrong.push(format!("{name}: R4's targets are {targets:?}"));
    }
}

#[test]
fn every_search_parameter_of_r4_is_there_and_no_other() {
    let mut r4: BTreeMap<(String, String), Value> = BTreeMap::new();
    for definition in definitions("SearchParameter-") {
        // Examples of SearchParameters, and those of profiles about genetics.
        let id = string(&definition, "id");
        if id.starts_with("example") || id.contains("-genetic-") {
            continue;
        }
        for base in strings(&definition, "base") {
            r4.insert((base, string(&definition, "code")), definition.clone());
        }
    }
    assert!(r4.len() > 1000, "these are not the R4 examples");
    let mut wrong = Vec::new();
    for rt in TYPES {
        let wanted = r4.keys().filter(|(base, code)| {
            base == rt.name && !NOT_R4.contains(&(rt.name, code)) && !PAIRED.contains(&(rt.name, code))
        });
        for (_, code) in wanted {
            if rt.param(code).is_none() {
                wrong.push(format!("{}.{code} is missing", rt.name));
            }
        }
        for param in rt.params {
            match r4.get(&(rt.name.to_owned(), param.code.to_owned())) {
                Some(definition) => compare(rt.name, param, definition, &mut wrong),
                None if param.url.starts_with("https://slotwright.org/fhir/") => {}
                None => wrong.push(format!("{}.{} is not in R4", rt.name, param.code)),
            }
        }
    }
    for (base, code) in r4.keys().filter(|(base, _)| base == "Resource" || base == "DomainResource") {
        let offered = COMMON.iter().any(|p| p.code == code);
        if offered == NOT_OFFERED.contains(&code.as_str()) {
            wrong.push(format!("{base}.{code}: offered is {offered}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn compartments_are_those_of_r4() {
    let mut wrong = Vec::new();
    for definition in definitions("CompartmentDefinition-") {
        let owner = string(&definition, "code");
        if !matches!(owner.as_str(), "Patient" | "Practitioner") || string(&definition, "id") == "example" {
            continue;
        }
        for resource in definition["resource"].as_array().expect("resources") {
            let name = string(resource, "code");
            let Some(rt) = TYPES.iter().find(|rt| rt.name == name) else { continue };
            let mut expected: BTreeSet<String> = strings(resource, "param").into_iter().collect();
            if name == owner {
                // The owner itself.
                expected.remove("{def}");
                expected.insert("_id".to_owned());
            }
            let codes = if owner == "Patient" { rt.patient_compartment } else { rt.practitioner_compartment };
            let codes: BTreeSet<String> = codes.iter().map(|c| (*c).to_owned()).collect();
            if codes != expected {
                wrong.push(format!("{owner} compartment, {name}: {codes:?}, in R4 {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_makes_sense() {
    for rt in TYPES {
        let codes: BTreeSet<&str> = rt.all_params().map(|p| p.code).collect();
        assert_eq!(codes.len(), rt.all_params().count(), "{}: a code twice", rt.name);
        for code in rt.patient_compartment.iter().chain(rt.practitioner_compartment) {
            assert!(rt.param(code).is_some(), "{}: the compartment's {code} is no parameter", rt.name);
        }
    }
    let names: Vec<&str> = TYPES.iter().map(|t| t.name).collect();
    assert!(names.is_sorted() && names.len() == 32, "{names:?}");
}
